package topology

import "github.com/redwingdb/redwing/internal/slots"

// Kind names an entry in the log.
type Kind string

// The kinds of entries.
const (
	KindFormCluster      Kind = "FormCluster"
	KindJoinNode         Kind = "JoinNode"
	KindUpdateNode       Kind = "UpdateNode"
	KindRemoveNode       Kind = "RemoveNode"
	KindSetVoters        Kind = "SetVoters"
	KindLead             Kind = "Lead"
	KindAssignSlots      Kind = "AssignSlots"
	KindSetReplicaOf     Kind = "SetReplicaOf"
	KindPromote          Kind = "Promote"
	KindShrinkInSync     Kind = "ShrinkInSync"
	KindGrowInSync       Kind = "GrowInSync"
	KindBeginMove        Kind = "BeginMove"
	KindCommitMove       Kind = "CommitMove"
	KindAbortMove        Kind = "AbortMove"
	KindOpenSlot         Kind = "OpenSlot"
	KindCloseSlot        Kind = "CloseSlot"
	KindBumpEpoch        Kind = "BumpEpoch"
	KindSetClusterConfig Kind = "SetClusterConfig"
	KindBatch            Kind = "Batch"
)

// Entry is one change of the topology. Entries are plain values; Apply gives them
// their meaning.
type Entry interface {
	Kind() Kind
	// RequestID identifies the proposal over retries; an entry whose id is among
	// the last outcomes is not applied again. Empty: never deduplicated.
	RequestID() string
	apply(b *builder) error
}

// Header is what every entry carries.
type Header struct {
	Request string `json:"request,omitempty"`
	// AtMillis is the proposer's wall clock. Nothing is decided by it.
	AtMillis int64 `json:"atMillis,omitempty"`
}

// RequestID returns the id of the proposal.
func (h Header) RequestID() string { return h.Request }

// FormCluster makes a cluster of one out of nothing.
type FormCluster struct {
	Header
	ClusterID  string        `json:"clusterID"`
	Generation uint64        `json:"generation"`
	Node       Node          `json:"node"`
	Shard      ShardID       `json:"shard"`
	Slots      slots.Set     `json:"slots"`
	Config     ClusterConfig `json:"config"`
	// HighestTerm and HighestEpoch are the highest numbers the node knows of.
	HighestTerm  uint64 `json:"highestTerm,omitempty"`
	HighestEpoch uint64 `json:"highestEpoch,omitempty"`
}

// JoinNode adds a node, the primary of a shard of its own, with the slots it
// served alone before. Refused whole with ErrSlotOwned if one of them has an owner.
// A member of a lower incarnation under the same id is replaced if its shard does
// not depend on it.
type JoinNode struct {
	Header
	Node         Node      `json:"node"`
	Shard        ShardID   `json:"shard"`
	Slots        slots.Set `json:"slots"`
	HighestTerm  uint64    `json:"highestTerm,omitempty"`
	HighestEpoch uint64    `json:"highestEpoch,omitempty"`
	// Keys is how many keys the node holds, for the record.
	Keys uint64 `json:"keys,omitempty"`
}

// UpdateNode announces the run and the addresses of a member. A primary that
// announces a new run serves nothing until a Promote names that run. A new run has
// lost its place in the in-sync set, unless it Continues the run that had it.
type UpdateNode struct {
	Header
	Node        NodeID `json:"node"`
	Incarnation uint64 `json:"incarnation"`
	Run         RunID  `json:"run"`
	Addr        Addr   `json:"addr"`
	Hostname    string `json:"hostname,omitempty"`
	Zone        string `json:"zone,omitempty"`
	Priority    int    `json:"priority"`
	// Continues are runs whose data this one has brought back from its disk, all that
	// they had ever acknowledged (appendfsync always): the last one, and those before it
	// as far as they may not have been announced.
	Continues []RunID `json:"continues,omitempty"`
}

// RemoveNode ends a membership. Refused with ErrOwnsSlots for the primary of
// slots. Removing what is gone already is applied without effect.
type RemoveNode struct {
	Header
	Node        NodeID `json:"node"`
	Incarnation uint64 `json:"incarnation"`
	// Heir is a copy that keeps what an in-sync copy gives up with its membership; empty:
	// nobody asks. Refused with ErrNotInSync unless its run is in the set: two copies that
	// leave at once cannot rely on each other.
	Heir NodeID `json:"heir,omitempty"`
}

