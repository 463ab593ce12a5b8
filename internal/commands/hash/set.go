package hash

import (
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/resp"
)

func hset(c *command.Ctx) error {
	added, err := setPairs(c)
	if err != nil {
		return err
	}
	c.Out.Int(int64(added))
	return nil
}

func hmset(c *command.Ctx) error {
	if _, err := setPairs(c); err != nil {
		return err
	}
	c.Out.OK()
	return nil
}

// setPairs stores the pairs of fields and values from argument 2 on.
func setPairs(c *command.Ctx) (added int, err error) {
	if len(c.Args)%2 != 0 {
		return 0, resp.WrongArity(c.Spec.FullName())
	}
	if len(c.Args) > 4 || len(c.Args[3]) > command.SlowBytes {
		if c.Slow(len(c.Args)/2, bytesFrom(c, 2)) {
			return 0, command.ErrSlow
		}
	}
	var h engine.Hash
	if _, err := openWrite(c, &h); err != nil {
		return 0, err
	}
	for i := 2; i < len(c.Args); i += 2 {
		isNew, err := h.Put(c.Args[i], c.Args[i+1], 0)
		if err != nil {
			if i > 2 { // what is stored stays, so it must be propagated
				c.Effect(c.Slot(1), append([][]byte{wordHSet}, c.Args[1:i]...)...)
				c.TouchIn(c.DB.DB(), 1)
			}
			return 0, err
		}
		if isNew {
			added++
		}
	}
	c.Changed((len(c.Args) - 2) / 2)
	c.Notify(command.NotifyHash, "hset", 1)
	return added, nil
}

func hsetnx(c *command.Ctx) error {
	if c.Slow(1, len(c.Args[3])) {
		return command.ErrSlow
	}
	var h engine.Hash
	if _, err := openWrite(c, &h); err != nil {
		return err
	}
	if _, _, ok := h.Get(c.Args[2]); ok {
		c.Out.Int(0)
		return nil
	}
	if _, err := h.Put(c.Args[2], c.Args[3], 0); err != nil {
		return err
	}
	c.Changed(1)
	c.Notify(command.NotifyHash, "hset", 1)
	c.Out.Int(1)
	return nil
}

func hdel(c *command.Ctx) error {
	if c.Slow(len(c.Args)-2, 0) {
		return command.ErrSlow
	}
	var h engine.Hash
	if _, err := openWrite(c, &h); err != nil {
		return err
	}
	deleted := 0
	for i := 2; i < len(c.Args) && h.Exists(); i++ {
		if h.Delete(c.Args[i]) {
			deleted++
		}
	}
	if deleted > 0 {
		c.Changed(deleted)
		c.Notify(command.NotifyHash, "hdel", 1)
		gone(c, &h)
	}
	c.Out.Int(int64(deleted))
	return nil
}
