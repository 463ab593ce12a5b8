package sim

import (
	"strings"
	"testing"
)

// grown is a world of shards with a replica each, in calm weather.
func grown(seed uint64, replicas int) (w *world, primary *proc) {
	w = newWorld(seed, shape{3, replicas, 3}, bugs{})
	w.calm = true
	w.run(2500 * ms)
	return w, w.primaryOf(shardID(0))
}

// TestOldDiskDoesNotWin: a primary that crashes and comes back at once with what it had
// saved a while ago must not lead: its replica has more.
func TestOldDiskDoesNotWin(t *testing.T) {
	for seed := uint64(1); seed <= 30; seed++ {
		w, p := grown(seed, 1)
		r := w.find(p.serving().Replicas[0])
		p.save()
		w.run(w.now + w.between(100*ms, second))
		p.n.loading = w.between(0, second)
		p.kill()
		w.after(w.between(0, 200*ms), func() { w.restart(p.n, p) })
		if w.until(w.now+4*second, w.healthy) < 0 {
			t.Fatalf("seed %d: the shard does not come back\n%s", seed, strings.Join(w.trace, "\n"))
		}
		if got := w.primaryOf(shardID(0)); got.n != r {
			t.Fatalf("seed %d: node %d leads with an old disk\n%s", seed, got.n.i, strings.Join(w.trace, "\n"))
		}
	}
}

// TestNewestDiskLeads: all of a shard dies and comes back in any order, loading for any
// time: the copy that had saved last leads, whoever was the primary.
func TestNewestDiskLeads(t *testing.T) {
	replicaLed := 0
	for seed := uint64(1); seed <= 40; seed++ {
		w, p := grown(seed, 2)
		copies := []*node{p.n, w.find(p.serving().Replicas[0]), w.find(p.serving().Replicas[1])}
		newest := copies[w.rng.IntN(len(copies))]
		for _, n := range copies {
			if n != newest {
				n.p.save()
			}
		}
		w.run(w.now + 300*ms)
		newest.p.save()
		for _, n := range copies {
			n.loading = w.between(0, 2*second)
			q := n.p
			q.kill()
			w.after(w.between(0, 2*second), func() { w.restart(n, q) })
		}
		if w.until(w.now+10*second, w.healthy) < 0 {
			t.Fatalf("seed %d: the shard does not come back\n%s", seed, strings.Join(w.trace, "\n"))
		}
		if got := w.primaryOf(shardID(0)); got.n != newest {
			t.Fatalf("seed %d: node %d leads, the newest disk is that of node %d\n%s", seed, got.n.i, newest.i, strings.Join(w.trace, "\n"))
		}
		if newest != p.n {
			replicaLed++
		}
	}
	if replicaLed == 0 {
		t.Error("no seed had the newest data on a replica")
	}
}

// TestLoneDiskComesBack: without another copy the restarted node leads again, with what it
// had saved, and the event does not say that it is empty.
func TestLoneDiskComesBack(t *testing.T) {
	for seed := uint64(1); seed <= 20; seed++ {
		w, p := grown(seed, 0)
		p.save()
		p.n.loading = w.between(0, 2*second)
		p.kill()
		w.after(100*ms, func() { w.restart(p.n, p) })
		if w.until(w.now+5*second, w.healthy) < 0 {
			t.Fatalf("seed %d: the shard did not come back\n%s", seed, strings.Join(w.trace, "\n"))
		}
		if w.emptied != 0 || w.primaryOf(shardID(0)).offset < p.n.file.offset {
			t.Fatalf("seed %d: the data are gone\n%s", seed, strings.Join(w.trace, "\n"))
		}
	}
}

// TestDiskWaitsForWhoMayHaveMore: a copy that has nothing but its disk leads neither while
// the primary, nor as the primary while a replica, is merely stopped.
func TestDiskWaitsForWhoMayHaveMore(t *testing.T) {
	for seed := uint64(1); seed <= 30; seed++ {
		w, p := grown(seed, 1)
		r := w.find(p.serving().Replicas[0])
		stopped, restarted := p, r.p
		if seed%2 == 0 {
			stopped, restarted = r.p, p
		}
		restarted.save()
		w.run(w.now + 200*ms)
		stopped.paused = true
		w.run(w.now + 20*ms)
		restarted.kill()
		w.after(50*ms, func() { w.restart(restarted.n, restarted) })
		w.run(w.now + 4*second)
		if got := w.primaryOf(shardID(0)); got != nil {
			t.Fatalf("seed %d: node %d leads with an old disk\n%s", seed, got.n.i, strings.Join(w.trace, "\n"))
		}
		had := stopped.offset
		stopped.resume()
		// It leads, or the other one that it has brought up to date.
		if w.until(w.now+3*second, func() bool { return w.primaryOf(shardID(0)) != nil }) < 0 || w.primaryOf(shardID(0)).offset < had {
			t.Fatalf("seed %d: who has the data does not lead\n%s", seed, strings.Join(w.trace, "\n"))
		}
	}
}
