package stream

import (
	"github.com/redwingdb/redwing/internal/engine/arena"
)

// put returns the place of id, made if it is not there; the value of a new one is
// undefined. On error nothing has changed that anyone could see.
func (t *tree) put(a *arena.Arena, id ID) (p spot, added bool, err error) {
	if t.root == 0 {
		ref, b, err := newBlock(a, 1, int(t.width))
		if err != nil {
			return spot{}, false, err
		}
		b.open(0, id)
		t.root, t.first, t.last, t.count, t.height = ref, ref, ref, 1, 0
		return spot{b, 0}, true, nil
	}
	if p := t.back(a); p.id().Less(id) && !p.leaf.full() {
		p.i++
		p.leaf.open(p.i, id)
		t.count++
		return p, true, nil
	}
	if p := t.find(a, id); p.ok() {
		return p, false, nil
	}
	leaf, err := t.leafWithRoom(a, id)
	if err != nil {
		return spot{}, false, err
	}
	p = spot{leaf, leaf.seek(id)}
	leaf.open(p.i, id)
	t.count++
	return p, true, nil
}

// leafWithRoom returns the leaf that is to take id, with room. Full blocks are made
// larger or split on the way down, each leaving a whole tree, so that an exhausted arena
// stops it anywhere.
func (t *tree) leafWithRoom(a *arena.Arena, id ID) (block, error) {
	if t.height > 0 || mostOf(int(t.width)) == int(blockAt(a, t.root, int(t.width)).n) {
		if err := t.roomAtRoot(a); err != nil {
			return block{}, err
		}
	}
	if t.height == 0 {
		b := blockAt(a, t.root, int(t.width))
		if !b.full() {
			return b, nil
		}
		ref, grown, err := t.regrow(a, t.root, b, true)
		if err != nil {
			return block{}, err
		}
		t.root = ref
		return grown, nil
	}
	parent := blockAt(a, t.root, refBytes)
	for level := t.height; ; level-- {
		i := parent.child(id)
		if i == 0 && id.Less(parent.ids()[0]) {
			parent.ids()[0] = id // still a bound, and one that a later split can be sorted by
		}
		ref, width := *parent.ref(i), refBytes
		if level == 1 {
			width = int(t.width)
		}
		b := blockAt(a, ref, width)
		if b.full() {
			var err error
			if b, err = t.makeRoom(a, parent, i, ref, b, level == 1, id); err != nil {
				return block{}, err
			}
		}
		if level == 1 {
			return b, nil
		}
		parent = b
	}
}

// roomAtRoot puts a level above a root that is as full as blocks get, and gives an inner
// root that is merely full more room.
func (t *tree) roomAtRoot(a *arena.Arena) error {
	width := refBytes
	if t.height == 0 {
		width = int(t.width)
	}
	b := blockAt(a, t.root, width)
	if !b.full() {
		return nil
	}
	if b.len() < mostOf(width) {
		ref, _, err := t.regrow(a, t.root, b, t.height == 0)
		if err == nil {
			t.root = ref
		}
		return err
	}
	ref, top, err := newBlock(a, 2, refBytes)
	if err != nil {
		return err
	}
	top.open(0, b.ids()[0])
	*top.ref(0) = t.root
	t.root = ref
	t.height++
	return nil
}

// makeRoom makes room in the full block b, child i of parent, which is not full, and
// returns the block that is to take id.
func (t *tree) makeRoom(a *arena.Arena, parent block, i int, ref arena.Ref, b block, leaf bool, id ID) (block, error) {
	if b.len() < mostOf(b.width) {
		grownRef, grown, err := t.regrow(a, ref, b, leaf)
		if err == nil {
			*parent.ref(i) = grownRef
		}
		return grown, err
	}
	n := b.len()
	at := n / 2
	if ids := b.ids(); ids[n-1].Less(id) && (!leaf || ref == t.last) {
		at = n // appended: nothing will come before it
		if !leaf {
			at = n - 1
		}
	}
	rightRef, right, err := newBlock(a, max(1, n-at+1), b.width)
	if err != nil {
		return block{}, err
	}
	bound := id
	if at < n {
		bound = b.ids()[at]
		b.moveTo(right, at)
	}
	if leaf {
		right.prev, right.next = ref, b.next
		if b.next != 0 {
			blockAt(a, b.next, b.width).prev = rightRef
		} else {
			t.last = rightRef
		}
		b.next = rightRef
	}
	parent.open(i+1, bound)
	*parent.ref(i + 1) = rightRef
	if id.Less(bound) {
		return b, nil
	}
	return right, nil
}

