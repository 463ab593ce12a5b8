package failover

import "github.com/redwingdb/redwing/internal/topology"

// Gone is a voter's evidence about a process that it does not hear.
type Gone struct {
	Node topology.NodeID `json:"node"`
	Run  topology.RunID  `json:"run"`
	// SilentNanos is how long no byte has come from that run.
	SilentNanos int64 `json:"silent"`
	// Refused tells that its connection was reset and reconnecting is refused.
	Refused bool `json:"refused,omitempty"`
}

// Watch is a voter's memory of when it last heard of each process. It looks at the
// newest run of every member and at the run of each shard's primary, because those
// are what a decision is about. Pure.
type Watch struct {
	t    Timing
	self topology.NodeID
	last map[topology.Member]int64 // when a byte came
}

// Sight is what the bus knows of a node: its newest run, when its last byte came,
// and whether it refuses to be reached.
type Sight struct {
	Run     topology.RunID
	At      int64
	Refused bool
}

// NewWatch returns a watch that has heard of nobody.
func NewWatch(t Timing, self topology.NodeID) *Watch {
	return &Watch{t: t, self: self, last: map[topology.Member]int64{}}
}

// Report returns the processes that are silent for NodeTimeout or refuse to be
// reached. One that this voter has never heard counts as silent since the voter
// began to look for it, so that a fresh voter accuses nobody.
func (w *Watch) Report(now int64, v *topology.View, look func(topology.NodeID) Sight) []Gone {
	var gone []Gone
	for i := range v.Nodes {
		n := &v.Nodes[i]
		if n.ID == w.self {
			continue
		}
		sight := look(n.ID)
		if g, ok := w.look(now, topology.Member{Node: n.ID, Run: n.Run}, sight); ok {
			gone = append(gone, g)
		}
		s := v.ShardByID(n.Shard)
		if s == nil || s.Primary != n.ID || s.PrimaryRun == n.Run {
			continue
		}
		if g, ok := w.look(now, topology.Member{Node: n.ID, Run: s.PrimaryRun}, sight); ok {
			gone = append(gone, g)
		}
	}
	if len(w.last) > 2*len(v.Nodes)+16 {
		w.forget(v)
	}
	return gone
}

func (w *Watch) look(now int64, p topology.Member, sight Sight) (Gone, bool) {
	at, known := w.last[p]
	if !known {
		at = now
	}
	if sight.Run == p.Run {
		at = max(at, sight.At)
	}
	w.last[p] = at
	silent := now - at
	return Gone{p.Node, p.Run, silent, sight.Refused}, silent >= w.t.NodeTimeout || sight.Refused
}

// forget drops processes that the View no longer names.
func (w *Watch) forget(v *topology.View) {
	for p := range w.last {
		n := v.Node(p.Node)
		if n == nil || n.Run != p.Run && !v.IsPrimary(p.Node, p.Run) {
			delete(w.last, p)
		}
	}
}
