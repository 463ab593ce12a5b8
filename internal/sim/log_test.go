package sim

import (
	"slices"
	"strconv"

	"github.com/redwingdb/redwing/internal/failover"
	"github.com/redwingdb/redwing/internal/topology"
)

// This file is the model of the log: raft reduced to what failover can notice of it.
// Committed entries are one global list; who leads, who has voted, who knows of which
// commit and what becomes of entries that were never committed is played out by
// messages.

func (p *proc) isVoter() bool { return slices.Contains(p.n.w.voters, p.n.id) }

func (p *proc) others() (out []*proc) {
	for _, id := range p.n.w.voters {
		if q := p.n.w.find(id).p; q != p {
			out = append(out, q)
		}
	}
	return out
}

func (w *world) majority() int { return len(w.voters)/2 + 1 }

// tickRaft holds elections, beats, and gives up a leadership out of touch.
func (p *proc) tickRaft() {
	if !p.isVoter() {
		return
	}
	w := p.n.w
	if p.leads == 0 {
		if p.now()-p.heardLeader > p.patience {
			p.campaign()
		}
		return
	}
	if p.n.raftTerm > p.leads {
		p.stopLeading()
		return
	}
	fresh := 1
	for _, at := range p.acked {
		if p.now()-at < 150*ms {
			fresh++
		}
	}
	if fresh < w.majority() && p.now()-p.elected > 150*ms {
		w.tell("node %d is out of touch and leads no more in %d", p.n.i, p.leads)
		p.stopLeading()
		return
	}
	if p.now() >= p.nextBeat {
		p.nextBeat = p.now() + beat
		p.heartbeat()
	}
	for _, x := range slices.Clone(p.pending) {
		if p.now()-x.sent > 30*ms {
			p.replicate(x)
		}
	}
	if p.leader == nil && p.beginning != p.leads {
		p.beginLead()
	}
}

// electable is raft's pre-vote, without its messages: a majority would vote for p.
func (p *proc) electable() bool {
	w := p.n.w
	votes := 1
	for _, q := range p.others() {
		reached := !w.cut[[2]int{p.n.i, q.n.i}] && !w.cut[[2]int{q.n.i, p.n.i}]
		if reached && !q.dead && !q.paused && q.n.logLen <= p.n.logLen && q.leads == 0 && q.now()-q.heardLeader >= 150*ms {
			votes++
		}
	}
	return votes >= w.majority()
}

// campaign asks the voters for a new term.
func (p *proc) campaign() {
	w := p.n.w
	// Not always: what the pre-vote saw may be over when the votes are asked for.
	if (w.calm || w.chance(80)) && !p.electable() {
		p.heardLeader, p.patience = p.now(), w.between(200*ms, 400*ms)
		return
	}
	p.n.raftTerm++
	term := p.n.raftTerm
	p.candidate, p.votes = term, map[int]bool{p.n.i: true}
	p.heardLeader, p.patience = p.now(), w.between(200*ms, 400*ms)
	p.counted(term)
	for _, q := range p.others() {
		if q.dead {
			continue
		}
		logLen := p.n.logLen
		w.send(p, q, func() {
			sticky := q.now()-q.heardLeader < 150*ms && !w.chance(20)
			if q.n.raftTerm >= term || q.n.logLen > logLen || sticky {
				return
			}
			q.n.raftTerm = term
			q.stopLeading()
			q.heardLeader = q.now()
			w.send(q, p, func() {
				if p.candidate == term && p.n.raftTerm == term {
					p.votes[q.n.i] = true
					p.counted(term)
				}
			})
		})
	}
}

// counted makes the candidate leader once a majority has voted for it.
func (p *proc) counted(term uint64) {
	w := p.n.w
	if len(p.votes) < w.majority() || p.leads == term {
		return
	}
	w.tell("node %d is elected in %d", p.n.i, term)
	p.stopLeading()
	p.leads, p.candidate = term, 0
	p.elected, p.acked, p.nextBeat, p.beginning = p.now(), map[int]int64{}, p.now(), 0
	// What an earlier leader had not committed may be in this one's log.
	for _, e := range w.strays {
		if w.chance(50) {
			p.pending = append(p.pending, &proposal{entry: e, term: term, acks: map[int]bool{p.n.i: true}, done: func(error) {}})
		}
	}
	p.heartbeat()
}

// stopLeading leaves what is not committed to chance.
func (p *proc) stopLeading() {
	if p.leads == 0 {
		return
	}
	w := p.n.w
	p.leads = 0
	if l := p.leader; l != nil {
		p.leader = nil
		p.perform(l, l.Close())
	}
	for _, x := range p.pending {
		w.strays = append(w.strays, x.entry)
		x.done(errUnknown)
		// The proposer may have handed the entry to whoever leads next.
		if _, ok := x.entry.(topology.Promote); ok && w.chance(50) {
			e := x.entry
			w.after(w.between(ms, 1500*ms), func() { w.late(e) })
		}
	}
	p.pending = nil
	p.heardLeader = p.now()
}

// late proposes an entry of an old leader at the one that leads now.
func (w *world) late(e topology.Entry) {
	for _, n := range w.nodes {
		if p := n.p; !p.dead && !p.paused && p.leads != 0 {
			w.tell("an old proposal comes to node %d: %s", n.i, topology.Describe(e))
			p.propose(e, func(error) {})
			return
		}
	}
}

