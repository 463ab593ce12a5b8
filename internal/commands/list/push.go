package list

import (
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/resp"
)

func lpush(c *command.Ctx) error  { return push(c, left, false) }
func rpush(c *command.Ctx) error  { return push(c, right, false) }
func lpushx(c *command.Ctx) error { return push(c, left, true) }
func rpushx(c *command.Ctx) error { return push(c, right, true) }

func push(c *command.Ctx, at side, onlyExisting bool) error {
	elems := c.Args[2:]
	bytes := 0
	for _, e := range elems {
		bytes += len(e)
	}
	if c.Slow(len(elems), bytes) {
		return command.ErrSlow
	}
	var l engine.List
	found, err := open(c, &l, 1)
	if err != nil {
		return err
	}
	if !found && onlyExisting {
		c.Out.Int(0)
		return nil
	}
	if err := l.Push(at.front(), elems...); err != nil {
		return err
	}
	c.Changed(len(elems))
	c.Notify(command.NotifyList, at.pushEvent(), 1)
	c.Out.Int(int64(l.Len()))
	return nil
}

// linsert may make a listpack a quicklist even where the pivot is not found, as Redis
// does.
func linsert(c *command.Ctx) error {
	after := command.Is(c.Args[2], "after")
	if !after && !command.Is(c.Args[2], "before") {
		return resp.ErrSyntax
	}
	var l engine.List
	found, err := open(c, &l, 1)
	if err != nil {
		return err
	}
	if !found {
		c.Out.Int(0)
		return nil
	}
	if c.Slow(l.Len(), len(c.Args[4])) {
		return command.ErrSlow
	}
	found, err = l.Insert(c.Args[3], after, c.Args[4])
	switch {
	case err != nil:
		return err
	case !found:
		c.Out.Int(-1)
		return nil
	}
	c.Changed(1)
	c.Notify(command.NotifyList, "linsert", 1)
	c.Out.Int(int64(l.Len()))
	return nil
}
