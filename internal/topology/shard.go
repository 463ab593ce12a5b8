package topology

import (
	"slices"

	"github.com/redwingdb/redwing/internal/slots"
)

// Shard is a cluster shard: a primary, its replicas and the slots they hold.
type Shard struct {
	ID ShardID `json:"id"`
	// Term changes only by Promote; leases, replication and moves name it.
	Term uint64 `json:"term"`
	// Epoch is the config epoch clients see. It changes with slots too.
	Epoch uint64 `json:"epoch"`
	// Primary with PrimaryRun is the one process that may serve Slots. Another
	// run of the same node may not until a Promote names it.
	Primary    NodeID    `json:"primary"`
	PrimaryRun RunID     `json:"primaryRun"`
	Replicas   []NodeID  `json:"replicas,omitempty"`
	Slots      slots.Set `json:"slots"`
	// InSync are the copies that hold every write confirmed to a sync client, the
	// primary among them (as PrimaryRun, or as a later run that goes on with its data).
	// SetVersion counts the changes within the term.
	InSync     []Member `json:"inSync"`
	SetVersion uint64   `json:"setVersion"`
	// Open are slots half-way through the classic SETSLOT path, by slot.
	Open []OpenSlot `json:"open,omitempty"`
}

// Member is a copy of a shard's data: one life of a node.
type Member struct {
	Node NodeID `json:"node"`
	Run  RunID  `json:"run"`
}

// OpenState is the side of a SETSLOT migration that a shard is on.
type OpenState string

// The two sides of an open slot.
const (
	Migrating OpenState = "migrating"
	Importing OpenState = "importing"
)

// OpenSlot is a slot being moved by SETSLOT and MIGRATE.
type OpenSlot struct {
	Slot  slots.Slot `json:"slot"`
	State OpenState  `json:"state"`
	// Peer is the node named in SETSLOT.
	Peer NodeID `json:"peer"`
}

// Has reports whether node is the primary or a replica of s.
func (s *Shard) Has(node NodeID) bool {
	return s.Primary == node || slices.Contains(s.Replicas, node)
}

// Copies returns the primary and the replicas in their order.
func (s *Shard) Copies() []NodeID {
	return append([]NodeID{s.Primary}, s.Replicas...)
}

// IsInSync reports whether the run of node is in the in-sync set.
func (s *Shard) IsInSync(node NodeID, run RunID) bool {
	return slices.Contains(s.InSync, Member{node, run})
}

// inSyncNode reports whether any run of node is in the in-sync set.
func (s *Shard) inSyncNode(node NodeID) bool {
	return slices.ContainsFunc(s.InSync, func(m Member) bool { return m.Node == node })
}

// OpenSlotAt returns the open state of slot in s, or nil.
func (s *Shard) OpenSlotAt(slot slots.Slot) *OpenSlot {
	for i := range s.Open {
		if s.Open[i].Slot == slot {
			return &s.Open[i]
		}
	}
	return nil
}
