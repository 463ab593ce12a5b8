package memory

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestExpiryStorm lets a million keys expire within one second: their memory is to be
// free two seconds later, and other commands are to feel nothing of it.
func TestExpiryStorm(t *testing.T) {
	const (
		backWithin = 2 * time.Second
		longest    = 5 * time.Millisecond // at p99.9
	)
	keys, lead := 1_000_000, 20*time.Second
	if testing.Short() {
		keys, lead = 100_000, 4*time.Second
	}
	p := startNode(t)
	empty := p.info("used_memory")
	due := time.Now().Add(lead)
	value := strings.Repeat("v", 64)
	p.pipeline(keys, func(i int) []string {
		return []string{"SET", "key:" + strconv.Itoa(i), value, "PXAT", strconv.FormatInt(due.UnixMilli()+int64(i%1000), 10)}
	})
	if time.Now().After(due) {
		t.Skip("this machine is too slow to load the keys in time")
	}
	full := p.info("used_memory")
	quiet := p.probeFor(time.Until(due) / 2)
	time.Sleep(time.Until(due) - 200*time.Millisecond)

	stop := make(chan struct{})
	storm := p.probe(stop)
	lastDue := due.Add(time.Second)
	for p.dbsize() > 1 { // the probe's own key
		if time.Since(lastDue) > time.Minute {
			t.Fatalf("%d keys are left", p.dbsize())
		}
		time.Sleep(10 * time.Millisecond)
	}
	for p.info("used_memory") > empty+(full-empty)/20 {
		if time.Since(lastDue) > time.Minute {
			t.Fatalf("%d bytes are in use, %d before", p.info("used_memory"), empty)
		}
		time.Sleep(10 * time.Millisecond)
	}
	took := time.Since(lastDue)
	close(stop)
	felt := <-storm
	t.Logf("%d keys, %d MB: free %v after the last one expired", keys, (full-empty)>>20, took.Round(time.Millisecond))
	t.Logf("before: %v", quiet)
	t.Logf("during: %v", felt)
	if raced || testing.Short() {
		return // figures are for a machine that does nothing else
	}
	if took > backWithin {
		t.Errorf("memory came back after %v, want %v", took, backWithin)
	}
	// What the machine does to an idle node is not the storm's.
	if got := felt.at(.999); got > max(longest, 2*quiet.at(.999)) {
		t.Errorf("p99.9 is %v, want %v", got, longest)
	}
}
