package topology

import (
	"slices"

	"github.com/redwingdb/redwing/internal/slots"
)

// Bounds of what the log holds; an entry that would pass one is refused.
const (
	MaxNodes         = 4096
	MaxOpenMoves     = 1024
	maxEndedMoves    = 64
	maxRemoved       = 4096
	maxRequests      = 512
	maxRequestBytes  = 128
	maxHostBytes     = 253
	maxTextBytes     = 512
	maxOpenSlots     = slots.Count
	maxBatch         = 64
	maxReleases      = 1024
	maxContinues     = 64
	defaultNodeMilli = 1500
	defaultSyncMilli = 2000
)

// MinSyncMillis and MaxSyncMillis bound sync-timeout, where it is not the default.
const (
	MinSyncMillis = 100
	MaxSyncMillis = 3600_000
)

// View is the committed topology at one index of the log. It is immutable: who
// holds one may read it without a lock for as long as it likes. The pointers its
// methods return point into it and are read-only too.
type View struct {
	// Index is the log index of the last entry applied; it only grows.
	Index uint64 `json:"index"`
	// ClusterID names the cluster (40 hex digits; empty: not formed). Generation
	// grows when the cluster is recovered without its old quorum.
	ClusterID  string `json:"clusterID"`
	Generation uint64 `json:"generation"`
	// TermCounter and EpochCounter are the highest numbers given out.
	TermCounter  uint64 `json:"termCounter"`
	EpochCounter uint64 `json:"epochCounter"`
	// LeadTerm is the raft term of the leader that decides, LeadNode its node, as
	// of the last Lead; the node may have lost its leadership since.
	LeadTerm uint64 `json:"leadTerm,omitempty"`
	LeadNode NodeID `json:"leadNode,omitempty"`
	// Nodes and Shards are sorted by id.
	Nodes  []Node  `json:"nodes"`
	Shards []Shard `json:"shards"`
	// Moves are the jobs in the order of their beginning: all open ones and the
	// last ended ones.
	Moves   []Move        `json:"moves,omitempty"`
	Removed []Removed     `json:"removed,omitempty"`
	Config  ClusterConfig `json:"config"`
	// Requests are the outcomes of the last entries, oldest first: an entry that
	// comes twice is applied once.
	Requests []Request `json:"requests,omitempty"`

	nodeAt  map[NodeID]int
	shardAt map[ShardID]int
	// owner[slot] is 1 + the index in Shards, 0 for an unowned slot.
	owner [slots.Count]uint16
	owned int
}

// ClusterConfig are the settings that hold for the whole cluster.
type ClusterConfig struct {
	// SyncWrites is no, allowed or always; empty means no.
	SyncWrites SyncWrites `json:"syncWrites,omitempty"`
	// SyncMinCopies is sync-min-copies, the smallest in-sync set that may acknowledge;
	// 0 means half of a shard's copies, rounded up.
	SyncMinCopies int `json:"syncMinCopies,omitempty"`
	// SyncTimeoutMillis is sync-timeout, how long a reply waits for the in-sync set; 0
	// means 2000.
	SyncTimeoutMillis int `json:"syncTimeoutMillis,omitempty"`
	// NodeTimeoutMillis is the cluster-node-timeout the cluster was formed with;
	// 0 means 1500. The length of leases follows from it on every node, which is
	// why it is fixed when the cluster is formed: a leader that counted with
	// shorter leases than a primary would depose it too early.
	NodeTimeoutMillis int `json:"nodeTimeoutMillis,omitempty"`
}

// NodeTimeout returns NodeTimeoutMillis or its default.
func (c *ClusterConfig) NodeTimeout() int {
	if c.NodeTimeoutMillis == 0 {
		return defaultNodeMilli
	}
	return c.NodeTimeoutMillis
}

// SyncTimeout returns SyncTimeoutMillis or its default.
func (c *ClusterConfig) SyncTimeout() int {
	if c.SyncTimeoutMillis == 0 {
		return defaultSyncMilli
	}
	return c.SyncTimeoutMillis
}

// MinCopies returns the smallest in-sync set of s that may acknowledge.
func (c *ClusterConfig) MinCopies(s *Shard) int {
	if c.SyncMinCopies == 0 {
		return (len(s.Replicas) + 2) / 2
	}
	return c.SyncMinCopies
}

// SyncWrites says whether clients may ask for synchronous writes.
type SyncWrites string

// The values of SyncWrites.
const (
	SyncNo      SyncWrites = "no"
	SyncAllowed SyncWrites = "allowed"
	SyncAlways  SyncWrites = "always"
)

// InSyncOnly reports whether only in-sync copies may be promoted.
func (c *ClusterConfig) InSyncOnly() bool {
	return c.SyncWrites == SyncAllowed || c.SyncWrites == SyncAlways
}

// Request is the outcome of an entry, by its request id.
type Request struct {
	ID    string `json:"id"`
	Index uint64 `json:"index"`
	// Code is the ErrorCode of the refusal; empty when the entry was applied.
	Code string `json:"code,omitempty"`
}

// NewView returns the View of a log without entries: no cluster.
func NewView() *View { return new(View).Seal() }

