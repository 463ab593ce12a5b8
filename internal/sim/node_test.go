package sim

import (
	"errors"
	"fmt"

	"github.com/redwingdb/redwing/internal/failover"
	"github.com/redwingdb/redwing/internal/topology"
)

// node is what survives a restart: its clock, its raft term and log, its View.
type node struct {
	w    *world
	i    int
	id   topology.NodeID
	rate float64 // of its clock against true time
	skew int64

	raftTerm uint64
	logLen   int // committed entries on its disk
	view     *topology.View
	runs     int
	p        *proc
	disk     []uint64         // ids of writes
	lives    []topology.RunID // runs before the present one
	file     saved
	loading  int64 // how long the next run loads its file
}

// saved is how far the data in a file are; without one it is zero.
type saved struct {
	term   uint64
	offset int64
}

// save writes the data to the file, as they are now.
func (p *proc) save() { p.n.file = saved{p.term, p.offset} }

// proc is one life of a node.
type proc struct {
	n      *node
	run    topology.RunID
	dead   bool
	paused bool
	inbox  []func() // what came while paused

	holder *failover.Holder
	watch  *failover.Watch
	leader *failover.Leader

	// the log
	leads       uint64 // the raft term it leads in; 0: none
	elected     int64
	beginning   uint64
	pending     []*proposal
	acked       map[int]int64 // by voter: the newest heartbeat it answered
	votes       map[int]bool
	candidate   uint64
	heardLeader int64
	patience    int64
	hint        *node
	nextBeat    int64
	nextUpdate  int64

	// the bus
	heard   map[int]failover.Sight
	nextBus int64

	asks   map[uint64]func(bool)
	nextID uint64

	// the data
	data             *plane
	term, linkedTerm uint64
	offset           int64
	linkedAt         int64
	loadedAt         int64 // when its file is loaded
	ghost            ghost
}

// ghost is the lease that a process with the planted bug ignoreRelease keeps.
type ghost struct {
	shard topology.ShardID
	term  uint64
	until int64
}

type proposal struct {
	entry topology.Entry
	term  uint64
	acks  map[int]bool
	sent  int64
	done  func(error)
}

var errUnknown = errors.New("sim: outcome unknown")

const (
	tick    = 10 * ms
	beat    = 40 * ms
	busPing = 100 * ms
)

// local is the node's own clock.
func (n *node) local() int64 { return n.skew + int64(float64(n.w.now)*n.rate) }

func (p *proc) now() int64 { return p.n.local() }

// start begins a new life; nothing but the disk is left of the one before.
func (n *node) start() {
	n.runs++
	n.boot(topology.RunID(fmt.Sprintf("%08x%08x", n.i+1, n.runs)))
}

func (n *node) boot(run topology.RunID) {
	w := n.w
	p := &proc{n: n, run: run, heard: map[int]failover.Sight{}, asks: map[uint64]func(bool){}}
	t := w.timing
	if w.bugs.longLease {
		t.Lease = t.Lease * 2
	}
	p.holder = failover.NewHolder(t, n.id, run)
	p.watch = failover.NewWatch(w.timing, n.id)
	if n.p != nil {
		n.lives = append(n.lives, n.p.run)
		if w.sync && w.disks {
			p.term = n.p.term
		}
	}
	p.data = n.newPlane(run)
	p.offset = int64(len(p.data.writes))
	n.p = p
	p.heardLeader = p.now()
	p.patience = w.between(200*ms, 400*ms)
	p.linkedAt = p.now() - failover.NeverLinked
	p.loadedAt = p.now() + n.loading
	if n.file != (saved{}) {
		p.term, p.offset = n.file.term, n.file.offset
	}
	w.tell("node %d starts as %s", n.i, run)
	w.after(w.between(0, tick), p.tick)
}

// enter runs do in this process: now, or when its pause ends; never if it is dead.
func (p *proc) enter(do func()) {
	switch {
	case p.dead:
	case p.paused:
		p.inbox = append(p.inbox, do)
	default:
		do()
	}
}

func (p *proc) resume() {
	p.paused = false
	inbox := p.inbox
	p.inbox = nil
	for _, do := range inbox {
		p.enter(do)
	}
}

// kill ends the process. The others' connections are reset and refused, where the
// network lets them notice.
func (p *proc) kill() {
	w := p.n.w
	w.tell("node %d is killed", p.n.i)
	p.dead = true
	p.stopLeading()
	for _, o := range w.nodes {
		q := o.p
		if q == p || q.dead {
			continue
		}
		w.after(w.between(5*ms, 40*ms), func() {
			if p.n.p == p && !w.cut[[2]int{q.n.i, p.n.i}] && !w.cut[[2]int{p.n.i, q.n.i}] {
				q.enter(func() { q.refuse(p.n.i) })
			}
		})
	}
}

