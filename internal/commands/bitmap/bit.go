package bitmap

import (
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
)

// setbit changes nothing where the bit is already what it shall be and the string long
// enough (Redis 7.2, bitops.c, setbitCommand).
func setbit(c *command.Ctx) error {
	off, err := parseOffset(c, c.Args[2], 0)
	if err != nil {
		return err
	}
	on, ok := command.ParseInt(c.Args[3])
	if !ok || on&^1 != 0 {
		return errBit
	}
	var e engine.StringEdit
	r, found := c.DB.OpenEdit(&e, c.Slot(1), c.Args[1])
	if err := isString(r, found); err != nil {
		return err
	}
	at, mask := int(off>>3), byte(0x80)>>(off&7)
	old := byte(0)
	if found && at < r.Len() {
		var digits [20]byte
		old = r.Bytes(digits[:0])[at] & mask
		if (old != 0) == (on != 0) {
			c.Out.Int(on)
			return nil
		}
	}
	if c.Slow(1, e.GrowCost(at+1)) {
		return command.ErrSlow
	}
	v, err := e.Grow(at + 1)
	if err != nil {
		return err
	}
	if on != 0 {
		v[at] |= mask
	} else {
		v[at] &^= mask
	}
	c.Changed(1)
	c.Notify(command.NotifyString, "setbit", 1)
	if old != 0 {
		old = 1
	}
	c.Out.Int(int64(old))
	return nil
}

func getbit(c *command.Ctx) error {
	off, err := parseOffset(c, c.Args[2], 0)
	if err != nil {
		return err
	}
	r, found := c.Read(1)
	if err := isString(r, found); err != nil {
		return err
	}
	bit := int64(0)
	if at := off >> 3; found && at < int64(r.Len()) {
		var digits [20]byte
		bit = int64(r.Bytes(digits[:0])[at]>>(7-off&7)) & 1
	}
	c.Out.Int(bit)
	return nil
}
