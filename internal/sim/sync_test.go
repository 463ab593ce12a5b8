package sim

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/replication/insync"
	"github.com/redwingdb/redwing/internal/topology"
)

// This file is the data plane of synchronous writes in small: primaries write all the
// time, replicas take the stream and acknowledge, whole data sets are sent where histories
// differ, and the machine of insync says which writes are answered. Two things are held:
// no answered write is missing at a later primary, and none is answered after a copy
// serves in a later term.

// plane is the data side of one life of a node.
type plane struct {
	machine *insync.Machine
	writes  []uint64 // the data: unique ids in the order of the log; shared, never changed
	bare    bool     // its data were dropped for others that are still to come
	loaded  int64    // when they will have come
	links   map[topology.Member]*insync.Copy
	pending []pendingWrite
	unheard []func() bool // outcomes of proposals that wait for the View
	served  uint64        // the newest term it has served in
	asked   uint64        // questions to the primary, numbered
	heard   uint64        // the newest of them that was answered: answers come in order
	leaving topology.Member
}

// backlog is how many writes a copy may be behind and still go on from where it was.
const backlog = 20

// pendingWrite waits for its reply.
type pendingWrite struct {
	offset int64
	id     uint64
	term   uint64
}

// answered are the writes of a shard that clients were told of, by offset.
type answered struct {
	id     map[int64]uint64
	served uint64 // the highest term that anybody has served in
	count  int
}

func (w *world) answers(shard topology.ShardID) *answered {
	a := w.answered[shard]
	if a == nil {
		a = &answered{id: map[int64]uint64{}}
		w.answered[shard] = a
	}
	return a
}

func (w *world) breaks(format string, args ...any) {
	if w.broken == nil {
		w.broken = fmt.Errorf("at %.3f ms "+format, append([]any{float64(w.now) / 1e6}, args...)...)
		w.tell("BROKEN: %v", w.broken)
	}
}

func (p *proc) member() topology.Member { return topology.Member{Node: p.n.id, Run: p.run} }

// newPlane is what a run begins with: what its disk has, if it has one.
func (n *node) newPlane(run topology.RunID) *plane {
	d := &plane{machine: insync.New(topology.Member{Node: n.id, Run: run}), links: map[topology.Member]*insync.Copy{}}
	if n.w.disks {
		d.writes = n.disk
	}
	return d
}

// store sets the data, and the disk with them.
func (p *proc) store(writes []uint64) {
	p.data.writes, p.offset = writes, int64(len(writes))
	p.n.disk = writes
}

// tickSync moves the data plane on.
func (p *proc) tickSync() {
	d := p.data
	d.unheard = slices.DeleteFunc(d.unheard, func(hear func() bool) bool { return hear() })
	if s := p.serving(); s != nil {
		p.serveSync(s)
	}
	p.stepSync()
	p.followSync()
}

// serveSync is what clients do to a primary: they write, and a first one looks whether all
// that was answered is there.
func (p *proc) serveSync(s *topology.Shard) {
	w, d := p.n.w, p.data
	a := w.answers(s.ID)
	if d.served != s.Term {
		d.served = s.Term
		a.served = max(a.served, s.Term)
		for offset, id := range a.id {
			if offset > int64(len(d.writes)) || d.writes[offset-1] != id {
				w.breaks("node %d serves term %d without the write at %d, which was answered", p.n.i, s.Term, offset)
				return
			}
		}
	}
	p.term = s.Term
	w.writes++
	p.store(append(slices.Clip(d.writes), w.writes))
	d.pending = append(d.pending, pendingWrite{p.offset, w.writes, s.Term})
}

// stepSync asks the machine and answers what is confirmed.
func (p *proc) stepSync() {
	w, d := p.n.w, p.data
	var copies []insync.Copy
	for _, c := range d.links {
		copies = append(copies, *c)
	}
	slices.SortFunc(copies, func(a, b insync.Copy) int { return strings.Compare(string(a.Member.Run), string(b.Member.Run)) })
	v, proposal := d.machine.Step(p.now(), p.n.view, p.offset, copies)
	if proposal != nil {
		p.proposeSync(proposal)
	}
	if v == (insync.Verdict{}) {
		d.pending = nil // answered by errors
		return
	}
	confirmed := p.plantConfirmed(v.Offset)
	leased := p.serving() != nil || w.bugs.lateReply
	a := w.answers(v.Shard)
	d.pending = slices.DeleteFunc(d.pending, func(x pendingWrite) bool {
		if x.term != v.Term || !leased {
			return true // by an error
		}
		if x.offset > confirmed {
			return false
		}
		if a.served > v.Term {
			w.breaks("node %d answers a write of term %d, and term %d is served", p.n.i, v.Term, a.served)
		}
		a.id[x.offset] = x.id
		a.count++
		return true
	})
}

