package sorting

import (
	"strconv"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
)

// elem is an element of the key, and what it is sorted by.
type elem struct {
	text  []byte
	score float64
	by    []byte // with BY and ALPHA; nil: the key it names is not there
}

// memory holds copies of short strings, many to a block.
type memory struct{ block []byte }

const memoryBlock = 16 << 10

func (m *memory) copy(b []byte) []byte {
	if len(m.block)+len(b) > cap(m.block) {
		m.block = make([]byte, 0, max(memoryBlock, len(b)))
	}
	from := len(m.block)
	m.block = append(m.block, b...)
	return m.block[from:len(m.block):len(m.block)]
}

func (m *memory) int(v int64) []byte {
	var digits [20]byte
	return m.copy(strconv.AppendInt(digits[:0], v, 10))
}

// sorted is the key to sort, open.
type sorted struct {
	c    *command.Ctx
	typ  engine.Type
	n    int
	mem  memory
	list engine.List
	set  engine.Set
	zset engine.ZSet
}

// open opens the key; one that is not there has no elements.
func (s *sorted) open(c *command.Ctx) error {
	s.c, s.typ = c, engine.TypeList
	var v engine.Value
	if !v.Open(&c.DB, c.Slot(1), c.Args[1]) {
		c.Misses++
		return nil
	}
	s.typ = v.Type()
	var err error
	switch s.typ {
	case engine.TypeList:
		_, err = s.list.Open(&c.DB, c.Slot(1), c.Args[1])
		s.n = s.list.Len()
	case engine.TypeSet:
		_, err = s.set.Open(&c.DB, c.Slot(1), c.Args[1])
		s.n = s.set.Len()
	case engine.TypeZSet:
		_, err = s.zset.Open(&c.DB, c.Slot(1), c.Args[1])
		s.n = s.zset.Len()
	default:
		err = engine.ErrWrongType
	}
	if err != nil {
		return err
	}
	if _, bytes := v.Weight(); c.Slow(s.n, bytes) {
		return command.ErrSlow
	}
	c.Hits++
	return nil
}

// all returns every element: of a list and a sorted set in its order, or with reverse from
// its end.
func (s *sorted) all(reverse bool) []elem {
	out := make([]elem, 0, s.n)
	switch s.typ {
	case engine.TypeList:
		if s.n == 0 {
			break
		}
		from := 0
		if reverse {
			from = s.n - 1
		}
		for w := s.list.From(from, reverse); ; {
			str, v, isInt, ok := w.Next()
			if !ok {
				return out
			}
			if isInt {
				str = s.mem.int(v)
			} else {
				str = s.mem.copy(str)
			}
			out = append(out, elem{text: str})
		}
	case engine.TypeSet:
		s.set.Each(func(member []byte) bool {
			out = append(out, elem{text: s.mem.copy(member)})
			return true
		})
	case engine.TypeZSet:
		it, step := s.zset.At(0), (*engine.ZIter).Next
		if reverse {
			it, step = s.zset.At(s.n-1), (*engine.ZIter).Prev
		}
		for ; it.Valid(); step(&it) {
			out = append(out, elem{text: s.mem.copy(it.Member())})
		}
	}
	return out
}