func (p *proc) refuse(i int) {
	s := p.heard[i]
	s.Refused = true
	p.heard[i] = s
}

func (p *proc) hear(from *proc) {
	p.heard[from.n.i] = failover.Sight{Run: from.run, At: p.now()}
}

// serving is the shard that the process may serve at this true instant, or nil.
func (p *proc) serving() *topology.Shard {
	if p == nil || p.dead {
		return nil
	}
	shard, term, until := p.holder.Lease()
	if p.n.w.bugs.ignoreRelease && p.ghost.until > until {
		shard, term, until = p.ghost.shard, p.ghost.term, p.ghost.until
	}
	if shard == "" || until <= p.now() {
		return nil
	}
	s := p.n.view.ShardByID(shard)
	if s == nil || s.Term != term {
		return nil
	}
	return s
}

// tick is the process' own clock going on.
func (p *proc) tick() {
	if p.dead {
		return
	}
	p.n.w.after(int64(float64(tick)/p.n.rate), p.tick)
	if p.paused {
		return
	}
	p.tickRaft()
	p.tickBus()
	if p.n.w.sync {
		p.tickSync()
	} else {
		p.tickData()
	}
	p.tickHolder()
	if l := p.leader; l != nil {
		p.perform(l, l.SetView(p.now(), p.n.view, p.n.w.voters))
		p.perform(l, l.Tick(p.now()))
	}
	p.tickUpdate()
}

// tickBus is the keep-alive of the bus.
func (p *proc) tickBus() {
	if p.now() < p.nextBus {
		return
	}
	p.nextBus = p.now() + busPing
	for _, o := range p.n.w.nodes {
		if o.p != p && !o.p.dead {
			p.n.w.send(p, o.p, func() {})
		}
	}
}

// tickData is the data plane in small: a serving primary's offset grows, a replica
// follows the primary that its View names.
func (p *proc) tickData() {
	v, w := p.n.view, p.n.w
	if p.now() < p.loadedAt {
		return
	}
	if s := p.serving(); s != nil {
		p.term = s.Term
		p.offset++
		return
	}
	s := v.ShardOf(p.n.id)
	if s == nil || s.Primary == p.n.id {
		return
	}
	primary := w.find(s.Primary).p
	if primary.dead || primary.run != s.PrimaryRun {
		return
	}
	// One question a tick; the answer carries the state of that moment.
	w.send(p, primary, func() {
		ps := primary.n.view.ShardOf(primary.n.id)
		if ps == nil || ps.ID != s.ID || ps.Term != s.Term || !primary.n.view.IsPrimary(primary.n.id, primary.run) {
			return
		}
		term, offset := primary.term, primary.offset
		w.send(primary, p, func() {
			cur := p.n.view.ShardOf(p.n.id)
			if cur == nil || cur.ID != s.ID || cur.Term != s.Term || cur.Primary == p.n.id {
				return
			}
			p.term, p.offset, p.linkedTerm, p.linkedAt = term, offset, s.Term, p.now()
		})
	})
}

func (w *world) find(id topology.NodeID) *node {
	for _, n := range w.nodes {
		if n.id == id {
			return n
		}
	}
	panic("sim: no node " + id)
}

func (p *proc) progress() failover.Progress {
	if p.now() < p.loadedAt {
		return failover.Progress{Loading: true}
	}
	return failover.Progress{Term: p.term, Offset: p.offset, LinkedTerm: p.linkedTerm, LinkAgeNanos: p.now() - p.linkedAt, FullSync: p.data.bare}
}

// tickHolder renews the lease, or repeats the Release.
func (p *proc) tickHolder() {
	w := p.n.w
	p.holder.SetView(p.now(), p.n.view)
	ask, release := p.holder.Next(p.now())
	if ask == nil && release == nil {
		return
	}
	to := []*node{}
	if p.hint != nil && release == nil && !p.holder.Starving(p.now()) {
		to = append(to, p.hint)
	} else {
		for _, id := range w.voters {
			to = append(to, w.find(id))
		}
	}
	for _, o := range to {
		q := o.p
		do := func() { q.takeRelease(p, release) }
		if ask != nil {
			a := *ask
			a.Offset = p.offset
			do = func() { q.takeRenewal(p, a) }
		}
		if q == p {
			do()
		} else if !q.dead {
			w.send(p, q, do)
		}
	}
}

