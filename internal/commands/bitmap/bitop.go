package bitmap

import (
	"strings"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/resp"
)

// operation is what BITOP does with its sources.
type operation uint8

const (
	opAnd operation = iota
	opOr
	opXor
	opNot
	opDiff  // in the first, in none of the others
	opDiff1 // not in the first, in any of the others
	opAndOr // in the first and in any of the others
	opOne   // in exactly one
)

// operations are the words of BITOP; those from DIFF on are of Redis 8.2.
var operations = [...]string{"and", "or", "xor", "not", "diff", "diff1", "andor", "one"}

var errNotSources = resp.NewError("ERR BITOP NOT must be called with a single source key.")

func parseOperation(word []byte) (operation, bool) {
	for i, name := range operations {
		if command.Is(word, name) {
			return operation(i), true
		}
	}
	return 0, false
}

// stackSources is how many sources are kept without allocating.
const stackSources = 8

// bitop stores the combination of its sources, the shorter ones padded with zeros; an
// empty one deletes the target (Redis 7.2, bitops.c, bitopCommand).
func bitop(c *command.Ctx) error {
	op, ok := parseOperation(c.Args[1])
	n := len(c.Args) - 3
	switch {
	case !ok:
		return resp.ErrSyntax
	case op == opNot && n != 1:
		return errNotSources
	case op >= opDiff && op <= opAndOr && n < 2:
		return resp.NewError("ERR BITOP " + strings.ToUpper(operations[op]) + " must be called with at least two source keys.")
	case c.Slow(n, 0):
		return command.ErrSlow
	}
	var room [stackSources][]byte
	sources := room[:min(n, stackSources)]
	if n > stackSources {
		sources = make([][]byte, n)
	}
	hits, misses := c.Hits, c.Misses
	length, total := 0, 0
	for i := range sources {
		r, found := c.Read(3 + i)
		if err := isString(r, found); err != nil {
			return err
		}
		if found {
			sources[i] = r.Bytes(nil) // allocates for integers alone
			length, total = max(length, r.Len()), total+r.Len()
		}
	}
	if c.Slow(0, length+total) {
		c.Hits, c.Misses = hits, misses
		return command.ErrSlow
	}
	if err := storeCombined(c, op, sources, length); err != nil {
		return err
	}
	c.Out.Int(int64(length))
	return nil
}

// Words of what is propagated in place of the newer operations: servers before Redis 8.2 do
// not know those.
var (
	wordDel = []byte("DEL")
	wordSet = []byte("SET")
)

// storeCombined makes argument 2 the combination of sources, length bytes long.
func storeCombined(c *command.Ctx, op operation, sources [][]byte, length int) error {
	slot, key := c.Slot(2), c.Args[2]
	if length == 0 {
		if c.DB.Delete(slot, key) {
			c.Changed(1)
			c.Notify(command.NotifyGeneric, "del", 2)
			if op >= opDiff {
				c.Effect(slot, wordDel, key)
			}
		}
		return nil
	}
	var d engine.Draft
	dst, err := c.DB.DraftString(&d, slot, key, length)
	if err != nil {
		return err
	}
	combine(op, dst, sources)
	if err := c.DB.Put(&d); err != nil {
		return err
	}
	c.Changed(1)
	c.Notify(command.NotifyString, "set", 2)
	if op >= opDiff {
		c.Effect(slot, wordSet, key, dst)
	}
	return nil
}
