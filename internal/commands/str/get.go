package str

import (
	"github.com/redwingdb/redwing/internal/command"
)

func get(c *command.Ctx) error {
	_, err := replyKey(c)
	return err
}

// replyKey replies with the string at argument 1, null where there is none.
func replyKey(c *command.Ctx) (found bool, err error) {
	r, found := c.Read(1)
	if !found {
		c.Out.Null()
		return false, nil
	}
	if err := isString(r, true); err != nil {
		return true, err
	}
	if n := r.Len(); c.Slow(1, n) {
		if c.ReplyLater(1, r, 0, n) {
			return true, nil
		}
		c.Hits-- // counted when it is run again
		return true, command.ErrSlow
	}
	replyValue(c.Out, r)
	return true, nil
}

func strlen(c *command.Ctx) error {
	r, ok := c.Read(1)
	if err := isString(r, ok); err != nil {
		return err
	}
	if !ok {
		c.Out.Int(0)
		return nil
	}
	c.Out.Int(int64(r.Len()))
	return nil
}

func getdel(c *command.Ctx) error {
	found, err := replyKey(c)
	if err != nil || !found {
		return err
	}
	slot := c.Slot(1)
	if c.DB.Delete(slot, c.Args[1]) {
		c.Changed(1)
		c.Effect(slot, wordDel, c.Args[1])
		c.Notify(command.NotifyGeneric, "del", 1)
	}
	return nil
}

func mget(c *command.Ctx) error {
	if c.Slow(len(c.Args), 0) {
		return command.ErrSlow
	}
	begin, hits, misses := len(c.Out.Buf), c.Hits, c.Misses
	c.Out.Array(len(c.Args) - 1)
	for i := range c.EachKey(1, 1) {
		r, ok := c.Read(i)
		if !ok || isString(r, true) != nil {
			c.Out.Null()
			continue
		}
		if c.Slow(0, len(c.Out.Buf)-begin+r.Len()) {
			c.Out.Buf = c.Out.Buf[:begin]
			c.Hits, c.Misses = hits, misses
			return command.ErrSlow
		}
		replyValue(c.Out, r)
	}
	return nil
}

// getrange serves SUBSTR too.
func getrange(c *command.Ctx) error {
	start, err := c.Int(2)
	if err != nil {
		return err
	}
	end, err := c.Int(3)
	if err != nil {
		return err
	}
	r, ok := c.Read(1)
	if err := isString(r, ok); err != nil {
		return err
	}
	if !ok {
		c.Out.BulkString("")
		return nil
	}
	from, to := span(start, end, int64(r.Len()))
	if c.Slow(1, to-from) {
		if c.ReplyLater(1, r, from, to) {
			return nil
		}
		c.Hits--
		return command.ErrSlow
	}
	var digits [20]byte
	c.Out.Bulk(r.Bytes(digits[:0])[from:to])
	return nil
}

// span turns Redis' inclusive indexes, negative ones from the end, into a half-open
// range of a string of n bytes.
func span(start, end, n int64) (from, to int) {
	if start < 0 && end < 0 && start > end {
		return 0, 0
	}
	if start < 0 {
		start = max(0, start+n)
	}
	if end < 0 {
		end = max(0, end+n)
	}
	end = min(end, n-1)
	if start > end || n == 0 {
		return 0, 0
	}
	return int(start), int(end + 1)
}

// getex reads and changes the expiry: what is propagated is that change alone.
func getex(c *command.Ctx) error {
	o, err := parseOptions(c, 2, optPersist)
	if err != nil {
		return err
	}
	r, ok := c.Read(1)
	if !ok {
		c.Out.Null()
		return nil
	}
	if err := isString(r, true); err != nil {
		return err
	}
	at, err := o.expireAt(c)
	if err != nil {
		return err
	}
	if c.Slow(1, r.Len()) {
		c.Hits--
		return command.ErrSlow
	}
	slot, key := c.Slot(1), c.Args[1]
	hadExpiry := r.ExpireAt() != 0
	begin := len(c.Out.Buf)
	replyValue(c.Out, r)
	switch {
	case o.expire == 0 && (o.seen&optPersist == 0 || !hadExpiry):
		return nil
	case o.seen&(optEXAT|optPXAT) != 0 && at <= c.Now() && !c.Applying:
		c.DB.Delete(slot, key)
		c.Effect(slot, wordDel, key)
		c.Notify(command.NotifyGeneric, "del", 1)
	default: // at is 0 for PERSIST
		if _, err := c.DB.SetExpireAt(slot, key, at); err != nil {
			c.Out.Buf = c.Out.Buf[:begin]
			return err
		}
		if at == 0 {
			c.Effect(slot, wordPersist, key)
			c.Notify(command.NotifyGeneric, "persist", 1)
			break
		}
		var digits [20]byte
		c.Effect(slot, wordPExpireAt, key, appendInt(digits[:0], at))
		c.Notify(command.NotifyGeneric, "expire", 1)
	}
	c.Changed(1)
	return nil
}
