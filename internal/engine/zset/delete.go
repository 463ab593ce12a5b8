package zset

import "github.com/redwingdb/redwing/internal/engine/arena"

// Delete takes the entry of record ref out and reports whether it was there. The record
// must still be readable.
func (t *Tree) Delete(score float64, ref arena.Ref) bool {
	var p path
	if !t.find(&p, score, ref) {
		return false
	}
	t.deleteAt(&p)
	return true
}

// DeleteRank takes out the entry that has rank entries before it. REQUIRES: it is there.
func (t *Tree) DeleteRank(rank int) (score float64, ref arena.Ref) {
	var p path
	t.descendTo(&p, rank)
	leaf := p.depth - 1
	x, i := t.at(&p, leaf), p.idx[leaf]
	score, ref = x.scores()[i], x.refs()[i]
	t.deleteAt(&p)
	return score, ref
}

// Replace puts ref in the place of record old, of the same member and score.
func (t *Tree) Replace(score float64, old, ref arena.Ref) {
	var p path
	if !t.find(&p, score, old) {
		return
	}
	leaf := p.depth - 1
	t.at(&p, leaf).refs()[p.idx[leaf]] = ref
	if p.idx[leaf] == 0 {
		t.setFirst(&p, leaf)
	}
}

// deleteAt takes out the entry at p. It needs no space: where a smaller block or a merged
// node cannot be had, the old ones stay.
func (t *Tree) deleteAt(p *path) {
	t.addCounts(p, -1)
	level := p.depth - 1
	t.at(p, level).remove(int(p.idx[level]))
	for t.settle(p, level) {
		level--
	}
	t.lower()
}

// settle puts the node of p at level right after an entry of it is gone, and reports
// whether that took an entry from the node above.
func (t *Tree) settle(p *path, level int) (above bool) {
	x := t.at(p, level)
	if x.n == 0 {
		t.A.Free(p.refs[level])
		if level == 0 {
			t.H.root = 0
			return false
		}
		t.at(p, level-1).remove(int(p.idx[level-1]))
		return true
	}
	if p.idx[level] == 0 {
		t.setFirst(p, level)
	}
	if least, _ := x.bounds(); level > 0 && int(x.n) < least && t.merge(p, level) {
		return true
	}
	t.trim(p, level)
	return false
}

// merge joins the node of p at level and a neighbour, if they fit well into one.
func (t *Tree) merge(p *path, level int) bool {
	up, i := t.at(p, level-1), int(p.idx[level-1])
	if i > 0 && t.join(p, level, up, i-1) {
		return true
	}
	return i+1 < int(up.n) && t.join(p, level, up, i)
}

// join moves what is in child i+1 of up into child i. It leaves p at the entry of up that
// is gone.
func (t *Tree) join(p *path, level int, up *node, i int) bool {
	left, right := up.kid(i), up.kid(i+1)
	x, y := t.node(left), t.node(right)
	n := int(x.n) + int(y.n)
	if _, merge := x.bounds(); n > merge {
		return false
	}
	p.idx[level-1], p.refs[level] = uint16(i), left
	if n > x.room() && t.refit(p, level, classFor(x.level, n)) != nil {
		return false
	}
	up.counts()[i] += t.at(p, level).take(y, 0)
	t.A.Free(right)
	up.remove(i + 1)
	p.idx[level-1] = uint16(i + 1)
	return true
}

// lower takes roots of one child away.
func (t *Tree) lower() {
	for t.H.root != 0 {
		x := t.node(t.H.root)
		if x.level == 0 || x.n > 1 {
			return
		}
		old := t.H.root
		t.H.root = x.kid(0)
		t.A.Free(old)
	}
}

// Drain frees at most n nodes of a tree that nobody uses any more, and reports whether
// it is empty. The records are left alone.
func (t *Tree) Drain(n int) (done bool) {
	for ; n > 0 && t.H.root != 0; n-- {
		// The last child of the last child: taking it leaves its neighbours in place.
		parent, ref := arena.Ref(0), t.H.root
		for x := t.node(ref); x.level > 0 && x.n > 0; x = t.node(ref) {
			parent, ref = ref, x.kid(int(x.n)-1)
		}
		t.A.Free(ref)
		if parent == 0 {
			*t.H = Header{}
		} else {
			t.node(parent).n--
		}
	}
	return t.H.root == 0
}
