package list

import (
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/resp"
)

// The blocking commands are the others plus a wait: what they do is propagated as what
// the others would be.

var (
	wordLMove     = []byte("LMOVE")
	wordRPopLPush = []byte("RPOPLPUSH")
)

func blpop(c *command.Ctx) error { return blockingPop(c, left) }
func brpop(c *command.Ctx) error { return blockingPop(c, right) }

func blockingPop(c *command.Ctx, at side) error {
	last := len(c.Args) - 1
	deadline, err := c.Deadline(last)
	if err != nil {
		return err
	}
	for key := 1; key < last; key++ {
		var l engine.List
		found, err := open(c, &l, key)
		if err != nil {
			return err
		}
		if !found {
			continue
		}
		begin := len(c.Out.Buf)
		c.Out.Array(2)
		c.Out.Bulk(c.Args[key])
		if err := popOne(c, &l, key, at); err != nil {
			c.Out.Buf = c.Out.Buf[:begin]
			return err
		}
		c.Effect(c.Slot(key), at.popWord(), c.Args[key])
		return nil
	}
	return waitFor(c, deadline, 1, last-1)
}

// waitFor blocks for n keys from argument first on.
func waitFor(c *command.Ctx, deadline int64, first, n int) error {
	keys := make([]int, n)
	for i := range keys {
		keys[i] = first + i
	}
	return c.BlockOn(deadline, (*resp.Writer).NullArray, keys...)
}

func blmpop(c *command.Ctx) error {
	m, err := parseMany(c, 2)
	if err != nil {
		return err
	}
	deadline, err := c.Deadline(1)
	if err != nil {
		return err
	}
	done, err := popFirst(c, m)
	if err != nil || done {
		return err
	}
	return waitFor(c, deadline, m.first, m.n)
}

func blmove(c *command.Ctx) error {
	from, to, err := sides(c)
	if err != nil {
		return err
	}
	return blockingMove(c, from, to, 5, func() {
		c.Effect(c.Slot(1), wordLMove, c.Args[1], c.Args[2], c.Args[3], c.Args[4])
	})
}

func brpoplpush(c *command.Ctx) error {
	return blockingMove(c, right, left, 3, func() {
		c.Effect(c.Slot(1), wordRPopLPush, c.Args[1], c.Args[2])
	})
}

// blockingMove moves an element, or waits for one until the timeout at argument timeout.
func blockingMove(c *command.Ctx, from, to side, timeout int, stage func()) error {
	deadline, err := c.Deadline(timeout)
	if err != nil {
		return err
	}
	done, err := move(c, from, to)
	switch {
	case err != nil:
		return err
	case done:
		stage()
		return nil
	}
	if c.InExec || c.Applying {
		c.Out.Null() // not the null of a timeout, which is that of an array
		return nil
	}
	return c.BlockOn(deadline, (*resp.Writer).NullArray, 1)
}
