// Package cluster is the CLUSTER command. It prints the topology from the View, in
// the formats that redis-cli and the client libraries parse, and hands changes to
// the control plane (Control). It decides nothing and keeps no state: whether a
// change happens the topology log says.
package cluster

import (
	"context"

	"github.com/redwingdb/redwing/internal/slots"
	"github.com/redwingdb/redwing/internal/topology"
)

// Control is what CLUSTER needs of the control plane. Reads answer at once and from
// memory. Changes return when they are committed and applied here, or refused; an
// error that is a *resp.Error is shown to the client as it is.
type Control interface {
	// View is the topology as this node has applied it.
	View() *topology.View
	Self() topology.NodeID
	// Local is this node as it would announce itself. It stands for the node while
	// the View does not have it (before the node is in a cluster).
	Local() topology.Node
	// ConfigEpoch is the number that SET-CONFIG-EPOCH has stored, 0 if none.
	ConfigEpoch() uint64
	// Health is how this node sees another one; a hint for people.
	Health(node topology.NodeID) Health
	// HasQuorum reports whether a majority of the voters answers this node.
	HasQuorum() bool
	// Messages returns how many messages the bus has sent and received.
	Messages() (sent, received uint64)
	// Dropped returns how many connections and frames the bus has dropped since the
	// start, by reason; reasons that never occurred are in it.
	Dropped() map[string]int64

	AddSlots(ctx context.Context, set slots.Set) error
	DelSlots(ctx context.Context, set slots.Set) error
	Meet(ctx context.Context, host string, port, busPort int) error
	Replicate(ctx context.Context, primary topology.NodeID) error
	Forget(ctx context.Context, node topology.NodeID) error
	Reset(ctx context.Context, hard bool) error
	Failover(ctx context.Context, mode FailoverMode) error
	SetConfigEpoch(epoch uint64) error
	// Configure changes settings of the whole cluster.
	Configure(ctx context.Context, e topology.SetClusterConfig) error

	// MigrateSlots begins one job a request, all or none.
	MigrateSlots(ctx context.Context, moves []MoveRequest) error
	// Progress tells how far an open job is, as far as this node takes part in it.
	Progress(job string) Progress
	// CancelMigrations ends every open job that leaves this node's shard.
	CancelMigrations(ctx context.Context) error
}

// Health is how one node looks from another.
type Health struct {
	Suspect bool // not heard for a while: "fail?"
	Failed  bool // not heard for cluster-node-timeout: "fail"
	Linked  bool // the bus has a connection
	// Loading is set for a replica that has no data of its primary yet.
	Loading            bool
	PingSentMillis     int64 // Unix time of the oldest unanswered ping, 0 if none
	PongReceivedMillis int64 // Unix time of the newest answer, 0 if none
	// Offset is the newest replication offset known of the node.
	Offset int64
}

// FailoverMode is how CLUSTER FAILOVER was asked for.
type FailoverMode uint8

const (
	// FailoverGraceful agrees with the primary; nothing is lost.
	FailoverGraceful FailoverMode = iota
	// FailoverForce does not talk to the primary; its lease is waited for.
	FailoverForce
	// FailoverTakeover waits for nothing.
	FailoverTakeover
)

// MoveRequest asks for the move of slots to the shard of a primary.
type MoveRequest struct {
	Slots  slots.Set
	Target topology.NodeID
}

// Progress is the state of an open slot move at one of its ends.
type Progress struct {
	Phase         string // one word, "" if this node has nothing to do with it
	Message       string
	LastAckMillis int64 // Unix time of the last acknowledgement of the other side
	BehindBytes   int64 // effects not yet acknowledged
	KeysDone      int64 // of the snapshot
	KeysTotal     int64
}
