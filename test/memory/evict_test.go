package memory

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/command/commandtest"
	"github.com/redwingdb/redwing/test/realnode"
)

// TestCacheUnderLoad writes several times what maxmemory allows, from several
// connections: memory stays within the limit, no write is refused, and what is used again
// and again stays.
func TestCacheUnderLoad(t *testing.T) {
	keys := 200_000
	if testing.Short() {
		keys = 40_000
	}
	for _, policy := range []string{"allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-ttl"} {
		t.Run(policy, func(t *testing.T) {
			p := startNode(t)
			const writers = 4
			value := strings.Repeat("v", 500)
			name := func(w, i int) string { return fmt.Sprintf("key:%d:%d", w, i) }
			hot := func(i int) string { return "hot:" + strconv.Itoa(i) }
			p.pipeline(100, func(i int) []string { return []string{"SET", hot(i), value, "EX", "100000"} })
			limit := p.info("used_memory") + int64(keys/4)*600
			p.Ask("CONFIG", "SET", "maxmemory", strconv.FormatInt(limit, 10), "maxmemory-policy", policy)
			stop := make(chan struct{})
			felt := p.probe(stop)
			at := time.Now()
			var wg sync.WaitGroup
			for w := range writers {
				r := &process{p.T, p.Again()}
				wg.Add(1)
				go func() {
					defer wg.Done()
					for i := 0; i < keys/writers; i += 100 {
						r.pipeline(100, func(j int) []string {
							return []string{"SET", name(w, i+j), value, "EX", strconv.Itoa(1000 + i)}
						})
						r.pipeline(100, func(j int) []string { return []string{"GET", hot(j)} })
					}
				}()
			}
			most := int64(0)
			done := make(chan struct{})
			go func() { wg.Wait(); close(done) }()
			for over := false; !over; {
				select {
				case <-done:
					over = true
				case <-time.After(5 * time.Millisecond):
				}
				most = max(most, p.info("used_memory"))
			}
			took := time.Since(at)
			close(stop)
			t.Logf("%d writes in %v, %d keys evicted; limit %d KB, at most %d KB", keys, took.Round(time.Millisecond), p.info("evicted_keys"), limit>>10, most>>10)
			t.Logf("beside it: %v", <-felt)
			kept := 0
			for i := range 100 {
				if !bytes.Equal(p.Do("EXISTS", hot(i)), []byte(":0\r\n")) {
					kept++
				}
			}
			t.Logf("%d of 100 hot keys are left", kept)
			if used := p.info("used_memory"); used > limit+limit/100 {
				t.Errorf("%d bytes are used, the limit is %d", used, limit)
			}
			if most > limit+limit/20 {
				t.Errorf("up to %d bytes were used, the limit is %d", most, limit)
			}
			if p.info("evicted_keys") < int64(keys/3) {
				t.Errorf("%d keys evicted", p.info("evicted_keys"))
			}
			if policy == "allkeys-lfu" && kept < 90 {
				t.Errorf("%d of 100 hot keys are left", kept)
			}
		})
	}
}

// WATCH hears of evicted keys, and writes are refused when nothing is left to evict.
func TestEvictionToTheLast(t *testing.T) {
	p := startNode(t)
	r := p.Again()
	value := strings.Repeat("v", 1000)
	p.pipeline(1000, func(i int) []string { return []string{"SET", "key:" + strconv.Itoa(i), value} })
	r.Ask("WATCH", "key:1", "key:2", "key:3")
	p.Ask("CONFIG", "SET", "maxmemory", "1", "maxmemory-policy", "allkeys-lru")
	// A command evicts for half a millisecond and goes on; once nothing is left it is refused.
	realnode.Eventually(t, 10*time.Second, func() error {
		if got := string(p.Do("SET", "more", "x")); got != "-OOM command not allowed when used memory > 'maxmemory'.\r\n" {
			return fmt.Errorf("SET: %q", got)
		}
		return nil
	})
	p.Ask("CONFIG", "SET", "maxmemory", "0")
	if p.dbsize() != 0 || p.info("evicted_keys") < 1000 {
		t.Errorf("%d keys, %d evicted", p.dbsize(), p.info("evicted_keys"))
	}
	r.Ask("MULTI")
	r.Ask("SET", "key:1", "mine")
	if v, err := commandtest.Parse(r.Do("EXEC")); err != nil || !v.Null {
		t.Errorf("EXEC: %+v (%v)", v, err)
	}
}
