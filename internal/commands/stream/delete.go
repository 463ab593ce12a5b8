package stream

import (
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/engine/stream"
)

func xdel(c *command.Ctx) error {
	var x engine.Stream
	found, err := open(c, &x, 1)
	if err != nil {
		return err
	}
	if !found {
		c.Out.Int(0)
		return nil
	}
	var room [16]stream.ID
	ids, err := strictIDs(c, room[:0], 2, len(c.Args))
	if err != nil {
		return err
	}
	if c.Slow(len(ids), 0) {
		return command.ErrSlow
	}
	s, n, tried := x.Edit(), 0, 0
	for _, id := range ids {
		ok, failed := s.Delete(id)
		if failed != nil {
			err = engine.StoreError(failed)
			break
		}
		if tried++; ok {
			n++
		}
	}
	if n > 0 {
		c.Changed(n)
		c.Notify(command.NotifyStream, "xdel", 1)
	}
	if err != nil {
		if n > 0 {
			c.Effect(c.Slot(1), c.Args[:2+tried]...)
		}
		return err
	}
	c.Out.Int(int64(n))
	return nil
}
