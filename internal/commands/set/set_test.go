package set_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/command/commandtest"
	"github.com/redwingdb/redwing/internal/commands/keys"
	"github.com/redwingdb/redwing/internal/commands/set"
	"github.com/redwingdb/redwing/internal/commands/str"
)

func newRunner(t testing.TB) *commandtest.Runner {
	return commandtest.NewRunner(t, 2, set.Specs(set.Deps{}), str.Specs(), keys.Specs(keys.Deps{}))
}

func TestEffects(t *testing.T) {
	newRunner(t).Script(t, `
		sadd a 1 2             -> 2 | sadd a 1 2
		sadd a 1               -> 0
		srem a 5               -> 0
		srem a 1 5             -> 1 | srem a 1 5
		spop a                 -> 2 | SREM a 2
		spop a                 -> nil
		exists a               -> 0
		sadd a 7               -> 1 | sadd a 7
		spop a 0               -> []
		spop a 3               -> [7] | DEL a
		sadd a 7               -> 1 | sadd a 7
		smove a b 8            -> 0
		smove a a 7            -> 1
		smove a b 7            -> 1 | smove a b 7
		sinterstore c a b      -> 0
		sinterstore c b b      -> 1 | sinterstore c b b
		sunionstore c nokey    -> 0 | sunionstore c nokey
		sdiffstore c b a       -> 1 | sdiffstore c b a
		srandmember b          -> 7
		srandmember b -2       -> [7 7]
		sscan b 0              -> [0 [7]]
	`)
}

// What SPOP took is exactly what it has propagated, in pieces.
func TestSpopCountEffects(t *testing.T) {
	r := newRunner(t)
	words := []string{"sadd", "a"}
	for i := range 5000 {
		words = append(words, "m"+strconv.Itoa(i))
	}
	r.Do(words...)
	for _, n := range []int{1, 100, 3000, 1800} {
		reply, err := commandtest.Parse(r.Do("spop", "a", strconv.Itoa(n)))
		if err != nil || len(reply.Items) != n {
			t.Fatalf("%d popped, %v", len(reply.Items), err)
		}
		popped, gone := reply.Strings(), []string{}
		for _, effect := range r.Effects() {
			members, ok := strings.CutPrefix(effect, "SREM a ")
			if !ok || strings.Count(members, " ") >= 1024 {
				t.Fatalf("effect %.50q", effect)
			}
			gone = append(gone, strings.Fields(members)...)
		}
		slices.Sort(popped)
		slices.Sort(gone)
		if !slices.Equal(popped, gone) || len(slices.Compact(popped)) != n {
			t.Fatalf("%d popped, %d propagated", len(popped), len(gone))
		}
		for _, m := range popped {
			if commandtest.Plain(r.Do("sismember", "a", m)) != "0" {
				t.Fatalf("%s is still there", m)
			}
		}
	}
	if n := commandtest.Plain(r.Do("scard", "a")); n != "99" {
		t.Errorf("%s left", n)
	}
}

// Redis 7.2 names the encodings of stored results so.
func TestStoredEncodings(t *testing.T) {
	r := newRunner(t)
	long := strings.Repeat("x", 65)
	for i := range 200 {
		r.Do("sadd", "table", "m"+strconv.Itoa(i))
		r.Do("sadd", "numbers", strconv.Itoa(i))
	}
	r.Script(t, `
		sadd pack m1 m2 5         -> 3 | sadd pack m1 m2 5
		sadd ints 5 6 7           -> 3 | sadd ints 5 6 7
		sadd mixed m1 m2 m3 m4 m5 `+long+` -> 6 | sadd mixed m1 m2 m3 m4 m5 `+long+`
		object encoding table     -> hashtable
		object encoding numbers   -> intset
		object encoding pack      -> listpack
		object encoding ints      -> intset
		object encoding mixed     -> hashtable
		sinterstore d pack ints   -> 1 | sinterstore d pack ints
		object encoding d         -> intset
		sinterstore d pack table  -> 2 | sinterstore d pack table
		object encoding d         -> listpack
		sinterstore d mixed table -> 5 | sinterstore d mixed table
		object encoding d         -> hashtable
		sunionstore d pack ints   -> 5 | sunionstore d pack ints
		object encoding d         -> listpack
		sdiffstore d table pack   -> 198 | sdiffstore d table pack
		object encoding d         -> hashtable
		sdiffstore d mixed table  -> 1 | sdiffstore d mixed table
		object encoding d         -> hashtable
		sunionstore d numbers     -> 200 | sunionstore d numbers
		object encoding d         -> intset
	`)
}

func fill(r *commandtest.Runner, key string, n int) {
	words := []string{"sadd", key}
	for i := range n {
		if words = append(words, "member:"+strconv.Itoa(i)); len(words) == 1000 || i == n-1 {
			r.Do(words...)
			words = words[:2]
		}
	}
}

