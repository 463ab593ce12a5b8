package zset

import (
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/resp"
)

var (
	errNXAndXX  = resp.NewError("ERR XX and NX options at the same time are not compatible")
	errGTLTNX   = resp.NewError("ERR GT, LT, and/or NX options at the same time are not compatible")
	errIncrPair = resp.NewError("ERR INCR option supports a single increment-element pair")
	errNaN      = resp.NewError("ERR resulting score is not a number (NaN)")
)

func zadd(c *command.Ctx) error    { return add(c, 0, "zadd") }
func zincrby(c *command.Ctx) error { return add(c, engine.ZAddIncr, "zincr") }

// addOptions are the words between the key and the first score.
type addOptions struct {
	how   engine.ZAdd
	ch    bool
	first int // argument of the first score
}

func parseAdd(c *command.Ctx, how engine.ZAdd) (o addOptions, err error) {
	o = addOptions{how: how, first: 2}
	for ; o.first < len(c.Args); o.first++ {
		word := c.Args[o.first]
		if len(word) < 2 || len(word) > 4 || word[0] < 'A' { // most often a score
			break
		}
		switch {
		case command.Is(word, "nx"):
			o.how |= engine.ZAddNX
		case command.Is(word, "xx"):
			o.how |= engine.ZAddXX
		case command.Is(word, "ch"):
			o.ch = true
		case command.Is(word, "incr"):
			o.how |= engine.ZAddIncr
		case command.Is(word, "gt"):
			o.how |= engine.ZAddGT
		case command.Is(word, "lt"):
			o.how |= engine.ZAddLT
		default:
			return o, o.check(len(c.Args))
		}
	}
	return o, o.check(len(c.Args))
}

func (o *addOptions) check(args int) error {
	has := func(f engine.ZAdd) bool { return o.how&f != 0 }
	switch n := args - o.first; {
	case n == 0 || n%2 != 0:
		return resp.ErrSyntax
	case has(engine.ZAddNX) && has(engine.ZAddXX):
		return errNXAndXX
	case has(engine.ZAddNX) && has(engine.ZAddGT|engine.ZAddLT), has(engine.ZAddGT) && has(engine.ZAddLT):
		return errGTLTNX
	case has(engine.ZAddIncr) && n > 2:
		return errIncrPair
	}
	return nil
}

// add is ZADD and ZINCRBY. All scores are read before anything changes.
func add(c *command.Ctx, how engine.ZAdd, event string) error {
	o, err := parseAdd(c, how)
	if err != nil {
		return err
	}
	if o.how&engine.ZAddIncr != 0 {
		event = "zincr"
	}
	score, err := c.Double(o.first)
	if err != nil {
		return err
	}
	for i := o.first + 2; i < len(c.Args); i += 2 {
		if _, err := c.Double(i); err != nil {
			return err
		}
	}
	var z engine.ZSet
	if _, err := openWrite(c, &z, 1); err != nil {
		return err
	}
	if c.Slow((len(c.Args)-o.first)/2, 0) {
		return command.ErrSlow
	}
	var added, updated int
	var did engine.ZChange
	for i := o.first; i < len(c.Args); i += 2 {
		if i > o.first {
			score, _ = c.Double(i)
		}
		if did, score, err = z.Add(c.Args[i+1], score, o.how); err != nil {
			break
		}
		switch did {
		case engine.ZAdded:
			added++
		case engine.ZUpdated:
			updated++
		}
	}
	if added+updated > 0 {
		c.Changed(added + updated)
		c.Notify(command.NotifyZSet, event, 1)
	}
	switch {
	case err != nil: // what was added stays, and has been propagated with the rest
		return err
	case did == engine.ZNaN:
		return errNaN
	case o.how&engine.ZAddIncr == 0 && o.ch:
		c.Out.Int(int64(added + updated))
	case o.how&engine.ZAddIncr == 0:
		c.Out.Int(int64(added))
	case did == engine.ZNone:
		c.Out.Null()
	default:
		c.Out.Double(score)
	}
	return nil
}
