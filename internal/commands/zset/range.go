package zset

import (
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/resp"
)

var (
	errLimitByRank = resp.NewError("ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX")
	errLexNoScores = resp.NewError("ERR syntax error, WITHSCORES not supported in combination with BYLEX")
)

// by is what the bounds of a range mean.
type by uint8

const (
	byRank by = iota
	byScore
	byLex
)

// query is a range as ZRANGE and its relatives are asked for it.
type query struct {
	by         by
	reverse    bool
	withScores bool
	offset     int64
	limit      int64 // negative: none

	start, end int64 // by rank
	scores     engine.ScoreRange
	lex        engine.LexRange
}

func zrange(c *command.Ctx) error        { return replyRange(c, query{}, true) }
func zrevrange(c *command.Ctx) error     { return replyRange(c, query{reverse: true}, false) }
func zrangebyscore(c *command.Ctx) error { return replyRange(c, query{by: byScore}, false) }
func zrevrangebyscore(c *command.Ctx) error {
	return replyRange(c, query{by: byScore, reverse: true}, false)
}
func zrangebylex(c *command.Ctx) error { return replyRange(c, query{by: byLex}, false) }
func zrevrangebylex(c *command.Ctx) error {
	return replyRange(c, query{by: byLex, reverse: true}, false)
}

// parse reads the bounds behind the key at argument src and the options behind them. auto
// says that these choose the kind and direction of the range, store that there is no
// reply to give scores in.
func (q *query) parse(c *command.Ctx, src int, auto, store bool) error {
	q.limit = -1
	chosen := false
	for i := src + 3; i < len(c.Args); i++ {
		word, left := c.Args[i], len(c.Args)-i-1
		switch {
		case !store && command.Is(word, "withscores"):
			q.withScores = true
		case left >= 2 && command.Is(word, "limit"):
			var err error
			if q.offset, err = c.Int(i + 1); err != nil {
				return err
			}
			if q.limit, err = c.Int(i + 2); err != nil {
				return err
			}
			i += 2
		case auto && !q.reverse && command.Is(word, "rev"):
			q.reverse = true
		case auto && !chosen && command.Is(word, "bylex"):
			q.by, chosen = byLex, true
		case auto && !chosen && command.Is(word, "byscore"):
			q.by, chosen = byScore, true
		default:
			return resp.ErrSyntax
		}
	}
	switch {
	case q.limit != -1 && q.by == byRank:
		return errLimitByRank
	case q.withScores && q.by == byLex:
		return errLexNoScores
	}
	return q.parseBounds(c, src)
}

func (q *query) parseBounds(c *command.Ctx, src int) (err error) {
	min, max := c.Args[src+1], c.Args[src+2]
	if q.reverse {
		min, max = max, min
	}
	ok := true
	switch q.by {
	case byRank:
		if q.start, err = c.Int(src + 1); err == nil {
			q.end, err = c.Int(src + 2)
		}
	case byScore:
		if q.scores, ok = parseScores(min, max); !ok {
			return errScoreRange
		}
	case byLex:
		if q.lex, ok = parseLex(min, max); !ok {
			return errLexRange
		}
	}
	return err
}

// cost returns how many members are looked at to find the range.
func (q *query) cost(z *engine.ZSet) int {
	if q.by == byLex {
		return z.LexCost()
	}
	return 0
}

// find returns the rank of the first member of the range, in its direction, and how many
// there are.
func (q *query) find(z *engine.ZSet) (first, n int) {
	var from, to int
	switch q.by {
	case byRank:
		from, to = command.Span(q.start, q.end, z.Len())
		to += from
		if q.reverse {
			from, to = z.Len()-to, z.Len()-from
		}
	case byScore:
		from, to = z.ScoreRanks(&q.scores)
	case byLex:
		from, to = z.LexRanks(&q.lex, q.reverse)
	}
	n = to - from
	if q.offset < 0 || q.offset >= int64(n) {
		return 0, 0
	}
	n -= int(q.offset)
	if q.limit >= 0 {
		n = int(min(q.limit, int64(n)))
	}
	if q.reverse {
		return to - 1 - int(q.offset), n
	}
	return from + int(q.offset), n
}

func replyRange(c *command.Ctx, q query, auto bool) error {
	if err := q.parse(c, 1, auto, false); err != nil {
		return err
	}
	var z engine.ZSet
	found, err := z.Open(&c.DB, c.Slot(1), c.Args[1])
	if err == nil && c.Slow(q.cost(&z), 0) {
		return command.ErrSlow
	}
	if err != nil {
		c.Count(true)
		return err
	}
	first, n := q.find(&z)
	if c.Slow(n, 0) {
		return command.ErrSlow
	}
	begin := len(c.Out.Buf)
	if q.withScores {
		replyPairs(c.Out, n)
	} else {
		c.Out.Array(n)
	}
	it := z.At(first)
	for ; n > 0; n-- {
		if q.withScores {
			replyPair(c.Out, it.Member(), it.Score())
		} else {
			c.Out.Bulk(it.Member())
		}
		if c.Slow(0, len(c.Out.Buf)-begin) {
			c.Out.Buf = c.Out.Buf[:begin]
			return command.ErrSlow
		}
		if q.reverse {
			it.Prev()
		} else {
			it.Next()
		}
	}
	c.Count(found)
	return nil
}

func zrangestore(c *command.Ctx) error {
	var q query
	if err := q.parse(c, 2, true, true); err != nil {
		return err
	}
	var z, dst engine.ZSet
	dst.Value.Open(&c.DB, c.Slot(1), c.Args[1])
	found, err := z.Open(&c.DB, c.Slot(2), c.Args[2])
	if err == nil && c.Slow(q.cost(&z), 0) {
		return command.ErrSlow
	}
	if err != nil {
		c.Count(true)
		return err
	}
	first, n := q.find(&z)
	if c.Slow(n, 0) {
		return command.ErrSlow
	}
	c.Count(found)
	if q.reverse {
		first -= n - 1
	}
	var entries []engine.ZEntry
	it := z.At(first)
	for ; n > 0; n-- {
		entries = append(entries, engine.ZEntry{Member: keep(&it), Score: it.Score()})
		it.Next()
	}
	return store(c, &dst, entries, "zrangestore")
}

// keep returns the member that it is at: in place, or copied where it lies in it.
func keep(it *engine.ZIter) []byte {
	member, ok := it.InPlace()
	if !ok {
		member = append([]byte(nil), member...)
	}
	return member
}

// store makes dst, the value of the key at argument 1, the sorted set of entries, which
// are in order, and replies with their number.
func store(c *command.Ctx, dst *engine.ZSet, entries []engine.ZEntry, event string) error {
	had := dst.Exists()
	if err := dst.Store(entries); err != nil {
		return err
	}
	switch {
	case len(entries) > 0:
		c.Changed(1)
		c.Notify(command.NotifyZSet, event, 1)
	case had:
		c.Changed(1)
		c.Notify(command.NotifyGeneric, "del", 1)
	}
	c.Out.Int(int64(len(entries)))
	return nil
}
