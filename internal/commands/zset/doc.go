// Package zset implements the commands of sorted sets. It owns their exact Redis
// semantics: options, the order of checks, ranges, aggregation, the shapes of replies in
// RESP2 and RESP3, and the deterministic effects that are propagated. It keeps no state;
// package command runs it under the locks of its keys.
package zset

import (
	"math/rand/v2"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/resp"
)

// Deps is what the handlers need beyond their call.
type Deps struct {
	// Random draws for ZRANDMEMBER. Default: math/rand/v2.
	Random func() uint64
}

type handlers struct{ Deps }

// Specs returns the specs of the commands of sorted sets.
func Specs(d Deps) []command.Spec {
	if d.Random == nil {
		d.Random = rand.Uint64
	}
	h := &handlers{d}
	specs := append(h.readSpecs(), h.writeSpecs()...)
	return append(append(specs, rangeSpecs()...), algebraSpecs()...)
}

// Words of the requests that are propagated.
var (
	wordZPopMin = []byte("ZPOPMIN")
	wordZPopMax = []byte("ZPOPMAX")
)

// Errors of several commands (Redis 7.2, t_zset.c).
var (
	errScoreRange = resp.NewError("ERR min or max is not a float")
	errLexRange   = resp.NewError("ERR min or max not valid string range item")
)

// openRead opens the key at argument i for reading.
func openRead(c *command.Ctx, z *engine.ZSet, i int) (found bool, err error) {
	found, err = z.Open(&c.DB, c.Slot(i), c.Args[i])
	c.Count(found || err != nil)
	return found, err
}

// openWrite opens the key at argument i for changing.
func openWrite(c *command.Ctx, z *engine.ZSet, i int) (found bool, err error) {
	return z.Open(&c.DB, c.Slot(i), c.Args[i])
}

// replyPair appends a member with its score, in RESP3 as an array of the two.
func replyPair(out *resp.Writer, member []byte, score float64) {
	if out.RESP3 {
		out.Array(2)
	}
	out.Bulk(member)
	out.Double(score)
}

// replyPairs appends the head of an array of n members with their scores.
func replyPairs(out *resp.Writer, n int) {
	if out.RESP3 {
		out.Array(n)
		return
	}
	out.Array(2 * n)
}

// removed notes that n members are gone from the set at argument i, and with the last of
// them the key.
func removed(c *command.Ctx, z *engine.ZSet, event string, i, n int) {
	c.Changed(n)
	c.Notify(command.NotifyZSet, event, i)
	if !z.Exists() {
		c.Notify(command.NotifyGeneric, "del", i)
	}
}
