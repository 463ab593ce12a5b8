package zset

import "github.com/redwingdb/redwing/internal/engine/arena"

// MoveNodes gives the leaf with the entry of a rank to move, and those of the nodes above
// it that begin with this leaf, and puts what it returns in their place: going on with the
// returned rank until it is Len, every node comes once. REQUIRES: 0 <= rank < t.H.Len().
func (t *Tree) MoveNodes(rank int, move func(arena.Ref) arena.Ref) (next int) {
	var p path
	t.descendTo(&p, rank)
	last := p.depth - 1
	leaf := t.at(&p, last)
	next = rank - int(p.idx[last]) + int(leaf.n)
	for level := last; level >= 0; level-- {
		if level < last && p.idx[level] > 0 {
			break // it has come with its first child
		}
		if ref := move(p.refs[level]); ref != p.refs[level] {
			t.link(&p, level, ref)
		}
	}
	return next
}
