package failover

import (
	"fmt"
	"slices"

	"github.com/redwingdb/redwing/internal/topology"
)

// Action is what the driver is to do for the Leader.
type Action interface{ isAction() }

// The actions of a Leader.
type (
	// SendEcho asks every voter, this node included, to echo the raft term.
	SendEcho struct {
		Voters   []topology.NodeID
		Seq      uint64
		RaftTerm uint64
	}
	// AnswerAsk answers the renewal with the driver's handle ID.
	AnswerAsk struct {
		ID      uint64
		Granted bool
	}
	// AskReports asks the nodes how far their copy of the shard is.
	AskReports struct {
		Shard topology.ShardID
		Term  uint64
		Nodes []topology.NodeID
	}
	// ProposeEntry proposes a Promote; the outcome comes back with N.
	ProposeEntry struct {
		Shard topology.ShardID
		N     uint64
		Entry topology.Promote
	}
	// Depose and Restore are carried out by the Leader itself.
	Depose struct {
		Shard topology.ShardID
		Term  uint64
	}
	// Restore undoes Depose.
	Restore struct{ Shard topology.ShardID }
	// Note writes a line into the event log.
	Note struct{ Event Event }
)

func (SendEcho) isAction()     {}
func (AnswerAsk) isAction()    {}
func (AskReports) isAction()   {}
func (ProposeEntry) isAction() {}
func (Depose) isAction()       {}
func (Restore) isAction()      {}
func (Note) isAction()         {}

// Leader is the part of failover that runs on the leader of the topology log, one
// for each time that a node leads, made once its Lead entry is applied. Its methods are called by one goroutine at a
// time with the leader's monotonic clock and return what is to be done. Pure.
type Leader struct {
	t        Timing
	self     topology.NodeID
	raftTerm uint64
	view     *topology.View
	voters   []topology.NodeID
	grantor  *Grantor
	rounds   rounds
	evidence map[topology.NodeID]*evidence // by voter
	machines map[topology.ShardID]*machine
	serving  map[topology.ShardID]*promoted // promoted, without a lease yet
}

type evidence struct {
	at   int64 // when the round began that it answers
	gone map[topology.Member]Gone
}

// promoted waits for the first lease of a new primary.
type promoted struct {
	since, deadline int64
	event           Event
}

// NewLeader returns the state of a leader elected at elected in raftTerm.
func NewLeader(t Timing, self topology.NodeID, raftTerm uint64, elected int64, v *topology.View, voters []topology.NodeID) *Leader {
	return &Leader{
		t: t, self: self, raftTerm: raftTerm, view: v, voters: voters,
		grantor:  NewGrantor(t, elected),
		evidence: map[topology.NodeID]*evidence{},
		machines: map[topology.ShardID]*machine{},
		serving:  map[topology.ShardID]*promoted{},
	}
}

// RaftTerm is the raft term of this leadership.
func (l *Leader) RaftTerm() uint64 { return l.raftTerm }

// SetView follows the applied View and the raft configuration.
func (l *Leader) SetView(now int64, v *topology.View, voters []topology.NodeID) []Action {
	l.voters = voters
	if v.Index <= l.view.Index {
		return nil
	}
	for i := range v.Shards {
		s := &v.Shards[i]
		if old := l.view.ShardByID(s.ID); old == nil || old.Term != s.Term {
			l.grantor.Begin(now, s.ID)
		}
	}
	l.view = v
	for id, m := range l.machines {
		s := v.ShardByID(id)
		if s != nil && s.Term == m.term {
			continue
		}
		delete(l.machines, id)
		if s != nil && (m.state == Propose || m.state == Promote) {
			mark(&m.phases.Committed, now-m.since)
			l.serving[id] = &promoted{m.since, now + l.t.NodeTimeout, Event{
				Kind: EventFailover, Shard: id, Term: s.Term, From: m.from, To: s.Primary,
				Text: topology.Describe(m.entry), Phases: m.phases,
			}}
		}
	}
	l.grantor.Forget(func(id topology.ShardID) bool { return v.ShardByID(id) != nil })
	return l.Tick(now)
}

// Tick begins rounds and moves the machines on; call it every few milliseconds.
func (l *Leader) Tick(now int64) (out []Action) {
	if now-l.rounds.begun >= l.t.Round {
		out = l.beginRound(now)
	}
	for i := range l.view.Shards {
		out = append(out, l.step(now, &l.view.Shards[i])...)
	}
	for id, p := range l.serving {
		if now >= p.deadline {
			delete(l.serving, id)
			out = append(out, Note{p.event})
		}
	}
	return out
}

