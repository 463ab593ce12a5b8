package set

import (
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
)

// slowArgs asks for ownership where the members among the arguments from i on are many
// or long.
func slowArgs(c *command.Ctx, i int) bool {
	bytes := 0
	for _, member := range c.Args[i:] {
		bytes += len(member)
	}
	return c.Slow(len(c.Args)-i, bytes)
}

func sadd(c *command.Ctx) error {
	if slowArgs(c, 2) {
		return command.ErrSlow
	}
	var s engine.Set
	if _, err := openWrite(c, &s, 1); err != nil {
		return err
	}
	if err := s.Expect(len(c.Args) - 2); err != nil {
		return err
	}
	added := 0
	for i, member := range c.Args[2:] {
		isNew, err := s.Add(member)
		if err != nil {
			if added > 0 { // what is added stays, so it must be propagated
				c.Changed(added)
				c.Notify(command.NotifySet, "sadd", 1)
				c.Effect(c.Slot(1), c.Args[:2+i]...)
				c.TouchIn(c.DB.DB(), 1)
			}
			return err
		}
		if isNew {
			added++
		}
	}
	if added > 0 {
		c.Changed(added)
		c.Notify(command.NotifySet, "sadd", 1)
	}
	c.Out.Int(int64(added))
	return nil
}

func srem(c *command.Ctx) error {
	if slowArgs(c, 2) {
		return command.ErrSlow
	}
	var s engine.Set
	if _, err := openWrite(c, &s, 1); err != nil {
		return err
	}
	gone := 0
	for _, member := range c.Args[2:] {
		if s.Remove(member) {
			gone++
		}
	}
	if gone > 0 {
		removed(c, &s, "srem", 1, gone)
	}
	c.Out.Int(int64(gone))
	return nil
}

func scard(c *command.Ctx) error {
	var s engine.Set
	if _, err := openRead(c, &s, 1); err != nil {
		return err
	}
	c.Out.Int(int64(s.Len()))
	return nil
}

func sismember(c *command.Ctx) error {
	var s engine.Set
	if _, err := openRead(c, &s, 1); err != nil {
		return err
	}
	replyHas(c, &s, c.Args[2])
	return nil
}

func smismember(c *command.Ctx) error {
	if slowArgs(c, 2) {
		return command.ErrSlow
	}
	var s engine.Set
	if _, err := openRead(c, &s, 1); err != nil {
		return err
	}
	c.Out.Array(len(c.Args) - 2)
	for _, member := range c.Args[2:] {
		replyHas(c, &s, member)
	}
	return nil
}

func replyHas(c *command.Ctx, s *engine.Set, member []byte) {
	if s.Has(member) {
		c.Out.Int(1)
	} else {
		c.Out.Int(0)
	}
}

// smove adds before it removes, so that nothing has changed where there is no room. A
// set that is source and target at once stays as it is (Redis 7.2, t_set.c, smoveCommand).
func smove(c *command.Ctx) error {
	var src, dst engine.Set
	member := c.Args[3]
	found, err := openWrite(c, &src, 1)
	switch {
	case err != nil:
		return err
	case !found:
		c.Out.Int(0)
		return nil
	}
	if _, err := openWrite(c, &dst, 2); err != nil {
		return err
	}
	if !src.Has(member) {
		c.Out.Int(0)
		return nil
	}
	if string(c.Args[1]) == string(c.Args[2]) {
		c.Out.Int(1)
		return nil
	}
	added, err := dst.Add(member)
	if err != nil {
		return err
	}
	if _, err := openWrite(c, &src, 1); err != nil { // the change of dst has ended the handle
		return err
	}
	src.Remove(member)
	removed(c, &src, "srem", 1, 1)
	if added {
		c.Changed(1)
		c.Notify(command.NotifySet, "sadd", 2)
	}
	c.Out.Int(1)
	return nil
}

// smembers replies in the order of an intset or listpack; a table has none.
func smembers(c *command.Ctx) error {
	var s engine.Set
	if _, err := openRead(c, &s, 1); err != nil {
		return err
	}
	r := startReply(c)
	if c.Slow(s.Len(), 0) {
		return r.slow()
	}
	c.Out.Set(s.Len())
	fits := true
	s.Each(func(member []byte) bool {
		c.Out.Bulk(member)
		fits = !c.Slow(0, r.len())
		return fits
	})
	if !fits {
		return r.slow()
	}
	return nil
}

// sscan reads its options only once it has found the key, as Redis does.
func sscan(c *command.Ctx) error {
	scan, err := c.Scan(2)
	if err != nil {
		return err
	}
	var s engine.Set
	found, err := s.Open(&c.DB, c.Slot(1), c.Args[1])
	if found && err == nil {
		err = scan.Options(c, 3)
	}
	if err == nil && c.Slow(scanCost(&s, scan.Count), 0) {
		return command.ErrSlow
	}
	c.Count(found || err != nil)
	if err != nil {
		return err
	}
	n, seen := 0, 0
	visit := func(member []byte) {
		seen++
		if scan.Matches(member) {
			c.Out.Bulk(member)
			n++
		}
	}
	for scan.More(s.Scan(scan.Cursor, visit), seen) {
	}
	scan.Reply(c, n)
	return nil
}

// scanCost is about how many members a step visits: a packed set is one step.
func scanCost(s *engine.Set, count int) int {
	if s.Exists() && s.Rooted() {
		return min(s.Len(), count)
	}
	return s.Len()
}
