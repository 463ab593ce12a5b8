package engine

import (
	"unsafe"

	"github.com/redwingdb/redwing/internal/engine/arena"
	"github.com/redwingdb/redwing/internal/engine/table"
)

// Elements is the table of a big collection: fields of a hash, members of a set or of a
// sorted set. An element is a record of its own, with the element in the place of the
// key and what belongs to it as value; its header lies in the collection's root. Callers
// call Value.Changing before they change anything.
type Elements struct {
	sh *shard
	t  table.Table
}

// elementKind is the kind of every element's record.
const elementKind = byte(TypeString) | byte(EncRaw)<<4

func elementsOf(sh *shard, hash *table.Hasher, h *table.Header) Elements {
	return Elements{sh, table.Table{A: sh.arena, H: h, Hash: hash}}
}

// Elements returns the table whose header is h, in the root of v.
func (v *Value) Elements(h *table.Header) Elements { return elementsOf(v.p.sh, &v.a.k.hash, h) }

// Len returns the number of elements.
func (e *Elements) Len() int { return e.t.H.Len() }

// Find returns the place of elem; its Ref is 0 if it is not there.
func (e *Elements) Find(elem []byte) table.Pos { return e.t.Find(e.t.Hash.Sum(elem), elem) }

// Rec returns the record of the element at ref.
func (e *Elements) Rec(ref arena.Ref) table.Rec { return table.RecAt(e.sh.arena, ref) }

// ValueOf returns the value of an element, in place.
func (e *Elements) ValueOf(r table.Rec) []byte { return Record{r, e.sh.arena}.raw() }

// changing must be called before the table is changed: snapshots that have pinned the
// collection hear of it.
func (e *Elements) changing() {
	if x := e.sh.pinnedLocked(unsafe.Pointer(e.t.H)); x != nil {
		e.t.W = x
	}
}

// touch must be called before the record at pos is changed in place.
func (e *Elements) touch(pos table.Pos) {
	e.changing()
	e.t.Touch(pos)
}

// Insert adds elem, which is not there, with its value and expiry (0: none), and returns
// the ref of its record. On error nothing has changed.
func (e *Elements) Insert(elem, val []byte, expireAt int64) (arena.Ref, error) {
	ref, err := e.newRecord(elem, val, expireAt)
	if err != nil {
		return 0, ErrNoSpace
	}
	e.changing()
	if _, err := e.t.Insert(e.t.Hash.Sum(elem), ref); err != nil {
		e.sh.freeBlocks(ref)
		return 0, ErrNoSpace
	}
	return ref, nil
}

func (e *Elements) newRecord(elem, val []byte, expireAt int64) (arena.Ref, error) {
	l := table.Layout{Kind: elementKind, KeyLen: len(elem), ValueLen: len(val)}
	if expireAt != 0 {
		l.Flags |= table.FlagExpiry
	}
	ref, err := e.sh.newRecord(l, 0, elem, val)
	if err == nil && expireAt != 0 {
		e.Rec(ref).SetExpireAt(expireAt)
	}
	return ref, err
}

// Update gives the element at pos another value and expiry, and returns the ref of its
// record, which may be another one now. val may lie in the element. On error nothing has
// changed.
func (e *Elements) Update(pos table.Pos, val []byte, expireAt int64) (arena.Ref, error) {
	r := e.Rec(pos.Ref)
	if holds(r, val, expireAt) {
		e.touch(pos)
		rewrite(r, val, expireAt)
		return pos.Ref, nil
	}
	ref, err := e.newRecord(r.Key(), val, expireAt)
	if err != nil {
		return 0, ErrNoSpace
	}
	e.replace(pos, ref)
	return ref, nil
}

// holds reports whether the block of r is right for another value and expiry.
func holds(r table.Rec, val []byte, expireAt int64) bool {
	l := table.Layout{Kind: elementKind, KeyLen: len(r.Key()), ValueLen: len(val)}
	if expireAt != 0 {
		l.Flags |= table.FlagExpiry
	}
	return l.Inline() && r.Flags()&(table.FlagSpan|table.FlagExpiry) == l.Flags && arena.Fits(r.Size(), l.Size())
}

