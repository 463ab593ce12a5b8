package engine

import (
	"github.com/redwingdb/redwing/internal/engine/arena"
	"github.com/redwingdb/redwing/internal/engine/table"
	"github.com/redwingdb/redwing/internal/engine/zset"
)

// zsetRoots implements rootOps.
type zsetRoots struct{}

func (zsetRoots) at(sh *shard, root arena.Ref) *zsetRoot { return (*zsetRoot)(sh.arena.At(root)) }

func (x zsetRoots) order(sh *shard, root arena.Ref) zset.Tree {
	return zset.Tree{A: sh.arena, H: &x.at(sh, root).order}
}

// free frees the nodes of the tree first, then the members.
func (x zsetRoots) free(sh *shard, root arena.Ref, pos uint64, n int) (next uint64, done bool) {
	t := x.order(sh, root)
	if t.H.Len() > 0 {
		if !t.Drain(n) {
			return 0, false
		}
		n /= 2
	}
	e := elementsOf(sh, nil, &x.at(sh, root).members)
	if next, done = e.free(pos, n); done {
		sh.arena.Free(root)
	}
	return next, done
}

func (x zsetRoots) copy(k *Keyspace, from *shard, root arena.Ref, to *shard) (arena.Ref, error) {
	ref, err := to.arena.Alloc(zsetRootBytes)
	if err != nil {
		return 0, ErrNoSpace
	}
	clear(to.arena.Bytes(ref, zsetRootBytes))
	e, t := elementsOf(to, &k.hash, &x.at(to, ref).members), x.order(to, ref)
	src := x.order(from, root)
	for c := src.First(); c.Valid(); c.Next() {
		if err := appendMember(&e, &t, table.RecAt(from.arena, c.Ref()).Key(), c.Score()); err != nil {
			to.buryRootLocked(deadRoot{typ: TypeZSet, root: ref})
			return 0, err
		}
	}
	return ref, nil
}

func (x zsetRoots) size(sh *shard, root arena.Ref, samples int) int64 {
	e := elementsOf(sh, nil, &x.at(sh, root).members)
	t := x.order(sh, root)
	return sh.arena.Size(root) + e.size(samples) + t.Bytes()
}

// parts adds the records of the members in ascending order.
func (x zsetRoots) parts(sh *shard, root arena.Ref, p *piece) {
	t := x.order(sh, root)
	for c := t.First(); c.Valid(); c.Next() {
		p.addElement(sh, table.RecAt(sh.arena, c.Ref()))
	}
}

func (x zsetRoots) brief(sh *shard, root arena.Ref) bool {
	e := elementsOf(sh, nil, &x.at(sh, root).members)
	return e.brief()
}

func (zsetRoots) pin(x *pinnedRoot, pin *rootPin) pinnedPast { return pinElements(x, pin) }

func (x zsetRoots) len(sh *shard, root arena.Ref) int { return x.at(sh, root).members.Len() }

// moveBlocks implements blockMover. The tree names the records of the members.
func (x zsetRoots) moveBlocks(sh *shard, root arena.Ref, pos uint64, n int, m *mover) (next uint64, done bool) {
	e, t := elementsOf(sh, nil, &x.at(sh, root).members), x.order(sh, root)
	return e.moveOrdered(&t, pos, n, m, func(old, moved arena.Ref) {
		t.Replace(scoreOf(table.RecAt(sh.arena, old)), old, moved)
	})
}

// EachPackedScore calls f with every member of a sorted set in a listpack and its score,
// until f returns an error, which it returns. member is good for the call.
func EachPackedScore(lp []byte, f func(member []byte, score float64) error) (err error) {
	eachScored(lp, func(member []byte, score float64) bool {
		err = f(member, score)
		return err == nil
	})
	return err
}

// EachScored calls f with every member of a sorted set and its score, until f returns an
// error, which it returns: in ascending order, but those of a big one of a snapshot in
// none. member is good for the call.
func (e *Entry) EachScored(f func(member []byte, score float64) error) (err error) {
	if !e.rooted {
		return EachPackedScore(e.Value, f)
	}
	parts := e.parts
	for err == nil {
		r, _, ok := parts.nextElement()
		if !ok {
			return parts.Err()
		}
		err = f(r.Key(), scoreOf(r))
	}
	return err
}
