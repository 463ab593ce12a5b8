package hash

import (
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/resp"
)

func hexpire(c *command.Ctx) error    { return setExpiry(c, c.Now(), 1000) }
func hpexpire(c *command.Ctx) error   { return setExpiry(c, c.Now(), 1) }
func hexpireat(c *command.Ctx) error  { return setExpiry(c, 0, 1000) }
func hpexpireat(c *command.Ctx) error { return setExpiry(c, 0, 1) }

// expireMax is the latest expiry of a field, in Unix milliseconds (Redis 7.4, ebuckets.h,
// EB_EXPIRE_TIME_MAX).
const expireMax = 1<<48 - 2

var errExpireNegative = resp.NewError("ERR invalid expire time, must be >= 0")

// What commands on the expiry of fields reply for each field.
const (
	replyNoField  = -2
	replyNoExpiry = -1
	replyRefused  = 0
	replyDone     = 1
	replyDeleted  = 2
)

// setExpiry sets the expiry of fields to base milliseconds plus argument 2 in units of
// unit milliseconds. A time that has passed deletes the field.
func setExpiry(c *command.Ctx, base, unit int64) error {
	var h engine.Hash
	if _, err := openWrite(c, &h); err != nil {
		return err
	}
	t, err := c.Int(2)
	if err != nil {
		return err
	}
	at, err := expiryOf(c, t, base, unit)
	if err != nil {
		return err
	}
	i, allowed := 3, func(int64) bool { return true }
	if !command.Is(c.Args[3], "fields") {
		if allowed = parseCondition(c.Args[3], at); allowed != nil {
			i++
		}
	}
	first, err := parseFields(c, i, 1, errExpireNums)
	if err != nil {
		return err
	}
	if c.Slow(len(c.Args)-first, 0) {
		return command.ErrSlow
	}
	begin := len(c.Out.Buf)
	x := changes{at: at}
	c.Out.Array(len(c.Args) - first)
	for _, field := range c.Args[first:] {
		_, have, ok := h.Get(field)
		switch {
		case !ok:
			c.Out.Int(replyNoField)
		case !allowed(have):
			c.Out.Int(replyRefused)
		default:
			deleted, err := x.expire(c, &h, field)
			if err != nil {
				return x.fail(c, &h, begin, err)
			}
			if deleted {
				c.Out.Int(replyDeleted)
			} else {
				c.Out.Int(replyDone)
			}
		}
	}
	x.end(c, &h)
	return nil
}

// expiryOf returns base milliseconds plus t units, in range.
func expiryOf(c *command.Ctx, t, base, unit int64) (at int64, err error) {
	if t < 0 {
		return 0, errExpireNegative
	}
	if t > expireMax/unit || t*unit > expireMax-base {
		return 0, resp.InvalidExpire(c.Spec.FullName())
	}
	return base + t*unit, nil
}

// parseCondition returns what the word NX, XX, GT or LT allows a field whose expiry is
// have (0: none, which counts as infinitely late), nil for any other word.
func parseCondition(word []byte, at int64) func(have int64) bool {
	switch {
	case command.Is(word, "nx"):
		return func(have int64) bool { return have == 0 }
	case command.Is(word, "xx"):
		return func(have int64) bool { return have != 0 }
	case command.Is(word, "gt"):
		return func(have int64) bool { return have != 0 && at > have }
	case command.Is(word, "lt"):
		return func(have int64) bool { return have == 0 || at < have }
	}
	return nil
}

func hpersist(c *command.Ctx) error {
	var h engine.Hash
	if _, err := openWrite(c, &h); err != nil {
		return err
	}
	first, err := parseFields(c, 2, 1, errNumFields)
	if err != nil {
		return err
	}
	if c.Slow(len(c.Args)-first, 0) {
		return command.ErrSlow
	}
	begin := len(c.Out.Buf)
	var x changes
	c.Out.Array(len(c.Args) - first)
	for _, field := range c.Args[first:] {
		_, have, ok := h.Get(field)
		switch {
		case !ok:
			c.Out.Int(replyNoField)
		case have == 0:
			c.Out.Int(replyNoExpiry)
		default:
			if _, err := h.SetFieldExpireAt(field, 0); err != nil {
				return x.fail(c, &h, begin, err)
			}
			x.persisted = append(x.persisted, field)
			c.Out.Int(replyDone)
		}
	}
	x.end(c, &h)
	return nil
}

func httl(c *command.Ctx) error        { return replyExpiry(c, c.Now(), 1000) }
func hpttl(c *command.Ctx) error       { return replyExpiry(c, c.Now(), 1) }
func hexpiretime(c *command.Ctx) error { return replyExpiry(c, 0, 1000) }

func hpexpiretime(c *command.Ctx) error { return replyExpiry(c, 0, 1) }

// replyExpiry replies with the expiry of fields less base milliseconds, in units of unit
// milliseconds, rounded up.
func replyExpiry(c *command.Ctx, base, unit int64) error {
	var h engine.Hash
	found, err := openRead(c, &h)
	if err != nil {
		return err
	}
	first, err := parseFields(c, 2, 1, errNumFields)
	if err != nil {
		return err
	}
	if c.Slow(len(c.Args)-first, 0) {
		return uncounted(c, found)
	}
	c.Out.Array(len(c.Args) - first)
	for _, field := range c.Args[first:] {
		_, at, ok := h.Get(field)
		switch {
		case !ok:
			c.Out.Int(replyNoField)
		case at == 0:
			c.Out.Int(replyNoExpiry)
		default:
			c.Out.Int((max(at-base, 0) + unit - 1) / unit)
		}
	}
	return nil
}
