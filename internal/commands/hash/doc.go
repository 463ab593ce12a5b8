// Package hash implements the commands on hashes and on the expiry of their fields. It
// owns their exact Redis semantics and the deterministic effects that are propagated; how
// a hash is kept is package engine's. It keeps no state; package command runs it under
// the locks that the specs name.
package hash

import (
	"math/rand/v2"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
)

// Deps is what the handlers need beyond their call.
type Deps struct {
	// Random draws for HRANDFIELD. Default: math/rand/v2.
	Random func() uint64
}

type handlers struct{ random func() uint64 }

// Specs returns the specs of the commands on hashes.
func Specs(d Deps) []command.Spec {
	h := &handlers{random: d.Random}
	if h.random == nil {
		h.random = rand.Uint64
	}
	return append(h.specs(), expirySpecs()...)
}

// Words of the requests that are propagated.
var (
	wordHDel      = []byte("HDEL")
	wordHSet      = []byte("HSET")
	wordHPersist  = []byte("HPERSIST")
	wordHPExpireA = []byte("HPEXPIREAT")
	wordHSetEx    = []byte("HSETEX")
	wordFields    = []byte("FIELDS")
	wordPXAT      = []byte("PXAT")
	wordKeepTTL   = []byte("KEEPTTL")
	wordOne       = []byte("1")
)

// openRead opens the hash at argument 1 for reading and counts the lookup.
func openRead(c *command.Ctx, h *engine.Hash) (found bool, err error) {
	found, err = h.Open(&c.DB, c.Slot(1), c.Args[1])
	c.Count(found || err != nil)
	return found, err
}

// uncounted asks for ownership, the lookup not having been.
func uncounted(c *command.Ctx, found bool) error {
	if found {
		c.Hits--
	} else {
		c.Misses--
	}
	return command.ErrSlow
}

// openWrite opens the hash at argument 1.
func openWrite(c *command.Ctx, h *engine.Hash) (found bool, err error) {
	return h.Open(&c.DB, c.Slot(1), c.Args[1])
}

// gone tells that the key went with its last field.
func gone(c *command.Ctx, h *engine.Hash) {
	if !h.Exists() {
		c.Notify(command.NotifyGeneric, "del", 1)
	}
}

// bytesFrom sums the lengths of the arguments from i on.
func bytesFrom(c *command.Ctx, i int) (n int) {
	for _, arg := range c.Args[i:] {
		n += len(arg)
	}
	return n
}
