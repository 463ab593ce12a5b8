package sim

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/failover"
	"github.com/redwingdb/redwing/internal/slots"
	"github.com/redwingdb/redwing/internal/topology"
)

// shape is how a cluster is laid out.
type shape struct {
	shards, replicas, voters int
}

// mode is what the data plane of a world does.
type mode struct {
	sync  bool // writes are synchronous
	disks bool // data outlive the process
}

func nodeID(i int) topology.NodeID   { return topology.NodeID(fmt.Sprintf("%040x", i+1)) }
func shardID(i int) topology.ShardID { return topology.ShardID(fmt.Sprintf("%040x", 0xa000+i)) }

// newWorld builds a formed cluster: node i is the primary of shard i, the replicas
// follow.
func newWorld(seed uint64, sh shape, plant bugs) *world { return newWorldIn(mode{}, seed, sh, plant) }

func newWorldIn(in mode, seed uint64, sh shape, plant bugs) *world {
	w := &world{
		rng:      rand.New(rand.NewPCG(seed, 0x72656477)),
		cut:      map[[2]int]bool{},
		bugs:     plant,
		timing:   failover.TimingOf(1500*time.Millisecond, 10),
		mode:     in,
		answered: map[topology.ShardID]*answered{},
	}
	count := sh.shards * (1 + sh.replicas)
	v := topology.NewView()
	apply := func(e topology.Entry) {
		w.committed = append(w.committed, e)
		next, err := topology.Apply(v, uint64(len(w.committed)), e)
		if err != nil {
			panic(err)
		}
		v = next
	}
	member := func(i int) topology.Node {
		return topology.Node{ID: nodeID(i), Incarnation: 1, Run: topology.RunID(fmt.Sprintf("%08x%08x", i+1, 1)), Priority: 100}
	}
	for i := range count {
		var set slots.Set
		if i < sh.shards {
			from, to := i*slots.Count/sh.shards, (i+1)*slots.Count/sh.shards-1
			set.AddRange(slots.Range{From: slots.Slot(from), To: slots.Slot(to)})
		}
		if i == 0 {
			apply(topology.FormCluster{ClusterID: string(nodeID(0xc1)), Node: member(i), Shard: shardID(i), Slots: set})
		} else {
			apply(topology.JoinNode{Node: member(i), Shard: shardID(i), Slots: set})
		}
		if i >= sh.shards {
			apply(topology.SetReplicaOf{Node: nodeID(i), Incarnation: 1, Shard: shardID(i % sh.shards)})
		}
	}
	// Voters are the last nodes, so that a primary is not always one.
	for i := range sh.voters {
		w.voters = append(w.voters, nodeID(count-1-i))
	}
	apply(topology.SetVoters{Voters: w.voters})
	if in.sync {
		apply(topology.SetClusterConfig{SyncWrites: topology.SyncAlways})
	}
	w.truth = v
	for i := range count {
		n := &node{w: w, i: i, id: nodeID(i), rate: 0.976 + 0.048*w.rng.Float64(), skew: w.between(0, 1000*second)}
		n.view, n.logLen = v, len(w.committed)
		w.nodes = append(w.nodes, n)
		n.start()
	}
	return w
}

func (w *world) primaryOf(shard topology.ShardID) *proc {
	for _, n := range w.nodes {
		if s := n.p.serving(); s != nil && s.ID == shard {
			return n.p
		}
	}
	return nil
}

func (w *world) leader() *proc {
	for _, n := range w.nodes {
		if !n.p.dead && !n.p.paused && n.p.leader != nil {
			return n.p
		}
	}
	return nil
}

// healthy reports that every slot is served and all nodes hold the newest View.
func (w *world) healthy() bool {
	var served slots.Set
	for _, n := range w.nodes {
		if n.p.dead || n.view.Index != uint64(len(w.committed)) {
			return false
		}
		if me := n.view.Node(n.id); me.Run != n.p.run {
			return false
		}
		if s := n.p.serving(); s != nil {
			served.Union(&s.Slots)
		}
	}
	return served == slots.All()
}

// checkViews compares the Views of nodes at the same index.
func (w *world) checkViews(t *testing.T) {
	t.Helper()
	for _, a := range w.nodes {
		if err := a.view.Check(); err != nil {
			t.Fatalf("node %d: %v", a.i, err)
		}
		for _, b := range w.nodes[:a.i] {
			if a.view.Index == b.view.Index && !bytes.Equal(topology.EncodeView(a.view), topology.EncodeView(b.view)) {
				t.Fatalf("nodes %d and %d differ at index %d", a.i, b.i, a.view.Index)
			}
		}
	}
}

func (w *world) restart(n *node, p *proc) {
	if n.p == p && p.dead {
		n.start()
	}
}

