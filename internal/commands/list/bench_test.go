package list_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/command/commandtest"
	"github.com/redwingdb/redwing/internal/commands/list"
)

// The benchmarks run handlers without a server, on as many keys as the caches do not hold.
const benchKeys = 100_000

func benchRequests(text string) [][][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	reqs := make([][][]byte, 1<<16)
	for i := range reqs {
		reqs[i] = commandtest.Args(strings.Fields(strings.ReplaceAll(text, "#", fmt.Sprintf("%012d", r.IntN(benchKeys))))...)
	}
	return reqs
}

func benchRunner(b *testing.B) *commandtest.Runner {
	r := commandtest.NewRunner(b, 1, list.Specs())
	r.Now = 1_000_000
	return r
}

func bench(b *testing.B, r *commandtest.Runner, text string) {
	reqs := benchRequests(text)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		r.Run(reqs[i&(len(reqs)-1)])
	}
}

func BenchmarkLPUSH(b *testing.B) { bench(b, benchRunner(b), "lpush list:# element:#") }

func BenchmarkLPUSHOneKey(b *testing.B) { bench(b, benchRunner(b), "lpush list element:#") }

func BenchmarkRPOP(b *testing.B) {
	r := benchRunner(b)
	fill := benchRequests("lpush list:# a element:# b element:#")
	for i := range b.N {
		r.Run(fill[i&(len(fill)-1)])
	}
	bench(b, r, "rpop list:#")
}

func BenchmarkLRANGE100(b *testing.B) {
	r := benchRunner(b)
	words := []string{"rpush", "list"}
	for i := range 100 {
		words = append(words, "element:"+strconv.Itoa(10_000_000+i))
	}
	r.Do(words...)
	bench(b, r, "lrange list 0 99")
}
