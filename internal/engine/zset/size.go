package zset

import "github.com/redwingdb/redwing/internal/engine/arena"

// Bytes returns what the nodes of the tree occupy in the arena. It looks at every node.
func (t *Tree) Bytes() int64 {
	if t.H.root == 0 {
		return 0
	}
	return t.bytes(t.H.root)
}

func (t *Tree) bytes(ref arena.Ref) int64 {
	x := t.node(ref)
	n := int64(arena.ClassSize(nodeBytes(x.level, x.class)))
	if x.level > 0 {
		for _, kid := range x.kids() {
			n += t.bytes(kid)
		}
	}
	return n
}