func (l *Leader) beginRound(now int64) (out []Action) {
	seq, dropped := l.rounds.begin(now)
	for _, r := range dropped {
		out = append(out, AnswerAsk{r.ID, false})
	}
	return append(out, SendEcho{l.voters, seq, l.raftTerm})
}

// Renew takes a renewal; the answer follows as AnswerAsk with this id once a round
// begun from now on has been echoed.
func (l *Leader) Renew(now int64, id uint64, from topology.NodeID, a Ask) []Action {
	l.rounds.waiting = append(l.rounds.waiting, renewal{id, from, a})
	if now-l.rounds.begun >= l.t.Round {
		return l.beginRound(now)
	}
	return nil
}

// Echo takes a voter's answer to round seq: its raft term and what it misses.
func (l *Leader) Echo(now int64, voter topology.NodeID, seq, raftTerm uint64, gone []Gone) (out []Action) {
	if !slices.Contains(l.voters, voter) {
		return nil
	}
	if begun := l.rounds.begunAt(seq); l.evidence[voter] == nil || l.evidence[voter].at <= begun {
		e := &evidence{begun, make(map[topology.Member]Gone, len(gone))}
		for _, g := range gone {
			e.gone[topology.Member{Node: g.Node, Run: g.Run}] = g
		}
		l.evidence[voter] = e
	}
	if raftTerm != l.raftTerm {
		return nil
	}
	for _, r := range l.rounds.echo(voter, seq, l.voters) {
		out = append(out, l.answer(now, r)...)
	}
	return out
}

// answer gives or denies a lease. A majority of voters has echoed this raft term
// since the renewal came.
func (l *Leader) answer(now int64, r renewal) (out []Action) {
	s := l.view.ShardByID(r.Ask.Shard)
	granted := s != nil && s.Term == r.Ask.Term && s.Primary == r.From && s.PrimaryRun == r.Ask.Run &&
		l.grantor.Answer(now, s.ID, s.Term)
	out = append(out, AnswerAsk{r.ID, granted})
	if !granted {
		return out
	}
	m := l.machine(s)
	m.offset, m.offsetOK = r.Ask.Offset, true
	if p := l.serving[s.ID]; p != nil {
		delete(l.serving, s.ID)
		p.event.Phases.Serving = now - p.since
		out = append(out, Note{p.event})
	}
	return out
}

// Release takes a primary's Release.
func (l *Leader) Release(now int64, from topology.NodeID, r Released) []Action {
	s := l.view.ShardByID(r.Shard)
	if s == nil || s.Term != r.Term || s.Primary != from || s.PrimaryRun != r.Run {
		return nil
	}
	l.grantor.Release(s.ID, s.Term)
	m := l.machine(s)
	if m.release == nil {
		m.release = &r
	}
	return l.step(now, s)
}

// Force takes an order to promote. It is refused with a topology error when it
// cannot be begun.
func (l *Leader) Force(now int64, f Forced) ([]Action, error) {
	s := l.view.ShardByID(f.Shard)
	switch {
	case s == nil:
		return nil, fmt.Errorf("shard %.40s: %w", f.Shard, topology.ErrUnknownShard)
	case s.Term != f.Term:
		return nil, fmt.Errorf("shard %s term %d: %w", s.ID, s.Term, topology.ErrStaleTerm)
	case !slices.Contains(s.Replicas, f.Candidate):
		return nil, fmt.Errorf("node %.40s: %w", f.Candidate, topology.ErrNotMember)
	}
	m := l.machine(s)
	if m.state == Propose || m.state == Promote {
		return nil, nil // a failover is being committed
	}
	m.forced = &f
	l.grantor.Depose(s.ID, s.Term)
	return l.step(now, s), nil
}

// Report takes a copy's report.
func (l *Leader) Report(now int64, r Report) []Action {
	s := l.view.ShardByID(r.Shard)
	if s == nil || !s.Has(r.Node) || r.Progress.Loading {
		return nil // who loads is waited for, like one that has not answered
	}
	m := l.machine(s)
	if m.state != Confirm {
		return nil
	}
	r.at = now
	m.reports[r.Node] = r
	return l.step(now, s)
}