func (p *proc) takeRelease(from *proc, r *failover.Released) {
	if l := p.leader; l != nil {
		p.perform(l, l.Release(p.now(), from.n.id, *r))
	}
}

func (p *proc) takeRenewal(from *proc, a failover.Ask) {
	l := p.leader
	if l == nil {
		return
	}
	p.nextID++
	p.asks[p.nextID] = func(granted bool) {
		if !granted {
			return
		}
		answer := func() { from.holder.Granted(a.Seq, a.Shard, a.Term) }
		if from == p {
			answer()
			return
		}
		p.n.w.send(p, from, answer)
	}
	p.perform(l, l.Renew(p.now(), p.nextID, from.n.id, a))
}

// perform carries out what the leader decided.
func (p *proc) perform(l *failover.Leader, actions []failover.Action) {
	w := p.n.w
	for _, a := range actions {
		switch a := a.(type) {
		case failover.SendEcho:
			for _, id := range a.Voters {
				p.echo(l, w.find(id).p, a)
			}
		case failover.AnswerAsk:
			answer := p.asks[a.ID]
			delete(p.asks, a.ID)
			if answer != nil {
				answer(a.Granted)
			}
		case failover.AskReports:
			for _, id := range a.Nodes {
				q := w.find(id).p
				do := func() failover.Report {
					return failover.Report{Node: q.n.id, Run: q.run, Shard: a.Shard, Progress: q.progress()}
				}
				if q == p {
					p.withLeader(l, func() []failover.Action { return l.Report(p.now(), do()) })
					continue
				}
				w.send(p, q, func() {
					r := do()
					w.send(q, p, func() {
						p.withLeader(l, func() []failover.Action { return l.Report(p.now(), r) })
					})
				})
			}
		case failover.ProposeEntry:
			e := a.Entry
			if w.bugs.noFence {
				e.RaftTerm = 0
			}
			w.tell("node %d proposes: %s", p.n.i, topology.Describe(e))
			w.trap(p)
			if w.onPropose != nil {
				w.onPropose(p, e)
			}
			p.propose(e, func(err error) {
				p.withLeader(l, func() []failover.Action { return l.Proposed(p.now(), a.Shard, a.N, err) })
			})
		case failover.Note:
			w.tell("node %d notes %s: %s", p.n.i, a.Event.Kind, a.Event.Text)
			if a.Event.Kind == failover.EventFailover {
				w.failovers = append(w.failovers, a.Event)
			}
		}
	}
}

func (p *proc) withLeader(l *failover.Leader, f func() []failover.Action) {
	if p.leader == l && !p.dead {
		p.perform(l, f())
	}
}

// echo asks a voter for its raft term and evidence.
func (p *proc) echo(l *failover.Leader, q *proc, a failover.SendEcho) {
	w := p.n.w
	look := func(id topology.NodeID) failover.Sight { return q.heard[w.find(id).i] }
	word := func() (uint64, []failover.Gone) {
		return q.n.raftTerm, q.watch.Report(q.now(), q.n.view, look)
	}
	if w.bugs.noEcho {
		p.withLeader(l, func() []failover.Action { return l.Echo(p.now(), q.n.id, a.Seq, a.RaftTerm, nil) })
	}
	if q == p {
		term, gone := word()
		p.withLeader(l, func() []failover.Action { return l.Echo(p.now(), q.n.id, a.Seq, term, gone) })
		return
	}
	if q.dead {
		return
	}
	w.send(p, q, func() {
		term, gone := word()
		w.send(q, p, func() {
			p.withLeader(l, func() []failover.Action { return l.Echo(p.now(), q.n.id, a.Seq, term, gone) })
		})
	})
}

// tickUpdate has a process that the View does not know announce itself.
func (p *proc) tickUpdate() {
	me := p.n.view.Node(p.n.id)
	if me == nil || me.Run == p.run || p.now() < p.nextUpdate {
		return
	}
	p.nextUpdate = p.now() + 100*ms
	u := topology.UpdateNode{Node: p.n.id, Incarnation: me.Incarnation, Run: p.run, Addr: me.Addr, Priority: me.Priority}
	if w := p.n.w; w.sync && (w.disks || w.bugs.falseHeir) {
		u.Continues = p.n.lives[max(0, len(p.n.lives)-64):]
	}
	p.forward(u)
}

// forward proposes through whoever leads.
func (p *proc) forward(e topology.Entry) {
	for _, o := range p.n.w.nodes {
		q := o.p
		if q.dead || q.leads == 0 {
			continue
		}
		if q == p {
			p.propose(e, func(error) {})
			continue
		}
		p.n.w.send(p, q, func() { q.propose(e, func(error) {}) })
	}
}
