package zset

import (
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/resp"
)

func (h *handlers) zrandmember(c *command.Ctx) error {
	if len(c.Args) == 2 {
		var z engine.ZSet
		found, err := openRead(c, &z, 1)
		if err != nil {
			return err
		}
		if !found {
			c.Out.Null()
			return nil
		}
		it := z.At(h.draw(z.Len()))
		c.Out.Bulk(it.Member())
		return nil
	}
	count, withScores, err := c.Draws("withscores")
	if err != nil {
		return err
	}
	var z engine.ZSet
	found, err := z.Open(&c.DB, c.Slot(1), c.Args[1])
	size := 0
	if err == nil {
		size = z.Len()
	}
	n := int(max(count, -count))
	if count > 0 {
		n = int(min(count, int64(size)))
	}
	if found && count < -command.MaxDraws {
		return resp.ErrOutOfRange
	}
	if found && c.Slow(n, 0) {
		return command.ErrSlow
	}
	c.Count(found || err != nil)
	if err != nil {
		return err
	}
	if !found {
		n = 0
	}
	if withScores {
		replyPairs(c.Out, n)
	} else {
		c.Out.Array(n)
	}
	reply := func(it *engine.ZIter) {
		if withScores {
			replyPair(c.Out, it.Member(), it.Score())
		} else {
			c.Out.Bulk(it.Member())
		}
	}
	switch {
	case count < 0:
		for range n {
			it := z.At(h.draw(size))
			reply(&it)
		}
	case n*3 > size:
		h.sample(&z, n, size, reply)
	default:
		h.pick(&z, n, size, reply)
	}
	return nil
}

// draw returns a number from 0 to n-1.
func (h *handlers) draw(n int) int { return int(h.Random() % uint64(n)) }

// sample visits n of size members, each with the same chance, in order (Knuth, vol. 2,
// 3.4.2, algorithm S).
func (h *handlers) sample(z *engine.ZSet, n, size int, visit func(*engine.ZIter)) {
	it := z.At(0)
	for left := size; n > 0; left-- {
		if h.draw(left) < n {
			visit(&it)
			n--
		}
		it.Next()
	}
}

// pick is sample for few of many (Floyd's algorithm).
func (h *handlers) pick(z *engine.ZSet, n, size int, visit func(*engine.ZIter)) {
	taken := make(map[int]struct{})
	for i := size - n; i < size; i++ {
		rank := h.draw(i + 1)
		if _, ok := taken[rank]; ok {
			rank = i
		}
		taken[rank] = struct{}{}
		it := z.At(rank)
		visit(&it)
	}
}
