package sim

import (
	"slices"
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/topology"
)

// These tests hold the times the design promises, in a calm network.

// outages plays one kind of failure over seeds and returns how long the hit shard
// had no serving primary.
func outages(t *testing.T, seeds uint64, sh shape, hit func(w *world, p *proc)) []int64 {
	t.Helper()
	var out []int64
	for seed := uint64(1); seed <= seeds; seed++ {
		w := newWorld(seed, sh, bugs{})
		w.calm = true
		w.run(1500 * ms)
		if w.until(w.now+2*second, w.healthy) < 0 {
			t.Fatalf("seed %d: the cluster does not start\n%s", seed, strings.Join(w.trace, "\n"))
		}
		w.run(w.now + w.between(0, 300*ms))
		p := w.primaryOf(shardID(int(seed) % sh.shards))
		s := p.serving()
		began := w.now
		hit(w, p)
		back := w.until(began+5*second, func() bool {
			q := w.primaryOf(s.ID)
			return q != nil && q != p
		})
		if back < 0 {
			t.Fatalf("seed %d: the shard has no primary after 5 s (%v)\n%s", seed, w.broken, strings.Join(w.trace, "\n"))
		}
		out = append(out, back-began)
	}
	slices.Sort(out)
	t.Logf("outage over %d seeds: median %d ms, worst %d ms", seeds, out[len(out)/2]/ms, out[len(out)-1]/ms)
	return out
}

func bound(t *testing.T, got []int64, median, worst int64) {
	t.Helper()
	if got[len(got)/2] > median || got[len(got)-1] > worst {
		t.Errorf("median %d ms (bound %d), worst %d ms (bound %d)",
			got[len(got)/2]/ms, median/ms, got[len(got)-1]/ms, worst/ms)
	}
}

func TestKilledPrimary(t *testing.T) {
	bound(t, outages(t, 40, shape{3, 1, 3}, func(w *world, p *proc) { p.kill() }), 750*ms, second)
}

func TestKilledPrimaryAndLeader(t *testing.T) {
	bound(t, outages(t, 40, shape{2, 2, 3}, func(w *world, p *proc) {
		if l := w.leader(); l != nil && l != p {
			l.kill()
		}
		p.kill()
	}), 1300*ms, 2200*ms)
}

func TestStoppedPrimary(t *testing.T) {
	bound(t, outages(t, 40, shape{3, 1, 3}, func(w *world, p *proc) { p.paused = true }), 1800*ms, 2200*ms)
}

func TestReleasedPrimary(t *testing.T) {
	bound(t, outages(t, 40, shape{3, 1, 3}, func(w *world, p *proc) { w.handOver(p) }), 200*ms, 500*ms)
}

// TestLeaderChangeKeepsLeases: L exceeds the time of an election, so the death of
// the leader alone stops no shard, but for rare split votes.
func TestLeaderChangeKeepsLeases(t *testing.T) {
	const seeds = 40
	stalled := 0
	for seed := uint64(1); seed <= seeds; seed++ {
		w := newWorld(seed, shape{3, 1, 3}, bugs{})
		w.calm = true
		w.run(2500 * ms)
		l := w.leader()
		if l == nil || !w.healthy() {
			t.Fatalf("seed %d: the cluster does not start", seed)
		}
		if l.serving() != nil {
			t.Fatalf("seed %d: a voter is a primary in this shape", seed)
		}
		l.kill()
		gap := false
		w.until(w.now+2*second, func() bool {
			for i := range 3 {
				gap = gap || w.primaryOf(shardID(i)) == nil
			}
			return false
		})
		if gap {
			stalled++
		}
		if w.leader() == nil {
			t.Fatalf("seed %d: no leader after 2 s", seed)
		}
	}
	t.Logf("%d of %d leader changes stalled a shard", stalled, seeds)
	if stalled > seeds/10 {
		t.Errorf("%d of %d leader changes stalled a shard", stalled, seeds)
	}
}

// TestRestartedPrimaryDoesNotWin: a primary that crashes and comes back at once,
// empty, must not wipe its shard: the replica takes over.
func TestRestartedPrimaryDoesNotWin(t *testing.T) {
	got := outages(t, 40, shape{3, 1, 3}, func(w *world, p *proc) {
		p.kill()
		w.after(w.between(0, 200*ms), func() { w.restart(p.n, p) })
		w.after(3*second, func() {
			if w.emptied != 0 {
				t.Error("an empty copy was promoted")
			}
		})
	})
	bound(t, got, second, 1500*ms)
}

// TestLoneCopyComesBack: without another copy the restarted node gets its shard
// again, and the event says that it came back empty.
func TestLoneCopyComesBack(t *testing.T) {
	for seed := uint64(1); seed <= 20; seed++ {
		w := newWorld(seed, shape{4, 0, 3}, bugs{})
		w.calm = true
		w.run(2500 * ms)
		p := w.primaryOf(shardID(0))
		p.kill()
		w.after(100*ms, func() { w.restart(p.n, p) })
		if w.until(w.now+3*second, w.healthy) < 0 {
			t.Fatalf("seed %d: the shard did not come back\n%s", seed, strings.Join(w.trace, "\n"))
		}
		last := w.failovers[len(w.failovers)-1]
		if last.Shard != shardID(0) || last.To != p.n.id || !strings.Contains(last.Text, "came back empty") {
			t.Errorf("seed %d: event %+v", seed, last)
		}
	}
}

