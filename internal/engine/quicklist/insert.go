package quicklist

import "github.com/redwingdb/redwing/internal/engine/listpack"

// Insert puts elem before or behind the element at p. elem must not lie in the list. On
// error the order of elements is as it was. Full nodes are dealt with as in Redis
// (quicklist.c, _quicklistInsert): at an end of its node elem goes to the neighbour if
// that has room, or gets a node of its own; in the middle the node is split, and
// neighbours that have become short are merged.
func (l List) Insert(o Limits, p Pos, after bool, elem []byte) error {
	n := l.node(p.node)
	plain := o.plain(elem)
	if n.plain() {
		return l.insertBeside(o, p.node, after, elem, plain)
	}
	lp := l.bytes(n)
	if !plain && o.admits(n, elem) {
		off := p.off
		if after {
			off = listpack.Behind(lp, off)
		}
		e := listpack.Insert(lp, off, elem)
		return l.edit(o, n, &e, 1)
	}
	if after && listpack.Next(lp, p.off) < 0 || !after && p.off == listpack.First(lp) {
		return l.insertBeside(o, p.node, after, elem, plain)
	}
	return l.insertSplit(o, p, after, elem)
}

// insertBeside puts elem between node i and the one behind or before it.
func (l List) insertBeside(o Limits, i uint32, after bool, elem []byte, plain bool) error {
	other, exists := i-1, i > 0
	if after {
		other, exists = i+1, i+1 < l.h.nodes
	}
	if exists && !plain {
		if n := l.node(other); o.admits(n, elem) {
			return l.pushInto(o, n, elem, after)
		}
	}
	n, err := l.soleNode(o, elem, false)
	if err != nil {
		return err
	}
	if after {
		i++
	}
	return l.insertNode(i, n)
}

// insertSplit splits the node of p, and puts elem, which it is too full for, between its
// halves or at the end of one.
func (l List) insertSplit(o Limits, p Pos, after bool, elem []byte) error {
	off := p.off
	if after {
		off = listpack.Next(l.bytes(l.node(p.node)), off)
	}
	if err := l.reserve(2); err != nil {
		return err
	}
	if err := l.split(p.node, off); err != nil {
		return err
	}
	left, right := l.node(p.node), l.node(p.node+1)
	var err error
	middle := p.node
	switch {
	case !o.plain(elem) && o.admits(left, elem):
		err = l.pushInto(o, left, elem, false)
	case !o.plain(elem) && o.admits(right, elem):
		err = l.pushInto(o, right, elem, true)
	default:
		var n node
		if n, err = l.soleNode(o, elem, false); err == nil {
			middle++
			err = l.insertNode(middle, n)
		}
	}
	l.mergeAround(o, middle)
	return err
}

// split makes the entries of node i from off on, some but not all, a node of their own
// behind it.
func (l List) split(i uint32, off int) error {
	n := l.node(i)
	lp := l.bytes(n)
	e := listpack.Delete(lp, off, -1)
	moved := lp[off : len(lp)-1]
	count := -e.Count()
	tail, err := l.packedNode(0, listpack.EmptyBytes+len(moved), count)
	if err != nil {
		return err
	}
	block := l.block(&tail)
	fresh := listpack.New(block[:0])
	put := listpack.InsertEntries(fresh, listpack.End(fresh), moved, count)
	put.Apply(block)
	if err := l.edit(Limits{}, n, &e, -count); err != nil {
		return err // cannot be: it shortens
	}
	l.narrow(n, true)
	return l.insertNode(i+1, tail)
}

// mergeAround merges node i and its neighbours as far as they fit together (quicklist.c,
// _quicklistMergeNodes).
func (l List) mergeAround(o Limits, i uint32) {
	if i >= 2 && l.merge(o, i-2) {
		i--
	}
	if i+2 < l.h.nodes {
		l.merge(o, i+1)
	}
	if i >= 1 && l.merge(o, i-1) {
		i--
	}
	if i+1 < l.h.nodes {
		l.merge(o, i)
	}
}

// merge makes nodes i and i+1 one if that may be, and memory is there.
func (l List) merge(o Limits, i uint32) bool {
	a, b := l.node(i), l.node(i+1)
	if !o.mergeable(a, b) {
		return false
	}
	lp := l.bytes(a)
	count := int(b.count)
	e := listpack.InsertEntries(lp, listpack.End(lp), listpack.Entries(l.bytes(b)), count)
	if l.edit(o, a, &e, count) != nil {
		return false
	}
	l.removeNodes(i+1, i+2)
	return true
}

// Set replaces the element at p by elem, which must not lie in the list. On error the
// elements are as they were.
func (l List) Set(o Limits, p Pos, elem []byte) error {
	n := l.node(p.node)
	if !n.plain() && !o.plain(elem) {
		e := listpack.Replace(l.bytes(n), p.off, elem)
		if n.count == 1 || e.Delta() <= 0 || !o.Exceeds(e.Len(), int(n.count)) {
			if err := l.edit(o, n, &e, 0); err != nil {
				return err
			}
			l.narrow(n, false)
			return nil
		}
	}
	if n.len() == 1 {
		fresh, err := l.soleNode(o, elem, false)
		if err != nil {
			return err
		}
		l.free(n)
		*n = fresh
		return nil
	}
	// Rare: the node has no room for it. The new element goes behind the old one, which is
	// found again by its number.
	at := l.indexOf(p)
	if err := l.Insert(o, p, true, elem); err != nil {
		return err
	}
	l.Delete(at, 1)
	return nil
}

// indexOf returns the number of the element at p.
func (l List) indexOf(p Pos) int {
	i := 0
	for j := range p.node {
		i += l.node(j).len()
	}
	if n := l.node(p.node); !n.plain() {
		lp := l.bytes(n)
		for off := listpack.First(lp); off != p.off; off = listpack.Next(lp, off) {
			i++
		}
	}
	return i
}
