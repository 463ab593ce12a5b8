package zset

import "github.com/redwingdb/redwing/internal/engine/arena"

// Insert adds the entry of record ref, whose member is not in the tree. On error, which
// is arena.ErrNoSpace, nothing has changed.
func (t *Tree) Insert(score float64, ref arena.Ref) error {
	if t.H.root == 0 {
		return t.plant(score, ref)
	}
	var p path
	t.descend(&p, boundKey, score, t.member(ref), false)
	return t.insertAt(&p, score, ref)
}

// Append is Insert of an entry that is behind all others. A tree built by it has full
// leaves.
func (t *Tree) Append(score float64, ref arena.Ref) error {
	if t.H.root == 0 {
		return t.plant(score, ref)
	}
	var p path
	t.descendTo(&p, int(t.H.count)-1)
	p.idx[p.depth-1]++
	return t.insertAt(&p, score, ref)
}

// Update moves the entry of record ref from score to another, and reports whether it was
// there. On error nothing has changed.
func (t *Tree) Update(from float64, ref arena.Ref, to float64) (bool, error) {
	var p path
	if !t.find(&p, from, ref) {
		return false, nil
	}
	if from == to {
		return true, nil
	}
	leaf := p.depth - 1
	i, s := int(p.idx[leaf]), t.at(&p, leaf).scores()
	// Where it stays between its neighbours in the leaf only its score changes. Beyond
	// the ends of the leaf nothing is looked at but at the ends of the tree.
	low := i > 0 && s[i-1] < to || i == 0 && p.leftmost(leaf)
	high := i+1 < len(s) && to < s[i+1] || i+1 == len(s) && t.rightmost(&p, leaf)
	if low && high {
		s[i] = to
		if i == 0 {
			t.setFirst(&p, leaf)
		}
		return true, nil
	}
	// Inserted first: deleting needs no space.
	if err := t.Insert(to, ref); err != nil {
		return true, err
	}
	t.find(&p, from, ref)
	t.deleteAt(&p)
	return true, nil
}

func (t *Tree) plant(score float64, ref arena.Ref) error {
	leaf, err := t.newNode(0, 0)
	if err != nil {
		return err
	}
	t.node(leaf).insert(0, score, ref, 0, 0)
	t.H.root, t.H.count = leaf, 1
	return nil
}

// insertAt adds an entry at the place p.
func (t *Tree) insertAt(p *path, score float64, ref arena.Ref) error {
	if err := t.makeRoom(p, p.depth-1); err != nil {
		return err
	}
	leaf := p.depth - 1
	i := int(p.idx[leaf])
	t.at(p, leaf).insert(i, score, ref, 0, 0)
	t.addCounts(p, 1)
	if i == 0 {
		t.setFirst(p, leaf)
	}
	return nil
}

// makeRoom gives the node of p at level room for one entry more.
func (t *Tree) makeRoom(p *path, level int) error {
	x := t.at(p, level)
	switch {
	case int(x.n) < x.room():
		return nil
	case !x.full():
		return t.refit(p, level, x.class+1)
	}
	return t.split(p, level)
}

// leftmost reports whether p goes to the first child of every node above level.
func (p *path) leftmost(level int) bool {
	for i := range level {
		if p.idx[i] != 0 {
			return false
		}
	}
	return true
}

// rightmost reports whether p goes to the last child of every node above level.
func (t *Tree) rightmost(p *path, level int) bool {
	for i := range level {
		if p.idx[i] != t.at(p, i).n-1 {
			return false
		}
	}
	return true
}

// splitPoint returns how many entries stay in the full node of p at level: half, but
// nearly all or nearly none at an edge of the tree where it grows, so that trees built in
// order have full nodes.
func (t *Tree) splitPoint(p *path, level int) int {
	x, i := t.at(p, level), int(p.idx[level])
	n := int(x.n)
	switch {
	case x.level == 0 && i == n && t.rightmost(p, level):
		return n
	case x.level == 0 && i == 0 && p.leftmost(level):
		return 0
	case x.level > 0 && i == n-1 && t.rightmost(p, level):
		return n - 1
	case x.level > 0 && i == 0 && p.leftmost(level):
		return 1
	}
	return n / 2
}

// split cuts the full node of p at level in two and leaves p in the one that has room for
// what is to be added: in a leaf the entry at its index, in an inner node the child behind
// it. All that is allocated is so before anything changes.
func (t *Tree) split(p *path, level int) error {
	x := t.at(p, level)
	keep := t.splitPoint(p, level)
	right, err := t.newNode(x.level, classFor(x.level, min(int(x.n)-keep+1, int(x.n))))
	if err != nil {
		return err
	}
	if level > 0 {
		depth := p.depth
		err = t.makeRoom(p, level-1)
		level += p.depth - depth // a new root has come above
	} else {
		err = t.raise(p)
		level++
	}
	if err != nil {
		t.A.Free(right)
		return err
	}
	y := t.node(right)
	moved := y.take(x, keep)
	up, i := t.at(p, level-1), int(p.idx[level-1])
	up.counts()[i] -= moved
	if moved > 0 {
		up.insert(i+1, y.scores()[0], y.refs()[0], right, moved)
	} else {
		up.insert(i+1, 0, 0, right, 0) // its first entry is on its way
	}
	t.trim(p, level)
	if at := int(p.idx[level]); at > keep || at == keep && (y.level > 0 || y.n == 0) {
		p.refs[level], p.idx[level] = right, uint16(at-keep)
		p.idx[level-1]++
	}
	return nil
}

// raise puts a root above the root.
func (t *Tree) raise(p *path) error {
	if p.depth == maxDepth {
		return arena.ErrNoSpace
	}
	old := p.refs[0]
	x := t.node(old)
	root, err := t.newNode(x.level+1, 0)
	if err != nil {
		return err
	}
	t.node(root).insert(0, x.scores()[0], x.refs()[0], old, t.H.count)
	copy(p.refs[1:], p.refs[:p.depth])
	copy(p.idx[1:], p.idx[:p.depth])
	p.refs[0], p.idx[0] = root, 0
	p.depth++
	t.H.root = root
	return nil
}
