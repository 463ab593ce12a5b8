// Package quicklist is the form of long lists: a deque of nodes in an arena, each a
// listpack of some elements, or one long element alone. It owns the layout of its root,
// ring and nodes (docs/format/quicklist.md); keys, types and snapshots are the engine's,
// which calls it with the shard locked.
//
//	root --> ring | node node node ... |  nodes in order from `first`, wrapping around
//	                |    |    |
//	              block block block      | free | listpack | free |   or   | element |
//
// Both ends are cheap: the ring grows and shrinks at either, and so does the listpack
// within its block, which has its free bytes before or behind it as pushes came.
package quicklist

import (
	"unsafe"

	"github.com/redwingdb/redwing/internal/engine/arena"
	"github.com/redwingdb/redwing/internal/engine/listpack"
)

// Head is the root of a list, in an arena block of HeadBytes. All zero is an empty list.
type Head struct {
	elements uint64
	ring     arena.Ref // room for size nodes
	size     uint32    // a power of two, or 0
	first    uint32    // place of the first node in the ring
	nodes    uint32
}

// HeadBytes is the length of a Head.
const HeadBytes = int(unsafe.Sizeof(Head{}))

// Len returns the number of elements.
func (h *Head) Len() int { return int(h.elements) }

// node is one entry of the ring.
type node struct {
	ref   arena.Ref
	start uint32 // offset of the listpack in its block, and sharedBit; a plain element starts at 0
	bytes uint32 // of the listpack or the plain element
	count uint32 // elements; 0 for a plain one
}

const nodeBytes = int(unsafe.Sizeof(node{}))

func (n *node) plain() bool { return n.count == 0 }

func (n *node) len() int { return int(max(n.count, 1)) }

// List is a list, open under its shard's lock. It is a small value.
type List struct {
	a    *arena.Arena
	h    *Head
	kept *Kept // nil: it is not pinned, or not to be changed
}

// Open returns the list whose root is h, in a.
func Open(a *arena.Arena, h *Head) List { return List{a, h, nil} }

// Len returns the number of elements.
func (l List) Len() int { return int(l.h.elements) }

// Nodes returns the number of nodes.
func (l List) Nodes() int { return int(l.h.nodes) }

// Node returns the bytes of node i, in place: a listpack, or one plain element.
func (l List) Node(i int) (b []byte, plain bool) {
	n := l.node(uint32(i))
	return l.bytes(n), n.plain()
}

// NodeSpan returns the ref of node i if it is a plain element in a span of its own: bytes
// that may be pinned, since they are never changed in place.
func (l List) NodeSpan(i int) (span arena.Ref, ok bool) {
	n := l.node(uint32(i))
	return n.ref, n.plain() && n.bytes > arena.MaxBlock
}

func (l List) bytes(n *node) []byte {
	return unsafe.Slice((*byte)(unsafe.Add(l.a.At(n.ref), n.start&^sharedBit)), n.bytes)
}

// block returns all bytes of a node's block.
func (l List) block(n *node) []byte { return l.a.Bytes(n.ref, int(l.a.Size(n.ref))) }

// AdoptListpack makes the empty list one node that is a copy of lp.
func (l List) AdoptListpack(lp []byte) error {
	n, err := l.packedNode(len(lp), len(lp), listpack.Len(lp))
	if err != nil {
		return err
	}
	copy(l.bytes(&n), lp)
	return l.insertNode(0, n)
}

// Sole returns the listpack of a list that is one packed node.
func (l List) Sole() (lp []byte, ok bool) {
	if l.h.nodes != 1 {
		return nil, false
	}
	n := l.node(0)
	return l.bytes(n), !n.plain()
}
