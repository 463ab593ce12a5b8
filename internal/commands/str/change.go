package str

import (
	"math"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/resp"
	"github.com/redwingdb/redwing/internal/slots"
)

func incr(c *command.Ctx) error { return add(c, 1) }
func decr(c *command.Ctx) error { return add(c, -1) }

func incrby(c *command.Ctx) error {
	by, err := c.Int(2)
	if err != nil {
		return err
	}
	return add(c, by)
}

var errDecrOverflow = resp.NewError("ERR decrement would overflow")

func decrby(c *command.Ctx) error {
	by, err := c.Int(2)
	if err != nil {
		return err
	}
	if by == math.MinInt64 {
		return errDecrOverflow
	}
	return add(c, -by)
}

// add takes the short way in place where the value is kept as an integer already.
func add(c *command.Ctx, by int64) error {
	slot, key := c.Slot(1), c.Args[1]
	if sum, ok := c.DB.IncrBy(slot, key, by); ok {
		c.Changed(1)
		c.Notify(command.NotifyString, "incrby", 1)
		c.Out.Int(sum)
		return nil
	}
	r, found := c.DB.Find(slot, key)
	if err := isString(r, found); err != nil {
		return err
	}
	var v int64
	if found {
		var ok bool
		if v, ok = integer(r); !ok {
			return resp.ErrNotInteger
		}
	}
	if by > 0 && v > math.MaxInt64-by || by < 0 && v < math.MinInt64-by {
		return resp.ErrOverflow
	}
	if err := c.DB.SetInt(slot, key, v+by, engine.KeepTTL); err != nil {
		return err
	}
	c.Changed(1)
	c.Notify(command.NotifyString, "incrby", 1)
	c.Out.Int(v + by)
	return nil
}

// integer returns the number that r spells, be it stored as one or as text.
func integer(r engine.Record) (int64, bool) {
	if v, ok := r.Int(); ok {
		return v, true
	}
	if r.Len() > 20 {
		return 0, false
	}
	var digits [20]byte
	return command.ParseInt(r.Bytes(digits[:0]))
}

// slowEdit reports whether a change in place of the string r, which will be n bytes long,
// has to copy so much that it needs an owner: a snapshot may have pinned it, or it must
// move to grow.
func slowEdit(c *command.Ctx, slot slots.Slot, key []byte, r engine.Record, n int) bool {
	if c.Owner || r.Len() <= command.SlowBytes {
		return false
	}
	var e engine.StringEdit
	c.DB.OpenEdit(&e, slot, key)
	return c.Slow(1, e.GrowCost(n))
}

func appendTo(c *command.Ctx) error {
	slot, key, suffix := c.Slot(1), c.Args[1], c.Args[2]
	r, found := c.DB.Find(slot, key)
	if err := isString(r, found); err != nil {
		return err
	}
	if c.Slow(1, len(suffix)) || found && slowEdit(c, slot, key, r, r.Len()+len(suffix)) {
		return command.ErrSlow
	}
	n, err := len(suffix), error(nil)
	if !found { // a new key is stored as by SET: "12" becomes an integer
		err = c.DB.SetString(slot, key, suffix, 0)
	} else {
		if err := fits(c, int64(r.Len()), int64(n)); err != nil {
			return err
		}
		n, err = c.DB.AppendString(slot, key, suffix)
	}
	if err != nil {
		return err
	}
	c.Changed(1)
	c.Notify(command.NotifyString, "append", 1)
	c.Out.Int(int64(n))
	return nil
}

func setrange(c *command.Ctx) error {
	off, err := c.Int(2)
	if err != nil {
		return err
	}
	if off < 0 {
		return resp.ErrOffsetOutOfRange
	}
	slot, key, val := c.Slot(1), c.Args[1], c.Args[3]
	r, found := c.DB.Find(slot, key)
	if err := isString(r, found); err != nil {
		return err
	}
	have := 0
	if found {
		have = r.Len()
	}
	if len(val) == 0 {
		c.Out.Int(int64(have))
		return nil
	}
	if err := fits(c, off, int64(len(val))); err != nil {
		return err
	}
	if c.Slow(1, max(len(val), int(off)+len(val)-have)) || found && slowEdit(c, slot, key, r, max(have, int(off)+len(val))) {
		return command.ErrSlow
	}
	n, err := c.DB.SetRange(slot, key, int(off), val)
	if err != nil {
		return err
	}
	c.Changed(1)
	c.Notify(command.NotifyString, "setrange", 1)
	c.Out.Int(int64(n))
	return nil
}
