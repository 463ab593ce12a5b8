package quicklist

import (
	"github.com/redwingdb/redwing/internal/engine/arena"
	"github.com/redwingdb/redwing/internal/engine/bulk"
	"github.com/redwingdb/redwing/internal/engine/listpack"
)

// packedNode returns a node with a listpack of so many bytes and elements, which the
// caller writes, at the start of a block of at least room bytes.
func (l List) packedNode(room, bytes, count int) (node, error) {
	ref, err := l.a.Alloc(max(room, bytes))
	return node{ref: ref, bytes: uint32(bytes), count: uint32(count)}, err
}

// soleNode returns a node of elem alone. A packed one has room for more behind elem, or
// with front before it.
func (l List) soleNode(o Limits, elem []byte, front bool) (n node, err error) {
	if o.plain(elem) {
		// A plain element is never changed: it needs no room to grow.
		if len(elem) > arena.MaxBlock {
			n.ref, err = l.a.AllocSpan(int64(len(elem)), int64(len(elem)))
		} else {
			n.ref, err = l.a.Alloc(len(elem))
		}
		if err != nil {
			return n, err
		}
		n.bytes = uint32(len(elem))
		bulk.Copy(l.bytes(&n), elem)
		return n, nil
	}
	bytes := listpack.EmptyBytes + listpack.EntryBytes(elem)
	if n, err = l.packedNode(o.firstRoom(bytes), bytes, 1); err != nil {
		return n, err
	}
	block := l.block(&n)
	if front {
		n.start = uint32(len(block) - bytes)
	}
	lp := listpack.New(block[n.start:n.start])
	e := listpack.Insert(lp, listpack.End(lp), elem)
	e.Apply(block[n.start:])
	return n, nil
}

// replaceBlock moves the listpack of n to a block of at least room bytes, to its start or,
// with atEnd, to its end.
func (l List) replaceBlock(n *node, room int, atEnd bool) error {
	fresh, err := l.packedNode(room, int(n.bytes), int(n.count))
	if err != nil {
		return err
	}
	if atEnd {
		fresh.start = uint32(l.a.Size(fresh.ref)) - n.bytes
	}
	bulk.Copy(l.bytes(&fresh), l.bytes(n))
	l.free(n)
	*n = fresh
	return nil
}

// slide moves the listpack of n within its block. REQUIRES: own.
func (l List) slide(n *node, to int) {
	block := l.block(n)
	bulk.Copy(block[to:to+int(n.bytes)], block[n.start:n.start+n.bytes])
	n.start = uint32(to)
}

// widen makes sure that delta bytes are free behind the listpack of n, or with front
// before it. REQUIRES: own.
func (l List) widen(o Limits, n *node, delta int, front bool) error {
	size, bytes := int(l.a.Size(n.ref)), int(n.bytes)
	free := size - bytes - int(n.start)
	if front {
		free = int(n.start)
	}
	switch {
	case delta <= free:
	case bytes+delta > size:
		room := max(bytes+delta, min(2*size, o.roomy()))
		return l.replaceBlock(n, room, front)
	case front:
		l.slide(n, size-bytes)
	default:
		l.slide(n, 0)
	}
	return nil
}

// narrow gives memory back where the listpack of n fills little of its block. Without
// memory for a shorter block it stays.
func (l List) narrow(n *node, tight bool) {
	size, bytes := int(l.a.Size(n.ref)), int(n.bytes)
	switch {
	case tight && bytes <= size-size/8:
		_ = l.replaceBlock(n, bytes, false)
	case size > leastBlock && bytes <= size/4:
		_ = l.replaceBlock(n, size/2, false)
	}
}

// edit makes a planned change of the listpack of n, which must not become empty.
func (l List) edit(o Limits, n *node, e *listpack.Edit, elements int) error {
	l.own(n)
	if d := e.Delta(); d > 0 {
		if err := l.widen(o, n, d, false); err != nil {
			return err
		}
	}
	e.Apply(l.block(n)[n.start:])
	n.bytes = uint32(e.Len())
	n.count += uint32(elements)
	l.h.elements += uint64(int64(elements))
	return nil
}
