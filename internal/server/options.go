package server

import (
	"errors"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/effects"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/pubsub"
	"github.com/redwingdb/redwing/internal/resp"
	"github.com/redwingdb/redwing/internal/slots"
	"github.com/redwingdb/redwing/internal/topology"
)

// Cluster is what the data path asks of the cluster side of this node. Every method
// is called on the hot path or by loops: none may block.
type Cluster interface {
	// View returns the newest applied topology, never nil.
	View() *topology.View
	// Self returns this node's id. It is asked once for each View; an id that changes
	// does so before the View.
	Self() topology.NodeID
	// LeaseUntil returns the instant (clock.Mono) until which this process may serve
	// the shard as primary at term; 0: not at all.
	LeaseUntil(shard topology.ShardID, term uint64) int64
	// Held tells what a slot move holds back on slot. It is asked with the slot's
	// shard locked.
	Held(slot slots.Slot) Hold
	// AwaitHold has wake called once when the hold of slot may have changed, at once if
	// it already has. wake never blocks.
	AwaitHold(slot slots.Slot, wake func())
	// HeldAny and AwaitAny are Held and AwaitHold for commands that touch every slot.
	HeldAny() Hold
	AwaitAny(wake func())
	// Endpoint returns the host under which clients are told to reach a node ("" where
	// they are to keep the one they have).
	Endpoint(n *topology.Node) string
	// Freshen pulls a newer View where one has been heard of: it returns true and calls
	// wake once when that is done or has taken 100 ms; false if the View is the newest
	// heard of.
	Freshen(wake func()) (pulling bool)
}

// Hold is what a slot move holds back.
type Hold uint8

const (
	HoldNone   Hold = iota
	HoldWrites      // writes wait
	HoldAll         // reads wait too
)

// Replica is the state of this node as a replica.
type Replica interface {
	// IsReplica reports whether this node follows a primary.
	IsReplica() bool
	// LinkUp reports whether the link to the primary is up and synchronised.
	LinkUp() bool
}

// Auth checks passwords.
type Auth interface {
	// NeedsPassword reports whether new connections must authenticate.
	NeedsPassword() bool
	// Authenticate reports whether user has this password.
	Authenticate(user, password []byte) bool
}

// Gates are the node-wide conditions that gates ask about. A nil function means that
// the condition never holds. They are called for every command they concern and must
// cost no more than an atomic load in the good case.
type Gates struct {
	// OverMemory makes room where maxmemory is exceeded, within a bounded time, and
	// reports whether nothing can be evicted. It is called with no shard locked.
	OverMemory func() bool
	// DiskError reports whether writes are refused since the last save failed.
	DiskError func() bool
	// Unlogged returns why writes are refused since the append-only file cannot be written,
	// nil if it can or there is none.
	Unlogged func() *resp.Error
	// HoldWriter reports whether a write has to wait since the append-only file is far
	// behind; wake, which never blocks, is called once when it may go on.
	HoldWriter func(wake func()) (held bool)
	// FewReplicas reports whether there are fewer good replicas than min-replicas-to-write.
	FewReplicas func() bool
	// Loading reports whether a data set is being loaded.
	Loading func() bool
	// WriteDelay returns how long a write is to wait before it locks anything, so that the
	// users of snapshots keep up: 0 or a few milliseconds.
	WriteDelay func() time.Duration
}

// Options are what a Server is built of.
type Options struct {
	Table    *command.Table
	Keyspace *engine.Keyspace
	// Log takes the effects of commands. May be nil in tests.
	Log *effects.Log
	// Watches is the table of watched keys. nil: the server makes its own.
	Watches *command.Watches
	// Events publishes what happens to keys; nil: nobody hears of it.
	Events *command.Events
	// Cluster is nil in plain mode.
	Cluster Cluster
	// Replica is nil for a node that can never be one.
	Replica Replica
	// Auth is nil where no password is set.
	Auth  Auth
	Gates Gates
	// Links returns the connections of replication. nil: there are none.
	Links func() []Link
	// Hub knows who has subscribed to what. nil: the server makes its own.
	Hub *pubsub.Hub
	// Loops is how many event loops drive the connections that have a descriptor of their
	// own, on Linux; 0: each connection has a goroutine. GOMAXPROCS should be at least two
	// more, so that what else a node does never waits for a loop.
	Loops int
	// Commit, if set, is called before replies are sent: what was written is to be as durable
	// as Settings wish. With inPlace the caller may be made to do it; where it is not done
	// when Commit returns, replies with AwaitDurable wait for SetDurable.
	Commit func(inPlace bool)
	// Settings may be changed while the server runs. nil: the defaults.
	Settings *Settings
	Logger   *zap.Logger
}

// Validate names every missing field.
func (o *Options) Validate() error {
	var errs []error
	if o.Table == nil {
		errs = append(errs, errors.New("server: Table is missing"))
	}
	if o.Keyspace == nil {
		errs = append(errs, errors.New("server: Keyspace is missing"))
	}
	return errors.Join(errs...)
}

// DebugCommand is the value of enable-debug-command.
type DebugCommand int32

const (
	DebugNo DebugCommand = iota
	DebugLocal
	DebugYes
)

// Settings are those that CONFIG SET may change at run time; their names are the
// directives'. Each is read where it acts.
type Settings struct {
	MaxBulk        atomic.Int64 // proto-max-bulk-len, bytes
	QueryBuffer    atomic.Int64 // client-query-buffer-limit, bytes
	OutputHard     atomic.Int64 // client-output-buffer-limit normal, bytes, 0: none
	OutputSoft     atomic.Int64 // bytes, 0: none
	OutputSoftSecs atomic.Int64 // how long OutputSoft may be exceeded
	// The same of client-output-buffer-limit pubsub, for clients that have subscribed.
	PubSubHard, PubSubSoft, PubSubSoftSecs atomic.Int64
	MaxClients                             atomic.Int64 // maxclients
	TimeoutSecs                            atomic.Int64 // timeout of idle clients, 0: none
	KeepAliveSecs                          atomic.Int64 // tcp-keepalive, 0: off
	ProtectedMode                          atomic.Bool  // protected-mode
	DebugCommand                           atomic.Int32 // enable-debug-command, a DebugCommand
	ReplicaReads                           atomic.Bool  // replica-read-only
	ServeStale                             atomic.Bool  // replica-serve-stale-data
	FullCoverage                           atomic.Bool  // cluster-require-full-coverage
	ReadsWhenDown                          atomic.Bool  // cluster-allow-reads-when-down
	// cluster-allow-pubsubshard-when-down
	ShardChannelsWhenDown atomic.Bool
	// AwaitDurable withholds each reply until the newest effect of the slots that its
	// command touched is durable (Server.SetDurable).
	AwaitDurable atomic.Bool
}

// NewSettings returns Redis' defaults.
func NewSettings() *Settings {
	s := &Settings{}
	s.MaxBulk.Store(resp.DefaultMaxBulk)
	s.QueryBuffer.Store(1 << 30)
	s.MaxClients.Store(10000)
	s.KeepAliveSecs.Store(300)
	s.ProtectedMode.Store(true)
	s.ReplicaReads.Store(true)
	s.ServeStale.Store(true)
	s.ShardChannelsWhenDown.Store(true)
	s.PubSubHard.Store(32 << 20)
	s.PubSubSoft.Store(8 << 20)
	s.PubSubSoftSecs.Store(60)
	return s
}
