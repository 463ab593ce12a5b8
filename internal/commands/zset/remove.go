package zset

import (
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
)

func zrem(c *command.Ctx) error {
	if c.Slow(len(c.Args), 0) {
		return command.ErrSlow
	}
	var z engine.ZSet
	if _, err := openWrite(c, &z, 1); err != nil {
		return err
	}
	n := 0
	for _, member := range c.Args[2:] {
		if z.Remove(member) {
			n++
		}
	}
	if n > 0 {
		removed(c, &z, "zrem", 1, n)
	}
	c.Out.Int(int64(n))
	return nil
}

func zremrangebyrank(c *command.Ctx) error  { return removeRange(c, byRank, "zremrangebyrank") }
func zremrangebyscore(c *command.Ctx) error { return removeRange(c, byScore, "zremrangebyscore") }
func zremrangebylex(c *command.Ctx) error   { return removeRange(c, byLex, "zremrangebylex") }

func removeRange(c *command.Ctx, kind by, event string) error {
	q := query{by: kind, limit: -1}
	if err := q.parseBounds(c, 1); err != nil {
		return err
	}
	var z engine.ZSet
	if _, err := openWrite(c, &z, 1); err != nil {
		return err
	}
	if c.Slow(q.cost(&z), 0) {
		return command.ErrSlow
	}
	first, n := q.find(&z)
	if n < z.Len() && c.Slow(n, 0) { // all of them go at once
		return command.ErrSlow
	}
	if n > 0 {
		z.RemoveRanks(first, first+n)
		removed(c, &z, event, 1, n)
	}
	c.Out.Int(int64(n))
	return nil
}
