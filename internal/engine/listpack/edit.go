package listpack

import "github.com/redwingdb/redwing/internal/engine/bulk"

// Edit is a planned change of one listpack: some bytes at one place give way to others.
// The caller asks for the new length, finds room, and applies it:
//
//	e := listpack.Insert(lp, off, elem)
//	if e.Delta() > 0 { make the buffer e.Len() bytes long }
//	e.Apply(buf)
//	if e.Delta() < 0 { cut it to e.Len() }
//
// The listpack must not change in between, and the elements must not lie in it.
type Edit struct {
	off, cut, put int // where, bytes taken out, bytes put in
	total         int // bytes of the listpack before
	count         int // entries put in less those taken out
	elems         [][]byte
	raw           []byte // entries already encoded, instead of elems
	num           int64  // an integer, instead of elems
	kind          editKind
}

type editKind uint8

const (
	putElems    editKind = iota
	putReversed          // elems, the last one first
	putRaw
	putInt
)

// Delta returns by how many bytes the listpack grows.
func (e *Edit) Delta() int { return e.put - e.cut }

// Len returns the bytes of the listpack after the change. Whoever takes elements from
// outside keeps it at most MaxBytes.
func (e *Edit) Len() int { return e.total + e.put - e.cut }

// Count returns by how many entries the listpack grows.
func (e *Edit) Count() int { return e.count }

// Insert plans to put elems, in their order, before the entry at off (End to append).
func Insert(lp []byte, off int, elems ...[]byte) Edit {
	return Edit{off: off, put: entriesBytes(elems), total: Bytes(lp), count: len(elems), elems: elems}
}

// InsertReversed is Insert of elems in the opposite order.
func InsertReversed(lp []byte, off int, elems ...[]byte) Edit {
	e := Insert(lp, off, elems...)
	e.kind = putReversed
	return e
}

// InsertBefore is Insert, by the name that pairs with InsertAfter.
func InsertBefore(lp []byte, off int, elems ...[]byte) Edit { return Insert(lp, off, elems...) }

// InsertAfter plans to put elems behind the entry at off.
func InsertAfter(lp []byte, off int, elems ...[]byte) Edit {
	return Insert(lp, skip(lp, off), elems...)
}

// InsertInt is Insert of one integer.
func InsertInt(lp []byte, off int, v int64) Edit {
	return Edit{off: off, put: IntEntryBytes(v), total: Bytes(lp), count: 1, num: v, kind: putInt}
}

// InsertEntries is Insert of n entries that are encoded already, by AppendEntry or as
// another listpack's Entries.
func InsertEntries(lp []byte, off int, entries []byte, n int) Edit {
	return Edit{off: off, put: len(entries), total: Bytes(lp), count: n, raw: entries, kind: putRaw}
}

// Replace plans to put elems in the place of the entry at off.
func Replace(lp []byte, off int, elems ...[]byte) Edit { return ReplaceRange(lp, off, 1, elems...) }

// ReplaceInt is Replace by an integer.
func ReplaceInt(lp []byte, off int, v int64) Edit {
	return Edit{off: off, cut: skip(lp, off) - off, put: IntEntryBytes(v), total: Bytes(lp), num: v, kind: putInt}
}

// ReplaceRange plans to put elems in the place of the n entries from off on.
func ReplaceRange(lp []byte, off, n int, elems ...[]byte) Edit {
	e := Delete(lp, off, n)
	e.put, e.elems = entriesBytes(elems), elems
	e.count += len(elems)
	return e
}

// Delete plans to take out the n entries from off on, or as many as there are; a negative
// n means all to the end.
func Delete(lp []byte, off, n int) Edit {
	to, gone := off, 0
	if known := count(lp); n < 0 && off == headerBytes && known != unknown {
		to, gone = End(lp), known
	}
	for ; lp[to] != end && (n < 0 || gone < n); gone++ {
		to = skip(lp, to)
	}
	return Edit{off: off, cut: to - off, total: Bytes(lp), count: -gone}
}

// DeleteTo plans to take out the n entries that lie from off up to the offset to.
func DeleteTo(lp []byte, off, to, n int) Edit {
	return Edit{off: off, cut: to - off, total: Bytes(lp), count: -n}
}

func entriesBytes(elems [][]byte) int {
	n := 0
	for _, elem := range elems {
		n += EntryBytes(elem)
	}
	return n
}

// Apply makes the change in lp, which must have room for the longer of the listpack
// before and after.
func (e *Edit) Apply(lp []byte) {
	if e.put != e.cut {
		move(lp[e.off+e.put:e.Len()], lp[e.off+e.cut:e.total])
	}
	dst := lp[e.off : e.off : e.off+e.put]
	switch e.kind {
	case putElems:
		for _, elem := range e.elems {
			dst = AppendEntry(dst, elem)
		}
	case putReversed:
		for i := len(e.elems) - 1; i >= 0; i-- {
			dst = AppendEntry(dst, e.elems[i])
		}
	case putRaw:
		bulk.Append(dst, e.raw)
	case putInt:
		AppendIntEntry(dst, e.num)
	}
	setHeader(lp, e.Len(), e.count)
}

func move(dst, src []byte) {
	if len(src) > bulk.Piece {
		bulk.Copy(dst, src)
		return
	}
	copy(dst, src)
}