func TestSlowCommandsRunAsOwner(t *testing.T) {
	r := newRunner(t)
	fill(r, "a", 12_000)
	fill(r, "b", 12_000)
	fill(r, "small", 10)
	r.Do("sadd", "long", strings.Repeat("x", 700_000), strings.Repeat("y", 700_000))
	for _, c := range []struct {
		owned int
		line  string
	}{
		{0, "sismember a x"}, {0, "scard a"}, {0, "spop a"}, {0, "spop a 100"}, {1, "spop a 9000"}, {0, "srandmember b 100"},
		{1, "srandmember b 9000"}, {1, "srandmember b -20000"}, {0, "srandmember b"}, {1, "smembers b"}, {0, "sinter b small"},
		{1, "sinter b b"}, {0, "sinter b nokey"}, {1, "sunion b"}, {0, "sdiff small b"}, {1, "sdiff b small"}, {1, "sinterstore d b b"},
		{1, "sunionstore d b small"}, {0, "sintercard 2 b small"}, {1, "sintercard 2 b b"}, {0, "sscan b 0"}, {1, "sscan b 0 count 20000"},
		{1, "smembers long"}, {0, "srandmember long 1"}, {1, "sunion long"}, {1, "srandmember long -3"}, {1, "sunionstore d long"},
		{1, "sadd many" + strings.Repeat(" x", 10_001)}, {1, "smismember many" + strings.Repeat(" x", 10_001)},
		{1, "spop long 2"}, {0, "smove b small member:7000"},
	} {
		before := r.Owned
		r.Ctx.Hits, r.Ctx.Misses = 0, 0
		if reply := r.Do(strings.Fields(c.line)...); reply[0] == '-' {
			t.Errorf("%.60s: %s", c.line, reply)
		}
		if got := r.Owned - before; got != c.owned {
			t.Errorf("%.60s: ran %d times as an owner, want %d", c.line, got, c.owned)
		}
		if keys := r.Ctx.Hits + r.Ctx.Misses; keys > 2 {
			t.Errorf("%.60s: %d keys counted", c.line, keys)
		}
	}
}

// A scan meets every member that stays, while others come and go and the table grows and
// shrinks.
func TestScanMeetsAllThatStay(t *testing.T) {
	r := newRunner(t)
	fill(r, "a", 2000)
	seen, cursor := map[string]bool{}, "0"
	for step := 0; ; step++ {
		reply, err := commandtest.Parse(r.Do("sscan", "a", cursor, "count", "20"))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range reply.Items[1].Strings() {
			seen[m] = true
		}
		if cursor = reply.Items[0].Text; cursor == "0" {
			break
		}
		for i := range 100 {
			verb := "sadd"
			if step/20%2 == 1 {
				verb = "srem"
			}
			r.Do(verb, "a", fmt.Sprintf("other:%d", step%20*100+i))
		}
	}
	for i := range 2000 {
		if m := "member:" + strconv.Itoa(i); !seen[m] {
			t.Fatalf("%s was not met", m)
		}
	}
}

func TestHotPathAllocatesNothing(t *testing.T) {
	r := newRunner(t)
	fill(r, "table", 5000)
	fill(r, "pack", 20)
	for i := range 100 {
		r.Do("sadd", "ints", strconv.Itoa(i))
	}
	for _, key := range []string{"table", "pack", "ints"} {
		next := 1_000_000
		number := make([]byte, 8)
		for _, words := range []string{"sadd %s 7", "sismember %s 7", "smismember %s 7 8", "scard %s", "srandmember %s", "spop %s", "srem %s 7"} {
			args := commandtest.Args(strings.Fields(strings.ReplaceAll(words, "%s", key))...)
			add := commandtest.Args("sadd", key, "")
			remove := commandtest.Args("srem", key, "")
			add[2], remove[2] = number, number
			r.Run(args)
			if n := testing.AllocsPerRun(100, func() {
				next++
				strconv.AppendInt(number[:0], int64(next), 10)
				r.Run(add)
				r.Run(args)
				r.Run(remove)
			}); n > 0 {
				t.Errorf("%s: %v allocations", strings.ReplaceAll(words, "%s", key), n)
			}
		}
	}
}

func BenchmarkCommands(b *testing.B) {
	for _, key := range []string{"table", "pack", "ints"} {
		r := newRunner(b)
		fill(r, "table", 100_000)
		fill(r, "pack", 50)
		for i := range 100 {
			r.Do("sadd", "ints", strconv.Itoa(i))
		}
		for _, words := range []string{"sadd %s 7", "sismember %s 7", "srandmember %s"} {
			words = strings.ReplaceAll(words, "%s", key)
			b.Run(words, func(b *testing.B) {
				args := commandtest.Args(strings.Fields(words)...)
				b.ReportAllocs()
				for b.Loop() {
					r.Run(args)
				}
			})
		}
	}
}
