// Package table is the hash table of the engine: records by key, in buckets of one
// cache line that lie in the arena together with the records. It owns the layout of
// records and buckets and the rules of growing, shrinking, scanning and drawing keys
// at random. It never locks, never frees a record on its own account, and knows nothing
// of databases, types of values or expiry. The engine calls it with the shard locked;
// hashes and sets will be tables too, with the field in place of the key.
package table

import (
	"math/bits"
	"sync/atomic"
	"unsafe"

	"github.com/redwingdb/redwing/internal/engine/arena"
)

// Header is a table at rest: 16 bytes, of which a shard keeps one a slot and database.
// The zero value is an empty table.
type Header struct {
	arr   arena.Ref // the bucket array, or while rehashing the new one; 0: none
	aux   arena.Ref // the rehash in progress; 0: none
	count atomic.Uint32
	lg    uint8 // log2 of the buckets of arr
	_     [3]uint8
}

// Len returns the number of records. It may be called without the table's lock.
func (h *Header) Len() int { return int(h.count.Load()) }

// Rehashing reports whether a rehash is in progress.
func (h *Header) Rehashing() bool { return h.aux != 0 }

// MoveFrom makes h the table that from was, and from an empty one.
func (h *Header) MoveFrom(from *Header) {
	h.arr, h.aux, h.lg = from.arr, from.aux, from.lg
	h.count.Store(from.count.Load())
	from.arr, from.aux, from.lg = 0, 0, 0
	from.count.Store(0)
}

// Watch hears of changes before they are made: the hook of snapshots.
type Watch interface {
	// BeforeChange is called before the contents of the chain of bucket i of the array
	// arr change, or before a record in it does.
	BeforeChange(arr arena.Ref, i uint32)
	// ArrayGone is called before the array arr, in which no record is left, is freed.
	ArrayGone(arr arena.Ref)
}

// Table is a table in use: its header, the arena it lies in, and who watches it.
type Table struct {
	A    *arena.Arena
	H    *Header
	Hash *Hasher
	W    Watch // may be nil
}

// Pos is the place of a record, good until the table changes.
type Pos struct {
	Ref    arena.Ref // 0: there is none
	bucket *bucket
	arr    arena.Ref
	index  uint32
	place  uint8
}

// place returns the array and bucket in which the key of hash is, if it is anywhere.
// While rehashing that is the old array for buckets that have not moved yet.
func (t *Table) place(hash uint64) (arena.Ref, uint32) {
	if t.H.aux != 0 {
		m := t.rehash()
		if i := uint32(hash) & (1<<m.lg - 1); i >= m.pos {
			return m.old, i
		}
	}
	return t.H.arr, uint32(hash) & (1<<t.H.lg - 1)
}

// Find returns the place of the record of key, whose hash is hash.
func (t *Table) Find(hash uint64, key []byte) Pos {
	if t.H.arr == 0 {
		return Pos{}
	}
	arr, index := t.place(hash)
	tag := tagOf(hash)
	for b := bucketAt(t.A, arr, index); ; b = overflow(t.A, b.next) {
		low, high := b.match(tag)
		for ; low != 0; low &= low - 1 {
			i := bits.TrailingZeros64(low) / 8
			if RecAt(t.A, b.refs[i]).KeyIs(key) {
				return Pos{b.refs[i], b, arr, index, uint8(i)}
			}
		}
		for ; high != 0; high &= high - 1 {
			i := 8 + bits.TrailingZeros64(high)/8
			if RecAt(t.A, b.refs[i]).KeyIs(key) {
				return Pos{b.refs[i], b, arr, index, uint8(i)}
			}
		}
		if b.next == 0 {
			return Pos{}
		}
	}
}

// FindPart returns the first record for which accept is true among those whose hash
// may have the given low 50 bits.
func (t *Table) FindPart(hash50 uint64, accept func(Rec) bool) Pos {
	if t.H.arr == 0 {
		return Pos{}
	}
	arr, index := t.place(hash50)
	tag := tagOf(hash50)
	for b := bucketAt(t.A, arr, index); ; b = overflow(t.A, b.next) {
		for i := range b.len() {
			if b.tags[i] == tag && accept(RecAt(t.A, b.refs[i])) {
				return Pos{b.refs[i], b, arr, index, uint8(i)}
			}
		}
		if b.next == 0 {
			return Pos{}
		}
	}
}

// Touch tells who watches that the record at p, or its ref, is about to change. It must
// be called before a record in the table is changed and before Replace.
func (t *Table) Touch(p Pos) {
	if t.W != nil {
		t.W.BeforeChange(p.arr, p.index)
	}
}

// Replace puts ref in the place of the record at p, of the same key. REQUIRES: Touch(p).
func (t *Table) Replace(p Pos, ref arena.Ref) { p.bucket.refs[p.place] = ref }

// Insert adds the record ref, whose key is not in the table, and returns its place. On
// error nothing changed.
func (t *Table) Insert(hash uint64, ref arena.Ref) (Pos, error) {
	if t.H.arr == 0 {
		arr, err := t.A.Alloc(BucketBytes)
		if err != nil {
			return Pos{}, err
		}
		*bucketAt(t.A, arr, 0) = bucket{}
		t.H.arr, t.H.lg = arr, 0
	}
	t.resizeOnInsert()
	arr, index := t.place(hash)
	if t.W != nil {
		t.W.BeforeChange(arr, index)
	}
	b := bucketAt(t.A, arr, index)
	for b.next != 0 {
		b = overflow(t.A, b.next)
	}
	n := b.len()
	if n == bucketSlots {
		next, err := t.A.Alloc(BucketBytes)
		if err != nil {
			return Pos{}, err
		}
		b.next = next
		b, n = overflow(t.A, next), 0
		*b = bucket{}
	}
	b.tags[n], b.refs[n] = tagOf(hash), ref
	t.H.count.Store(t.H.count.Load() + 1)
	return Pos{ref, b, arr, index, uint8(n)}, nil
}

// Delete takes the record at p out of the table, and leaves it to the caller to free.
// The last record of the chain fills the hole.
func (t *Table) Delete(p Pos) {
	t.Touch(p)
	last := bucketAt(t.A, p.arr, p.index)
	var before *bucket
	for last.next != 0 {
		before, last = last, overflow(t.A, last.next)
	}
	n := last.len() - 1
	p.bucket.tags[p.place], p.bucket.refs[p.place] = last.tags[n], last.refs[n]
	last.tags[n], last.refs[n] = 0, 0
	if n == 0 && before != nil {
		t.A.Free(before.next)
		before.next = 0
	}
	t.H.count.Store(t.H.count.Load() - 1)
	t.resizeOnDelete()
}

// Buckets returns the number of bucket heads of all arrays of the table.
func (t *Table) Buckets() uint64 {
	if t.H.arr == 0 {
		return 0
	}
	n := uint64(1) << t.H.lg
	if t.H.aux != 0 {
		n += 1 << t.rehash().lg
	}
	return n
}

// rehash is the state of a rehash: buckets of the old array below pos have moved.
type rehash struct {
	old arena.Ref
	pos uint32
	lg  uint8 // log2 of the buckets of old
}

func (t *Table) rehash() *rehash { return (*rehash)(t.A.At(t.H.aux)) }

const rehashBytes = int(unsafe.Sizeof(rehash{}))
