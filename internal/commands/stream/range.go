package stream

import (
	"strings"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/resp"
)

func xlen(c *command.Ctx) error {
	var x engine.Stream
	found, err := openRead(c, &x, 1)
	if err != nil {
		return err
	}
	n := 0
	if found {
		n = x.View().Len()
	}
	c.Out.Int(int64(n))
	return nil
}

func xrange(c *command.Ctx) error { return rangeOf(c, 2, 3, false) }

func xrevrange(c *command.Ctx) error { return rangeOf(c, 3, 2, true) }

func rangeOf(c *command.Ctx, start, end int, reverse bool) error {
	from, err := intervalStart(c, start)
	if err != nil {
		return err
	}
	to, err := intervalEnd(c, end)
	if err != nil {
		return err
	}
	count := int64(-1)
	for i := 4; i < len(c.Args); i += 2 {
		if !is(c.Args[i], "count") || i+1 == len(c.Args) {
			return resp.ErrSyntax
		}
		if count, err = c.Int(i + 1); err != nil {
			return err
		}
		count = max(count, 0)
	}
	var x engine.Stream
	found, err := openRead(c, &x, 1)
	switch {
	case err != nil:
		return err
	case !found:
		c.Out.Array(0)
		return nil
	case count == 0:
		c.Out.NullArray()
		return nil
	}
	count = max(count, 0)
	if slowRange(c, x.View(), from, to, count, reverse) {
		c.Hits-- // counted when it is run again
		return command.ErrSlow
	}
	replyRange(c.Out, x.View(), from, to, count, reverse)
	return nil
}

// is reports whether b is word, a lower-case one, in any letter case.
func is(b []byte, word string) bool {
	return len(b) == len(word) && strings.EqualFold(string(b), word)
}
