// Package insync decides for a primary which of its replicas its sync replies wait for:
// how far the in-sync copies have confirmed its log, when one of them is to leave the
// in-sync set of the topology log, and when another one may enter it. It is pure: no
// goroutine, no clock, no log. internal/node drives it with acknowledgements and the
// time; internal/sim runs it in virtual time. It never decides who is primary.
//
// What it keeps true: every copy that the log may name in the set, now or by a proposal
// under way, holds all that was ever confirmed. So whichever of them is promoted has
// every write that a sync client was told of. No clock goes into that; the time decides
// only for how long a copy that does not answer is waited for.
package insync

import (
	"fmt"
	"slices"

	"github.com/redwingdb/redwing/internal/topology"
)

const (
	// nearBytes is how far behind a copy may be for replies to begin to wait for it.
	nearBytes = 1 << 20
	// retryNanos is the pause before a proposal of unknown outcome is made again.
	retryNanos = 50e6
)

// Copy is a replica that is attached to the primary.
type Copy struct {
	Member topology.Member
	// Online tells that it takes the stream; if not it is to be sent a whole data set, and
	// drops its own for it.
	Online bool
	// Offset is what it has acknowledged, Heard when it last gave a sign of life.
	Offset int64
	Heard  int64
}

// Verdict is what the primary's replies go by; the zero Verdict: synchronous writes are
// not allowed, or this run is no primary.
type Verdict struct {
	Shard  topology.ShardID
	Term   uint64
	Offset int64 // confirmed by all; it only grows within a term
	// Refuse: with fewer copies than sync-min-copies no write shall run.
	Refuse bool
}

// Proposal is an entry for the topology log. Its outcome comes back by Proposed, with N.
type Proposal struct {
	N     uint64
	Entry topology.Entry
}

// Machine is the state of one run of a node. The states of a copy, of its primary's sync
// replies waiting for all but those outside:
//
//	outside --near, and heard--> joining --has all that was confirmed--> growing --View--> member
//	   ^  ^---------------- too slow -'                                     |                |
//	   |  '---------------- refused ----------------------------------------'                |
//	   '--View---------------- leaving <--silent or behind for long, or without its data-----'
//
// One copy at a time is joining or growing, and one proposal at a time is under way; while
// its outcome is unknown it is made again, never forgotten.
type Machine struct {
	self      topology.Member
	shard     topology.ShardID
	term      uint64
	on        bool // sync-writes is not no
	confirmed int64
	members   map[topology.Member]*follower // the View's, without self, and the joining one
	joining   *topology.Member
	since     int64 // when joining began
	proposal  *proposal
	proposals uint64
	// rested is until when a copy that has left, or did not get in, stays outside.
	rested map[topology.Member]int64
}

// follower is a copy that is waited for.
type follower struct {
	acked int64
	heard int64
	// The copy is behind if it has not acknowledged target since then.
	target int64
	then   int64
}

type proposal struct {
	Proposal
	version uint64
	leaving *topology.Member // nil: it is the joining copy's Grow
	made    bool             // handed out, and no word of it yet
	retryAt int64
	settled bool // the outcome is known and shows in the next View
}

// New returns the machine of a run that is no primary yet.
func New(self topology.Member) *Machine { return &Machine{self: self} }

