package stream

import (
	"unsafe"

	"github.com/redwingdb/redwing/internal/engine/arena"
)

// tree is an ordered map from ids to values of a fixed width: a B+tree whose leaves are
// linked. What is appended at the end leaves full leaves behind, and a tree of few
// entries is one small leaf, so that most cost what their entries do.
//
// A leaf that lost entries shrinks and one that lost all goes; halves are not merged,
// since blocks have the size of what they hold.
type tree struct {
	root        arena.Ref // 0: empty
	first, last arena.Ref // leaves
	count       uint32
	height      uint8 // inner levels above the leaves
	width       uint8 // bytes of a value
	_           uint16
}

// maxHeight is more than 2^32 entries can need: each level but the root's halves at least.
const maxHeight = 32

// spot is a place in a tree, good until the tree changes.
type spot struct {
	leaf block // its head is nil where there is no place
	i    int
}

func (p spot) ok() bool              { return p.leaf.blockHead != nil }
func (p spot) id() ID                { return p.leaf.ids()[p.i] }
func (p spot) value() unsafe.Pointer { return p.leaf.value(p.i) }
func (p spot) ref() *arena.Ref       { return p.leaf.ref(p.i) }

// step moves p to the next entry, or the one before, and reports whether there is one.
func (p *spot) step(a *arena.Arena, forward bool) bool {
	if forward {
		if p.i++; p.i < p.leaf.len() {
			return true
		}
		if p.leaf.next == 0 {
			*p = spot{}
			return false
		}
		p.leaf, p.i = blockAt(a, p.leaf.next, p.leaf.width), 0
		return true
	}
	if p.i--; p.i >= 0 {
		return true
	}
	if p.leaf.prev == 0 {
		*p = spot{}
		return false
	}
	p.leaf = blockAt(a, p.leaf.prev, p.leaf.width)
	p.i = p.leaf.len() - 1
	return true
}

func (t *tree) len() int { return int(t.count) }

// leafOf returns the leaf that covers id. REQUIRES: not empty.
func (t *tree) leafOf(a *arena.Arena, id ID) block {
	ref := t.root
	for range t.height {
		b := blockAt(a, ref, refBytes)
		ref = *b.ref(b.child(id))
	}
	return blockAt(a, ref, int(t.width))
}

// find returns the place of id.
func (t *tree) find(a *arena.Arena, id ID) spot {
	if t.root == 0 {
		return spot{}
	}
	b := t.leafOf(a, id)
	if i := b.seek(id); i < b.len() && b.ids()[i] == id {
		return spot{b, i}
	}
	return spot{}
}

// ceil returns the first place whose id is not less than id.
func (t *tree) ceil(a *arena.Arena, id ID) spot {
	if t.root == 0 {
		return spot{}
	}
	p := spot{leaf: t.leafOf(a, id)}
	if p.i = p.leaf.seek(id); p.i == p.leaf.len() {
		p.i--
		p.step(a, true)
	}
	return p
}

// floor returns the last place whose id is not greater than id.
func (t *tree) floor(a *arena.Arena, id ID) spot {
	if t.root == 0 {
		return spot{}
	}
	p := spot{leaf: t.leafOf(a, id)}
	p.i = p.leaf.seek(id)
	if p.i < p.leaf.len() && p.id() == id {
		return p
	}
	p.step(a, false)
	return p
}

func (t *tree) front(a *arena.Arena) spot {
	if t.root == 0 {
		return spot{}
	}
	return spot{blockAt(a, t.first, int(t.width)), 0}
}

func (t *tree) back(a *arena.Arena) spot {
	if t.root == 0 {
		return spot{}
	}
	b := blockAt(a, t.last, int(t.width))
	return spot{b, b.len() - 1}
}

// free frees the blocks of the tree, about n of them a call, and reports whether all are
// gone. each, if not nil, is called with every value beforehand.
func (t *tree) free(a *arena.Arena, n *int, each func(value unsafe.Pointer)) bool {
	for t.root != 0 {
		if *n <= 0 {
			return false
		}
		leaf := blockAt(a, t.first, int(t.width))
		if each != nil {
			// One at a time from the end, so that what is left is a tree still.
			for leaf.n > 0 && *n > 0 {
				each(leaf.value(leaf.len() - 1))
				leaf.n--
				t.count--
				*n--
			}
			if leaf.n > 0 {
				return false
			}
		} else {
			t.count -= uint32(leaf.n)
			leaf.n = 0
		}
		*n--
		t.dropFirst(a)
	}
	return true
}