// plantConfirmed is what a primary takes for confirmed: the machine's word, unless an
// error is planted.
func (p *proc) plantConfirmed(verdict int64) int64 {
	w, d := p.n.w, p.data
	if !w.bugs.viewOnly && !w.bugs.majority && !w.bugs.leavingOut {
		return verdict
	}
	acked := []int64{p.offset}
	for _, m := range p.n.view.ShardOf(p.n.id).InSync {
		if m == p.member() || w.bugs.leavingOut && m == d.leaving {
			continue
		}
		if c := d.links[m]; c != nil {
			acked = append(acked, c.Offset)
		} else {
			acked = append(acked, 0)
		}
	}
	slices.Sort(acked)
	if w.bugs.majority {
		return max(verdict, acked[(len(acked)-1)/2])
	}
	return max(verdict, acked[0])
}

// proposeSync brings a change of the set to whoever leads; the outcome may be lost.
func (p *proc) proposeSync(x *insync.Proposal) {
	w := p.n.w
	w.tell("node %d proposes: %s", p.n.i, topology.Describe(x.Entry))
	if e, ok := x.Entry.(topology.ShrinkInSync); ok {
		p.data.leaving = e.Member
	}
	for _, o := range w.nodes {
		q := o.p
		if q.dead || q.leads == 0 {
			continue
		}
		done := func(err error) {
			index := q.n.view.Index
			tell := func() {
				p.data.unheard = append(p.data.unheard, func() bool {
					if p.n.view.Index < index {
						return false
					}
					p.data.machine.Proposed(p.now(), x.N, err)
					return true
				})
			}
			if q == p {
				tell()
			} else {
				w.send(q, p, tell)
			}
		}
		if q == p {
			p.propose(x.Entry, done)
		} else {
			w.send(p, q, func() { q.propose(x.Entry, done) })
		}
	}
	w.after(second, func() { p.enter(func() { p.data.machine.Proposed(p.now(), x.N, errUnknown) }) })
}

// followSync asks the primary that the View names for what comes next; the question
// acknowledges what is there.
func (p *proc) followSync() {
	w, d := p.n.w, p.data
	s := p.n.view.ShardOf(p.n.id)
	if s == nil || s.Primary == p.n.id {
		return
	}
	primary := w.find(s.Primary).p
	if primary.dead || primary.run != s.PrimaryRun {
		return
	}
	term, offset, bare := s.Term, int64(len(d.writes)), d.bare
	last := uint64(0)
	if offset > 0 {
		last = d.writes[offset-1]
	}
	d.asked++
	asked := d.asked
	w.send(p, primary, func() { primary.feed(p, asked, term, offset, last, bare) })
}

// feed answers a replica: with what follows what it has, or, where it has something else,
// with everything, once it may drop what it has.
func (p *proc) feed(to *proc, asked, term uint64, offset int64, last uint64, bare bool) {
	w, d := p.n.w, p.data
	s := p.n.view.ShardOf(p.n.id)
	if s == nil || s.Term != term || !p.n.view.IsPrimary(p.n.id, p.run) || p.data.bare {
		return
	}
	c := d.links[to.member()]
	if c == nil {
		c = &insync.Copy{Member: to.member()}
		d.links[to.member()] = c
	}
	c.Heard = p.now()
	c.Online = !bare && offset <= int64(len(d.writes)) && (offset == 0 || d.writes[offset-1] == last) &&
		int64(len(d.writes))-offset < backlog
	drop := !c.Online && !bare
	switch {
	case c.Online:
		c.Offset = max(c.Offset, offset)
	case drop && !d.machine.Outside(to.member()) && !w.bugs.dropInSet:
		return
	default:
		c.Offset = 0
	}
	writes, applied := d.writes, p.term
	w.send(p, to, func() {
		now := to.n.view.ShardOf(to.n.id)
		if now == nil || now.ID != s.ID || now.Term != term || now.Primary == to.n.id || asked <= to.data.heard {
			return
		}
		if drop {
			if to.mayDrop() || w.bugs.dropInSet {
				to.data.heard = asked
				to.data.bare, to.data.loaded = true, to.now()+w.between(20*ms, 400*ms)
				to.store(nil)
			}
			return
		}
		if to.data.bare && to.now() < to.data.loaded {
			return
		}
		to.data.heard = asked
		to.data.bare = false
		to.store(writes)
		to.term, to.linkedTerm, to.linkedAt = applied, term, to.now()
	})
}

// mayDrop reports whether a replica may drop its data for those of its primary: its View
// knows of this run, and that it is not in sync. The primary's View may be older.
func (p *proc) mayDrop() bool {
	v := p.n.view
	return v.Node(p.n.id).Run == p.run && !v.ShardOf(p.n.id).IsInSync(p.n.id, p.run)
}

// judge applies what has just been committed to the log's own View.
func (w *world) judge() {
	for w.sync && w.truth.Index < uint64(len(w.committed)) {
		e := w.committed[w.truth.Index]
		before := w.truth
		next, err := topology.Apply(before, before.Index+1, e)
		w.truth = next
		if promote, ok := e.(topology.Promote); ok && err == nil {
			w.forgetLost(before, promote)
		}
	}
}

