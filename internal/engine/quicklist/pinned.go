package quicklist

import (
	"unsafe"

	"github.com/redwingdb/redwing/internal/engine/arena"
	"github.com/redwingdb/redwing/internal/engine/bulk"
)

// A list that is pinned keeps being what it was for those who read a copy of its Head made
// then. Its first change gives it an array of nodes of its own (Detach); a node changes in
// a block of its own from then on, and what the list gives up is kept for the readers.

// sharedBit is set in the start of a node whose block a pinned array names too. It means
// something while the list is pinned, and nothing afterwards.
const sharedBit = 1 << 31

// Kept takes the blocks that a list has given up and a pinned array of nodes names.
type Kept struct {
	Blocks []arena.Ref
	// Failed is set where no space was left to keep something as it was. The readers of
	// what is pinned must not look any more.
	Failed bool
	// Grew hears of the bytes of each block.
	Grew func(bytes int64)
}

func (l List) keep(ref arena.Ref) {
	l.kept.Blocks = append(l.kept.Blocks, ref)
	l.kept.Grew(l.a.Size(ref))
}

// Free frees about n of the blocks, which nobody names any more, and reports whether all
// are gone.
func (k *Kept) Free(a *arena.Arena, n int) (done bool) {
	for ; len(k.Blocks) > 0 && n > 0; n-- {
		a.Free(k.Blocks[len(k.Blocks)-1])
		k.Blocks = k.Blocks[:len(k.Blocks)-1]
	}
	return len(k.Blocks) == 0
}

// OpenPinned is Open of a list that is pinned, for changes. REQUIRES: Detach was called
// since it was last pinned.
func OpenPinned(a *arena.Arena, h *Head, kept *Kept) List { return List{a, h, kept} }

// Detach gives a list that is pinned an array of nodes of its own. The one that it had
// goes to kept.
func (l List) Detach() {
	if l.h.size == 0 {
		return
	}
	ref, err := l.a.Alloc(int(l.h.size) * nodeBytes)
	if err != nil {
		l.kept.Failed = true
		return
	}
	a, b := l.halves()
	nodes := unsafe.Slice((*node)(l.a.At(ref)), l.h.nodes)
	copyNodes(nodes, a)
	copyNodes(nodes[len(a):], b)
	for i := range nodes {
		nodes[i].start |= sharedBit
	}
	l.keep(l.h.ring)
	l.h.ring, l.h.first = ref, 0
}

// own makes sure that the block of n may be changed.
func (l List) own(n *node) {
	if n.start&sharedBit == 0 {
		return
	}
	n.start &^= sharedBit
	if l.kept == nil {
		return
	}
	size := int(l.a.Size(n.ref))
	ref, err := l.a.Alloc(size)
	if err != nil {
		l.kept.Failed = true
		return
	}
	bulk.Copy(l.a.Bytes(ref, size), l.a.Bytes(n.ref, size))
	l.keep(n.ref)
	n.ref = ref
}

// free frees the block of n, or leaves it to those who have pinned it.
func (l List) free(n *node) {
	if n.start&sharedBit != 0 && l.kept != nil {
		l.keep(n.ref)
		return
	}
	l.a.Free(n.ref)
}
