package zset

import (
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/double"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/resp"
)

func zcard(c *command.Ctx) error {
	var z engine.ZSet
	if _, err := openRead(c, &z, 1); err != nil {
		return err
	}
	c.Out.Int(int64(z.Len()))
	return nil
}

func zscore(c *command.Ctx) error {
	var z engine.ZSet
	if _, err := openRead(c, &z, 1); err != nil {
		return err
	}
	if score, ok := z.Score(c.Args[2]); ok {
		c.Out.Double(score)
	} else {
		c.Out.Null()
	}
	return nil
}

func zmscore(c *command.Ctx) error {
	if c.Slow(len(c.Args), 0) {
		return command.ErrSlow
	}
	var z engine.ZSet
	if _, err := openRead(c, &z, 1); err != nil {
		return err
	}
	c.Out.Array(len(c.Args) - 2)
	for _, member := range c.Args[2:] {
		if score, ok := z.Score(member); ok {
			c.Out.Double(score)
		} else {
			c.Out.Null()
		}
	}
	return nil
}

func zrank(c *command.Ctx) error    { return rank(c, false) }
func zrevrank(c *command.Ctx) error { return rank(c, true) }

func rank(c *command.Ctx, reverse bool) error {
	withScore := len(c.Args) > 3
	switch {
	case len(c.Args) > 4:
		return resp.WrongArity(c.Spec.FullName())
	case withScore && !command.Is(c.Args[3], "withscore"):
		return resp.ErrSyntax
	}
	var z engine.ZSet
	if _, err := openRead(c, &z, 1); err != nil {
		return err
	}
	rank, score, ok := z.Rank(c.Args[2])
	if reverse {
		rank = z.Len() - 1 - rank
	}
	switch {
	case !ok && withScore:
		c.Out.NullArray()
	case !ok:
		c.Out.Null()
	case withScore:
		c.Out.Array(2)
		c.Out.Int(int64(rank))
		c.Out.Double(score)
	default:
		c.Out.Int(int64(rank))
	}
	return nil
}

func zcount(c *command.Ctx) error {
	r, ok := parseScores(c.Args[2], c.Args[3])
	if !ok {
		return errScoreRange
	}
	var z engine.ZSet
	if _, err := openRead(c, &z, 1); err != nil {
		return err
	}
	from, to := z.ScoreRanks(&r)
	c.Out.Int(int64(to - from))
	return nil
}

func zlexcount(c *command.Ctx) error {
	r, ok := parseLex(c.Args[2], c.Args[3])
	if !ok {
		return errLexRange
	}
	var z engine.ZSet
	found, err := z.Open(&c.DB, c.Slot(1), c.Args[1])
	if err == nil && c.Slow(z.LexCost(), 0) {
		return command.ErrSlow
	}
	c.Count(found || err != nil)
	if err != nil {
		return err
	}
	from, to := z.LexRanks(&r, false)
	c.Out.Int(int64(to - from))
	return nil
}

func zscan(c *command.Ctx) error {
	s, err := c.Scan(2)
	if err != nil {
		return err
	}
	var z engine.ZSet
	found, err := z.Open(&c.DB, c.Slot(1), c.Args[1])
	if found {
		err = s.Options(c, 3)
	}
	if err == nil && c.Slow(s.Count, 0) {
		return command.ErrSlow
	}
	c.Count(z.Exists())
	if err != nil {
		return err
	}
	if !found {
		s.None(c)
		return nil
	}
	big := z.Rooted()
	seen, n := 0, 0
	visit := func(member []byte, score float64) {
		seen++
		if !s.Matches(member) {
			return
		}
		n += 2
		c.Out.Bulk(member)
		var text [double.MaxBytes]byte
		if big { // as Redis, which prints these by other means
			c.Out.Bulk(double.Append17(text[:0], score))
		} else {
			c.Out.Bulk(double.Append(text[:0], score))
		}
	}
	for s.More(z.Scan(s.Cursor, visit), seen) {
	}
	s.Reply(c, n)
	return nil
}
