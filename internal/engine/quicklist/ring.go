package quicklist

import (
	"unsafe"

	"github.com/redwingdb/redwing/internal/engine/arena"
	"github.com/redwingdb/redwing/internal/engine/bulk"
)

// leastRing is the smallest ring, in nodes.
const leastRing = 4

// node returns the ring's entry of node i.
func (l List) node(i uint32) *node {
	place := (l.h.first + i) & (l.h.size - 1)
	return (*node)(unsafe.Add(l.a.At(l.h.ring), int(place)*nodeBytes))
}

// halves returns the ring's entries in order, in two pieces.
func (l List) halves() (a, b []node) {
	if l.h.nodes == 0 {
		return nil, nil
	}
	ring := unsafe.Slice((*node)(l.a.At(l.h.ring)), l.h.size)
	end := l.h.first + l.h.nodes
	if end <= l.h.size {
		return ring[l.h.first:end], nil
	}
	return ring[l.h.first:], ring[:end-l.h.size]
}

// resizeRing moves the ring to a block for size nodes.
func (l List) resizeRing(size uint32) error {
	ref, err := l.a.Alloc(int(size) * nodeBytes)
	if err != nil {
		return err
	}
	a, b := l.halves()
	dst := unsafe.Slice((*node)(l.a.At(ref)), size)
	copyNodes(dst, a)
	copyNodes(dst[len(a):], b)
	if l.h.size > 0 {
		l.a.Free(l.h.ring)
	}
	l.h.ring, l.h.size, l.h.first = ref, size, 0
	return nil
}

func copyNodes(dst, src []node) {
	n := len(src) * nodeBytes
	if n == 0 {
		return
	}
	bulk.Copy(unsafe.Slice((*byte)(unsafe.Pointer(&dst[0])), n), unsafe.Slice((*byte)(unsafe.Pointer(&src[0])), n))
}

// reserve makes room for n more nodes in the ring.
func (l List) reserve(n uint32) error {
	size := max(l.h.size, leastRing)
	for size < l.h.nodes+n {
		size *= 2
	}
	if n == 0 || size == l.h.size {
		return nil
	}
	return l.resizeRing(size)
}

// insertNode makes n node i. On error, possible only where the ring is full, n's block is
// freed.
func (l List) insertNode(i uint32, n node) error {
	if err := l.reserve(1); err != nil {
		l.free(&n)
		return err
	}
	h := l.h
	h.nodes++
	if i < h.nodes/2 {
		h.first = (h.first - 1) & (h.size - 1)
		for j := uint32(0); j < i; j++ {
			*l.node(j) = *l.node(j + 1)
		}
	} else {
		for j := h.nodes - 1; j > i; j-- {
			*l.node(j) = *l.node(j - 1)
		}
	}
	*l.node(i) = n
	h.elements += uint64(n.len())
	return nil
}

// removeNodes frees nodes from up to to and closes the gap.
func (l List) removeNodes(from, to uint32) {
	for i := from; i < to; i++ {
		n := l.node(i)
		l.h.elements -= uint64(n.len())
		l.free(n)
	}
	l.closeGap(from, to)
}

// closeGap takes the entries from up to to out of the ring.
func (l List) closeGap(from, to uint32) {
	h, gone := l.h, to-from
	if from < h.nodes-to {
		for j := to; j > gone; j-- {
			*l.node(j - 1) = *l.node(j - 1 - gone)
		}
		h.first = (h.first + gone) & (h.size - 1)
	} else {
		for j := to; j < h.nodes; j++ {
			*l.node(j - gone) = *l.node(j)
		}
	}
	h.nodes -= gone
	l.shrinkRing()
}

// shrinkRing gives memory back where the ring has become much too long, and the ring of
// an empty list.
func (l List) shrinkRing() {
	h := l.h
	if h.nodes == 0 {
		if h.size > 0 {
			l.a.Free(h.ring)
		}
		h.ring, h.size, h.first = 0, 0, 0
		return
	}
	if h.size > leastRing && h.nodes <= h.size/4 {
		_ = l.resizeRing(h.size / 2) // without memory for a shorter one it stays
	}
}

// sweep takes the entries whose block is gone (ref 0) out of the ring, in one pass.
func (l List) sweep() {
	kept := uint32(0)
	for i := uint32(0); i < l.h.nodes; i++ {
		if n := *l.node(i); n.ref != arena.Ref(0) {
			*l.node(kept) = n
			kept++
		}
	}
	l.h.nodes = kept
	l.shrinkRing()
}