// Proposed takes the outcome of a ProposeEntry.
func (l *Leader) Proposed(now int64, shard topology.ShardID, n uint64, err error) []Action {
	m := l.machines[shard]
	if m == nil {
		return nil
	}
	return l.obey(m.proposed(now, n, err))
}

// Close answers every waiting renewal with no; the node leads no more.
func (l *Leader) Close() (out []Action) {
	for _, r := range l.rounds.all() {
		out = append(out, AnswerAsk{r.ID, false})
	}
	return out
}

// State returns where the failover of a shard stands.
func (l *Leader) State(shard topology.ShardID) State {
	if m := l.machines[shard]; m != nil {
		return m.state
	}
	return Follow
}

func (l *Leader) machine(s *topology.Shard) *machine {
	m := l.machines[s.ID]
	if m == nil {
		m = &machine{shard: s.ID, term: s.Term, from: s.Primary, phases: noPhases}
		l.machines[s.ID] = m
	}
	return m
}

// step moves one shard on.
func (l *Leader) step(now int64, s *topology.Shard) []Action {
	m := l.machines[s.ID]
	seen := l.missed(now, s.Primary, s.PrimaryRun)
	n := l.view.Node(s.Primary)
	restarted := n != nil && n.Run != s.PrimaryRun
	if seen.missing == 0 && !restarted && (m == nil || m.state == Follow && m.release == nil && m.forced == nil) {
		return nil
	}
	if m == nil {
		m = l.machine(s)
	}
	f := &facts{
		shard: s, suspect: seen.missing > 0, gone: l.most(seen.missing), restarted: restarted,
		silent: seen.silent, how: "silent",
		over: l.grantor.Over(now, s.ID, s.Term), overAt: min(now, l.grantor.OverAt(s.ID)),
		by: rule{l.view.Config.InSyncOnly(), l.view.InSyncLost(s)},
	}
	if seen.refused > 0 {
		f.how = "refused"
	}
	if m.state == Follow || m.state == Confirm {
		for _, id := range s.Copies() {
			if c := l.view.Node(id); c != nil {
				seen := l.missed(now, id, c.Run)
				f.copies = append(f.copies, copyState{node: c, inSync: l.view.MayLead(s, c), gone: l.most(seen.missing), dead: l.most(seen.refused)})
			}
		}
	}
	return l.obey(m.step(now, &l.t, f))
}

// obey carries out what concerns the Leader itself and passes the rest on.
func (l *Leader) obey(actions []Action) (out []Action) {
	for _, a := range actions {
		switch a := a.(type) {
		case Depose:
			l.grantor.Depose(a.Shard, a.Term)
		case Restore:
			l.grantor.Restore(a.Shard)
		case ProposeEntry:
			a.Entry.RaftTerm = l.raftTerm
			a.Entry.Request = fmt.Sprintf("promote/%s/%d/%d/%d", a.Shard, a.Entry.Term, l.raftTerm, a.N)
			out = append(out, a)
		default:
			out = append(out, a)
		}
	}
	return out
}

// witness is what the voters' fresh evidence says of a process.
type witness struct {
	missing int   // voters that do not hear it
	refused int   // of them, those that saw it reset and refuse
	silent  int64 // the longest silence
}

// most reports whether n voters are a majority.
func (l *Leader) most(n int) bool { return n >= majority(len(l.voters)) }

func (l *Leader) missed(now int64, node topology.NodeID, run topology.RunID) (w witness) {
	for _, v := range l.voters {
		e := l.evidence[v]
		if e == nil || len(e.gone) == 0 || now-e.at > l.t.Fresh {
			continue
		}
		if g, ok := e.gone[topology.Member{Node: node, Run: run}]; ok {
			w.missing++
			w.silent = max(w.silent, g.SilentNanos)
			if g.Refused {
				w.refused++
			}
		}
	}
	return w
}

// Down returns the nodes that a majority of voters takes for gone.
func (l *Leader) Down(now int64) []topology.NodeID {
	var out []topology.NodeID
	for i := range l.view.Nodes {
		n := &l.view.Nodes[i]
		run := n.Run
		if s := l.view.ShardByID(n.Shard); s != nil && s.Primary == n.ID {
			run = s.PrimaryRun
		}
		if l.most(l.missed(now, n.ID, run).missing) {
			out = append(out, n.ID)
		}
	}
	return out
}
