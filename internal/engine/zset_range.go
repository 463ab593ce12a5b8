package engine

import (
	"bytes"

	"github.com/redwingdb/redwing/internal/engine/listpack"
	"github.com/redwingdb/redwing/internal/engine/table"
	"github.com/redwingdb/redwing/internal/engine/zset"
)

// ScoreRange is a range of scores.
type ScoreRange struct {
	Min, Max               float64
	ExcludeMin, ExcludeMax bool
}

func (r *ScoreRange) empty() bool {
	return r.Min > r.Max || r.Min == r.Max && (r.ExcludeMin || r.ExcludeMax)
}

func (r *ScoreRange) below(score float64) bool {
	return score < r.Min || r.ExcludeMin && score == r.Min
}

func (r *ScoreRange) above(score float64) bool {
	return score > r.Max || r.ExcludeMax && score == r.Max
}

// LexRange is a range of members, in the order of their bytes.
type LexRange struct{ Min, Max LexBound }

// LexBound is an end of a LexRange.
type LexBound struct {
	Member  []byte
	Exclude bool
	// Infinite is -1 for a bound before all members, 1 for one behind them, else 0.
	Infinite int8
}

func (b *LexBound) compare(member []byte) int {
	if b.Infinite != 0 {
		return -int(b.Infinite)
	}
	return bytes.Compare(member, b.Member)
}

func (r *LexRange) empty() bool {
	if r.Min.Infinite != 0 || r.Max.Infinite != 0 {
		return r.Min.Infinite >= r.Max.Infinite
	}
	c := bytes.Compare(r.Min.Member, r.Max.Member)
	return c > 0 || c == 0 && (r.Min.Exclude || r.Max.Exclude)
}

func (r *LexRange) below(member []byte) bool {
	c := r.Min.compare(member)
	return c < 0 || c == 0 && r.Min.Exclude
}

func (r *LexRange) above(member []byte) bool {
	c := r.Max.compare(member)
	return c > 0 || c == 0 && r.Max.Exclude
}

// ScoreRanks returns the ranks of the members with scores in r: from the first up to, but
// not including, the second.
func (z *ZSet) ScoreRanks(r *ScoreRange) (from, to int) {
	if !z.Exists() || r.empty() {
		return 0, 0
	}
	if z.Rooted() {
		t := z.order()
		return t.RankScore(r.Min, r.ExcludeMin), t.RankScore(r.Max, !r.ExcludeMax)
	}
	lp := z.Packed()
	off := listpack.First(lp)
	for off >= 0 && r.below(scoreAt(lp, listpack.Next(lp, off))) {
		off = nextPair(lp, off)
		from++
	}
	for to = from; off >= 0 && !r.above(scoreAt(lp, listpack.Next(lp, off))); to++ {
		off = nextPair(lp, off)
	}
	return from, to
}

// LexRanks is ScoreRanks for a range of members. Where scores differ the range is what a
// walk from the first member on (with reverse, from the last back) finds between the
// first that is not outside the near bound and the next that is outside the far one, in a
// tree as in a listpack: Redis leaves it unspecified, but a replica must find the same.
func (z *ZSet) LexRanks(r *LexRange, reverse bool) (from, to int) {
	if !z.Exists() || r.empty() {
		return 0, 0
	}
	if z.Rooted() && z.uniform() {
		t := z.order()
		if r.Min.Infinite == 0 {
			from = t.RankMember(r.Min.Member, r.Min.Exclude)
		}
		if to = t.H.Len(); r.Max.Infinite == 0 {
			to = t.RankMember(r.Max.Member, !r.Max.Exclude)
		}
		return from, to
	}
	n := z.Len()
	first, last := z.At(0), z.At(n-1)
	if r.above(first.Member()) || r.below(last.Member()) { // as Redis' listpacks
		return 0, 0
	}
	if reverse {
		for to = n; last.Valid() && r.above(last.Member()); last.Prev() {
			to--
		}
		for from = to; last.Valid() && !r.below(last.Member()); last.Prev() {
			from--
		}
		return from, to
	}
	for ; first.Valid() && r.below(first.Member()); first.Next() {
		from++
	}
	for to = from; first.Valid() && !r.above(first.Member()); first.Next() {
		to++
	}
	return from, to
}

// ZIter goes through a sorted set in order. It is good until the set changes.
type ZIter struct {
	lp     []byte // nil: a tree
	off    int    // of the member; -1: at none
	cur    zset.Cursor
	z      Elements
	digits [intDigits]byte
}

// At returns an iterator at the member of a rank, at none if there is none.
func (z *ZSet) At(rank int) (it ZIter) {
	switch {
	case !z.Exists():
		it.lp, it.off = []byte{}, -1
	case z.Rooted():
		t := z.order()
		it.cur, it.z = t.At(rank), z.members()
	default:
		it.lp = z.Packed()
		if it.off = -1; rank >= 0 {
			it.off = listpack.Seek(it.lp, 2*rank)
		}
	}
	return it
}

// Valid reports whether the iterator is at a member.
func (it *ZIter) Valid() bool {
	if it.lp != nil {
		return it.off >= 0
	}
	return it.cur.Valid()
}

// Member returns the member, good until the next call. REQUIRES: Valid.
func (it *ZIter) Member() []byte {
	if it.lp != nil {
		return listpack.Get(it.lp, it.off, it.digits[:0])
	}
	return it.z.Rec(it.cur.Ref()).Key()
}

// InPlace returns the member, and whether it lies in the set rather than in the iterator.
func (it *ZIter) InPlace() (member []byte, ok bool) {
	if it.lp == nil {
		return it.Member(), true
	}
	s, _, isInt := listpack.Value(it.lp, it.off)
	if isInt {
		return it.Member(), false
	}
	return s, true
}

// Score returns the member's score. REQUIRES: Valid.
func (it *ZIter) Score() float64 {
	if it.lp != nil {
		return scoreAt(it.lp, listpack.Next(it.lp, it.off))
	}
	return it.cur.Score()
}

// Next goes to the next member, or to none behind the last. REQUIRES: Valid.
func (it *ZIter) Next() {
	if it.lp != nil {
		it.off = nextPair(it.lp, it.off)
		return
	}
	it.cur.Next()
}

// Prev goes to the member before, or to none before the first. REQUIRES: Valid.
func (it *ZIter) Prev() {
	if it.lp != nil {
		it.off = prevPair(it.lp, it.off)
		return
	}
	it.cur.Prev()
}

// Scan visits the members of one step of a scan and returns the next cursor, 0 after the
// last, with the guarantees of Access.Scan. A listpack is visited whole, in order. visit
// must not change the set.
func (z *ZSet) Scan(cursor uint64, visit func(member []byte, score float64)) (next uint64) {
	if !z.Exists() {
		return 0
	}
	if z.Rooted() {
		e := z.members()
		return e.Scan(cursor, func(r table.Rec) { visit(r.Key(), scoreOf(r)) })
	}
	eachScored(z.Packed(), func(member []byte, score float64) bool {
		visit(member, score)
		return true
	})
	return 0
}

// LexCost returns how many members LexRanks looks at: none to speak of where all scores
// are equal.
func (z *ZSet) LexCost() int {
	if !z.Exists() || !z.Rooted() || z.uniform() {
		return 0
	}
	return z.Len()
}

// uniform reports whether all members of a tree have the same score.
func (z *ZSet) uniform() bool {
	t := z.order()
	first, last := t.First(), t.Last()
	return first.Score() == last.Score()
}
