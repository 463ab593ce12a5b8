package keys

import (
	"math"
	"strconv"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/resp"
)

func expire(c *command.Ctx) error    { return setExpiry(c, c.Now(), 1000) }
func pexpire(c *command.Ctx) error   { return setExpiry(c, c.Now(), 1) }
func expireat(c *command.Ctx) error  { return setExpiry(c, 0, 1000) }
func pexpireat(c *command.Ctx) error { return setExpiry(c, 0, 1) }

// condition is a set of the words that say when an expiry is set.
type condition uint8

const (
	ifNone condition = 1 << iota
	ifSome
	ifGreater
	ifLess
)

var (
	errConditionNX = resp.NewError("ERR NX and XX, GT or LT options at the same time are not compatible")
	errConditionGL = resp.NewError("ERR GT and LT options at the same time are not compatible")
)

// parseCondition reads the words from argument 3 on.
func parseCondition(c *command.Ctx) (cond condition, err error) {
	for _, word := range c.Args[3:] {
		switch {
		case command.Is(word, "nx"):
			cond |= ifNone
		case command.Is(word, "xx"):
			cond |= ifSome
		case command.Is(word, "gt"):
			cond |= ifGreater
		case command.Is(word, "lt"):
			cond |= ifLess
		default:
			return 0, command.QuoteError("ERR Unsupported option ", string(word))
		}
	}
	if cond&ifNone != 0 && cond != ifNone {
		return 0, errConditionNX
	}
	if cond&(ifGreater|ifLess) == ifGreater|ifLess {
		return 0, errConditionGL
	}
	return cond, nil
}

// allows reports whether an expiry may become at where it is now have (0: none, which
// counts as infinitely late).
func (cond condition) allows(have, at int64) bool {
	switch {
	case cond&ifNone != 0 && have != 0,
		cond&ifSome != 0 && have == 0,
		cond&ifGreater != 0 && (have == 0 || at <= have),
		cond&ifLess != 0 && have != 0 && at >= have:
		return false
	}
	return true
}

// setExpiry sets the expiry of the key at argument 1 to base milliseconds plus
// argument 2 in units of unit milliseconds. A time that has passed deletes the key,
// but in a stream it is stored as it stands.
func setExpiry(c *command.Ctx, base, unit int64) error {
	cond, err := parseCondition(c)
	if err != nil {
		return err
	}
	at, err := c.Int(2)
	if err != nil {
		return err
	}
	if at > math.MaxInt64/unit || at < math.MinInt64/unit || at*unit > math.MaxInt64-base {
		return resp.InvalidExpire(c.Spec.FullName())
	}
	at = at*unit + base
	slot, key := c.Slot(1), c.Args[1]
	r, ok := c.DB.Find(slot, key)
	if !ok || !cond.allows(r.ExpireAt(), at) {
		c.Out.Int(0)
		return nil
	}
	if at <= c.Now() && !c.Applying {
		c.DB.Delete(slot, key)
		c.Effect(slot, wordDel, key)
		c.Notify(command.NotifyGeneric, "del", 1)
	} else {
		at = max(at, 1) // 0 and below mean something else to the engine
		if _, err := c.DB.SetExpireAt(slot, key, at); err != nil {
			return err
		}
		var digits [20]byte
		c.Effect(slot, wordPExpireAt, key, strconv.AppendInt(digits[:0], at, 10))
		c.Notify(command.NotifyGeneric, "expire", 1)
	}
	c.Changed(1)
	c.Out.Int(1)
	return nil
}

func persist(c *command.Ctx) error {
	slot, key := c.Slot(1), c.Args[1]
	r, ok := c.DB.Find(slot, key)
	if !ok || r.ExpireAt() == 0 {
		c.Out.Int(0)
		return nil
	}
	if _, err := c.DB.SetExpireAt(slot, key, 0); err != nil {
		return err
	}
	c.Changed(1)
	c.Notify(command.NotifyGeneric, "persist", 1)
	c.Out.Int(1)
	return nil
}

func ttl(c *command.Ctx) error         { return replyExpiry(c, c.Now(), true) }
func pttl(c *command.Ctx) error        { return replyExpiry(c, c.Now(), false) }
func expiretime(c *command.Ctx) error  { return replyExpiry(c, 0, true) }
func pexpiretime(c *command.Ctx) error { return replyExpiry(c, 0, false) }

// replyExpiry replies with the expiry of the key at argument 1 less base, rounded to
// seconds or in milliseconds; -1 without expiry, -2 without key.
func replyExpiry(c *command.Ctx, base int64, seconds bool) error {
	r, ok := c.Glance(1)
	at := int64(0)
	if ok {
		at = r.ExpireAt()
	}
	switch left := max(0, at-base); {
	case !ok:
		c.Out.Int(-2)
	case at == 0:
		c.Out.Int(-1)
	case seconds:
		c.Out.Int(left/1000 + (left%1000+500)/1000)
	default:
		c.Out.Int(left)
	}
	return nil
}
