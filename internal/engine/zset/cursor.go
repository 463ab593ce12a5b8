package zset

import "github.com/redwingdb/redwing/internal/engine/arena"

// Cursor stands at an entry of a tree. It is good until the tree changes. The zero value
// stands nowhere.
type Cursor struct {
	t    Tree
	leaf *node // nil: at no entry
	i    int   // index in leaf
	p    path  // the way to leaf; its own index is not kept
}

// First returns a cursor at the first entry.
func (t *Tree) First() Cursor { return t.At(0) }

// Last returns a cursor at the last entry.
func (t *Tree) Last() Cursor { return t.At(t.H.Len() - 1) }

// At returns a cursor at the entry that has rank entries before it, at none if rank is
// out of range.
func (t *Tree) At(rank int) (c Cursor) {
	if rank < 0 || rank >= t.H.Len() {
		return c
	}
	c.t = *t
	t.descendTo(&c.p, rank)
	c.enter()
	return c
}

// SeekScore returns a cursor at the first entry whose score is at least score, or with
// after greater.
func (t *Tree) SeekScore(score float64, after bool) Cursor {
	return t.seek(boundScore, score, nil, after)
}

// Seek returns a cursor at the first entry that is not before (score, member), or with
// after the first one behind it.
func (t *Tree) Seek(score float64, member []byte, after bool) Cursor {
	return t.seek(boundKey, score, member, after)
}

// SeekMember is Seek by the member alone. REQUIRES: all scores are equal; otherwise the
// cursor stands somewhere.
func (t *Tree) SeekMember(member []byte, after bool) Cursor {
	return t.seek(boundMember, 0, member, after)
}

func (t *Tree) seek(by bound, score float64, member []byte, after bool) (c Cursor) {
	if t.H.root == 0 {
		return c
	}
	c.t = *t
	t.descend(&c.p, by, score, member, after)
	c.enter()
	if c.i == int(c.leaf.n) {
		c.i--
		c.Next()
	}
	return c
}

// descendTo finds the place of the entry that has rank entries before it. REQUIRES: it is
// there.
func (t *Tree) descendTo(p *path, rank int) {
	ref := t.H.root
	for p.depth = 0; ; p.depth++ {
		x := t.node(ref)
		p.refs[p.depth] = ref
		if x.level == 0 {
			p.idx[p.depth] = uint16(rank)
			p.depth++
			return
		}
		i := 0
		for _, c := range x.counts() {
			if rank < int(c) {
				break
			}
			rank -= int(c)
			i++
		}
		p.idx[p.depth] = uint16(i)
		ref = x.kid(i)
	}
}

func (c *Cursor) enter() {
	c.leaf, c.i = c.t.at(&c.p, c.p.depth-1), int(c.p.idx[c.p.depth-1])
}

// Valid reports whether the cursor is at an entry.
func (c *Cursor) Valid() bool { return c.leaf != nil }

// Score returns the entry's score. REQUIRES: Valid.
func (c *Cursor) Score() float64 { return c.leaf.scores()[c.i] }

// Ref returns the entry's record. REQUIRES: Valid.
func (c *Cursor) Ref() arena.Ref { return c.leaf.refs()[c.i] }

// Rank returns the number of entries before the cursor's. REQUIRES: Valid.
func (c *Cursor) Rank() int {
	c.p.idx[c.p.depth-1] = uint16(c.i)
	return c.t.rank(&c.p)
}

// Next goes to the next entry; behind the last the cursor is at none. REQUIRES: Valid.
func (c *Cursor) Next() {
	if c.i++; c.i < int(c.leaf.n) {
		return
	}
	for level := c.p.depth - 2; level >= 0; level-- {
		if c.p.idx[level]+1 < c.t.at(&c.p, level).n {
			c.p.idx[level]++
			for ; level < c.p.depth-1; level++ {
				c.p.refs[level+1] = c.t.at(&c.p, level).kid(int(c.p.idx[level]))
				c.p.idx[level+1] = 0
			}
			c.enter()
			return
		}
	}
	c.leaf = nil
}

// Prev goes to the entry before; before the first the cursor is at none. REQUIRES: Valid.
func (c *Cursor) Prev() {
	if c.i--; c.i >= 0 {
		return
	}
	for level := c.p.depth - 2; level >= 0; level-- {
		if c.p.idx[level] > 0 {
			c.p.idx[level]--
			for ; level < c.p.depth-1; level++ {
				c.p.refs[level+1] = c.t.at(&c.p, level).kid(int(c.p.idx[level]))
				c.p.idx[level+1] = c.t.at(&c.p, level+1).n - 1
			}
			c.enter()
			return
		}
	}
	c.leaf = nil
}
