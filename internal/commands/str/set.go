package str

import (
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/resp"
)

func set(c *command.Ctx) error {
	if len(c.Args) == 3 {
		return setPlain(c, 1, 2, replyOK)
	}
	o, err := parseOptions(c, 3, optConditions|optGet|optKeepTTL)
	if err != nil {
		return err
	}
	return setWith(c, 2, o)
}

// setKeyFlags tells that only SET with GET, or with a comparison, reads its key (Redis
// 7.2, db.c, setGetKeys; Redis 8.4 for the comparisons).
func setKeyFlags(args [][]byte) command.KeyFlags {
	for _, word := range args[min(3, len(args)):] {
		if command.Is(word, "get") || comparison(word) != 0 {
			return command.KeyRW | command.KeyAccess | command.KeyUpdate
		}
	}
	return command.KeyOW | command.KeyUpdate
}

func setex(c *command.Ctx) error  { return setWith(c, 3, options{seen: optEX, expire: 2}) }
func psetex(c *command.Ctx) error { return setWith(c, 3, options{seen: optPX, expire: 2}) }

func replyOK(out *resp.Writer)  { out.OK() }
func replyOne(out *resp.Writer) { out.Int(1) }

// setPlain stores argument val at the key of argument key, dropping its expiry.
func setPlain(c *command.Ctx, key, val int, reply func(*resp.Writer)) error {
	if c.Slow(1, len(c.Args[val])) {
		return command.ErrSlow
	}
	if err := c.DB.SetString(c.Slot(key), c.Args[key], c.Args[val], 0); err != nil {
		return err
	}
	c.Changed(1)
	c.Notify(command.NotifyString, "set", key)
	reply(c.Out)
	return nil
}

// setWith is SET with options: argument val goes to the key at argument 1.
func setWith(c *command.Ctx, val int, o options) error {
	at, err := o.expireAt(c)
	if err != nil {
		return err
	}
	if c.Slow(1, len(c.Args[val])) {
		return command.ErrSlow
	}
	slot, key := c.Slot(1), c.Args[1]
	holds := true
	if o.match != 0 {
		if holds, err = o.compares(c); err != nil {
			return err
		}
	}
	begin, found := len(c.Out.Buf), false
	if o.seen&optGet != 0 {
		if found, err = replyKey(c); err != nil {
			return err
		}
	} else if o.seen&(optNX|optXX) != 0 {
		_, found = c.DB.Find(slot, key)
	}
	if !holds || o.seen&optNX != 0 && found || o.seen&optXX != 0 && !found {
		if o.seen&optGet == 0 {
			c.Out.Null()
		}
		return nil
	}
	if o.seen&optKeepTTL != 0 {
		at = engine.KeepTTL
	}
	if err := c.DB.SetString(slot, key, c.Args[val], at); err != nil {
		c.Out.Buf = c.Out.Buf[:begin]
		return err
	}
	c.Changed(1)
	c.Notify(command.NotifyString, "set", 1)
	switch {
	case o.seen&optKeepTTL != 0:
		c.Effect(slot, wordSet, key, c.Args[val], wordKeepTTL)
	case at != 0:
		var digits [20]byte
		c.Effect(slot, wordSet, key, c.Args[val], wordPXAT, appendInt(digits[:0], at))
		c.Notify(command.NotifyGeneric, "expire", 1)
	default:
		c.Effect(slot, wordSet, key, c.Args[val])
	}
	if o.seen&optGet == 0 {
		c.Out.OK()
	}
	return nil
}

func setnx(c *command.Ctx) error {
	if _, found := c.DB.Find(c.Slot(1), c.Args[1]); found {
		c.Out.Int(0)
		return nil
	}
	return setPlain(c, 1, 2, replyOne)
}

func getset(c *command.Ctx) error {
	if c.Slow(1, len(c.Args[2])) {
		return command.ErrSlow
	}
	begin := len(c.Out.Buf)
	if _, err := replyKey(c); err != nil {
		return err
	}
	slot := c.Slot(1)
	if err := c.DB.SetString(slot, c.Args[1], c.Args[2], 0); err != nil {
		c.Out.Buf = c.Out.Buf[:begin]
		return err
	}
	c.Changed(1)
	c.Effect(slot, wordSet, c.Args[1], c.Args[2])
	c.Notify(command.NotifyString, "set", 1)
	return nil
}

func mset(c *command.Ctx) error {
	if err := pairsRunnable(c); err != nil {
		return err
	}
	return setPairs(c, replyOK)
}

func msetnx(c *command.Ctx) error {
	if err := pairsRunnable(c); err != nil {
		return err
	}
	for i, slot := range c.EachKey(1, 2) {
		if _, found := c.DB.Find(slot, c.Args[i]); found {
			c.Out.Int(0)
			return nil
		}
	}
	return setPairs(c, replyOne)
}

// pairsRunnable refuses a key without a value and asks for ownership if the pairs are
// many or long.
func pairsRunnable(c *command.Ctx) error {
	if len(c.Args)%2 == 0 {
		return resp.WrongArity(c.Spec.FullName())
	}
	bytes := 0
	for i := 2; i < len(c.Args); i += 2 {
		bytes += len(c.Args[i])
	}
	if c.Slow(len(c.Args)/2, bytes) {
		return command.ErrSlow
	}
	return nil
}

func setPairs(c *command.Ctx, reply func(*resp.Writer)) error {
	for i, slot := range c.EachKey(1, 2) {
		if err := c.DB.SetString(slot, c.Args[i], c.Args[i+1], 0); err != nil {
			for j := 1; j < i; j += 2 { // what is stored stays, so it must be propagated
				c.Effect(c.Slot(j), wordSet, c.Args[j], c.Args[j+1])
				c.TouchIn(c.DB.DB(), j)
			}
			return err
		}
		c.Changed(1)
		c.Notify(command.NotifyString, "set", i)
	}
	reply(c.Out)
	return nil
}
