package differ

import (
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/command/commandtest"
)

// TestHyperLogLog adds random elements on both sides: replies, estimates and the bytes
// of the values are the same from the first element to the hundred thousandth.
func TestHyperLogLog(t *testing.T) {
	redis, ours := commandtest.StartRedis(t), newSession(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	both := func(words ...string) {
		t.Helper()
		if theirs, mine := string(redis.Do(words...)), ours.do(words...); theirs != mine {
			t.Fatalf("%.100q\nredis: %.200q\n ours: %.200q", words, theirs, mine)
		}
	}
	batch := 1
	for total := 0; total < 100_000; batch = min(1000, 1+batch+batch/2) {
		key := "pf:" + strconv.Itoa(r.IntN(3))
		words := []string{"pfadd", key}
		for range batch {
			words = append(words, strconv.FormatUint(r.Uint64()>>r.IntN(40), 36))
		}
		total += batch
		both(words...)
		both("get", key)
		both("pfcount", key)
		both("get", key)
		if r.IntN(5) == 0 {
			both("pfcount", "pf:0", "pf:1", "pf:2")
			both("pfmerge", "pf:"+strconv.Itoa(3+r.IntN(3)), "pf:"+strconv.Itoa(r.IntN(6)), "pf:"+strconv.Itoa(r.IntN(6)))
			both("mget", "pf:3", "pf:4", "pf:5")
		}
	}
}
