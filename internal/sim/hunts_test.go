package sim

import (
	"fmt"
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/topology"
)

// A hunt is a short history that leads to where one guard of the design is all that
// keeps two primaries apart. Random faults get there too, but seldom.
type hunt struct {
	name  string
	chase func(w *world, p *proc)
	fails bool // a failover takes place
}

var hunts = []hunt{
	{"cut off and refused", func(w *world, p *proc) {
		// Everybody believes that the primary is dead, and it does not hear the
		// contrary; only the time tells that its lease is over.
		w.banish(p)
	}, true},
	{"leader dies, then cut off and refused", func(w *world, p *proc) {
		if l := w.leader(); l != nil && l != p {
			l.kill()
		}
		w.after(w.between(0, 250*ms), func() { w.banish(p) })
	}, true},
	{"stopped leader answers from the past", func(w *world, p *proc) {
		// Leader and primary are split off together and the leader is stopped; when
		// it goes on, the primary's newest renewals wait in its inbox.
		l := w.leader()
		if l == nil || l == p {
			return
		}
		d := w.between(2200*ms, 3500*ms)
		for _, o := range w.nodes {
			if o.p != l && o.p != p {
				for _, side := range []*proc{l, p} {
					w.sever(o.i, side.n.i, d+second)
					w.sever(side.n.i, o.i, d+second)
				}
			}
		}
		w.after(w.between(ms, 50*ms), func() {
			l.paused = true
			w.sever(p.n.i, l.n.i, d-w.between(100*ms, 300*ms)) // none but the newest
			w.after(d, l.resume)
		})
	}, true},
	{"late decision of an old leader", func(w *world, p *proc) {
		// The primary is stopped until the leader decides; then the leader is cut off,
		// the primary goes on under another leader, and the old decision turns up: it must
		// come to nothing.
		p.paused = true
		w.onPropose = func(l *proc, e topology.Promote) {
			w.onPropose = nil
			p.resume()
			for _, o := range w.nodes {
				if o.p != l {
					w.sever(o.i, l.n.i, 2*second)
					w.sever(l.n.i, o.i, 2*second)
				}
			}
			w.after(w.between(800*ms, 1800*ms), func() {
				w.deafen(p, second)
				w.late(e)
			})
		}
	}, false},
	{"released and deaf", func(w *world, p *proc) {
		w.handOver(p)
		w.after(w.between(12*ms, 30*ms), func() { w.deafen(p, second) })
	}, true},
}

// banish cuts p off from all others, whose buses then tell that it refuses.
func (w *world) banish(p *proc) {
	d := w.between(second, 2*second)
	w.tell("node %d is banished", p.n.i)
	for _, o := range w.nodes {
		if o.p != p {
			w.sever(o.i, p.n.i, d)
			w.sever(p.n.i, o.i, d)
			if !o.p.dead {
				w.after(3*ms, func() { o.p.enter(func() { o.p.refuse(p.n.i) }) })
			}
		}
	}
}

// deafen keeps every message from p.
func (w *world) deafen(p *proc, d int64) {
	for _, o := range w.nodes {
		if o.p != p {
			w.sever(o.i, p.n.i, d)
		}
	}
}

func (h hunt) play(seed uint64, plant bugs) (*world, error) {
	w := newWorld(seed, shape{2, 2, 3}, plant)
	w.calm = true
	w.run(1500*ms + w.between(0, second))
	p := w.primaryOf(shardID(int(seed % 2)))
	if p == nil {
		return w, fmt.Errorf("the cluster does not start")
	}
	h.chase(w, p)
	w.run(w.now + 5*second)
	if w.broken != nil {
		return w, w.broken
	}
	w.heal()
	if w.until(w.now+6*second, w.healthy) < 0 && w.broken == nil {
		return w, fmt.Errorf("6 s after healing the cluster is not whole")
	}
	return w, w.broken
}

func TestHunts(t *testing.T) {
	seeds := uint64(40)
	if testing.Short() {
		seeds = 10
	}
	for _, h := range hunts {
		t.Run(h.name, func(t *testing.T) {
			moved := 0
			for seed := uint64(1); seed <= seeds; seed++ {
				w, err := h.play(seed, bugs{})
				if err != nil {
					t.Fatalf("seed %d: %v\n%s", seed, err, strings.Join(w.trace, "\n"))
				}
				w.checkViews(t)
				moved += len(w.failovers)
			}
			if (moved >= int(seeds)/2) != h.fails {
				t.Errorf("%d failovers in %d hunts", moved, seeds)
			}
		})
	}
}

// TestPlantedBugs makes sure that the invariant can fail: each error that the design
// guards against is put in, and must be caught.
func TestPlantedBugs(t *testing.T) {
	const most = 25
	for name, plant := range map[string]bugs{
		"no wait of 1.05 L":              {noWait: true},
		"no wait after an election":      {noElection: true},
		"leases without echoes":          {noEcho: true},
		"the primary counts too long":    {longLease: true},
		"old decisions are not fenced":   {noFence: true},
		"serving on after one's Release": {ignoreRelease: true},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := uint64(1); seed <= most; seed++ {
				for _, h := range hunts {
					if w, _ := h.play(seed, plant); w.broken != nil {
						t.Logf("caught by %q at seed %d: %v", h.name, seed, w.broken)
						return
					}
				}
			}
			t.Fatalf("not caught within %d seeds", most)
		})
	}
}
