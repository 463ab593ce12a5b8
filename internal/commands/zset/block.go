package zset

import (
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/resp"
)

func bzpopmin(c *command.Ctx) error { return blockingPop(c, false) }
func bzpopmax(c *command.Ctx) error { return blockingPop(c, true) }

func blockingPop(c *command.Ctx, max bool) error {
	last := len(c.Args) - 2
	deadline, err := c.Deadline(last + 1)
	if err != nil {
		return err
	}
	done, err := takeFirst(c, 1, last, 1, max, false)
	if err != nil || done {
		return err
	}
	return wait(c, deadline, 1, last)
}

func bzmpop(c *command.Ctx) error {
	m, err := parseMultiPop(c, 2)
	if err != nil {
		return err
	}
	deadline, err := c.Deadline(1)
	if err != nil {
		return err
	}
	done, err := takeFirst(c, m.first, m.last, m.count, m.max, true)
	if err != nil || done {
		return err
	}
	return wait(c, deadline, m.first, m.last)
}

// wait blocks on the keys at arguments first to last.
func wait(c *command.Ctx, deadline int64, first, last int) error {
	keys := make([]int, 0, last-first+1)
	for i := first; i <= last; i++ {
		keys = append(keys, i)
	}
	return c.BlockOn(deadline, (*resp.Writer).NullArray, keys...)
}
