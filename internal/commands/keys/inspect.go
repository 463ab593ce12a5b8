package keys

import (
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/resp"
)

func exists(c *command.Ctx) error { return count(c, (*command.Ctx).Glance) }
func touch(c *command.Ctx) error  { return count(c, (*command.Ctx).Read) }

// count replies with the number of keys that look finds, a key named twice twice.
func count(c *command.Ctx, look func(*command.Ctx, int) (engine.Record, bool)) error {
	if c.Slow(len(c.Args)-1, 0) {
		return command.ErrSlow
	}
	n := int64(0)
	for i := range c.EachKey(1, 1) {
		if _, ok := look(c, i); ok {
			n++
		}
	}
	c.Out.Int(n)
	return nil
}

func typeOf(c *command.Ctx) error {
	if r, ok := c.Glance(1); ok {
		c.Out.Simple(r.Type().String())
	} else {
		c.Out.Simple("none")
	}
	return nil
}

// sharedIntegers are the integers that Redis keeps once for all keys, with a reference
// count that never falls (server.h, OBJ_SHARED_INTEGERS, OBJ_SHARED_REFCOUNT).
const (
	sharedIntegers = 10_000
	sharedRefcount = 1<<31 - 1
)

// object replies with what of says of the key at argument 2, null where there is none.
func object(of func(c *command.Ctx, r engine.Record) error) command.Handler {
	return func(c *command.Ctx) error {
		r, ok := c.Glance(2)
		if !ok {
			c.Out.Null()
			return nil
		}
		return of(c, r)
	}
}

func objectEncoding(c *command.Ctx, r engine.Record) error {
	c.Out.BulkString(r.Encoding().String())
	return nil
}

// Texts of Redis 7.2, object.c, objectCommand.
var errNoLFU = resp.NewError("ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.")

var errLFU = resp.NewError("ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.")

func objectFreq(c *command.Ctx, r engine.Record) error {
	freq, ok := c.DB.Freq(r)
	if !ok {
		return errNoLFU
	}
	c.Out.Int(int64(freq))
	return nil
}

func objectIdletime(c *command.Ctx, r engine.Record) error {
	if c.Keyspace.Eviction().Policy.LFU() {
		return errLFU
	}
	c.Out.Int(r.Idle(c.Now()) / 1000)
	return nil
}

func objectRefcount(c *command.Ctx, r engine.Record) error {
	if v, ok := r.Int(); ok && v >= 0 && v < sharedIntegers {
		c.Out.Int(sharedRefcount)
	} else {
		c.Out.Int(1)
	}
	return nil
}

func objectHelp(c *command.Ctx) error {
	c.ReplyHelp(
		"ENCODING <key>",
		"    Return the kind of internal representation used in order to store the value",
		"    associated with a <key>.",
		"FREQ <key>",
		"    Return the access frequency index of the <key>. The returned integer is",
		"    proportional to the logarithm of the recent access frequency of the key.",
		"IDLETIME <key>",
		"    Return the idle time of the <key>, that is the approximated number of",
		"    seconds elapsed since the last access to the key.",
		"REFCOUNT <key>",
		"    Return the number of references of the value associated with the specified",
		"    <key>.",
	)
	return nil
}
