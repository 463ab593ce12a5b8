// Package admin is the commands of the operator and of client libraries about the
// server itself: INFO, CONFIG, COMMAND, TIME, DEBUG and SHUTDOWN. It prints what
// others count and hands on what others do; it keeps no state but the samples from
// which INFO tells rates. internal/node wires Deps.
package admin

import (
	"time"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/config"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/persist"
)

// RedisVersion is the version of Redis whose behaviour is followed; clients look at
// it to learn what they may use.
const RedisVersion = "7.2.4"

// Deps is what the commands need. A nil function stands for zeros.
type Deps struct {
	Config   *config.Config
	Keyspace *engine.Keyspace
	// Table returns the table that these commands are part of; it is asked when a
	// command runs, since the table is built of their Specs.
	Table    func() *command.Table
	Identity Identity
	Stats    Stats
	Rates    *Rates
	// Syncs returns how many full and partial resyncs were granted, and how many
	// partial ones were not.
	Syncs func() (full, partial, refused int64)
	// Memory returns the bytes that the engine does not know of.
	Memory func() MemoryCounts
	// Replication appends the fields of INFO replication, "name:value\r\n" each.
	Replication func(dst []byte) []byte
	// Loading reports whether a data set is being loaded.
	Loading func() bool
	// Saves keeps the RDB file. nil in tests that do not save.
	Saves *persist.Saves
	// Rewrites keeps the append-only file. nil in tests that have none.
	Rewrites *persist.Rewrites
	// ReloadAOF loads the append-only file while the server runs (DEBUG LOADAOF).
	ReloadAOF func() error
	// LoadStatus tells how far the loading of files, or of a full sync, is.
	LoadStatus func() LoadStatus
	// Reload loads the RDB file while the server runs (DEBUG RELOAD).
	Reload func(ReloadMode) error
	// Shutdown begins a shutdown and returns once nothing can stop it any more, or
	// why it was given up. The process ends then.
	Shutdown func(ShutdownMode) error
	// AbortShutdown stops a shutdown that still waits; false if there is none.
	AbortShutdown func() bool
	// ShutdownWaits returns for how long a shutdown still waits for replicas, if one does.
	ShutdownWaits func() (millis int64, waiting bool)
	// ChangeReplicationID begins a new history of effects (DEBUG CHANGE-REPL-ID).
	ChangeReplicationID func()
	// SetActiveExpire switches the expiry of keys that nobody asks for.
	SetActiveExpire func(on bool)
	// Done returns what is closed when the node is to end; DEBUG SLEEP ends with it.
	Done func() <-chan struct{}
}

// Identity is what does not change while the process runs.
type Identity struct {
	Version   string // of Redwing
	RunID     string // 40 hexadecimal digits
	StartedAt time.Time
}

// Stats are the counters of the server.
type Stats interface {
	// Totals returns the counters as they are; client is the connection that asks.
	Totals(client command.Client) Totals
	// EachSpec calls f with the counters of every command that has run.
	EachSpec(f func(spec *command.Spec, calls, nanos int64))
	// ResetStats zeroes the counters.
	ResetStats(client command.Client)
}

// Totals are the counters of the server, over all connections.
type Totals struct {
	Commands, NetInBytes, NetOutBytes int64
	Connections, RefusedConnections   int64
	Hits, Misses                      int64
	RejectedCalls, Errors             int64
	Clients, Blocked                  int64
	// BlockingKeys are those that clients wait for, BlockingOnNoKey those whose end is
	// waited for, too.
	BlockingKeys, BlockingOnNoKey int64
	// Channels, Patterns and ShardChannels are those with subscribers.
	Channels, Patterns, ShardChannels int64
}

// ShutdownMode is how SHUTDOWN was asked for.
type ShutdownMode struct {
	Now   bool // do not wait for replicas
	Force bool // go on whatever fails
	// Save and NoSave say whether the data are saved; neither: if there are save points.
	Save, NoSave bool
}
