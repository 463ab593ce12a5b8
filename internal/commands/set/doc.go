// Package set implements the commands of sets. It owns their exact Redis semantics: the
// order of checks, the algorithms of intersection and difference by cost, draws at random
// and the deterministic effects that are propagated instead of them. It keeps no state;
// package command runs it under the locks of its keys.
package set

import (
	"math/rand/v2"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
)

// Deps is what the handlers need beyond their call.
type Deps struct {
	// Random draws for SPOP and SRANDMEMBER. Default: math/rand/v2.
	Random func() uint64
}

type handlers struct{ Deps }

// Specs returns the specs of the set commands.
func Specs(d Deps) []command.Spec {
	if d.Random == nil {
		d.Random = rand.Uint64
	}
	h := &handlers{d}
	return append(h.memberSpecs(), algebraSpecs()...)
}

// Words of the requests that are propagated.
var (
	wordDel  = []byte("DEL")
	wordSRem = []byte("SREM")
)

// openRead opens the key at argument i for reading.
func openRead(c *command.Ctx, s *engine.Set, i int) (found bool, err error) {
	found, err = s.Open(&c.DB, c.Slot(i), c.Args[i])
	c.Count(found || err != nil)
	return found, err
}

// openWrite opens the key at argument i for changing.
func openWrite(c *command.Ctx, s *engine.Set, i int) (found bool, err error) {
	return s.Open(&c.DB, c.Slot(i), c.Args[i])
}

// removed notes that n members are gone from the set at argument i, and with the last of
// them the key.
func removed(c *command.Ctx, s *engine.Set, event string, i, n int) {
	c.Changed(n)
	c.Notify(command.NotifySet, event, i)
	if !s.Exists() {
		c.Notify(command.NotifyGeneric, "del", i)
	}
}
