package memory

import (
	"strconv"
	"testing"
	"time"
)

// TestFlushWaits has FLUSHALL SYNC answered when memory is free, and ASYNC before, with
// other commands going on meanwhile.
func TestFlushWaits(t *testing.T) {
	keys := 1_000_000
	if testing.Short() {
		keys = 200_000
	}
	p := startNode(t)
	empty := p.info("used_memory")
	for _, mode := range []string{"SYNC", "ASYNC"} {
		p.pipeline(keys, func(i int) []string { return []string{"SET", "key:" + strconv.Itoa(i), "a value of some length"} })
		full := p.info("used_memory")
		stop := make(chan struct{})
		out := p.probe(stop)
		at := time.Now()
		p.Ask("FLUSHALL", mode)
		took := time.Since(at)
		used, pending := p.info("used_memory"), p.info("lazyfree_pending_objects")
		for p.info("lazyfree_pending_objects") > 0 {
			if time.Since(at) > time.Minute {
				t.Fatal("not freed in a minute")
			}
			time.Sleep(time.Millisecond)
		}
		freed := time.Since(at)
		close(stop)
		t.Logf("FLUSHALL %s of %d keys, %d MB: answered after %v, free after %v", mode, keys, (full-empty)>>20, took, freed)
		t.Logf("beside it: %v", <-out)
		if mode == "SYNC" && (pending != 0 || used > empty+1<<20) {
			t.Errorf("%d objects and %d bytes were not free at the answer", pending, used-empty)
		}
		if n := p.info("lazyfreed_objects"); int(n) < keys {
			t.Errorf("%d objects freed", n)
		}
		p.Ask("CONFIG", "RESETSTAT")
	}
	p.Ask("CONFIG", "SET", "lazyfree-lazy-user-flush", "yes")
	p.Ask("MULTI")
	p.Ask("FLUSHALL", "SYNC") // nobody can wait within EXEC
	p.Ask("FLUSHDB")
	p.Ask("EXEC")
}
