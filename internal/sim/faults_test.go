package sim

import (
	"flag"
	"fmt"
	"strings"
	"testing"
)

var (
	seedFlag  = flag.Uint64("sim.seed", 0, "replay this seed only, with its trace")
	seedCount = flag.Int("sim.seeds", 0, "number of seeds of the random tests (default 2000, 100 with -short)")
)

func shapeOf(seed uint64) shape {
	return []shape{{3, 1, 3}, {2, 2, 5}, {2, 1, 3}, {1, 2, 3}, {3, 1, 5}}[seed%5]
}

// history plays one seed: chaos, healing, and what must hold after it.
func history(in mode, seed uint64, plant bugs) (*world, error) {
	w := newWorldIn(in, seed, shapeOf(seed), plant)
	w.run(1500 * ms)
	w.chaos(w.now + 9*second)
	if w.broken != nil {
		return w, w.broken
	}
	w.heal()
	// The last pause may have just begun its silence, leases run out, an election
	// may split once: 6 s is four times cluster-node-timeout.
	if w.until(w.now+6*second, w.healthy) < 0 {
		if w.broken != nil {
			return w, w.broken
		}
		return w, fmt.Errorf("6 s after healing the cluster is not whole")
	}
	return w, nil
}

// TestRandomFaults holds the invariants over random histories. A failing seed
// replays with -sim.seed.
func TestRandomFaults(t *testing.T) {
	first, count := uint64(1), 2000
	if testing.Short() {
		count = 100
	}
	if raceEnabled { // nothing here runs in parallel
		count = 30
	}
	if *seedCount > 0 {
		count = *seedCount
	}
	if *seedFlag != 0 {
		first, count = *seedFlag, 1
	}
	failovers := 0
	for seed := first; seed < first+uint64(count); seed++ {
		w, err := history(mode{}, seed, bugs{})
		if err != nil {
			t.Fatalf("seed %d: %v\n%s\nreplay with -run TestRandomFaults -sim.seed=%d", seed, err, strings.Join(w.trace, "\n"), seed)
		}
		if *seedFlag != 0 {
			t.Log(strings.Join(w.trace, "\n"))
		}
		w.checkViews(t)
		failovers += len(w.failovers)
	}
	if failovers < count {
		t.Fatalf("%d seeds brought only %d failovers: the faults are too tame", count, failovers)
	}
	t.Logf("seeds %d to %d: %d failovers", first, first+uint64(count)-1, failovers)
}