// regrow moves b to a block with more room than it has entries.
func (t *tree) regrow(a *arena.Arena, ref arena.Ref, b block, leaf bool) (arena.Ref, block, error) {
	return t.resize(a, ref, b, leaf, b.len()+b.len()/2+1)
}

func (t *tree) resize(a *arena.Arena, ref arena.Ref, b block, leaf bool, want int) (arena.Ref, block, error) {
	to, c, err := newBlock(a, want, b.width)
	if err != nil {
		return 0, block{}, err
	}
	c.prev, c.next = b.prev, b.next
	b.moveTo(c, 0)
	if leaf {
		t.relink(a, c, to)
	}
	a.Free(ref)
	return to, c, nil
}

// relink makes the neighbours of leaf c name it by its new ref.
func (t *tree) relink(a *arena.Arena, c block, ref arena.Ref) {
	if c.prev != 0 {
		blockAt(a, c.prev, c.width).next = ref
	} else {
		t.first = ref
	}
	if c.next != 0 {
		blockAt(a, c.next, c.width).prev = ref
	} else {
		t.last = ref
	}
}

// path is the way from the root to a leaf.
type path struct {
	refs [maxHeight]arena.Ref // blocks, the root first
	at   [maxHeight]int       // which child
}

// remove takes id out and reports whether it was there.
func (t *tree) remove(a *arena.Arena, id ID) bool {
	if t.root == 0 {
		return false
	}
	var way path
	ref := t.root
	for level := range int(t.height) {
		b := blockAt(a, ref, refBytes)
		way.refs[level], way.at[level] = ref, b.child(id)
		ref = *b.ref(way.at[level])
	}
	leaf := blockAt(a, ref, int(t.width))
	i := leaf.seek(id)
	if i == leaf.len() || leaf.ids()[i] != id {
		return false
	}
	leaf.close(i)
	t.count--
	if leaf.n == 0 {
		t.dropLeaf(a, &way, ref, leaf)
		return true
	}
	if n := leaf.len(); n < int(leaf.room)/2 && roomOf(n+n/4+1, leaf.width) < int(leaf.room) {
		// Without space for the smaller block it stays as it is.
		if to, _, err := t.resize(a, ref, leaf, true, n+n/4+1); err == nil {
			t.setChild(a, &way, to)
		}
	}
	return true
}

// setChild makes ref the leaf at the end of the way.
func (t *tree) setChild(a *arena.Arena, way *path, ref arena.Ref) {
	if t.height == 0 {
		t.root = ref
		return
	}
	last := int(t.height) - 1
	*blockAt(a, way.refs[last], refBytes).ref(way.at[last]) = ref
}

// dropLeaf frees the empty leaf at the end of the way, and what becomes empty above it.
func (t *tree) dropLeaf(a *arena.Arena, way *path, ref arena.Ref, leaf block) {
	if leaf.prev != 0 {
		blockAt(a, leaf.prev, leaf.width).next = leaf.next
	} else {
		t.first = leaf.next
	}
	if leaf.next != 0 {
		blockAt(a, leaf.next, leaf.width).prev = leaf.prev
	} else {
		t.last = leaf.prev
	}
	a.Free(ref)
	level := int(t.height) - 1
	for ; level >= 0; level-- {
		b := blockAt(a, way.refs[level], refBytes)
		if b.close(way.at[level]); b.n > 0 {
			break
		}
		a.Free(way.refs[level])
	}
	if level < 0 {
		t.root, t.height = 0, 0
		return
	}
	for t.height > 0 {
		b := blockAt(a, t.root, refBytes)
		if b.n > 1 {
			break
		}
		old := t.root
		t.root = *b.ref(0)
		t.height--
		a.Free(old)
	}
}

// dropFirst frees the first leaf, which is empty.
func (t *tree) dropFirst(a *arena.Arena) {
	var way path
	ref := t.root
	for level := range int(t.height) {
		way.refs[level] = ref
		ref = *blockAt(a, ref, refBytes).ref(0)
	}
	t.dropLeaf(a, &way, ref, blockAt(a, ref, int(t.width)))
}
