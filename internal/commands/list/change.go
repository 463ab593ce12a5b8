package list

import (
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/resp"
)

func lset(c *command.Ctx) error {
	var l engine.List
	found, err := open(c, &l, 1)
	if err != nil {
		return err
	}
	if !found {
		return resp.ErrNoSuchKey
	}
	i, err := c.Int(2)
	if err != nil {
		return err
	}
	elem := c.Args[3]
	if c.Slow(1, len(elem)) {
		return command.ErrSlow
	}
	if err := l.Grow(len(elem), 1); err != nil { // before anything else, as in Redis
		return err
	}
	at, ok := index(i, l.Len())
	if !ok {
		return resp.ErrIndexOutOfRange
	}
	if err := l.Set(at, elem); err != nil {
		return err
	}
	c.Changed(1)
	c.Notify(command.NotifyList, "lset", 1)
	c.Out.OK()
	return nil
}

func lrem(c *command.Ctx) error {
	limit, err := c.Int(2)
	if err != nil {
		return err
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
	n := l.Len()
	if c.Slow(n, 0) {
		return command.ErrSlow
	}
	back := limit < 0
	if limit = max(limit, -limit); limit <= 0 || limit > int64(n) { // the smallest integer has no absolute value
		limit = int64(n)
	}
	gone := l.DeleteEqual(c.Args[3], int(limit), back)
	c.Out.Int(int64(gone))
	if gone > 0 {
		c.Changed(gone)
		removed(c, &l, 1, "lrem")
	}
	return nil
}

func ltrim(c *command.Ctx) error {
	start, end, err := bounds(c)
	if err != nil {
		return err
	}
	var l engine.List
	found, err := open(c, &l, 1)
	if err != nil {
		return err
	}
	if !found {
		c.Out.OK()
		return nil
	}
	n := l.Len()
	from, kept := command.Span(start, end, n)
	// Whole nodes go at once: what counts is their number, as far as they go.
	if c.Slow(int(float64(l.Nodes())*float64(n-kept)/float64(n)), 0) {
		return command.ErrSlow
	}
	if kept == 0 {
		l.Remove()
	} else {
		l.Delete(from+kept, n-from-kept)
		l.Delete(0, from)
	}
	c.Changed(n - kept)
	removed(c, &l, 1, "ltrim")
	c.Out.OK()
	return nil
}
