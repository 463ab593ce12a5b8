// Package zset is the order of a sorted set: an order-statistic B+tree of entries
// (score, ref), where ref names the record of a member in the arena. It owns the nodes
// of the tree and their balance. It never locks, never frees a record, and knows nothing
// of keys or encodings: the engine keeps the members themselves in a hash table and calls
// it with the shard locked.
//
// Entries are in order of score and, among equal scores, of their members' bytes; only
// then is a record read. No entry's score is NaN, and no two entries are of one member.
package zset

import (
	"bytes"

	"github.com/redwingdb/redwing/internal/engine/arena"
	"github.com/redwingdb/redwing/internal/engine/table"
)

// Header is a tree at rest. The zero value is an empty tree.
type Header struct {
	root  arena.Ref // 0: empty
	count uint32
}

// Len returns the number of entries.
func (h *Header) Len() int { return int(h.count) }

// Tree is a tree in use: its header and the arena that holds its nodes and records.
type Tree struct {
	A *arena.Arena
	H *Header
}

// maxDepth bounds the levels of a tree. Two neighbours of one parent hold more than
// mergeLeaf or mergeInner entries unless they are at the edge of the tree, so that 2^32
// entries take fewer.
const maxDepth = 12

// path is the way from the root to an entry: at each level the node and the index in it.
type path struct {
	depth int
	refs  [maxDepth]arena.Ref
	idx   [maxDepth]uint16
}

func (t *Tree) node(ref arena.Ref) *node { return (*node)(t.A.At(ref)) }

// at returns the node at a level of p.
func (t *Tree) at(p *path, level int) *node { return t.node(p.refs[level]) }

func (t *Tree) member(ref arena.Ref) []byte { return table.RecAt(t.A, ref).Key() }

// compare orders entry i of x against the member of an equal score.
func (t *Tree) compare(x *node, i int, member []byte) int {
	return bytes.Compare(t.member(x.refs()[i]), member)
}

// rank returns the number of entries before the place of p.
func (t *Tree) rank(p *path) int {
	n := 0
	for level := range p.depth - 1 {
		for _, c := range t.at(p, level).counts()[:p.idx[level]] {
			n += int(c)
		}
	}
	return n + int(p.idx[p.depth-1])
}

// setFirst tells the nodes above that the first entry of the node at level has changed.
func (t *Tree) setFirst(p *path, level int) {
	x := t.at(p, level)
	score, ref := x.scores()[0], x.refs()[0]
	for level--; level >= 0; level-- {
		up, i := t.at(p, level), p.idx[level]
		up.scores()[i], up.refs()[i] = score, ref
		if i != 0 {
			return
		}
	}
}

// link makes ref, which has taken the place of the node of p at level, known above it.
func (t *Tree) link(p *path, level int, ref arena.Ref) {
	p.refs[level] = ref
	if level == 0 {
		t.H.root = ref
		return
	}
	t.at(p, level-1).kids()[p.idx[level-1]] = ref
}

// addCounts adds d to the number of entries in the nodes of p above its leaf.
func (t *Tree) addCounts(p *path, d int) {
	for level := range p.depth - 1 {
		t.at(p, level).counts()[p.idx[level]] += uint32(d)
	}
	t.H.count += uint32(d)
}
