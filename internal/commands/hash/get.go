package hash

import (
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
)

func hget(c *command.Ctx) error {
	var h engine.Hash
	if _, err := openRead(c, &h); err != nil {
		return err
	}
	return replyField(c, &h, c.Args[2])
}

// replyField replies with a field's value or null.
func replyField(c *command.Ctx, h *engine.Hash, field []byte) error {
	value, _, ok := h.Get(field)
	switch {
	case !ok:
		c.Out.Null()
	case c.Slow(1, len(value)):
		if h.Exists() {
			c.Hits--
		}
		return command.ErrSlow
	default:
		c.Out.Bulk(value)
	}
	return nil
}

func hmget(c *command.Ctx) error {
	var h engine.Hash
	found, err := openRead(c, &h)
	if err != nil {
		return err
	}
	if slowFields(c, &h, c.Args[2:]) {
		return uncounted(c, found)
	}
	c.Out.Array(len(c.Args) - 2)
	for _, field := range c.Args[2:] {
		if value, _, ok := h.Get(field); ok {
			c.Out.Bulk(value)
		} else {
			c.Out.Null()
		}
	}
	return nil
}

// slowFields reports whether giving the values of fields takes an owner.
func slowFields(c *command.Ctx, h *engine.Hash, fields [][]byte) bool {
	if c.Slow(len(fields), 0) {
		return true
	}
	if c.Owner || !h.Exists() || !h.Rooted() {
		return false // a packed hash has no long values
	}
	bytes := 0
	for _, field := range fields {
		value, _, _ := h.Get(field)
		bytes += len(value)
	}
	return c.Slow(0, bytes)
}

func hlen(c *command.Ctx) error {
	var h engine.Hash
	if _, err := openRead(c, &h); err != nil {
		return err
	}
	c.Out.Int(int64(h.Len()))
	return nil
}

func hexists(c *command.Ctx) error {
	var h engine.Hash
	if _, err := openRead(c, &h); err != nil {
		return err
	}
	if _, _, ok := h.Get(c.Args[2]); ok {
		c.Out.Int(1)
	} else {
		c.Out.Int(0)
	}
	return nil
}

func hstrlen(c *command.Ctx) error {
	var h engine.Hash
	if _, err := openRead(c, &h); err != nil {
		return err
	}
	value, _, _ := h.Get(c.Args[2])
	c.Out.Int(int64(len(value)))
	return nil
}

// what says what of a hash is asked for.
type what uint8

const (
	theFields what = 1 << iota
	theValues
)

func hgetall(c *command.Ctx) error { return all(c, theFields|theValues) }
func hkeys(c *command.Ctx) error   { return all(c, theFields) }
func hvals(c *command.Ctx) error   { return all(c, theValues) }

func all(c *command.Ctx, w what) error {
	var h engine.Hash
	found, err := openRead(c, &h)
	if err != nil {
		return err
	}
	if found && c.Slow(h.Len(), h.Bytes()) {
		c.Hits--
		return command.ErrSlow
	}
	if w == theFields|theValues {
		c.Out.Map(h.Live())
	} else {
		c.Out.Array(h.Live())
	}
	h.Each(func(field, value []byte, _ int64) bool {
		if w&theFields != 0 {
			c.Out.Bulk(field)
		}
		if w&theValues != 0 {
			c.Out.Bulk(value)
		}
		return true
	})
	return nil
}