// Lead is the first entry of a leader, in its raft term; it gives leases and
// decides only once the entry is applied. So it has seen everything committed
// before its election, and what an earlier leader has decided comes too late:
// between that decision and now, this leader may have given the old primary a
// lease. Refused unless RaftTerm is higher than that of every Lead before.
type Lead struct {
	Header
	RaftTerm uint64 `json:"raftTerm"`
	Node     NodeID `json:"node"`
}

// SetVoters mirrors raft's configuration into the View.
type SetVoters struct {
	Header
	Voters []NodeID `json:"voters"`
}

// Release is a shard's word that it serves these slots no more in this term.
type Release struct {
	Shard ShardID   `json:"shard"`
	Term  uint64    `json:"term"`
	Slots slots.Set `json:"slots"`
}

// AssignSlots gives Add to Shard and takes Del from it; Del counts only as far as
// the shard owns it. What is taken, from this shard or, in Add, from another,
// needs that shard's Release at its term: it has stopped serving first.
type AssignSlots struct {
	Header
	Shard    ShardID   `json:"shard"`
	Add      slots.Set `json:"add"`
	Del      slots.Set `json:"del"`
	Releases []Release `json:"releases,omitempty"`
}

// SetReplicaOf makes Node a replica of Shard. The primary of slots is refused; the
// replicas of a primary without slots come along.
type SetReplicaOf struct {
	Header
	Node        NodeID  `json:"node"`
	Incarnation uint64  `json:"incarnation"`
	Shard       ShardID `json:"shard"`
	Heir        NodeID  `json:"heir,omitempty"` // as that of RemoveNode
}

// PromoteMode is why and how a primary is named.
type PromoteMode string

// The modes of Promote.
const (
	PromoteAuto     PromoteMode = "auto"
	PromoteGraceful PromoteMode = "graceful"
	PromoteForce    PromoteMode = "force"
	// PromoteTakeover passes the in-sync rule; it is the operator's own risk.
	PromoteTakeover PromoteMode = "takeover"
)

// Promote makes the run of Candidate the primary of Shard with a new term. The old
// primary becomes a replica; open moves of the shard go on with their next
// attempt.
type Promote struct {
	Header
	Shard ShardID `json:"shard"`
	// Term is the term the shard must be in, not the new one.
	Term      uint64      `json:"term"`
	Candidate NodeID      `json:"candidate"`
	Run       RunID       `json:"run"`
	Mode      PromoteMode `json:"mode"`
	// RaftTerm is the raft term of the leader that decided, which knows only of the
	// leases given in that term: the Promote is refused once a later leader has
	// begun (Lead). 0: not checked.
	RaftTerm uint64 `json:"raftTerm,omitempty"`
	// CandidateTerm and Offset are how far the candidate had applied; Lost is how
	// many bytes of effects may be lost, -1 unknown; Empty tells that the copy has
	// come back without data. All for the event log.
	CandidateTerm uint64 `json:"candidateTerm,omitempty"`
	Offset        int64  `json:"offset,omitempty"`
	Lost          int64  `json:"lost,omitempty"`
	Empty         bool   `json:"empty,omitempty"`
	Cause         string `json:"cause,omitempty"`
}

// ShrinkInSync takes Member out of the in-sync set of Shard.
type ShrinkInSync struct {
	Header
	Shard   ShardID `json:"shard"`
	Term    uint64  `json:"term"`
	Version uint64  `json:"version"`
	Member  Member  `json:"member"`
}

// GrowInSync puts Member into the in-sync set of Shard.
type GrowInSync struct {
	Header
	Shard   ShardID `json:"shard"`
	Term    uint64  `json:"term"`
	Version uint64  `json:"version"`
	Member  Member  `json:"member"`
}

// BeginMove opens a job: Source owns all of Slots, and none is in another job.
type BeginMove struct {
	Header
	Job    string    `json:"job"`
	Source ShardID   `json:"source"`
	Target ShardID   `json:"target"`
	Slots  slots.Set `json:"slots"`
}

