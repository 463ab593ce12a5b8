package geo

import (
	"strconv"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/engine/geo"
	"github.com/redwingdb/redwing/internal/resp"
)

var wordZAdd = []byte("ZADD")

// geoadd is ZADD with positions in place of scores, and is propagated as that.
func geoadd(c *command.Ctx) error {
	var how engine.ZAdd
	ch, first := false, 2
options:
	for ; first < len(c.Args); first++ {
		switch word := c.Args[first]; {
		case command.Is(word, "nx"):
			how |= engine.ZAddNX
		case command.Is(word, "xx"):
			how |= engine.ZAddXX
		case command.Is(word, "ch"):
			ch = true
		default:
			break options
		}
	}
	n := len(c.Args) - first
	if n%3 != 0 || how == engine.ZAddNX|engine.ZAddXX {
		return resp.ErrSyntax
	}
	for i := first; i < len(c.Args); i += 3 {
		if _, err := position(c, i); err != nil {
			return err
		}
	}
	if n == 0 {
		return resp.ErrSyntax
	}
	var z engine.ZSet
	if _, err := z.Open(&c.DB, c.Slot(1), c.Args[1]); err != nil {
		return err
	}
	if c.Slow(n/3, 0) {
		return command.ErrSlow
	}
	added, updated := 0, 0
	var failed error
	for i := first; i < len(c.Args); i += 3 {
		p, _ := position(c, i)
		did, _, err := z.Add(c.Args[i+2], float64(geo.Encode(p)), how)
		if err != nil {
			failed = err
			break
		}
		switch did {
		case engine.ZAdded:
			added++
		case engine.ZUpdated:
			updated++
		}
	}
	if added+updated > 0 {
		c.Changed(added + updated)
		c.Notify(command.NotifyZSet, "zadd", 1)
		stageAdd(c, first)
	}
	switch {
	case failed != nil:
		return failed
	case ch:
		c.Out.Int(int64(added + updated))
	default:
		c.Out.Int(int64(added))
	}
	return nil
}

// stageAdd stages the request, whose first position is at argument first, as a ZADD.
func stageAdd(c *command.Ctx, first int) {
	if c.Block == nil {
		return
	}
	args := append([][]byte{wordZAdd}, c.Args[1:first]...)
	for i := first; i < len(c.Args); i += 3 {
		p, _ := position(c, i)
		args = append(args, strconv.AppendUint(nil, geo.Encode(p), 10), c.Args[i+2])
	}
	c.Effect(c.Slot(1), args...)
}