// fault makes one thing go wrong.
func (w *world) fault() {
	n := w.nodes[w.rng.IntN(len(w.nodes))]
	p := n.p
	if l := w.leader(); l != nil && w.chance(25) {
		n, p = l.n, l // leaders deserve attention
	}
	switch w.rng.IntN(10) {
	case 0, 1:
		if !p.dead {
			p.kill()
			w.after(w.between(20*ms, 2500*ms), func() { w.restart(n, p) })
		}
	case 2, 3:
		if !p.dead && !p.paused {
			w.tell("node %d is stopped", n.i)
			p.paused = true
			w.after(w.between(50*ms, 2500*ms), func() {
				if p.paused {
					w.tell("node %d goes on", n.i)
					p.resume()
				}
			})
		}
	case 4, 5:
		w.isolate(n)
	case 6:
		for _, id := range w.voters {
			if q := w.find(id).p; !q.dead && q != p && w.chance(70) {
				w.tell("node %d thinks node %d refuses", q.n.i, n.i)
				q.enter(func() { q.refuse(n.i) })
			}
		}
	case 7:
		w.handOver(p)
	case 8:
		w.force(n)
	case 9:
		w.split(p)
	}
}

// split cuts p and some others off from the rest, and may stop p meanwhile: when it
// goes on it does not know yet that the world has moved on.
func (w *world) split(p *proc) {
	side := map[int]bool{p.n.i: true}
	for _, n := range w.nodes {
		if w.chance(35) {
			side[n.i] = true
		}
	}
	d := w.between(second, 4*second)
	w.tell("nodes %v are split off for %d ms", slices.Sorted(maps.Keys(side)), d/ms)
	for i := range w.nodes {
		for j := range w.nodes {
			if side[i] != side[j] {
				w.sever(i, j, d)
			}
		}
	}
	if w.chance(60) && !p.dead && !p.paused {
		w.after(w.between(ms, 100*ms), func() {
			if !p.dead && !p.paused {
				p.paused = true
				w.after(w.between(d/2, d), func() {
					if p.paused {
						p.resume()
					}
				})
			}
		})
	}
}

// trap strikes at the worst moment: the leader has decided, and is cut off before
// its proposal can be committed, while those it took for gone come back.
func (w *world) trap(p *proc) {
	if w.calm || !w.chance(25) {
		return
	}
	w.tell("node %d is cut off as it decides", p.n.i)
	d := w.between(400*ms, 1500*ms)
	for _, o := range w.nodes {
		if o != p.n {
			w.sever(p.n.i, o.i, d)
			w.sever(o.i, p.n.i, d)
		}
		if o.p.paused {
			q := o.p
			w.after(w.between(ms, 500*ms), func() {
				if q.paused {
					q.resume()
				}
			})
		}
	}
}

// isolate cuts a node off from some others, in one direction or both.
func (w *world) isolate(n *node) {
	d := w.between(100*ms, 2500*ms)
	in, out := w.chance(70), w.chance(70)
	w.tell("node %d is cut off for %d ms, in %v, out %v", n.i, d/ms, in, out)
	for _, o := range w.nodes {
		if o == n || w.chance(20) {
			continue
		}
		if in {
			w.sever(o.i, n.i, d)
		}
		if out {
			w.sever(n.i, o.i, d)
		}
	}
}

func (w *world) sever(from, to int, d int64) {
	key := [2]int{from, to}
	w.cut[key] = true
	w.after(d, func() { delete(w.cut, key) })
}

// handOver is a graceful failover after its hold: the Release.
func (w *world) handOver(p *proc) {
	s := p.serving()
	if s == nil || p.paused || len(s.Replicas) == 0 {
		return
	}
	w.tell("node %d releases term %d", p.n.i, s.Term)
	p.ghost.shard, p.ghost.term, p.ghost.until = p.holder.Lease()
	r := failover.Released{Shard: s.ID, Term: s.Term, Offset: p.offset}
	if w.chance(50) {
		r.Candidate = s.Replicas[w.rng.IntN(len(s.Replicas))]
	}
	p.holder.Release(p.now(), r)
	if w.chance(40) { // it does not hear what came of it
		w.after(25*ms, func() {
			d := w.between(100*ms, second)
			for _, o := range w.nodes {
				if o != p.n {
					w.sever(o.i, p.n.i, d)
				}
			}
		})
	}
}

// force orders the leader to promote a replica.
func (w *world) force(n *node) {
	l := w.leader()
	s := n.view.ShardOf(n.id)
	if l == nil || s == nil || s.Primary == n.id {
		return
	}
	w.tell("node %d is ordered to take over from term %d", n.i, s.Term)
	f := failover.Forced{Shard: s.ID, Term: s.Term, Candidate: n.id, Mode: topology.PromoteForce}
	if out, err := l.leader.Force(l.now(), f); err == nil {
		l.perform(l.leader, out)
	}
}

// chaos makes things go wrong until true time end.
func (w *world) chaos(end int64) {
	w.net = network{lossPercent: 2, slowPercent: 6, dupPercent: 3, slowMax: 500 * ms}
	var next func()
	next = func() {
		if w.now < end {
			w.fault()
			w.after(w.between(50*ms, 700*ms), next)
		}
	}
	next()
	w.run(end)
}

// heal ends all faults.
func (w *world) heal() {
	w.tell("healed")
	w.calm = true
	w.net = network{}
	w.cut = map[[2]int]bool{}
	for _, n := range w.nodes {
		if n.p.dead {
			n.start()
		}
		if n.p.paused {
			n.p.resume()
		}
	}
}
