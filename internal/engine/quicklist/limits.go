package quicklist

import (
	"math"

	"github.com/redwingdb/redwing/internal/engine/arena"
	"github.com/redwingdb/redwing/internal/engine/listpack"
)

// Limits say how much a node may hold.
type Limits struct {
	// Fill is list-max-listpack-size: the most elements of a node if positive (0 is 1), and
	// 4, 8, 16, 32 or 64 KiB if -1 to -5.
	Fill int
	// Plain is the bytes from which on an element has a node alone; 0: only those do
	// that fit into no block of a slab.
	Plain int
}

const (
	// safeBytes bounds a node whose bound is a number of elements.
	safeBytes = 8192
	// roughEntry is what an element's entry is assumed to add to it (quicklist.c,
	// SIZE_ESTIMATE_OVERHEAD).
	roughEntry = 8
	// plainBytes is where an element does not fit into a slab's block with a listpack
	// around it.
	plainBytes = arena.MaxBlock - listpack.EmptyBytes - 10
)

// Bounds returns the most bytes and elements of a node (quicklist.c, quicklistNodeLimit).
func (o Limits) Bounds() (bytes, elements int) {
	if o.Fill >= 0 {
		return math.MaxInt, max(o.Fill, 1)
	}
	return 2048 << min(-o.Fill, 5), math.MaxInt
}

// Exceeds reports whether a node of so many bytes and elements is over its bound
// (quicklist.c, quicklistNodeExceedsLimit).
func (o Limits) Exceeds(bytes, elements int) bool {
	maxBytes, maxElements := o.Bounds()
	if o.Fill >= 0 {
		maxBytes = safeBytes
	}
	return bytes > maxBytes || elements > maxElements
}

func (o Limits) plain(elem []byte) bool {
	return len(elem) >= plainBytes || o.Plain > 0 && len(elem) >= o.Plain
}

// admits reports whether elem, which is not plain, may be put into n.
func (o Limits) admits(n *node, elem []byte) bool {
	return !n.plain() && !o.Exceeds(int(n.bytes)+len(elem)+roughEntry, int(n.count)+1)
}

// mergeable reports whether two nodes may become one.
func (o Limits) mergeable(a, b *node) bool {
	return !a.plain() && !b.plain() && !o.Exceeds(int(a.bytes+b.bytes)-listpack.EmptyBytes, int(a.count+b.count))
}

// leastBlock is what a block of a node with room for more begins with, in bytes.
const leastBlock = 512

// firstRoom is the length of the block of a new node whose first element makes it so many
// bytes long.
func (o Limits) firstRoom(bytes int) int {
	if o.Fill >= 0 && o.Fill < leastBlock {
		return min(bytes*max(o.Fill, 1), leastBlock)
	}
	return leastBlock
}

// roomy is the most bytes that a block is made longer for pushes to come.
func (o Limits) roomy() int {
	bytes, _ := o.Bounds()
	return min(bytes, safeBytes)
}
