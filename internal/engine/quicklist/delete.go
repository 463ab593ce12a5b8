package quicklist

import "github.com/redwingdb/redwing/internal/engine/listpack"

// Delete takes out n elements from element i on; they exist.
func (l List) Delete(i, n int) {
	if n == 0 {
		return
	}
	j, before := l.nodeOf(i)
	if skipped := i - before; skipped > 0 {
		n -= l.deleteWithin(j, skipped, n)
		j++
	}
	to := j
	for n > 0 && l.node(to).len() <= n {
		n -= l.node(to).len()
		to++
	}
	if n > 0 {
		l.deleteWithin(to, 0, n)
	}
	if to > j {
		l.removeNodes(j, to)
	}
}

// deleteWithin takes up to n entries out of packed node j, from its entry i on, but not
// all, and returns how many.
func (l List) deleteWithin(j uint32, i, n int) int {
	nd := l.node(j)
	l.own(nd)
	n = min(n, int(nd.count)-i)
	lp := l.bytes(nd)
	from := listpack.Seek(lp, i)
	to := listpack.End(lp)
	if i+n < int(nd.count) {
		to = listpack.Seek(lp, i+n)
	}
	e := listpack.DeleteTo(lp, from, to, n)
	_ = l.edit(Limits{}, nd, &e, -n) // shortening needs no memory
	l.narrow(nd, false)
	return n
}

// Remove takes out the first limit elements that are elem, with back the last ones, and
// returns how many there were.
func (l List) Remove(elem []byte, limit int, back bool) (gone int) {
	needle := listpack.NewNeedle(elem)
	emptied := false
	for k := uint32(0); k < l.h.nodes && gone < limit; k++ {
		i := k
		if back {
			i = l.h.nodes - 1 - k
		}
		n := l.node(i)
		removed := l.removeWithin(n, &needle, limit-gone, back)
		gone += removed
		l.h.elements -= uint64(removed)
		if removed == n.len() {
			l.free(n)
			n.ref = 0
			emptied = true
			continue
		}
		if removed > 0 {
			n.count -= uint32(removed)
			l.narrow(n, false)
		}
	}
	if emptied {
		l.sweep()
	}
	return gone
}

// removeWithin takes the elements out of n's bytes, but leaves its count and a plain
// element to the caller.
func (l List) removeWithin(n *node, needle *listpack.Needle, limit int, back bool) int {
	if n.plain() {
		if needle.Is(l.bytes(n), 0, false) {
			return 1
		}
		return 0
	}
	if n.start&sharedBit != 0 {
		if listpack.CountEqual(l.bytes(n), needle) == 0 {
			return 0
		}
		l.own(n)
	}
	lp := l.bytes(n)
	skipped := 0
	if back {
		skipped = max(0, listpack.CountEqual(lp, needle)-limit)
	}
	gone := listpack.DeleteEqual(lp, needle, skipped, limit)
	n.bytes = uint32(listpack.Bytes(lp))
	return gone
}
