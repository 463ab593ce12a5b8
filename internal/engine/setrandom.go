package engine

import (
	"math/bits"
	"strconv"

	"github.com/redwingdb/redwing/internal/engine/intset"
	"github.com/redwingdb/redwing/internal/engine/listpack"
)

// below draws a number from 0 to n-1.
func below(rnd func() uint64, n int) int {
	high, _ := bits.Mul64(rnd(), uint64(n))
	return int(high)
}

// Random returns a member drawn uniformly, good until the next call of a method of s;
// false only if there is none.
func (s *Set) Random(rnd func() uint64) (member []byte, ok bool) {
	switch {
	case !s.Exists():
		return nil, false
	case s.Rooted():
		e := s.members()
		if s.drawn, ok = e.t.RandomPos(rnd); !ok {
			return nil, false
		}
		return e.Rec(s.drawn.Ref).Key(), true
	case s.Encoding() == EncIntset:
		is := s.Packed()
		s.at = below(rnd, intset.Len(is))
		return strconv.AppendInt(s.scratch[:0], intset.At(is, s.at), 10), true
	}
	lp := s.Packed()
	s.at = listpack.Seek(lp, below(rnd, listpack.Len(lp)))
	return listpack.Get(lp, s.at, s.scratch[:0]), true
}

// Sample calls f with n different members, or with all if there are no more, every choice
// of n being as likely; their order is that of Each. A member is good for its call of f
// alone. It looks at every member of the set.
func (s *Set) Sample(n int, rnd func() uint64, f func(member []byte)) {
	left := s.Len()
	s.Each(func(member []byte) bool {
		if below(rnd, left) < n {
			f(member)
			n--
		}
		left--
		return n > 0
	})
}