// heartbeat tells every node who leads and how much is committed, and collects the
// voters' answers.
func (p *proc) heartbeat() {
	w, term := p.n.w, p.leads
	known := p.n.logLen
	for _, o := range w.nodes {
		q := o.p
		if q == p || q.dead {
			continue
		}
		sent := p.now()
		w.send(p, q, func() {
			if q.n.raftTerm > term {
				w.send(q, p, func() {
					p.n.raftTerm = max(p.n.raftTerm, q.n.raftTerm)
				})
				return
			}
			if q.isVoter() {
				if q.n.raftTerm < term || q.leads != 0 {
					q.stopLeading()
				}
				q.n.raftTerm = term
			}
			q.heardLeader, q.hint = q.now(), p.n
			q.n.logLen = max(q.n.logLen, known)
			q.apply(known)
			w.send(q, p, func() {
				if p.leads == term {
					p.acked[q.n.i] = max(p.acked[q.n.i], sent)
				}
			})
		})
	}
	p.hint = p.n
}

// propose appends an entry to the leader's log.
func (p *proc) propose(e topology.Entry, done func(error)) {
	if p.leads == 0 || p.n.raftTerm != p.leads {
		p.n.w.after(20*ms, func() { p.enter(func() { done(errUnknown) }) })
		return
	}
	x := &proposal{entry: e, term: p.leads, acks: map[int]bool{p.n.i: true}, done: done}
	p.pending = append(p.pending, x)
	p.replicate(x)
}

// replicate sends an entry to the voters; what a majority has, with all that was
// appended before it, is committed.
func (p *proc) replicate(x *proposal) {
	w := p.n.w
	x.sent = p.now()
	p.commit()
	for _, q := range p.others() {
		if q.dead || x.acks[q.n.i] {
			continue
		}
		w.send(p, q, func() {
			if q.n.raftTerm > x.term {
				return
			}
			if q.n.raftTerm < x.term {
				q.stopLeading()
				q.n.raftTerm = x.term
			}
			q.heardLeader = q.now()
			w.send(q, p, func() {
				if p.leads == x.term {
					x.acks[q.n.i] = true
					p.commit()
				}
			})
		})
	}
}

func (p *proc) commit() {
	w := p.n.w
	last := -1
	for i, x := range p.pending {
		// A voter that has gone on to a later term may have elected a leader that
		// has not the entry; raft's log comparison keeps that from happening after
		// a commit, the model by counting only who has not gone on.
		acks := 0
		for i := range x.acks {
			if w.nodes[i].raftTerm <= x.term {
				acks++
			}
		}
		if acks >= w.majority() {
			last = i
		}
	}
	if last < 0 {
		return
	}
	batch := p.pending[:last+1]
	p.pending = slices.Clone(p.pending[last+1:])
	acked := batch[last].acks
	w.strays = nil // a later leader's commit buries them
	for _, x := range batch {
		w.committed = append(w.committed, x.entry)
	}
	w.judge()
	for i := range acked {
		if w.nodes[i].raftTerm <= batch[last].term {
			w.nodes[i].logLen = len(w.committed)
		}
	}
	p.n.logLen = len(w.committed)
	p.apply(len(w.committed))
	for _, x := range batch {
		_, err, _ := p.n.view.Outcome(x.entry.RequestID())
		if w.chance(10) {
			err = errUnknown // the answer gets lost
		}
		x.done(err)
	}
	if p.leads != 0 && !p.dead {
		p.heartbeat()
	}
}

// apply brings the node's View up to n committed entries.
func (p *proc) apply(n int) {
	if p.n == p.n.w.laggard {
		return
	}
	for i := int(p.n.view.Index); i < n; i++ {
		e := p.n.w.committed[i]
		before := p.n.view
		next, err := topology.Apply(before, uint64(i+1), e)
		p.n.view = next
		if promote, ok := e.(topology.Promote); ok && p.leads != 0 {
			p.n.w.tell("node %d applies %d: %s: %v", p.n.i, i+1, topology.Describe(e), err)
			if err == nil && promote.Empty {
				p.n.w.emptied++
			}
		}
	}
	p.holder.SetView(p.now(), p.n.view)
}

// beginLead commits the Lead entry and then lets the node decide.
func (p *proc) beginLead() {
	w, term := p.n.w, p.leads
	p.beginning = term
	elected := p.elected
	if w.bugs.noElection {
		elected -= 10 * second
	}
	t := w.timing
	if w.bugs.noWait {
		t.Wait = 0
	}
	e := topology.Lead{
		Header:   topology.Header{Request: "lead/" + strconv.Itoa(p.n.i) + "/" + strconv.FormatUint(term, 10)},
		RaftTerm: term, Node: p.n.id,
	}
	p.propose(e, func(err error) {
		if p.leads != term || p.dead {
			return
		}
		switch {
		case err == nil && p.n.view.LeadTerm == term:
			p.leader = failover.NewLeader(t, p.n.id, term, elected, p.n.view, w.voters)
		case err == nil || topology.IsRefusal(err):
		default:
			p.beginning = 0
		}
	})
}