// Seal sorts the nodes and shards of a View made by hand or decoded and builds its
// lookups; accessors work only after it. It returns v. Not to be called on a View
// that others already read.
func (v *View) Seal() *View {
	slices.SortFunc(v.Nodes, func(a, b Node) int { return compare(a.ID, b.ID) })
	slices.SortFunc(v.Shards, func(a, b Shard) int { return compare(a.ID, b.ID) })
	v.nodeAt = make(map[NodeID]int, len(v.Nodes))
	for i := range v.Nodes {
		v.nodeAt[v.Nodes[i].ID] = i
	}
	v.shardAt = make(map[ShardID]int, len(v.Shards))
	v.owner = [slots.Count]uint16{}
	v.owned = 0
	for i := range v.Shards {
		v.shardAt[v.Shards[i].ID] = i
		for slot := range v.Shards[i].Slots.Each() {
			v.owner[slot] = uint16(i + 1)
			v.owned++
		}
	}
	return v
}

// clone returns an unsealed copy whose slices may be changed element by element;
// the slices inside a Shard are shared and must be replaced, not written.
func (v *View) clone() *View {
	c := *v
	c.Nodes = slices.Clone(v.Nodes)
	c.Shards = slices.Clone(v.Shards)
	c.Moves = slices.Clone(v.Moves)
	c.Removed = slices.Clone(v.Removed)
	return &c
}

// Formed reports whether v is the View of a cluster.
func (v *View) Formed() bool { return v.ClusterID != "" }

// Node returns the member with this id, or nil.
func (v *View) Node(id NodeID) *Node {
	if i, ok := v.nodeAt[id]; ok {
		return &v.Nodes[i]
	}
	return nil
}

// ShardByID returns the shard with this id, or nil.
func (v *View) ShardByID(id ShardID) *Shard {
	if i, ok := v.shardAt[id]; ok {
		return &v.Shards[i]
	}
	return nil
}

// ShardOf returns the shard that node belongs to, or nil for a stranger.
func (v *View) ShardOf(node NodeID) *Shard {
	if n := v.Node(node); n != nil {
		return v.ShardByID(n.Shard)
	}
	return nil
}

// Owner returns the shard that owns slot, or nil. It costs one array read.
func (v *View) Owner(slot slots.Slot) *Shard {
	if i := v.owner[slot]; i != 0 {
		return &v.Shards[i-1]
	}
	return nil
}

// Owned returns how many slots have an owner.
func (v *View) Owned() int { return v.owned }

// Size returns the number of shards that own a slot (cluster_size of CLUSTER INFO).
func (v *View) Size() int {
	n := 0
	for i := range v.Shards {
		if !v.Shards[i].Slots.Empty() {
			n++
		}
	}
	return n
}

// IsPrimary reports whether this run of node is the primary of its shard.
func (v *View) IsPrimary(node NodeID, run RunID) bool {
	s := v.ShardOf(node)
	return s != nil && s.Primary == node && s.PrimaryRun == run
}

// IsReplica reports whether node is a replica of its shard.
func (v *View) IsReplica(node NodeID) bool {
	s := v.ShardOf(node)
	return s != nil && s.Primary != node
}

// Voters returns the ids of the voters, sorted.
func (v *View) Voters() []NodeID {
	var out []NodeID
	for i := range v.Nodes {
		if v.Nodes[i].Voter {
			out = append(out, v.Nodes[i].ID)
		}
	}
	return out
}

// VotersFor is how many voters a cluster of n nodes has.
func VotersFor(n int) int {
	switch {
	case n <= 2:
		return 1
	case n <= 4:
		return 3
	}
	return 5
}

// MayLead reports whether the present run of n may become the primary of s where only
// in-sync copies may: it is in the in-sync set. If no run of the set is alive, since
// every node of it has announced another one, any of them may; a copy outside the set
// may then only by PromoteAuto, whose leader has heard all of them.
func (v *View) MayLead(s *Shard, n *Node) bool {
	return s.IsInSync(n.ID, n.Run) || s.inSyncNode(n.ID) && v.InSyncLost(s)
}

// InSyncLost reports whether every node of the in-sync set of s has announced another
// run than the one in the set.
func (v *View) InSyncLost(s *Shard) bool {
	return !slices.ContainsFunc(s.InSync, func(m Member) bool {
		n := v.Node(m.Node)
		return n != nil && n.Run == m.Run
	})
}

// Move returns the job with this id, open or ended, or nil.
func (v *View) Move(job string) *Move {
	for i := range v.Moves {
		if v.Moves[i].Job == job {
			return &v.Moves[i]
		}
	}
	return nil
}

// MoveOn returns the open job that moves slot, or nil.
func (v *View) MoveOn(slot slots.Slot) *Move {
	for i := range v.Moves {
		if m := &v.Moves[i]; m.IsOpen() && m.Slots.Has(slot) {
			return m
		}
	}
	return nil
}

// OpenMoves returns the open jobs that shard takes part in; all of them for "".
func (v *View) OpenMoves(shard ShardID) []*Move {
	var out []*Move
	for i := range v.Moves {
		if m := &v.Moves[i]; m.IsOpen() && (shard == "" || m.Touches(shard)) {
			out = append(out, m)
		}
	}
	return out
}

// RemovedIncarnation returns the highest incarnation of id that has left.
func (v *View) RemovedIncarnation(id NodeID) (incarnation uint64, ok bool) {
	for i := range v.Removed {
		if v.Removed[i].ID == id {
			return v.Removed[i].Incarnation, true
		}
	}
	return 0, false
}

// Outcome tells what became of the entry with this request id, if it is among the
// last ones: applied (err nil) or refused.
func (v *View) Outcome(request string) (index uint64, err error, ok bool) {
	for i := len(v.Requests) - 1; i >= 0; i-- {
		if r := &v.Requests[i]; r.ID == request {
			return r.Index, ErrorFromCode(r.Code), true
		}
	}
	return 0, nil, false
}
