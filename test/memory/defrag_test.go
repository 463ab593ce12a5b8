package memory

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestDefragOnline deletes nine of ten keys and lets active defragmentation bring their
// pages back while commands go on.
func TestDefragOnline(t *testing.T) {
	keys := 1_000_000
	if testing.Short() {
		keys = 200_000
	}
	p := startNode(t, "--active-defrag-ignore-bytes", "1mb", "--active-defrag-cycle-min", "10")
	value := strings.Repeat("v", 100)
	name := func(i int) string { return "key:" + strconv.Itoa(i) }
	p.pipeline(keys, func(i int) []string { return []string{"SET", name(i), value} })
	full := p.info("used_memory_rss")
	p.pipeline(keys, func(i int) []string {
		if i%10 == 3 {
			return []string{"EXISTS", name(i)}
		}
		return []string{"DEL", name(i)}
	})
	time.Sleep(time.Second)
	before, rssBefore := p.info("allocator_frag_bytes"), p.info("used_memory_rss")
	stop := make(chan struct{})
	out := p.probe(stop)
	at := time.Now()
	p.Ask("CONFIG", "SET", "activedefrag", "yes")
	for p.info("allocator_frag_bytes") > before/5 {
		if time.Since(at) > time.Minute {
			t.Fatalf("%d bytes lie free between blocks, %d before; %d blocks moved", p.info("allocator_frag_bytes"), before, p.info("active_defrag_hits"))
		}
		time.Sleep(20 * time.Millisecond)
	}
	took := time.Since(at)
	p.Ask("CONFIG", "SET", "activedefrag", "no")
	time.Sleep(time.Second) // idle pages go back
	close(stop)
	t.Logf("%d MB resident full, %d MB with a tenth of the keys, %d MB after %v of defragmentation", full>>20, rssBefore>>20, p.info("used_memory_rss")>>20, took.Round(time.Millisecond))
	t.Logf("%d MB lay free between blocks, %d MB after it; %d blocks moved, %d looked at", before>>20, p.info("allocator_frag_bytes")>>20, p.info("active_defrag_hits"), p.info("active_defrag_misses"))
	t.Logf("beside it: %v", <-out)
	for i := 3; i < keys; i += keys / 1000 * 10 {
		if got := p.Ask("GET", name(i)).Text; got != value {
			t.Fatalf("%s is %q", name(i), got)
		}
	}
	if p.info("active_defrag_hits") == 0 || p.info("active_defrag_running") != 0 {
		t.Errorf("%d blocks moved; running: %d", p.info("active_defrag_hits"), p.info("active_defrag_running"))
	}
}
