package failover

import (
	"context"
	"math"
	"time"

	"github.com/redwingdb/redwing/internal/bus"
	"github.com/redwingdb/redwing/internal/topology"
)

// Log is the topology log as failover needs it; failover/consensus implements it.
type Log interface {
	View() *topology.View
	// Subscribe calls f after each applied entry, in order; f does not block.
	Subscribe(f func(old, new *topology.View)) (cancel func())
	// Propose commits and applies e here, or returns the refusal (a topology
	// error) or another error, after which the outcome is unknown.
	Propose(ctx context.Context, e topology.Entry) (index uint64, err error)
	// IsLeader reports whether this node leads in the raft term RaftTerm.
	IsLeader() bool
	// Leader is the leader as far as this node knows; empty if it does not.
	Leader() topology.NodeID
	// RaftTerm is the current raft term of this node (of a voter, its CurrentTerm).
	RaftTerm() uint64
	// ElectedAt is clock.Mono of this node's election or of a moment after it.
	ElectedAt() int64
	// Voters are the voters of the newest raft configuration.
	Voters() []topology.NodeID
}

// Transport is what failover needs of the bus; *bus.Bus implements it.
type Transport interface {
	Call(ctx context.Context, node string, kind uint8, req []byte) ([]byte, error)
	HandleRPC(kind uint8, h func(from bus.Peer, req []byte) ([]byte, error))
	// Heard returns the newest known run of node and clock.Mono of its last byte.
	Heard(node string) (run string, at int64)
	// Refused reports that the connection was reset and reconnecting is refused.
	Refused(node string) bool
	// Keep names the nodes whose Heard and Refused are to be current.
	Keep(nodes []string)
}

// Local is this node's data side.
type Local interface {
	Run() topology.RunID
	Progress() Progress
	// HoldWrites stops the writes of this node's slots and returns the final
	// replication offset once no write runs any more. ResumeWrites undoes it.
	HoldWrites(ctx context.Context) (offset int64, err error)
	ResumeWrites()
}

// Progress is how far a copy has come.
type Progress struct {
	// Term is the term of the last applied effect and Offset the replication
	// offset behind it; both 0 for a copy without data.
	Term   uint64 `json:"term"`
	Offset int64  `json:"offset"`
	// LinkedTerm is the newest term of whose primary this run has been a synced
	// replica; 0 if none.
	LinkedTerm uint64 `json:"linkedTerm"`
	// LinkAgeNanos is how long ago the last byte of that primary came.
	LinkAgeNanos int64 `json:"linkAge"`
	// FullSync tells that the data are being replaced; such a copy is none.
	FullSync bool `json:"fullSync"`
	// Loading tells that the data still come from the disk: nothing else is told yet.
	Loading bool `json:"loading,omitempty"`
}

// NeverLinked is the LinkAgeNanos of a copy that never had a primary.
const NeverLinked = math.MaxInt64 / 4

// Timing are the times of failover in nanoseconds. They follow from
// cluster-node-timeout alone, so that all nodes of a cluster agree.
type Timing struct {
	NodeTimeout int64 // silence after which a voter takes a process for gone
	Lease       int64 // L: min(600 ms, half of NodeTimeout), not below 300 ms
	Renew       int64 // between renewals: L/6
	Round       int64 // between rounds of echoes: L/12
	Wait        int64 // 1.05 L: after it a lease is over on any clock within 5 %
	Fresh       int64 // a voter's evidence is used for so long
	Collect     int64 // patience for the reports of copies when a good one is there
	Validity    int64 // a copy unlinked for longer is no candidate; 0: no bound
	Return      int64 // patience for an ended process that may come back with what is on its disk
}

// TimingOf derives the times from cluster-node-timeout and
// cluster-replica-validity-factor (0: no bound).
func TimingOf(nodeTimeout time.Duration, validityFactor int) Timing {
	nt := max(int64(nodeTimeout), int64(100*time.Millisecond))
	l := max(min(int64(600*time.Millisecond), nt/2), int64(300*time.Millisecond))
	return Timing{
		NodeTimeout: nt,
		Lease:       l,
		Renew:       l / 6,
		Round:       l / 12,
		Wait:        l + l/20,
		Fresh:       max(nt/4, 5*l/12),
		Collect:     l / 3,
		Validity:    int64(validityFactor) * nt,
		Return:      4 * nt,
	}
}