// rewrite changes value and expiry in place. REQUIRES: holds, touch.
func rewrite(r table.Rec, val []byte, expireAt int64) {
	r.SetValueLen(len(val))
	copy(r.Value(), val)
	if expireAt != 0 {
		r.SetExpireAt(expireAt)
	}
}

// replace puts ref, a new record of the element at pos, in its place.
func (e *Elements) replace(pos table.Pos, ref arena.Ref) {
	e.touch(pos)
	e.t.Replace(pos, ref)
	e.sh.freeBlocks(pos.Ref)
}

// Delete takes the element at pos away.
func (e *Elements) Delete(pos table.Pos) {
	ref := pos.Ref
	e.changing()
	e.t.Delete(pos)
	e.sh.freeBlocks(ref)
}

// Scan visits the elements of one step of a scan and returns the next cursor, 0 after the
// last, with the guarantees of Access.Scan. visit must not change the table.
func (e *Elements) Scan(cursor uint64, visit func(table.Rec)) (next uint64) {
	return e.t.Scan(cursor, visit)
}

// Random returns an element drawn uniformly, and false only if there is none.
func (e *Elements) Random(rnd func() uint64) (table.Rec, bool) { return e.t.Random(rnd) }

// Each calls f with every element, in no order, until f returns false, and reports
// whether it never did. f must not change the table.
func (e *Elements) Each(f func(table.Rec) bool) bool {
	for _, arr := range e.t.Arrays() {
		for i := range arr.Buckets {
			if !arr.Uses(i) {
				continue
			}
			goOn := true
			table.EachRef(e.sh.arena, arr.Ref, i, func(ref arena.Ref) bool {
				goOn = f(e.Rec(ref))
				return goOn
			})
			if !goOn {
				return false
			}
		}
	}
	return true
}

// free frees about n elements; pos is 0 first and then what the last call returned.
func (e *Elements) free(pos uint64, n int) (next uint64, done bool) {
	return e.t.Drain(pos, max(1, n/elementsABucket), func(ref arena.Ref) { e.sh.freeBlocks(ref) })
}

// elementsABucket is about how many elements share a bucket.
const elementsABucket = 8

// copyTo makes an empty table of the shard to a copy. visit, if not nil, is called with
// each element's new ref and record. On error what was copied is left to be freed.
func (e *Elements) copyTo(to *Elements, visit func(arena.Ref, table.Rec)) (err error) {
	e.Each(func(r table.Rec) bool {
		var ref arena.Ref
		if ref, err = to.Insert(r.Key(), e.ValueOf(r), r.ExpireAt()); err != nil {
			return false
		}
		if visit != nil {
			visit(ref, to.Rec(ref))
		}
		return true
	})
	return err
}

// parts adds every element to p.
func (e *Elements) parts(p *piece) {
	e.Each(func(r table.Rec) bool {
		p.addElement(e.sh, r)
		return true
	})
}

// brief is rootOps'.
func (e *Elements) brief() bool {
	if e.Len() > briefElements || e.t.Buckets() > briefElements {
		return false
	}
	bytes := 0
	return e.Each(func(r table.Rec) bool {
		bytes += r.Size()
		return bytes <= briefBytes
	})
}

// size returns the bytes of buckets and elements, those extrapolated from samples of
// them; 0: all are looked at.
func (e *Elements) size(samples int) int64 {
	buckets := int64(e.t.Buckets()) * table.BucketBytes
	seen, bytes := 0, int64(0)
	e.Each(func(r table.Rec) bool {
		bytes += Record{r, e.sh.arena}.RefSize()
		seen++
		return seen != samples
	})
	if seen == 0 {
		return buckets
	}
	return buckets + int64(float64(bytes)/float64(seen)*float64(e.Len()))
}
