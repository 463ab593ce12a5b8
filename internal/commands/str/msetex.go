package str

import (
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/resp"
)

var (
	errNumKeys = resp.NewError("ERR invalid numkeys value")
	errPairs   = resp.NewError("ERR wrong number of key-value pairs")
)

// msetex sets all of its keys or, where NX or XX does not hold of every one, none: the
// reply is 1 or 0 (redis.io and valkey.io, MSETEX). It is propagated as a SET a key.
func msetex(c *command.Ctx) error {
	n, ok := command.ParseInt(c.Args[1])
	switch {
	case !ok || n < 1:
		return errNumKeys
	case n > int64(len(c.Args)-2)/2:
		return errPairs
	}
	end := 2 + 2*int(n)
	o, err := parseOptions(c, end, optNX|optXX|optKeepTTL)
	if err != nil {
		return err
	}
	at, err := o.expireAt(c)
	if err != nil {
		return err
	}
	bytes := 0
	for i := 3; i < end; i += 2 {
		bytes += len(c.Args[i])
	}
	if c.Slow(int(n), bytes) {
		return command.ErrSlow
	}
	for i := 2; i < end && o.seen&(optNX|optXX) != 0; i += 2 {
		if _, found := c.DB.Find(c.Slot(i), c.Args[i]); found == (o.seen&optNX != 0) {
			c.Out.Int(0)
			return nil
		}
	}
	if o.seen&optKeepTTL != 0 {
		at = engine.KeepTTL
	}
	for i := 2; i < end; i += 2 {
		if err := setPair(c, i, at, o); err != nil {
			return err
		}
	}
	c.Out.Int(1)
	return nil
}

// setPair sets the key at argument i to the next argument, and propagates it.
func setPair(c *command.Ctx, i int, at int64, o options) error {
	slot, key, val := c.Slot(i), c.Args[i], c.Args[i+1]
	if err := c.DB.SetString(slot, key, val, at); err != nil {
		return err
	}
	c.Changed(1)
	c.TouchIn(c.DB.DB(), i)
	c.Notify(command.NotifyString, "set", i)
	switch {
	case o.seen&optKeepTTL != 0:
		c.Effect(slot, wordSet, key, val, wordKeepTTL)
	case o.expire != 0:
		c.Notify(command.NotifyGeneric, "expire", i)
		var digits [20]byte
		c.Effect(slot, wordSet, key, val, wordPXAT, appendInt(digits[:0], at))
	default:
		c.Effect(slot, wordSet, key, val)
	}
	return nil
}