// Step looks at everything anew: the View v, the end of the primary's log and its attached
// replicas. It returns what holds now and what is to be proposed, nil: nothing.
func (m *Machine) Step(now int64, v *topology.View, end int64, copies []Copy) (Verdict, *Proposal) {
	s := v.ShardOf(m.self.Node)
	if s == nil || s.Primary != m.self.Node || s.PrimaryRun != m.self.Run {
		*m = Machine{self: m.self, proposals: m.proposals}
		return Verdict{}, nil
	}
	if s.ID != m.shard || s.Term != m.term {
		// The promotion has made the set this copy alone, so all that it has is confirmed.
		*m = Machine{
			self: m.self, shard: s.ID, term: s.Term, confirmed: end, proposals: m.proposals,
			members: map[topology.Member]*follower{}, rested: map[topology.Member]int64{},
		}
	}
	patience := Patience(&v.Config)
	m.settle(now, s, patience)
	m.on = v.Config.InSyncOnly()
	m.dropSlow(now, v, s, patience, copies)
	m.follow(now, s, end, copies)
	if !m.on {
		return Verdict{}, m.again(now) // what is under way is still to be resolved
	}
	least := v.Config.MinCopies(s)
	alive := 1
	for _, x := range s.InSync {
		if f := m.members[x]; f != nil && !f.away(now, patience) {
			alive++
		}
	}
	m.confirm(s, least, end)
	if m.proposal == nil {
		m.shrink(now, v, s, least, patience, copies)
	}
	if m.proposal == nil {
		m.join(now, v, s, patience, end, copies)
		m.confirm(s, least, end)
		m.grow(s)
	}
	return Verdict{Shard: s.ID, Term: s.Term, Offset: m.confirmed, Refuse: alive < least}, m.again(now)
}

// Patience is for how long a copy may be silent or behind, in nanoseconds: half of
// sync-timeout, so that writes that wait for it are confirmed before they are answered by
// an error, and at most half of cluster-node-timeout.
func Patience(c *topology.ClusterConfig) int64 {
	return int64(min(c.SyncTimeout(), c.NodeTimeout())) * 1e6 / 2
}

// Outside reports whether no reply waits for a copy, nor will by a proposal under way: it
// may be sent another data set, for which it drops its own.
func (m *Machine) Outside(x topology.Member) bool {
	if !m.on {
		return m.joining == nil || *m.joining != x // nobody waits for members; each set begins anew
	}
	return m.members[x] == nil
}

// Proposed takes the outcome of proposal n: applied, refused by the log, or unknown.
func (m *Machine) Proposed(now int64, n uint64, err error) {
	p := m.proposal
	if p == nil || p.N != n {
		return
	}
	if err == nil || topology.IsRefusal(err) {
		p.settled = true
		return
	}
	p.made, p.retryAt = false, now+retryNanos
}

// settle takes note of what has become of the proposal. The View is at least as new as
// the outcome that Proposed was told.
func (m *Machine) settle(now int64, s *topology.Shard, patience int64) {
	p := m.proposal
	if p == nil || s.SetVersion == p.version && !p.settled {
		return
	}
	m.proposal = nil
	if p.leaving != nil {
		m.rested[*p.leaving] = now + patience
		return
	}
	if !s.IsInSync(m.joining.Node, m.joining.Run) {
		m.rested[*m.joining] = now + patience
	}
	m.joining = nil
}

// follow brings what is known of the copies that are waited for up to date.
func (m *Machine) follow(now int64, s *topology.Shard, end int64, copies []Copy) {
	for _, x := range s.InSync {
		if x != m.self && m.members[x] == nil {
			m.members[x] = &follower{heard: now, target: end, then: now}
		}
	}
	for x := range m.members {
		if !s.IsInSync(x.Node, x.Run) && (m.joining == nil || *m.joining != x) {
			delete(m.members, x)
		}
	}
	for i := range copies {
		c := &copies[i]
		f := m.members[c.Member]
		if f == nil {
			continue
		}
		if c.Online {
			f.acked = max(f.acked, min(c.Offset, end))
			f.heard = max(f.heard, c.Heard)
		}
	}
	for _, f := range m.members {
		if f.acked >= f.target {
			f.target, f.then = end, now
		}
	}
}

// away reports whether the copy has been silent or behind for too long.
func (f *follower) away(now, patience int64) bool {
	return now-f.heard > patience || now-f.then > patience
}

// dropSlow gives a joining copy up that is not growing yet.
func (m *Machine) dropSlow(now int64, v *topology.View, s *topology.Shard, patience int64, copies []Copy) {
	for x, until := range m.rested {
		if until <= now {
			delete(m.rested, x)
		}
	}
	if m.joining == nil || m.proposal != nil && m.proposal.leaving == nil {
		return
	}
	if !m.on || now-m.since > patience || !mayJoin(v, s, find(copies, *m.joining)) {
		m.rested[*m.joining] = now + patience
		m.joining = nil
	}
}

