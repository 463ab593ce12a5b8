package stream

import (
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/engine/stream"
)

func xack(c *command.Ctx) error {
	var x engine.Stream
	g, found, err := openGroup(c, &x, 1)
	if err != nil {
		return err
	}
	if !found {
		c.Out.Int(0)
		return nil
	}
	var room [16]stream.ID
	ids, err := strictIDs(c, room[:0], 3, len(c.Args))
	if err != nil {
		return err
	}
	if c.Slow(len(ids), 0) {
		return command.ErrSlow
	}
	g = x.Edit().Regain(g)
	n := 0
	for _, id := range ids {
		if g.Ack(id) {
			n++
		}
	}
	if n > 0 {
		verbatim(c, 1)
	}
	c.Out.Int(int64(n))
	return nil
}
