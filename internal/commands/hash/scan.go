package hash

import (
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/resp"
)

func hscan(c *command.Ctx) error {
	s, err := c.Scan(2)
	if err != nil {
		return err
	}
	var h engine.Hash
	found, err := openRead(c, &h)
	if err != nil {
		return err
	}
	if !found {
		s.None(c)
		return nil
	}
	noValues, err := scanOptions(c, &s)
	if err != nil {
		return err
	}
	if c.Slow(min(s.Count, h.Len()), 0) {
		c.Hits--
		return command.ErrSlow
	}
	n, seen := 0, 0
	for more := true; more; {
		more = s.More(h.Scan(s.Cursor, func(field, value []byte) {
			seen++
			if !s.Matches(field) {
				return
			}
			n++
			c.Out.Bulk(field)
			if !noValues {
				n++
				c.Out.Bulk(value)
			}
		}), seen)
	}
	s.Reply(c, n)
	return nil
}

// scanOptions takes NOVALUES (Redis 7.4) off the options.
func scanOptions(c *command.Ctx, s *command.Scan) (noValues bool, err error) {
	args := c.Args
	if last := len(args) - 1; last >= 3 && command.Is(args[last], "novalues") {
		noValues = true
		c.Args = args[:last]
	}
	err = s.Options(c, 3)
	c.Args = args
	return noValues, err
}

func (x *handlers) hrandfield(c *command.Ctx) error {
	if len(c.Args) == 2 {
		var h engine.Hash
		if _, err := openRead(c, &h); err != nil {
			return err
		}
		if field, _, ok := h.Random(x.random); ok {
			c.Out.Bulk(field)
		} else {
			c.Out.Null()
		}
		return nil
	}
	count, withValues, err := c.Draws("withvalues")
	if err != nil {
		return err
	}
	var h engine.Hash
	found, err := openRead(c, &h)
	if err != nil {
		return err
	}
	live := h.Live()
	n := int(min(max(count, -count), int64(live)))
	if count < 0 && live > 0 {
		n = int(-count)
	}
	if found && count < -command.MaxDraws {
		return resp.ErrOutOfRange
	}
	if found && c.Slow(n, 0) {
		c.Hits--
		return command.ErrSlow
	}
	r := drawn{c: c, withValues: withValues}
	r.head(n)
	switch {
	case n == 0:
	case count < 0:
		for range n {
			field, value, _ := h.Random(x.random)
			r.reply(field, value)
		}
	case n*3 > live:
		x.sample(&h, n, live, r.reply)
	default:
		x.pick(&h, n, r.reply)
	}
	return nil
}

// drawn is a reply of fields drawn at random.
type drawn struct {
	c          *command.Ctx
	withValues bool
}

func (r *drawn) head(n int) {
	if r.withValues && !r.c.Out.RESP3 {
		n *= 2
	}
	r.c.Out.Array(n)
}

func (r *drawn) reply(field, value []byte) {
	if r.withValues && r.c.Out.RESP3 {
		r.c.Out.Array(2)
	}
	r.c.Out.Bulk(field)
	if r.withValues {
		r.c.Out.Bulk(value)
	}
}

// sample visits n of live fields, each with the same chance, in their order (Knuth, vol.
// 2, 3.4.2, algorithm S).
func (x *handlers) sample(h *engine.Hash, n, live int, visit func(field, value []byte)) {
	h.Each(func(field, value []byte, _ int64) bool {
		if x.random()%uint64(live) < uint64(n) {
			visit(field, value)
			n--
		}
		live--
		return n > 0
	})
}

// pick is sample for few of many: draws until n different ones have come.
func (x *handlers) pick(h *engine.Hash, n int, visit func(field, value []byte)) {
	seen := make(map[string]struct{}, min(n, 1024))
	for len(seen) < n {
		field, value, _ := h.Random(x.random)
		if _, again := seen[string(field)]; !again {
			seen[string(field)] = struct{}{}
			visit(field, value)
		}
	}
}