// CommitMove gives the slots of the job to its target. Refused unless the attempt
// and both terms are current and the source still owns every slot. Proposing it
// needs the source's Ready, which is its Release of the slots.
type CommitMove struct {
	Header
	Job        string `json:"job"`
	Attempt    uint64 `json:"attempt"`
	SourceTerm uint64 `json:"sourceTerm"`
	TargetTerm uint64 `json:"targetTerm"`
}

// AbortMove ends an attempt of a job, which goes on with the next; with Final it
// ends the job.
type AbortMove struct {
	Header
	Job     string `json:"job"`
	Attempt uint64 `json:"attempt"`
	Final   bool   `json:"final,omitempty"`
	Reason  string `json:"reason,omitempty"`
}

// SetOpenSlot is the OpenSlot entry: it marks a slot of Shard as migrating to or
// importing from the node Peer.
type SetOpenSlot struct {
	Header
	Shard ShardID    `json:"shard"`
	Slot  slots.Slot `json:"slot"`
	State OpenState  `json:"state"`
	Peer  NodeID     `json:"peer"`
}

// CloseSlot takes the mark of SetOpenSlot away from this shard's side.
type CloseSlot struct {
	Header
	Shard ShardID    `json:"shard"`
	Slot  slots.Slot `json:"slot"`
}

// BumpEpoch gives Shard a new config epoch.
type BumpEpoch struct {
	Header
	Shard ShardID `json:"shard"`
}

// SetClusterConfig changes settings of the whole cluster; what it does not name stays
// as it is. Where synchronous writes become allowed each in-sync set begins with the
// primary alone: nobody has kept the sets meanwhile.
type SetClusterConfig struct {
	Header
	SyncWrites SyncWrites `json:"syncWrites,omitempty"`
	// SyncMinCopies and SyncTimeoutMillis go back to their defaults with 0.
	SyncMinCopies     *int `json:"syncMinCopies,omitempty"`
	SyncTimeoutMillis *int `json:"syncTimeoutMillis,omitempty"`
}

// Batch applies entries in their order, all or none (a MULTI of CLUSTER commands).
type Batch struct {
	Header
	Entries []Entry `json:"-"`
}

// Kind returns the entry's kind.
func (FormCluster) Kind() Kind { return KindFormCluster }

// Kind returns the entry's kind.
func (JoinNode) Kind() Kind { return KindJoinNode }

// Kind returns the entry's kind.
func (UpdateNode) Kind() Kind { return KindUpdateNode }

// Kind returns the entry's kind.
func (RemoveNode) Kind() Kind { return KindRemoveNode }

// Kind returns the entry's kind.
func (SetVoters) Kind() Kind { return KindSetVoters }

// Kind returns the entry's kind.
func (Lead) Kind() Kind { return KindLead }

// Kind returns the entry's kind.
func (AssignSlots) Kind() Kind { return KindAssignSlots }

// Kind returns the entry's kind.
func (SetReplicaOf) Kind() Kind { return KindSetReplicaOf }

// Kind returns the entry's kind.
func (Promote) Kind() Kind { return KindPromote }

// Kind returns the entry's kind.
func (ShrinkInSync) Kind() Kind { return KindShrinkInSync }

// Kind returns the entry's kind.
func (GrowInSync) Kind() Kind { return KindGrowInSync }

// Kind returns the entry's kind.
func (BeginMove) Kind() Kind { return KindBeginMove }

// Kind returns the entry's kind.
func (CommitMove) Kind() Kind { return KindCommitMove }

// Kind returns the entry's kind.
func (AbortMove) Kind() Kind { return KindAbortMove }

// Kind returns the entry's kind.
func (SetOpenSlot) Kind() Kind { return KindOpenSlot }

// Kind returns the entry's kind.
func (CloseSlot) Kind() Kind { return KindCloseSlot }

// Kind returns the entry's kind.
func (BumpEpoch) Kind() Kind { return KindBumpEpoch }

// Kind returns the entry's kind.
func (SetClusterConfig) Kind() Kind { return KindSetClusterConfig }

// Kind returns the entry's kind.
func (Batch) Kind() Kind { return KindBatch }
