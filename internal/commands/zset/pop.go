package zset

import (
	"math"
	"strconv"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/resp"
)

func zpopmin(c *command.Ctx) error { return pop(c, false) }
func zpopmax(c *command.Ctx) error { return pop(c, true) }

func pop(c *command.Ctx, max bool) error {
	if len(c.Args) > 3 {
		return resp.ErrSyntax
	}
	count := 1
	if len(c.Args) == 3 {
		n, ok := command.ParseInt(c.Args[2])
		if !ok || n < 0 {
			return resp.ErrPositiveOutOfRange
		}
		count = int(min(n, math.MaxInt32))
	}
	var z engine.ZSet
	found, err := openWrite(c, &z, 1)
	if err != nil {
		return err
	}
	if !found || count == 0 {
		c.Out.Array(0)
		return nil
	}
	if c.Slow(min(count, z.Len()), 0) {
		return command.ErrSlow
	}
	n := min(count, z.Len())
	nested := c.Out.RESP3 && len(c.Args) == 3
	if nested {
		c.Out.Array(n)
	} else {
		c.Out.Array(2 * n)
	}
	take(c, &z, 1, n, max, nested)
	return nil
}

// take replies with the n least or greatest members of the set at argument key, with
// their scores, and removes them.
func take(c *command.Ctx, z *engine.ZSet, key, n int, max, nested bool) {
	size, event := z.Len(), "zpopmin"
	first := 0
	if max {
		first, event = size-1, "zpopmax"
	}
	it := z.At(first)
	for range n {
		if nested {
			c.Out.Array(2)
		}
		c.Out.Bulk(it.Member())
		c.Out.Double(it.Score())
		if max {
			it.Prev()
		} else {
			it.Next()
		}
	}
	if max {
		z.RemoveRanks(size-n, size)
	} else {
		z.RemoveRanks(0, n)
	}
	removed(c, z, event, key, n)
}

// takeFirst takes from the first of the keys at arguments first to last that is there;
// false if none is.
func takeFirst(c *command.Ctx, first, last, count int, max, nested bool) (done bool, err error) {
	for key := first; key <= last; key++ {
		var z engine.ZSet
		found, err := openWrite(c, &z, key)
		if err != nil {
			return false, err
		}
		if !found {
			continue
		}
		n := min(count, z.Len())
		if c.Slow(n, 0) {
			return false, command.ErrSlow
		}
		if nested {
			c.Out.Array(2)
			c.Out.Bulk(c.Args[key])
			c.Out.Array(n)
		} else {
			c.Out.Array(3)
			c.Out.Bulk(c.Args[key])
		}
		take(c, &z, key, n, max, nested)
		word := wordZPopMin
		if max {
			word = wordZPopMax
		}
		if nested {
			var digits [20]byte
			c.Effect(c.Slot(key), word, c.Args[key], strconv.AppendInt(digits[:0], int64(n), 10))
		} else {
			c.Effect(c.Slot(key), word, c.Args[key])
		}
		return true, nil
	}
	return false, nil
}

// multiPop is what ZMPOP and BZMPOP ask for.
type multiPop struct {
	first, last int // arguments of the keys
	max         bool
	count       int
}

// parseMultiPop reads from the number of keys at argument at on.
func parseMultiPop(c *command.Ctx, at int) (m multiPop, err error) {
	n, err := c.NumKeys(at)
	if err != nil {
		return m, err
	}
	if n >= int64(len(c.Args)-at-1) {
		return m, resp.ErrSyntax
	}
	m = multiPop{first: at + 1, last: at + int(n), count: -1}
	switch where := c.Args[m.last+1]; {
	case command.Is(where, "max"):
		m.max = true
	case !command.Is(where, "min"):
		return m, resp.ErrSyntax
	}
	for i := m.last + 2; i < len(c.Args); i += 2 {
		if m.count != -1 || i+1 == len(c.Args) || !command.Is(c.Args[i], "count") {
			return m, resp.ErrSyntax
		}
		n, ok := command.ParseInt(c.Args[i+1])
		if !ok || n < 1 {
			return m, command.ErrMinCount
		}
		m.count = int(min(n, math.MaxInt32))
	}
	if m.count == -1 {
		m.count = 1
	}
	return m, nil
}

func zmpop(c *command.Ctx) error {
	m, err := parseMultiPop(c, 1)
	if err != nil {
		return err
	}
	done, err := takeFirst(c, m.first, m.last, m.count, m.max, true)
	if err == nil && !done {
		c.Out.NullArray()
	}
	return err
}
