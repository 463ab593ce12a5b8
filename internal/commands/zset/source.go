package zset

import (
	"bytes"
	"hash/maphash"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
)

// source is one of the sets that are united, intersected or subtracted: a sorted set, or a
// set, whose members have the score 1.
type source struct {
	z      engine.ZSet
	set    engine.Set
	plain  bool // it is set
	size   int
	weight float64
}

func (s *source) open(c *command.Ctx, i int) error {
	s.weight = 1
	_, err := s.z.Open(&c.DB, c.Slot(i), c.Args[i])
	if err != nil && s.z.Type() == engine.TypeSet {
		s.plain = true
		if _, err = s.set.Open(&c.DB, c.Slot(i), c.Args[i]); err == nil {
			s.size = s.set.Len()
		}
		return err
	}
	if err == nil {
		s.size = s.z.Len()
	}
	return err
}

// weigh returns the score times the weight; 0 for an infinity times 0.
func (s *source) weigh(score float64) float64 {
	if score *= s.weight; score != score {
		return 0
	}
	return score
}

func (s *source) score(member []byte) (float64, bool) {
	if s.plain {
		return 1, s.set.Has(member)
	}
	return s.z.Score(member)
}

// each visits every member until visit returns false. lasting says that member is good
// for as long as nothing changes, not for the call alone.
func (s *source) each(visit func(member []byte, lasting bool, score float64) bool) {
	if s.plain {
		lasting := s.set.Rooted()
		s.set.Each(func(member []byte) bool { return visit(member, lasting, 1) })
		return
	}
	for it := s.z.At(0); it.Valid(); it.Next() {
		if member, lasting := it.InPlace(); !visit(member, lasting, it.Score()) {
			return
		}
	}
}

// tally is the union that is being made: its entries, and their places by hash.
type tally struct {
	seed    maphash.Seed
	entries []engine.ZEntry
	places  []int32 // index of an entry + 1, 0: free; a power of two
}

func newTally(least int) *tally {
	t := &tally{seed: maphash.MakeSeed()}
	n := 16
	for n < 2*least {
		n *= 2
	}
	t.places = make([]int32, n)
	return t
}

// entry returns the entry of member, made if there is none.
func (t *tally) entry(member []byte, lasting bool) (e *engine.ZEntry, added bool) {
	mask := uint64(len(t.places) - 1)
	i := maphash.Bytes(t.seed, member) & mask
	for ; t.places[i] != 0; i = (i + 1) & mask {
		if e := &t.entries[t.places[i]-1]; bytes.Equal(e.Member, member) {
			return e, false
		}
	}
	if 2*len(t.entries) >= len(t.places) {
		t.grow()
		return t.entry(member, lasting)
	}
	if !lasting {
		member = bytes.Clone(member)
	}
	t.entries = append(t.entries, engine.ZEntry{Member: member})
	t.places[i] = int32(len(t.entries))
	return &t.entries[len(t.entries)-1], true
}

func (t *tally) grow() {
	t.places = make([]int32, 2*len(t.places))
	mask := uint64(len(t.places) - 1)
	for n := range t.entries {
		i := maphash.Bytes(t.seed, t.entries[n].Member) & mask
		for t.places[i] != 0 {
			i = (i + 1) & mask
		}
		t.places[i] = int32(n + 1)
	}
}
