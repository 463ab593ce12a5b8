package zset

import (
	"bytes"
	"cmp"
	"math"
	"slices"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/resp"
)

var (
	errWeight   = resp.NewError("ERR weight value is not a float")
	errNegLimit = resp.NewError("ERR LIMIT can't be negative")
)

// operation is what is made of several sets.
type operation uint8

const (
	union operation = iota
	inter
	diff
)

// request is a ZUNION, ZINTER, ZDIFF, one of their STORE forms, or ZINTERCARD.
type request struct {
	op         operation
	numKeys    int  // argument of the number of keys
	store      bool // into the key at argument 1
	card       bool // only the number of members, up to limit
	sources    []source
	aggregate  func(a, b float64) float64
	withScores bool
	limit      int // 0: none
}

func zunion(c *command.Ctx) error      { return reply(c, request{op: union, numKeys: 1}) }
func zinter(c *command.Ctx) error      { return reply(c, request{op: inter, numKeys: 1}) }
func zdiff(c *command.Ctx) error       { return reply(c, request{op: diff, numKeys: 1}) }
func zunionstore(c *command.Ctx) error { return storeOf(c, union, "zunionstore") }
func zinterstore(c *command.Ctx) error { return storeOf(c, inter, "zinterstore") }
func zdiffstore(c *command.Ctx) error  { return storeOf(c, diff, "zdiffstore") }

func storeOf(c *command.Ctx, op operation, event string) error {
	var dst engine.ZSet
	dst.Value.Open(&c.DB, c.Slot(1), c.Args[1])
	r := request{op: op, numKeys: 2, store: true}
	if err := r.parse(c); err != nil {
		return err
	}
	if r.slow(c) {
		return command.ErrSlow
	}
	r.count(c)
	return store(c, &dst, r.run(), event)
}

func reply(c *command.Ctx, r request) error {
	if err := r.parse(c); err != nil {
		return err
	}
	if r.slow(c) {
		return command.ErrSlow
	}
	r.count(c)
	entries := r.run()
	if r.withScores {
		replyPairs(c.Out, len(entries))
	} else {
		c.Out.Array(len(entries))
	}
	for i := range entries {
		if r.withScores {
			replyPair(c.Out, entries[i].Member, entries[i].Score)
		} else {
			c.Out.Bulk(entries[i].Member)
		}
	}
	return nil
}

func zintercard(c *command.Ctx) error {
	r := request{op: inter, numKeys: 1, card: true}
	if err := r.parse(c); err != nil {
		return err
	}
	if r.slow(c) {
		return command.ErrSlow
	}
	r.count(c)
	n := 0
	r.intersect(func([]byte, bool, float64) bool {
		n++
		return n != r.limit
	})
	c.Out.Int(int64(n))
	return nil
}

// parse opens the sources and then reads the options, in Redis' order (t_zset.c,
// zunionInterDiffGenericCommand).
func (r *request) parse(c *command.Ctx) error {
	n, err := c.Int(r.numKeys)
	if err != nil {
		return err
	}
	if n < 1 {
		return resp.NewError("ERR at least 1 input key is needed for '" + c.Spec.FullName() + "' command")
	}
	i := r.numKeys + 1
	if n > int64(len(c.Args)-i) {
		return resp.ErrSyntax
	}
	r.sources = make([]source, n)
	for j := range r.sources {
		if err := r.sources[j].open(c, i); err != nil {
			c.Count(true)
			return err
		}
		i++
	}
	r.aggregate = sum
	for i < len(c.Args) {
		word, left := c.Args[i], len(c.Args)-i
		switch {
		case r.op != diff && !r.card && left > int(n) && command.Is(word, "weights"):
			for j := range r.sources {
				i++
				var err error
				if r.sources[j].weight, err = c.Double(i); err != nil {
					return errWeight
				}
			}
		case r.op != diff && !r.card && left >= 2 && command.Is(word, "aggregate"):
			i++
			switch {
			case command.Is(c.Args[i], "sum"):
				r.aggregate = sum
			case command.Is(c.Args[i], "min"):
				r.aggregate = least
			case command.Is(c.Args[i], "max"):
				r.aggregate = greatest
			default:
				return resp.ErrSyntax
			}
		case !r.store && !r.card && command.Is(word, "withscores"):
			r.withScores = true
		case r.card && left >= 2 && command.Is(word, "limit"):
			i++
			limit, ok := command.ParseInt(c.Args[i])
			if !ok || limit < 0 {
				return errNegLimit
			}
			r.limit = int(min(limit, math.MaxInt32))
		default:
			return resp.ErrSyntax
		}
		i++
	}
	if r.op != diff {
		// From the smallest, which is also the order in which scores are aggregated.
		slices.SortStableFunc(r.sources, func(a, b source) int { return cmp.Compare(a.size, b.size) })
	}
	return nil
}

// sum gives 0 for the sum of two opposite infinities.
func sum(a, b float64) float64 {
	if a += b; a != a {
		return 0
	}
	return a
}

// least and greatest keep a where b is not a number (an infinity weighed with 0).
func least(a, b float64) float64 {
	if b < a {
		return b
	}
	return a
}

func greatest(a, b float64) float64 {
	if b > a {
		return b
	}
	return a
}

// slow reports whether too much is looked at for a shard's mutex.
func (r *request) slow(c *command.Ctx) bool {
	n := r.sources[0].size * len(r.sources)
	if r.op == union {
		n = 0
		for i := range r.sources {
			n += r.sources[i].size
		}
	}
	return c.Slow(n, 0)
}

func (r *request) count(c *command.Ctx) {
	for i := range r.sources {
		c.Count(r.sources[i].size > 0)
	}
}

// run returns the result in order.
func (r *request) run() (out []engine.ZEntry) {
	add := func(member []byte, lasting bool, score float64) bool {
		if !lasting {
			member = bytes.Clone(member)
		}
		out = append(out, engine.ZEntry{Member: member, Score: score})
		return true
	}
	switch r.op {
	case union:
		out = r.unite()
	case inter:
		r.intersect(add)
	case diff:
		r.subtract(add)
	}
	slices.SortFunc(out, func(a, b engine.ZEntry) int {
		if c := cmp.Compare(a.Score, b.Score); c != 0 {
			return c
		}
		return bytes.Compare(a.Member, b.Member)
	})
	return out
}

func (r *request) unite() []engine.ZEntry {
	t := newTally(r.sources[len(r.sources)-1].size)
	for i := range r.sources {
		s := &r.sources[i]
		s.each(func(member []byte, lasting bool, score float64) bool {
			score = s.weigh(score)
			if e, added := t.entry(member, lasting); added {
				e.Score = score
			} else {
				e.Score = r.aggregate(e.Score, score)
			}
			return true
		})
	}
	return t.entries
}

// intersect visits the members that all sources have until visit returns false.
func (r *request) intersect(visit func(member []byte, lasting bool, score float64) bool) {
	r.sources[0].each(func(member []byte, lasting bool, score float64) bool {
		score = r.sources[0].weigh(score)
		for i := 1; i < len(r.sources); i++ {
			other, ok := r.sources[i].score(member)
			if !ok {
				return true
			}
			score = r.aggregate(score, other*r.sources[i].weight)
		}
		return visit(member, lasting, score)
	})
}

// subtract visits the members that the first source alone has.
func (r *request) subtract(visit func(member []byte, lasting bool, score float64) bool) {
	r.sources[0].each(func(member []byte, lasting bool, score float64) bool {
		for i := 1; i < len(r.sources); i++ {
			if _, ok := r.sources[i].score(member); ok {
				return true
			}
		}
		return visit(member, lasting, score)
	})
}
