package quicklist

import "github.com/redwingdb/redwing/internal/engine/listpack"

// Pos is the place of an element: a node and, in a packed one, an offset. It is good
// until the list changes.
type Pos struct {
	node uint32
	off  int
}

// Seek returns the place of element i, from 0; there must be one.
func (l List) Seek(i int) Pos {
	j, skipped := l.nodeOf(i)
	p := Pos{node: j}
	if n := l.node(j); !n.plain() {
		p.off = listpack.Seek(l.bytes(n), i-skipped)
	}
	return p
}

// nodeOf returns the node with element i and how many elements lie before that node. It
// counts from the nearer end.
func (l List) nodeOf(i int) (j uint32, before int) {
	a, b := l.halves()
	if i < l.Len()/2 {
		if j, before = countUp(a, i, 0); int(j) < len(a) {
			return j, before
		}
		k, before := countUp(b, i, before)
		return j + k, before
	}
	if j, before = countDown(b, i, l.Len()); before <= i {
		return uint32(len(a)) + j, before
	}
	return countDown(a, i, before)
}

// countUp returns the number of the node in ring that has element i, where before elements
// lie before ring, and how many lie before it; len(ring) if it is not there.
func countUp(ring []node, i, before int) (uint32, int) {
	for j := range ring {
		n := ring[j].len()
		if i < before+n {
			return uint32(j), before
		}
		before += n
	}
	return uint32(len(ring)), before
}

// countDown is countUp from the other end: end elements lie up to the end of ring. The
// number of elements before is above i if it is not there.
func countDown(ring []node, i, end int) (uint32, int) {
	for j := len(ring) - 1; j >= 0; j-- {
		if end -= ring[j].len(); end <= i {
			return uint32(j), end
		}
	}
	return 0, end
}

// At returns the element at p: a string in place, or an integer.
func (l List) At(p Pos) (str []byte, v int64, isInt bool) {
	n := l.node(p.node)
	if n.plain() {
		return l.bytes(n), 0, false
	}
	return listpack.Value(l.bytes(n), p.off)
}

// Find returns the place of the first element that is elem.
func (l List) Find(elem []byte) (p Pos, ok bool) {
	for ; p.node < l.h.nodes; p.node++ {
		n := l.node(p.node)
		if n.plain() {
			if len(elem) == int(n.bytes) {
				if needle := listpack.NewNeedle(elem); needle.Is(l.bytes(n), 0, false) {
					return p, true
				}
			}
			continue
		}
		lp := l.bytes(n)
		if p.off = listpack.Find(lp, listpack.First(lp), elem, 0); p.off >= 0 {
			return p, true
		}
		p.off = 0
	}
	return p, false
}

// Walk goes over elements one by one, forward or backward. The list must not change
// meanwhile. Its zero value is at its end.
type Walk struct {
	l     List
	lp    []byte
	off   int // -1: the node is through
	next  uint32
	left  uint32 // nodes behind this one, on the way
	back  bool
	plain bool
}

// OverListpack returns a walk over a single listpack, from the element at off on.
func OverListpack(lp []byte, off int, back bool) Walk {
	return Walk{lp: lp, off: off, back: back}
}

// From returns a walk that begins at element i, which exists.
func (l List) From(i int, back bool) Walk {
	p := l.Seek(i)
	w := Walk{l: l, back: back, next: p.node, left: l.h.nodes - p.node}
	if back {
		w.left = p.node + 1
	}
	w.enter()
	if !w.plain {
		w.off = p.off
	}
	return w
}

// enter begins with the next node.
func (w *Walk) enter() {
	n := w.l.node(w.next)
	w.lp, w.plain = w.l.bytes(n), n.plain()
	w.left--
	switch {
	case w.plain:
		w.off = 0
	case w.back:
		w.off = listpack.Last(w.lp)
	default:
		w.off = listpack.First(w.lp)
	}
	if w.back {
		w.next--
	} else {
		w.next++
	}
}

// Next returns the next element, a string in place or an integer, or ok false behind the
// last.
func (w *Walk) Next() (str []byte, v int64, isInt, ok bool) {
	if w.off < 0 {
		if w.left == 0 {
			return nil, 0, false, false
		}
		w.enter()
	}
	switch {
	case w.plain:
		str, w.off = w.lp, -1
	case w.back:
		str, v, isInt = listpack.Value(w.lp, w.off)
		w.off = listpack.Prev(w.lp, w.off)
	default:
		str, v, isInt, w.off = listpack.Step(w.lp, w.off)
	}
	return str, v, isInt, true
}

// Rest is a shortcut past Next through the node that a walk forward is in: it returns the
// listpack and the offset of the next element, and leaves the walk behind that node. ok
// is false at a plain node and at the end: Next is to be called.
func (w *Walk) Rest() (lp []byte, off int, ok bool) {
	if w.off < 0 && w.left > 0 {
		w.enter()
	}
	if w.off < 0 || w.plain || w.back {
		return nil, 0, false
	}
	lp, off, w.off = w.lp, w.off, -1
	return lp, off, true
}
