// Package keys implements the commands that work on keys of any type: deletion,
// expiry, renaming, copying, iteration, OBJECT, and the flushing and swapping of whole
// databases. It owns their exact Redis semantics and the deterministic effects that
// are propagated. It keeps no state; package command runs it under the locks that the
// specs name.
package keys

import (
	"errors"
	"math/rand/v2"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/resp"
)

// Deps is what the handlers need beyond their call.
type Deps struct {
	// Cluster is set on a node of a cluster, which has one database.
	Cluster bool
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
	h := &handlers{d}
	return append(h.genericSpecs(), h.databaseSpecs()...)
}

// Words of the requests that are propagated.
var (
	wordDel       = []byte("DEL")
	wordPExpireAt = []byte("PEXPIREAT")
)

// stored turns what the engine returns from storing into what a client sees.
func stored(err error) error {
	if errors.Is(err, engine.ErrNoSpace) {
		return resp.ErrOOM
	}
	return err
}
