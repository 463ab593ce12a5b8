package consensus

import (
	"cmp"
	"slices"

	"github.com/hashicorp/raft"

	"github.com/redwingdb/redwing/internal/topology"
)

// server is a member of raft's configuration, judged.
type server struct {
	id     raft.ServerID
	node   topology.NodeID
	zone   string
	voter  bool
	member bool // the View has it, in this incarnation
	bad    bool // silent for too long, leaving, or lost
	lost   bool // answers, but has lost its stores
	self   bool
}

// step is one change of raft's configuration.
type step struct {
	what stepKind
	id   raft.ServerID
	node topology.NodeID
	// instead is the bad voter that an added one replaces: it goes when the new one has
	// caught up and before that one votes, so that the quorum never grows for it.
	instead raft.ServerID
}

type stepKind string

const (
	stepNone     stepKind = ""
	stepAdd      stepKind = "add"      // enlist, AddNonvoter, catch up, then AddVoter
	stepRemove   stepKind = "remove"   // RemoveServer
	stepTransfer stepKind = "transfer" // the leader itself must go
)

// nextStep decides the next change of the voter set; pure. spares are nodes that could
// vote and answer, by id.
//
// The set grows only to an odd number: two voters need both, which is worse than one. A
// bad voter goes as soon as its replacement has caught up; it is never removed without
// one, except when it leaves for good.
func nextStep(servers []server, nodes int, spares []server) step {
	want := topology.VotersFor(nodes)
	var good, bad []server
	var strays []server
	zones := map[string]int{}
	for _, s := range servers {
		switch {
		case !s.member && !s.self, !s.voter:
			strays = append(strays, s)
		case s.bad || !s.member:
			bad = append(bad, s)
		default:
			good = append(good, s)
			zones[s.zone]++
		}
	}
	for _, s := range strays {
		if !s.member {
			return step{what: stepRemove, id: s.id, node: s.node}
		}
	}
	reach := min(want, len(good)+len(spares))
	if reach%2 == 0 {
		reach--
	}
	if len(good) < reach || len(bad) > 0 && len(spares) > 0 && len(good) < want {
		best := slices.MinFunc(spares, func(a, b server) int {
			return cmp.Or(cmp.Compare(zones[a.zone], zones[b.zone]), cmp.Compare(a.node, b.node))
		})
		s := step{what: stepAdd, id: best.id, node: best.node}
		if i := slices.IndexFunc(bad, func(b server) bool { return !b.self }); i >= 0 && len(good)+len(bad) >= want {
			s.instead = bad[i].id
		}
		return s
	}
	if i := slices.IndexFunc(bad, func(b server) bool { return b.lost && !b.self }); i >= 0 && len(good) > 0 {
		// Nobody else is there to vote: out with it, and in again as a new one.
		return step{what: stepRemove, id: bad[i].id, node: bad[i].node}
	}
	for _, s := range strays { // spares that are not needed
		return step{what: stepRemove, id: s.id, node: s.node}
	}
	if len(good) >= want && len(bad) > 0 {
		if bad[0].self {
			return step{what: stepTransfer, id: bad[0].id, node: bad[0].node}
		}
		return step{what: stepRemove, id: bad[0].id, node: bad[0].node}
	}
	if len(good) > want {
		worst := slices.MaxFunc(good, func(a, b server) int {
			if a.self != b.self {
				if a.self {
					return -1
				}
				return 1
			}
			return cmp.Or(cmp.Compare(zones[a.zone], zones[b.zone]), cmp.Compare(a.node, b.node))
		})
		return step{what: stepRemove, id: worst.id, node: worst.node}
	}
	return step{}
}