// forgetLost forgives the loss of what was answered when every copy of an in-sync set has
// lost its memory: that is what appendfsync always is for.
func (w *world) forgetLost(before *topology.View, e topology.Promote) {
	s := before.ShardByID(e.Shard)
	if w.sync && !w.disks && before.InSyncLost(s) {
		w.tell("all copies of shard %.8s have lost their memory", s.ID)
		w.answers(s.ID).id = map[int64]uint64{}
		w.forgiven++
	}
}

// TestSyncWrites holds that no answered write is lost, over random histories: half of them
// with nodes that lose their memory when they die, half with such as have it on disk.
func TestSyncWrites(t *testing.T) {
	first, count := uint64(1), 1200
	if testing.Short() {
		count = 70
	}
	if raceEnabled {
		count = 20
	}
	if *seedCount > 0 {
		count = *seedCount
	}
	if *seedFlag != 0 {
		first, count = *seedFlag, 1
	}
	var total, failovers, forgiven int
	for seed := first; seed < first+uint64(count); seed++ {
		w, err := history(syncMode(seed), seed, bugs{})
		if err != nil {
			t.Fatalf("seed %d: %v\n%s\nreplay with -run TestSyncWrites -sim.seed=%d", seed, err, strings.Join(w.trace, "\n"), seed)
		}
		if *seedFlag != 0 {
			t.Log(strings.Join(w.trace, "\n"))
		}
		w.checkViews(t)
		for _, a := range w.answered {
			total += a.count
		}
		failovers, forgiven = failovers+len(w.failovers), forgiven+w.forgiven
	}
	t.Logf("%d writes answered, %d failovers, %d times a whole set lost its memory", total, failovers, forgiven)
	if total < 200*count || failovers < count {
		t.Error("the histories are too tame")
	}
}

// TestOutsiderBeforeEmpty: the primary goes on alone after its replica was away, and loses
// its memory: the replica, which lacks little, takes over, and not the empty primary.
func TestOutsiderBeforeEmpty(t *testing.T) {
	for seed := uint64(1); seed <= 20; seed++ {
		w := newWorldIn(mode{sync: true}, seed, shape{3, 1, 3}, bugs{})
		w.calm = true
		alone := func(want bool) func() bool {
			return func() bool {
				p := w.primaryOf(shardID(0))
				return p != nil && (len(p.serving().InSync) == 1) == want
			}
		}
		if w.until(w.now+4*second, alone(false)) < 0 {
			t.Fatalf("seed %d: the replica never was in sync\n%s", seed, strings.Join(w.trace, "\n"))
		}
		p := w.primaryOf(shardID(0))
		r := w.find(p.serving().Replicas[0]).p
		r.paused = true
		if w.until(w.now+4*second, alone(true)) < 0 {
			t.Fatalf("seed %d: the silent replica stays in the set\n%s", seed, strings.Join(w.trace, "\n"))
		}
		had := r.offset
		p.kill()
		r.resume()
		w.after(w.between(0, 500*ms), func() { w.restart(p.n, p) })
		if w.until(w.now+5*second, func() bool { return w.primaryOf(shardID(0)) == r }) < 0 || w.emptied != 0 || r.offset < had || had == 0 {
			t.Fatalf("seed %d: the replica with the data (%d, now %d) does not take over\n%s", seed, had, r.offset, strings.Join(w.trace, "\n"))
		}
	}
}

// syncMode makes writes synchronous; every other seed has disks.
func syncMode(seed uint64) mode { return mode{sync: true, disks: seed%2 == 0} }

// releases plays a primary that hands over while messages are slow, and learns late of the
// new View: acknowledgements come when another one serves.
func releases(seed uint64, plant bugs) error {
	w := newWorldIn(syncMode(seed), seed, shape{2, 2, 3}, plant)
	w.calm = true
	w.run(2500 * ms)
	w.net = network{slowPercent: 50, slowMax: 400 * ms}
	if p := w.primaryOf(shardID(int(seed % 2))); p != nil {
		w.laggard = p.n
		w.handOver(p)
	}
	w.run(w.now + 2*second)
	return w.broken
}

// TestPlantedSyncBugs: each error that the design guards against loses a write, or answers
// one too late, and is caught.
func TestPlantedSyncBugs(t *testing.T) {
	const most = 400
	for name, plant := range map[string]bugs{
		"replies wait for a majority of the set":       {majority: true},
		"replies do not wait for a copy that grows":    {viewOnly: true},
		"replies do not wait for a copy that leaves":   {leavingOut: true},
		"a copy of the set drops its data":             {dropInSet: true},
		"replies are sent without a lease":             {lateReply: true},
		"a run keeps its place without the data of it": {falseHeir: true},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := uint64(1); seed <= most; seed++ {
				// A shard that never serves again, though its nodes are back, has lost its
				// data too.
				_, err := history(syncMode(seed), seed, plant)
				if err == nil {
					err = releases(seed, plant)
				}
				if err != nil {
					t.Logf("caught at seed %d: %v", seed, err)
					return
				}
			}
			t.Fatalf("not caught within %d seeds", most)
		})
	}
}
