package failover

import (
	"fmt"

	"github.com/redwingdb/redwing/internal/topology"
)

// State is where the failover of one shard stands.
//
//	Follow --suspect, restart, Release, or told to--> Confirm --gone, lease over, candidate--> Propose --committed--> Promote
//	  ^  ^----------primary heard again------------------'                        |                                     |
//	  |                                        Confirm <------refused------------'                                     |
//	  '------------------------------------ the View shows a new term ------------------------------------------------'
//
// Follow and Confirm decide nothing: renewals go on. Propose begins with the
// decision and from then on the primary of that term gets no lease from this
// leader; an unknown outcome is asked for again under the same request id. One
// proposal a (shard, term) is under way at any time.
type State uint8

// The states of a machine.
const (
	Follow State = iota
	Confirm
	Propose
	Promote
)

func (s State) String() string {
	return [...]string{"follow", "confirm", "propose", "promote"}[s]
}

// machine decides the failover of one shard in one term. The Leader owns it, gives
// it the facts and carries its actions out.
type machine struct {
	shard topology.ShardID
	term  uint64
	from  topology.NodeID
	state State

	since     int64 // first suspicion
	phases    Phases
	cause     string
	release   *Released
	forced    *Forced
	offset    int64 // newest offset the primary told with a renewal
	offsetOK  bool
	reports   map[topology.NodeID]Report
	asked     int64 // when reports were last asked for; 0: not yet
	collect   int64 // when the present collection began; 0: none
	entry     topology.Promote
	attempts  int
	told      bool // EventNoCopy has been written
	proposals uint64
}

// Forced is CLUSTER FAILOVER FORCE or TAKEOVER.
type Forced struct {
	Shard     topology.ShardID     `json:"shard"`
	Term      uint64               `json:"term"`
	Candidate topology.NodeID      `json:"candidate"`
	Mode      topology.PromoteMode `json:"mode"`
}

// facts is what the Leader knows of a shard at this moment.
type facts struct {
	shard     *topology.Shard
	suspect   bool   // at least one voter misses the primary's run
	gone      bool   // a majority of voters does
	restarted bool   // the node announced another run
	silent    int64  // how long the primary has been silent
	how       string // refused or silent
	over      bool   // no lease of this term is alive
	overAt    int64
	copies    []copyState
	by        rule
}

// setState is the only place where the state changes; it refuses moves that the
// picture does not have.
func (m *machine) setState(to State) {
	legal := to == Follow ||
		m.state == Follow && to == Confirm ||
		m.state == Confirm && to == Propose ||
		m.state == Propose && (to == Promote || to == Confirm)
	if !legal {
		panic(fmt.Sprintf("failover: shard %s goes from %s to %s", m.shard, m.state, to))
	}
	m.state = to
}

// reset returns to Follow and forgets what the suspicion had gathered.
func (m *machine) reset() {
	m.setState(Follow)
	m.since, m.asked, m.collect, m.told, m.forced = 0, 0, 0, false, nil
	m.phases, m.cause, m.reports = noPhases, "", nil
}

var noPhases = Phases{-1, -1, -1, -1, -1}

// step looks at the facts and moves on as far as they allow.
func (m *machine) step(now int64, t *Timing, f *facts) (out []Action) {
	if m.state == Follow {
		if !f.suspect && !f.restarted && m.release == nil && m.forced == nil {
			return nil
		}
		m.setState(Confirm)
		m.since, m.phases = now, noPhases
		m.reports = map[topology.NodeID]Report{}
	}
	if m.state != Confirm {
		return nil
	}
	mode := topology.PromoteAuto
	switch {
	case m.forced != nil:
		return m.stepForced(now, f)
	case m.release != nil:
		m.cause = "released"
		if !m.release.Leaving {
			mode = topology.PromoteGraceful
		}
	case f.restarted:
		m.cause = "restarted"
	case f.gone:
		m.cause = f.how
	case !f.suspect:
		m.reset()
		return []Action{Note{m.event(EventRecovered, "", "primary heard again")}}
	default:
		m.phases.Confirmed, m.collect = -1, 0
		return nil
	}
	mark(&m.phases.Confirmed, now-m.since)
	if !f.over {
		return nil
	}
	mark(&m.phases.LeaseOver, max(0, f.overAt-m.since))
	return append(out, m.decide(now, t, f, mode)...)
}

func mark(phase *int64, at int64) {
	if *phase < 0 {
		*phase = at
	}
}

// stepForced carries out FORCE, which waits for the lease, and TAKEOVER, which does
// not. Depose has been called when the order came.
func (m *machine) stepForced(now int64, f *facts) []Action {
	mark(&m.phases.Confirmed, now-m.since)
	if m.forced.Mode != topology.PromoteTakeover {
		if !f.over {
			return nil
		}
		mark(&m.phases.LeaseOver, max(0, f.overAt-m.since))
	}
	m.cause = "ordered"
	for i := range f.copies {
		if c := &f.copies[i]; c.node.ID == m.forced.Candidate {
			if f.by.inSyncOnly && m.forced.Mode != topology.PromoteTakeover && !c.inSync {
				break
			}
			return m.propose(now, c, m.forced.Mode, -1)
		}
	}
	note := Note{m.event(EventNoCopy, m.forced.Candidate, "the ordered candidate may not take over")}
	m.reset()
	return []Action{Restore{m.shard}, note}
}

