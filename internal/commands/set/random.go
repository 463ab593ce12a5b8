package set

import (
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/resp"
)

const (
	// sampleShare: up to a part of 1/sampleShare of a table, members are drawn one by one
	// until enough are different; past it every member is looked at once.
	sampleShare = 8
	// remBatch bounds the members of one propagated SREM (Redis 7.2, t_set.c).
	remBatch = 1024
)

// spop propagates what it has drawn as SREM.
func (h *handlers) spop(c *command.Ctx) error {
	if len(c.Args) > 2 {
		return h.spopCount(c)
	}
	var s engine.Set
	found, err := openWrite(c, &s, 1)
	if err != nil {
		return err
	}
	if !found {
		c.Out.Null()
		return nil
	}
	member, _ := s.Random(h.Random)
	if c.Slow(1, len(member)) {
		return command.ErrSlow
	}
	c.Out.Bulk(member)
	c.Effect(c.Slot(1), wordSRem, c.Args[1], member)
	s.RemoveDrawn()
	removed(c, &s, "spop", 1, 1)
	return nil
}

// spopCount takes all members at once by deleting the key, which is what is propagated.
func (h *handlers) spopCount(c *command.Ctx) error {
	if len(c.Args) > 3 {
		return resp.ErrSyntax
	}
	count, ok := command.ParseInt(c.Args[2])
	if !ok || count < 0 {
		return resp.ErrPositiveOutOfRange
	}
	var s engine.Set
	if _, err := openWrite(c, &s, 1); err != nil {
		return err
	}
	size := s.Len()
	n := int(min(count, int64(size)))
	if n == 0 {
		c.Out.Set(0)
		return nil
	}
	if c.Slow(h.sampleCost(&s, n), 0) {
		return command.ErrSlow
	}
	var members engine.Members
	h.sample(&s, n, members.Add)
	if c.Slow(0, members.Bytes()) {
		return command.ErrSlow
	}
	slot, key := c.Slot(1), c.Args[1]
	c.Out.Set(n)
	if n == size {
		members.Each(func(member []byte) bool {
			c.Out.Bulk(member)
			return true
		})
		s.Value.Remove()
		c.Effect(slot, wordDel, key)
		removed(c, &s, "spop", 1, n)
		return nil
	}
	words := append(make([][]byte, 0, 2+min(n, remBatch)), wordSRem, key)
	members.Each(func(member []byte) bool {
		c.Out.Bulk(member)
		s.Remove(member)
		if words = append(words, member); len(words) == 2+remBatch {
			c.Effect(slot, words...)
			words = words[:2]
		}
		return true
	})
	if len(words) > 2 {
		c.Effect(slot, words...)
	}
	removed(c, &s, "spop", 1, n)
	return nil
}

// drawsOneByOne reports whether n different members of s are drawn one after the other
// rather than by looking at each.
func drawsOneByOne(s *engine.Set, n int) bool { return s.Rooted() && n <= s.Len()/sampleShare }

func (h *handlers) sampleCost(s *engine.Set, n int) int {
	if drawsOneByOne(s, n) {
		return n
	}
	return s.Len()
}

// sample calls f with n different members, drawn uniformly. REQUIRES: 0 < n <= s.Len().
func (h *handlers) sample(s *engine.Set, n int, f func(member []byte)) {
	if !drawsOneByOne(s, n) {
		s.Sample(n, h.Random, f)
		return
	}
	drawn := make(map[string]struct{}, min(n, command.SlowElements))
	for len(drawn) < n {
		member, ok := s.Random(h.Random)
		if !ok {
			return
		}
		if _, twice := drawn[string(member)]; !twice {
			drawn[string(member)] = struct{}{}
			f(member)
		}
	}
}

func (h *handlers) srandmember(c *command.Ctx) error {
	if len(c.Args) > 2 {
		return h.srandmemberCount(c)
	}
	var s engine.Set
	found, err := openRead(c, &s, 1)
	if err != nil {
		return err
	}
	if !found {
		c.Out.Null()
		return nil
	}
	member, _ := s.Random(h.Random)
	if c.Slow(1, len(member)) {
		c.Hits--
		return command.ErrSlow
	}
	c.Out.Bulk(member)
	return nil
}

// srandmemberCount draws -count members with repetition where count is negative.
func (h *handlers) srandmemberCount(c *command.Ctx) error {
	if len(c.Args) > 3 {
		return resp.ErrSyntax
	}
	count, _, err := c.Draws("")
	if err != nil {
		return err
	}
	r := startReply(c)
	var s engine.Set
	found, err := openRead(c, &s, 1)
	if err != nil {
		return err
	}
	if !found || count == 0 {
		c.Out.Array(0)
		return nil
	}
	if count < -command.MaxDraws {
		return resp.ErrOutOfRange
	}
	n, cost := int(-count), int(-count)
	if count > 0 {
		n = int(min(count, int64(s.Len())))
		cost = h.sampleCost(&s, n)
	}
	if c.Slow(cost, 0) {
		return r.slow()
	}
	c.Out.Array(n)
	if count < 0 {
		for range n {
			member, _ := s.Random(h.Random)
			c.Out.Bulk(member)
			if c.Slow(0, r.len()) {
				return r.slow()
			}
		}
		return nil
	}
	h.sample(&s, n, c.Out.Bulk)
	if c.Slow(0, r.len()) {
		return r.slow()
	}
	return nil
}
