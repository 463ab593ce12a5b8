package table

import (
	"math/bits"

	"github.com/redwingdb/redwing/internal/engine/arena"
)

// Array is a bucket array as it is at one moment.
type Array struct {
	Ref     arena.Ref // 0: there is none
	Buckets uint32
	// While rehashing, bucket i of the new array is in use if i&mask < below.
	mask, below uint32
}

// Uses reports whether bucket i of the array was in use.
func (x *Array) Uses(i uint32) bool { return i&x.mask < x.below }

// Arrays returns the arrays of the table, the new one first.
func (t *Table) Arrays() [2]Array {
	if t.H.arr == 0 {
		return [2]Array{}
	}
	arr := Array{Ref: t.H.arr, Buckets: 1 << t.H.lg, below: 1}
	if t.H.aux == 0 {
		return [2]Array{arr}
	}
	m := t.rehash()
	arr.mask, arr.below = 1<<min(m.lg, t.H.lg)-1, m.pos
	return [2]Array{arr, {Ref: m.old, Buckets: 1 << m.lg, below: 1}}
}

// Scan visits the records of the chains that cursor stands for and returns the next
// cursor, 0 after the last. Cursors count through the bucket number from its highest
// bit down, so that a record present from the first step to the last is visited at
// least once however the table grows and shrinks between steps (Redis' dictScan).
// visit must not change the table.
func (t *Table) Scan(cursor uint64, visit func(Rec)) uint64 {
	return t.scan(cursor, func(x *Array, i uint32) { t.visit(x, i, visit) })
}

func (t *Table) scan(cursor uint64, chain func(x *Array, i uint32)) uint64 {
	x := t.Arrays()
	if x[0].Ref == 0 {
		return 0
	}
	small, large := &x[0], &x[1]
	if large.Ref == 0 {
		chain(small, uint32(cursor)&(small.Buckets-1))
		return nextCursor(cursor, uint64(small.Buckets-1))
	}
	if small.Buckets > large.Buckets {
		small, large = large, small
	}
	smallMask, largeMask := uint64(small.Buckets-1), uint64(large.Buckets-1)
	chain(small, uint32(cursor&smallMask))
	for {
		chain(large, uint32(cursor&largeMask))
		cursor = nextCursor(cursor, largeMask)
		if cursor&(smallMask^largeMask) == 0 {
			return cursor
		}
	}
}

func nextCursor(cursor, mask uint64) uint64 {
	return bits.Reverse64(bits.Reverse64(cursor|^mask) + 1)
}

func (t *Table) visit(x *Array, i uint32, visit func(Rec)) {
	if !x.Uses(i) {
		return
	}
	EachRef(t.A, x.Ref, i, func(ref arena.Ref) bool {
		visit(RecAt(t.A, ref))
		return true
	})
}

const (
	// randomSpan is the number of places drawn from in a chain: two buckets.
	randomSpan = 2 * bucketSlots
	// randomTries bounds the draws; a table that is nearly empty after many deletions
	// shrinks, so a hit takes about three of them.
	randomTries = 1000
)

// Random returns a record drawn uniformly by its position, and false only if there is
// none. Records beyond the second bucket of a chain are drawn only when luck fails.
func (t *Table) Random(rnd func() uint64) (Rec, bool) {
	p, ok := t.RandomPos(rnd)
	if !ok {
		return Rec{}, false
	}
	return RecAt(t.A, p.Ref), true
}

// RandomPos is Random that tells the place of the record.
func (t *Table) RandomPos(rnd func() uint64) (Pos, bool) {
	if t.H.Len() == 0 {
		return Pos{}, false
	}
	x := t.Arrays()
	total := uint64(x[0].Buckets) + uint64(x[1].Buckets)
	for range randomTries {
		draw := rnd()
		bucket, _ := bits.Mul64(draw, total)
		if p := t.posAt(&x, bucket, int(draw&0xffff%randomSpan)); p.Ref != 0 {
			return p, true
		}
	}
	start := rnd() % total
	for i := range total {
		if p := t.posAt(&x, (start+i)%total, 0); p.Ref != 0 {
			return p, true
		}
	}
	return Pos{}, false
}

// posAt returns place n of the chain of the given bucket, counted through both arrays;
// its Ref is 0 if there is no record.
func (t *Table) posAt(x *[2]Array, index uint64, n int) Pos {
	arr := &x[0]
	if index >= uint64(arr.Buckets) {
		index -= uint64(arr.Buckets)
		arr = &x[1]
	}
	if !arr.Uses(uint32(index)) {
		return Pos{}
	}
	for b := bucketAt(t.A, arr.Ref, uint32(index)); ; b = overflow(t.A, b.next) {
		have := b.len()
		if n < have {
			return Pos{b.refs[n], b, arr.Ref, uint32(index), uint8(n)}
		}
		n -= have
		if b.next == 0 {
			return Pos{}
		}
	}
}

// Drain frees a table that nobody uses any more, at most n buckets a call: pos is 0
// first and then what the last call returned. It gives every ref to free.
func (t *Table) Drain(pos uint64, n int, free func(arena.Ref)) (next uint64, done bool) {
	x := t.Arrays()
	total := uint64(x[0].Buckets) + uint64(x[1].Buckets)
	for ; pos < total && n > 0; pos, n = pos+1, n-1 {
		arr, i := &x[0], pos
		if i >= uint64(arr.Buckets) {
			arr, i = &x[1], i-uint64(arr.Buckets)
		}
		if !arr.Uses(uint32(i)) {
			continue
		}
		b := bucketAt(t.A, arr.Ref, uint32(i))
		for {
			for j := range b.len() {
				free(b.refs[j])
			}
			next := b.next
			if next == 0 {
				break
			}
			*b = *overflow(t.A, next)
			t.A.Free(next)
		}
	}
	if pos < total {
		return pos, false
	}
	t.H.count.Store(0)
	t.W = nil
	t.dropArrays()
	return 0, true
}
