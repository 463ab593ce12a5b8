package engine

import (
	"encoding/binary"
	"math"
	"unsafe"

	"github.com/redwingdb/redwing/internal/engine/listpack"
	"github.com/redwingdb/redwing/internal/engine/table"
	"github.com/redwingdb/redwing/internal/engine/zset"
	"github.com/redwingdb/redwing/internal/slots"
)

// ZSet is a key that holds a sorted set, or will. Its members lie in one listpack, each
// followed by its score, in order, until they are too many or one is too long; then in a
// table of elements, whose values are the scores, with a tree that keeps their order.
//
//	absent --Add--> listpack --Limits exceeded--> skiplist        any --last member goes--> absent
//
// Skiplist is what Redis calls the second form. Ranks count from 0 in ascending order of
// (score, member). No score is NaN.
type ZSet struct{ Value }

// zsetRoot is the root of a sorted set in the form for big ones.
type zsetRoot struct {
	members table.Header
	order   zset.Header
}

const (
	zsetRootBytes = int(unsafe.Sizeof(zsetRoot{}))
	scoreBytes    = 8
)

// Open opens the sorted set at key and reports whether it is there; ErrWrongType if the
// key holds something else.
func (z *ZSet) Open(a *Access, s slots.Slot, key []byte) (found bool, err error) {
	return z.open(a, s, key, TypeZSet)
}

func (z *ZSet) root() *zsetRoot { return (*zsetRoot)(z.Root()) }

func (z *ZSet) members() Elements { return z.Elements(&z.root().members) }

func (z *ZSet) order() zset.Tree { return zset.Tree{A: z.Arena(), H: &z.root().order} }

// Len returns the number of members.
func (z *ZSet) Len() int {
	switch {
	case !z.Exists():
		return 0
	case z.Rooted():
		return z.root().members.Len()
	}
	return listpack.Len(z.Packed()) / 2
}

// Score returns the score of a member.
func (z *ZSet) Score(member []byte) (score float64, ok bool) {
	if !z.Exists() {
		return 0, false
	}
	if z.Rooted() {
		e := z.members()
		pos := e.Find(member)
		if pos.Ref == 0 {
			return 0, false
		}
		return scoreOf(e.Rec(pos.Ref)), true
	}
	lp := z.Packed()
	off := findMember(lp, member)
	if off < 0 {
		return 0, false
	}
	return scoreAt(lp, listpack.Next(lp, off)), true
}

// Rank returns the rank of a member and its score.
func (z *ZSet) Rank(member []byte) (rank int, score float64, ok bool) {
	if !z.Exists() {
		return 0, 0, false
	}
	if z.Rooted() {
		if score, ok = z.Score(member); ok {
			t := z.order()
			rank = t.Rank(score, member)
		}
		return rank, score, ok
	}
	lp := z.Packed()
	found := findMember(lp, member)
	if found < 0 {
		return 0, 0, false
	}
	for off := listpack.First(lp); off != found; off = nextPair(lp, off) {
		rank++
	}
	return rank, scoreAt(lp, listpack.Next(lp, found)), true
}

// scoreOf returns the score of the element r.
func scoreOf(r table.Rec) float64 {
	return math.Float64frombits(binary.LittleEndian.Uint64(r.Value()))
}

func putScore(b []byte, score float64) {
	binary.LittleEndian.PutUint64(b, math.Float64bits(score))
}

// Remove removes a member and reports whether it was there. With the last one the key
// goes.
func (z *ZSet) Remove(member []byte) bool {
	if !z.Exists() {
		return false
	}
	if z.Rooted() {
		e := z.members()
		pos := e.Find(member)
		if pos.Ref == 0 {
			return false
		}
		z.Changing()
		t := z.order()
		t.Delete(scoreOf(e.Rec(pos.Ref)), pos.Ref)
		e.Delete(pos)
	} else {
		lp := z.Packed()
		off := findMember(lp, member)
		if off < 0 {
			return false
		}
		edit := listpack.Delete(lp, off, 2)
		_ = z.Edit(&edit) // shortening never fails
	}
	if z.Len() == 0 {
		z.Value.Remove()
	}
	return true
}

// RemoveRanks removes the members from rank from up to, but not including, rank to.
// REQUIRES: 0 <= from <= to <= Len.
func (z *ZSet) RemoveRanks(from, to int) {
	switch n := to - from; {
	case n == 0:
	case n == z.Len():
		z.Value.Remove()
	case z.Rooted():
		z.Changing()
		e, t := z.members(), z.order()
		for range n {
			_, ref := t.DeleteRank(from)
			e.Delete(e.Find(e.Rec(ref).Key()))
		}
	default:
		lp := z.Packed()
		edit := listpack.Delete(lp, listpack.Seek(lp, 2*from), 2*n)
		_ = z.Edit(&edit)
	}
}

// Drop removes the whole sorted set. REQUIRES: Exists.
func (z *ZSet) Drop() { z.Value.Remove() }