func find(copies []Copy, x topology.Member) *Copy {
	if i := slices.IndexFunc(copies, func(c Copy) bool { return c.Member == x }); i >= 0 {
		return &copies[i]
	}
	return nil
}

// mayJoin reports whether the log would take the copy into the set.
func mayJoin(v *topology.View, s *topology.Shard, c *Copy) bool {
	if c == nil || !c.Online || !slices.Contains(s.Replicas, c.Member.Node) {
		return false
	}
	n := v.Node(c.Member.Node)
	return n != nil && n.Run == c.Member.Run
}

// confirm moves on what all copies that are waited for have acknowledged. A set that is
// too small acknowledges nothing.
func (m *Machine) confirm(s *topology.Shard, least int, end int64) {
	if len(s.InSync) < least {
		return
	}
	all := end
	for _, f := range m.members {
		all = min(all, f.acked)
	}
	m.confirmed = max(m.confirmed, all)
}

// shrink begins to take a member out. One that is merely away stays if the set would
// become too small: it still holds everything and may be promoted. One that wants a whole
// data set cannot be had otherwise.
func (m *Machine) shrink(now int64, v *topology.View, s *topology.Shard, least int, patience int64, copies []Copy) {
	for _, x := range s.InSync {
		f := m.members[x]
		if f == nil {
			continue
		}
		n, c := v.Node(x.Node), find(copies, x)
		lost := n == nil || n.Run != x.Run // that run has ended
		bare := c != nil && !c.Online
		if bare || (lost || f.away(now, patience)) && len(s.InSync) > least {
			m.propose(s, topology.ShrinkInSync{Shard: s.ID, Term: s.Term, Version: s.SetVersion, Member: x}, &x)
			return
		}
	}
}

// join begins to wait for the first copy that is near enough to get in.
func (m *Machine) join(now int64, v *topology.View, s *topology.Shard, patience, end int64, copies []Copy) {
	if m.joining != nil {
		return
	}
	var best *Copy
	for i := range copies {
		c := &copies[i]
		if m.members[c.Member] != nil || !mayJoin(v, s, c) || now-c.Heard > patience ||
			end-c.Offset > nearBytes || now < m.rested[c.Member] {
			continue
		}
		if best == nil || c.Member.Node < best.Member.Node {
			best = c
		}
	}
	if best == nil {
		return
	}
	x := best.Member
	m.joining, m.since = &x, now
	m.members[x] = &follower{acked: min(best.Offset, end), heard: best.Heard, target: end, then: now}
}

// grow proposes the joining copy once it has all that was confirmed. From join on nothing
// has been confirmed that it had not acknowledged, and so it stays.
func (m *Machine) grow(s *topology.Shard) {
	if m.joining == nil || m.members[*m.joining].acked < m.confirmed {
		return
	}
	m.propose(s, topology.GrowInSync{Shard: s.ID, Term: s.Term, Version: s.SetVersion, Member: *m.joining}, nil)
}

func (m *Machine) propose(s *topology.Shard, e topology.Entry, leaving *topology.Member) {
	m.proposals++
	h := topology.Header{Request: fmt.Sprintf("insync/%s/%d/%d", m.self.Run, s.Term, m.proposals)}
	switch x := e.(type) {
	case topology.ShrinkInSync:
		x.Header = h
		e = x
	case topology.GrowInSync:
		x.Header = h
		e = x
	}
	m.proposal = &proposal{Proposal: Proposal{m.proposals, e}, version: s.SetVersion, leaving: leaving}
}

// again returns the proposal if it is to be made now, for the first time or once more.
func (m *Machine) again(now int64) *Proposal {
	p := m.proposal
	if p == nil || p.made || p.settled || now < p.retryAt {
		return nil
	}
	p.made = true
	return &p.Proposal
}
