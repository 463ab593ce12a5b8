// Package keys implements the commands that work on keys of any type: deletion,
// expiry, renaming, copying, iteration, OBJECT, and the flushing and swapping of whole
// databases. It owns their exact Redis semantics and the deterministic effects that
// are propagated. It keeps no state; package command runs it under the locks that the
// specs name.
package keys

import (
	"math/rand/v2"

	"github.com/redwingdb/redwing/internal/command"
)

// Deps is what the handlers need beyond their call.
type Deps struct {
	// Cluster is set on a node of a cluster, which has one database.
	Cluster bool
	// SyncWrites reports whether writes of the cluster may be synchronous. May be nil.
	SyncWrites func() bool
	// LazyFlush reports whether FLUSHALL and FLUSHDB without a word are ASYNC. Default: no.
	LazyFlush func() bool
	// Flushed is told that FLUSHALL has dropped all data, with all shards held. May be nil.
	Flushed func()
	// FreeSoon is told that a client waits for memory to be freed. May be nil.
	FreeSoon func()
	// Random draws for RANDOMKEY. Default: math/rand/v2.
	Random func() uint64
}

// handlers are the commands that depend on how the node runs.
type handlers struct{ Deps }

// Specs returns the specs of the commands on keys.
func Specs(d Deps) []command.Spec {
	if d.Random == nil {
		d.Random = rand.Uint64
	}
	if d.LazyFlush == nil {
		d.LazyFlush = func() bool { return false }
	}
	h := &handlers{d}
	return append(h.genericSpecs(), h.databaseSpecs()...)
}

// Words of the requests that are propagated.
var (
	wordDel       = []byte("DEL")
	wordPExpireAt = []byte("PEXPIREAT")
)
