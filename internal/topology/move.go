package topology

import "github.com/redwingdb/redwing/internal/slots"

// MoveState is where a slot move stands in the log.
//
//	MoveOpen --CommitMove--> MoveCommitted
//	   | ^--Promote or AbortMove of the attempt: attempt + 1
//	   '----AbortMove, final--> MoveAborted
type MoveState string

// The states of a move. Ended ones stay in the View for a while, for people to read.
const (
	MoveOpen      MoveState = "open"
	MoveCommitted MoveState = "committed"
	MoveAborted   MoveState = "aborted"
)

// Move is an atomic slot migration job. The source shard owns the slots until the
// CommitMove is applied.
type Move struct {
	Job string `json:"job"`
	// Attempt counts from 1; a failover of either side and an aborted attempt
	// begin the next one.
	Attempt    uint64    `json:"attempt"`
	Source     ShardID   `json:"source"`
	Target     ShardID   `json:"target"`
	SourceTerm uint64    `json:"sourceTerm"`
	TargetTerm uint64    `json:"targetTerm"`
	Slots      slots.Set `json:"slots"`
	State      MoveState `json:"state"`
	// Reason says why the last attempt or the job ended.
	Reason string `json:"reason,omitempty"`
	// BeganIndex and EndedIndex are log indexes; EndedIndex is 0 while open.
	BeganIndex uint64 `json:"beganIndex"`
	EndedIndex uint64 `json:"endedIndex,omitempty"`
	// BeganMillis and UpdatedMillis are the proposers' wall clocks, for eyes only.
	BeganMillis   int64 `json:"beganMillis,omitempty"`
	UpdatedMillis int64 `json:"updatedMillis,omitempty"`
}

// IsOpen reports whether the job still runs.
func (m *Move) IsOpen() bool { return m.State == MoveOpen }

// Touches reports whether shard is the source or the target of m.
func (m *Move) Touches(shard ShardID) bool { return m.Source == shard || m.Target == shard }