// TestWholeClusterRestarts: every process dies at once and comes back with another
// run; each shard is served again.
func TestWholeClusterRestarts(t *testing.T) {
	for seed := uint64(1); seed <= 20; seed++ {
		w := newWorld(seed, shape{3, 1, 3}, bugs{})
		w.calm = true
		w.run(2500 * ms)
		for _, n := range w.nodes {
			p := n.p
			p.kill()
			w.after(w.between(0, second), func() { w.restart(n, p) })
		}
		if w.until(w.now+6*second, w.healthy) < 0 {
			t.Fatalf("seed %d: not whole again\n%s", seed, strings.Join(w.trace, "\n"))
		}
	}
}

// TestOrderedFailover: FORCE promotes the replica it names while the old primary
// lives, after its lease.
func TestOrderedFailover(t *testing.T) {
	for seed := uint64(1); seed <= 20; seed++ {
		w := newWorld(seed, shape{2, 2, 3}, bugs{})
		w.calm = true
		w.run(2500 * ms)
		n := w.nodes[2+int(seed%4)]
		shard := n.view.ShardOf(n.id).ID
		w.force(n)
		if w.until(w.now+2*second, func() bool {
			p := w.primaryOf(shard)
			return p != nil && p.n == n
		}) < 0 {
			t.Fatalf("seed %d: the replica did not take over (%v)\n%s", seed, w.broken, strings.Join(w.trace, "\n"))
		}
		if s := n.view.ShardByID(shard); s.Term == 1 || s.Primary != n.id {
			t.Fatalf("seed %d: %+v", seed, s)
		}
		if got := w.failovers[len(w.failovers)-1]; !strings.Contains(got.Text, string(topology.PromoteForce)) {
			t.Errorf("seed %d: event %q", seed, got.Text)
		}
	}
}

// TestEmptyReplicaNeverWins: a replica that has nothing yet does not replace a
// primary that is merely stopped; when the primary goes on, it or a replica that has
// got its data serves.
func TestEmptyReplicaNeverWins(t *testing.T) {
	for seed := uint64(1); seed <= 20; seed++ {
		w := newWorld(seed, shape{3, 1, 3}, bugs{})
		w.calm = true
		w.run(2500 * ms)
		p := w.primaryOf(shardID(0))
		r := w.find(p.serving().Replicas[0])
		old := r.p
		old.kill()
		w.run(w.now + 50*ms)
		p.paused = true
		w.after(50*ms, func() { w.restart(r, old) })
		w.run(w.now + 4*second)
		if w.primaryOf(shardID(0)) != nil || w.emptied != 0 {
			t.Fatalf("seed %d: the empty replica took over\n%s", seed, strings.Join(w.trace, "\n"))
		}
		p.resume()
		if w.until(w.now+2*second, func() bool { return w.primaryOf(shardID(0)) != nil }) < 0 || w.emptied != 0 {
			t.Fatalf("seed %d: the shard does not go on\n%s", seed, strings.Join(w.trace, "\n"))
		}
	}
}

// TestEmptyPrimaryWaitsForSilentReplica: the primary comes back empty while its
// replica, which has the data, is stopped.
func TestEmptyPrimaryWaitsForSilentReplica(t *testing.T) {
	for seed := uint64(1); seed <= 20; seed++ {
		w := newWorld(seed, shape{3, 1, 3}, bugs{})
		w.calm = true
		w.run(2500 * ms)
		p := w.primaryOf(shardID(0))
		r := w.find(p.serving().Replicas[0]).p
		r.paused = true
		w.run(w.now + 20*ms)
		p.kill()
		w.after(100*ms, func() { w.restart(p.n, p) })
		w.run(w.now + 4*second)
		if w.primaryOf(shardID(0)) != nil {
			t.Fatalf("seed %d: the empty primary serves\n%s", seed, strings.Join(w.trace, "\n"))
		}
		r.resume()
		if w.until(w.now+2*second, func() bool { return w.primaryOf(shardID(0)) == r }) < 0 || w.emptied != 0 {
			t.Fatalf("seed %d: the replica with the data does not take over\n%s", seed, strings.Join(w.trace, "\n"))
		}
	}
}

// TestLastCopyOfTheDead: primary and replica are killed and only the primary comes
// back: nobody else can have the data, so it serves, and the event says what is lost.
func TestLastCopyOfTheDead(t *testing.T) {
	for seed := uint64(1); seed <= 20; seed++ {
		w := newWorld(seed, shape{3, 1, 3}, bugs{})
		w.calm = true
		w.run(2500 * ms)
		p := w.primaryOf(shardID(0))
		w.find(p.serving().Replicas[0]).p.kill()
		p.kill()
		w.after(300*ms, func() { w.restart(p.n, p) })
		// Its replica has time to come back with what is on its disk.
		if w.until(w.now+10*second, func() bool { return w.primaryOf(shardID(0)) != nil }) < 0 || w.emptied == 0 {
			t.Fatalf("seed %d: the shard does not come back\n%s", seed, strings.Join(w.trace, "\n"))
		}
	}
}