// decide asks the copies how far they are and proposes the best once enough have
// answered. A copy that was in sync need not wait long for the others; an older or
// empty one is promoted only when every other copy has reported or is gone, so an
// empty node never wins by being first.
func (m *machine) decide(now int64, t *Timing, f *facts, mode topology.PromoteMode) (out []Action) {
	if m.collect == 0 {
		m.collect, m.asked = now, 0
	}
	for i := range f.copies {
		c := &f.copies[i]
		c.eligible = c.node.ID != f.shard.Primary || c.node.Run != f.shard.PrimaryRun ||
			m.release != nil && !m.release.Leaving
		if r, ok := m.reports[c.node.ID]; ok && r.Run == c.node.Run && r.at >= m.collect {
			c.report = &r
		}
	}
	pick := choose(t, f.shard, f.copies, f.by, f.silent, now-m.collect)
	patient := now-m.collect >= t.Collect
	ready := pick.best != nil && (pick.missing == 0 || pick.class == classInSync && patient)
	every := t.Renew
	if m.release != nil && !m.release.Leaving {
		// The primary lives and has everything; it serves on, in a new term, only if
		// nobody has caught up in time.
		if heir := m.heir(f); heir != nil {
			pick, ready = choice{best: heir, class: classInSync}, true
		} else if !patient {
			ready, every = false, t.Round
		}
	}
	if ready {
		return m.propose(now, pick.best, mode, m.lost(f, pick))
	}
	if m.asked == 0 || now-m.asked >= every {
		m.asked = now
		out = append(out, AskReports{m.shard, m.term, idsOf(f.copies)})
	}
	if pick.best == nil && !m.told && now-m.collect > t.NodeTimeout {
		m.told = true
		out = append(out, Note{m.event(EventNoCopy, "", "no copy of the shard can take over; it waits")})
	}
	if f.by.inSyncOnly && f.by.lost && awaited(f.copies) && !m.told && now-m.collect > t.NodeTimeout {
		m.told = true
		out = append(out, Note{m.event(EventNoCopy, "",
			"no run of the in-sync set lives; it waits until every node of the set has come back, or for CLUSTER FAILOVER TAKEOVER")})
	}
	if pick.best != nil && pick.class != classEmpty && pick.missing > 0 && fromDisk(pick.best) && !m.told && now-m.collect > t.NodeTimeout {
		m.told = true
		out = append(out, Note{m.event(EventNoCopy, pick.best.node.ID,
			"the newest copy that has answered comes from its disk; it waits for the others, or for CLUSTER FORGET of them")})
	}
	if pick.class == classEmpty && !m.told && now-m.collect > t.NodeTimeout {
		m.told = true
		out = append(out, Note{m.event(EventNoCopy, pick.best.node.ID,
			"only an empty copy is there; it waits for the others, or for CLUSTER FORGET of them")})
	}
	return out
}

// heir returns a copy that holds everything the releasing primary had: the one it
// named, or any if it named none.
func (m *machine) heir(f *facts) *copyState {
	for i := range f.copies {
		c := &f.copies[i]
		named := c.node.ID == m.release.Candidate || m.release.Candidate == ""
		if named && c.node.ID != f.shard.Primary && c.report != nil && !c.report.Progress.FullSync &&
			c.report.Progress.Offset >= m.release.Offset && (!f.by.inSyncOnly || c.inSync) {
			return c
		}
	}
	return nil
}

func idsOf(copies []copyState) []topology.NodeID {
	var out []topology.NodeID
	for i := range copies {
		if copies[i].eligible && !copies[i].gone {
			out = append(out, copies[i].node.ID)
		}
	}
	return out
}

// lost estimates the bytes of effects that the failover loses; -1: unknown.
func (m *machine) lost(f *facts, pick choice) int64 {
	p := pick.best.report.Progress
	switch {
	case m.release != nil:
		return max(0, m.release.Offset-p.Offset)
	case pick.class == classInSync && p.LinkedTerm == f.shard.Term && m.offsetOK:
		return max(0, m.offset-p.Offset)
	}
	return -1
}

// propose decides.
func (m *machine) propose(now int64, c *copyState, mode topology.PromoteMode, lost int64) []Action {
	m.proposals++
	m.attempts = 0
	m.entry = topology.Promote{
		Shard: m.shard, Term: m.term, Candidate: c.node.ID, Run: c.node.Run,
		Mode: mode, Cause: m.cause, Lost: lost,
	}
	if c.report != nil {
		p := &c.report.Progress
		m.entry.CandidateTerm, m.entry.Offset = p.Term, p.Offset
		m.entry.Empty = p.Term == 0
	}
	m.phases.Proposed = now - m.since
	m.setState(Propose)
	return []Action{Depose{m.shard, m.term}, ProposeEntry{m.shard, m.proposals, m.entry}}
}

// proposed takes the outcome of proposal n.
func (m *machine) proposed(now int64, n uint64, err error) []Action {
	if m.state != Propose || n != m.proposals {
		return nil
	}
	switch {
	case err == nil:
		m.phases.Committed = now - m.since
		m.setState(Promote)
		return nil
	case topology.IsRefusal(err):
		m.setState(Confirm)
		m.forced, m.collect, m.phases.Proposed = nil, 0, -1
		return []Action{Restore{m.shard}, Note{m.event(EventRefused, m.entry.Candidate, err.Error())}}
	}
	// The outcome is unknown. The same request again is applied once; whether this
	// node still leads shows in the next Lead.
	m.attempts++
	return []Action{ProposeEntry{m.shard, n, m.entry}}
}

func (m *machine) event(kind EventKind, to topology.NodeID, text string) Event {
	return Event{Kind: kind, Shard: m.shard, Term: m.term, To: to, Text: text, Phases: m.phases}
}
