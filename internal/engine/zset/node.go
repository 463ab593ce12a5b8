package zset

import (
	"unsafe"

	"github.com/redwingdb/redwing/internal/engine/arena"
)

// node is a block of the tree: a header, then arrays of as many elements as its class
// has room for.
//
//	leaf   | n u16 | class | level 0 | 0 u32 | scores f64 ... | refs u32 ... |
//	inner  | n u16 | class | level   | 0 u32 | scores f64 ... | refs u32 ... | kids u32 ... | counts u32 ... |
//
// Score and ref i of an inner node are those of the first entry below its child i, always;
// count i is the number of entries below it. A node's block grows and shrinks with what
// it holds: a full tree built in any order is nine tenths full, and one of few entries is
// small.
type node struct {
	n     uint16
	class uint8
	level uint8
	_     uint32
}

const (
	nodeHeader = 8
	leafEntry  = 12
	innerEntry = 20

	maxLeaf  = 84
	maxInner = 50

	// A node with less than the least is merged with a neighbour if the two together do
	// not exceed the merge bound, which leaves room before they split again.
	leastLeaf  = 28
	leastInner = 16
	mergeLeaf  = 64
	mergeInner = 38
)

// Room of nodes by class, so that a block is a size class of the arena or just less.
var (
	leafRoom  = [...]uint16{4, 8, 12, 16, 20, 28, 36, 46, 57, 68, maxLeaf}
	innerRoom = [...]uint16{4, 8, 12, 17, 25, 37, maxInner}
)

func room(level, class uint8) int {
	if level == 0 {
		return int(leafRoom[class])
	}
	return int(innerRoom[class])
}

// classFor returns the class of a node for n entries.
func classFor(level uint8, n int) (class uint8) {
	for room(level, class) < n {
		class++
	}
	return class
}

func nodeBytes(level, class uint8) int {
	if level == 0 {
		return nodeHeader + leafEntry*room(level, class)
	}
	return nodeHeader + innerEntry*room(level, class)
}

func (x *node) room() int { return room(x.level, x.class) }

func (x *node) full() bool {
	if x.level == 0 {
		return x.n == maxLeaf
	}
	return x.n == maxInner
}

func (x *node) bounds() (least, merge int) {
	if x.level == 0 {
		return leastLeaf, mergeLeaf
	}
	return leastInner, mergeInner
}

func array[T any](x *node, off int) []T {
	return unsafe.Slice((*T)(unsafe.Add(unsafe.Pointer(x), off)), x.n)
}

func (x *node) scores() []float64   { return array[float64](x, nodeHeader) }
func (x *node) refs() []arena.Ref   { return array[arena.Ref](x, nodeHeader+8*x.room()) }
func (x *node) kids() []arena.Ref   { return array[arena.Ref](x, nodeHeader+12*x.room()) }
func (x *node) counts() []uint32    { return array[uint32](x, nodeHeader+16*x.room()) }
func (x *node) kid(i int) arena.Ref { return x.kids()[i] }

// newNode returns an empty node.
func (t *Tree) newNode(level, class uint8) (arena.Ref, error) {
	ref, err := t.A.Alloc(nodeBytes(level, class))
	if err != nil {
		return 0, err
	}
	*t.node(ref) = node{class: class, level: level}
	return ref, nil
}

// insert puts an entry at index i; x has room. kid and count are those of an inner node.
func (x *node) insert(i int, score float64, ref, kid arena.Ref, count uint32) {
	x.n++
	insertAt(x.scores(), i, score)
	insertAt(x.refs(), i, ref)
	if x.level > 0 {
		insertAt(x.kids(), i, kid)
		insertAt(x.counts(), i, count)
	}
}

func insertAt[T any](s []T, i int, v T) {
	copy(s[i+1:], s[i:])
	s[i] = v
}

// remove takes the entry at index i out.
func (x *node) remove(i int) {
	removeAt(x.scores(), i)
	removeAt(x.refs(), i)
	if x.level > 0 {
		removeAt(x.kids(), i)
		removeAt(x.counts(), i)
	}
	x.n--
}

func removeAt[T any](s []T, i int) { copy(s[i:], s[i+1:]) }

// take appends the entries of from beginning at index i to x, which has room, and cuts
// them off from. It returns how many entries of the tree they stand for.
func (x *node) take(from *node, i int) (moved uint32) {
	had := int(x.n)
	x.n += from.n - uint16(i)
	copy(x.scores()[had:], from.scores()[i:])
	copy(x.refs()[had:], from.refs()[i:])
	if x.level == 0 {
		moved = uint32(from.n) - uint32(i)
	} else {
		copy(x.kids()[had:], from.kids()[i:])
		copy(x.counts()[had:], from.counts()[i:])
		for _, c := range x.counts()[had:] {
			moved += c
		}
	}
	from.n = uint16(i)
	return moved
}

// refit gives the node of p at level a block of another class.
func (t *Tree) refit(p *path, level int, class uint8) error {
	old := p.refs[level]
	x := t.node(old)
	ref, err := t.newNode(x.level, class)
	if err != nil {
		return err
	}
	t.node(ref).take(x, 0)
	t.link(p, level, ref)
	t.A.Free(old)
	return nil
}

// trim gives the node of p at level a smaller block if two classes of room are empty. A
// refusal for want of space leaves it as it is.
func (t *Tree) trim(p *path, level int) {
	x := t.at(p, level)
	if x.class >= 2 && int(x.n) <= room(x.level, x.class-2) {
		_ = t.refit(p, level, classFor(x.level, int(x.n)+1))
	}
}
