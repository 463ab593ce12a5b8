package zset

import "github.com/redwingdb/redwing/internal/engine/arena"

// byScore returns the index of the first entry of x whose score is at least score, or
// with after greater.
func (x *node) byScore(score float64, after bool) int {
	s := x.scores()
	lo, hi := 0, len(s)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if v := s[mid]; v < score || after && v == score {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// byKey returns the index of the first entry of x that is not before (score, member), or
// with after the first one behind it.
func (t *Tree) byKey(x *node, score float64, member []byte, after bool) int {
	lo := x.byScore(score, false)
	if lo == int(x.n) || x.scores()[lo] != score {
		return lo
	}
	hi := x.byScore(score, true)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if c := t.compare(x, mid, member); c < 0 || after && c == 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// byMember is byKey by the member alone: it means something where all scores are equal.
func (t *Tree) byMember(x *node, member []byte, after bool) int {
	lo, hi := 0, int(x.n)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if c := t.compare(x, mid, member); c < 0 || after && c == 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

type bound uint8

const (
	boundScore bound = iota
	boundKey
	boundMember
)

// descend finds the place of the first entry that is not before the bound, or with after
// the first one behind it. The place may be the end of a leaf. REQUIRES: the tree has
// entries.
func (t *Tree) descend(p *path, by bound, score float64, member []byte, after bool) {
	ref := t.H.root
	for p.depth = 0; ; p.depth++ {
		x := t.node(ref)
		var i int
		switch by {
		case boundScore:
			i = x.byScore(score, after)
		case boundKey:
			i = t.byKey(x, score, member, after)
		case boundMember:
			i = t.byMember(x, member, after)
		}
		p.refs[p.depth] = ref
		if x.level == 0 {
			p.idx[p.depth] = uint16(i)
			p.depth++
			return
		}
		// The last child that begins before the bound: what is sought lies in it or
		// right behind it.
		i = max(i-1, 0)
		p.idx[p.depth] = uint16(i)
		ref = x.kid(i)
	}
}

// find finds the entry of a record and its score.
func (t *Tree) find(p *path, score float64, ref arena.Ref) bool {
	if t.H.root == 0 {
		return false
	}
	t.descend(p, boundKey, score, t.member(ref), true)
	leaf := p.depth - 1
	i := int(p.idx[leaf]) - 1
	if i < 0 || t.at(p, leaf).refs()[i] != ref {
		return false
	}
	p.idx[leaf] = uint16(i)
	return true
}

// Rank returns the number of entries before (score, member).
func (t *Tree) Rank(score float64, member []byte) int {
	return t.rankOf(boundKey, score, member, false)
}

// RankScore returns the number of entries whose score is less than score, or with after
// at most score.
func (t *Tree) RankScore(score float64, after bool) int {
	return t.rankOf(boundScore, score, nil, after)
}

// RankMember returns the number of entries whose member is less than member, or with
// after at most member. REQUIRES: all scores are equal; otherwise the number means nothing.
func (t *Tree) RankMember(member []byte, after bool) int {
	return t.rankOf(boundMember, 0, member, after)
}

func (t *Tree) rankOf(by bound, score float64, member []byte, after bool) int {
	if t.H.root == 0 {
		return 0
	}
	var p path
	t.descend(&p, by, score, member, after)
	return t.rank(&p)
}
