package engine

import (
	"math"

	"github.com/redwingdb/redwing/internal/double"
	"github.com/redwingdb/redwing/internal/engine/arena"
	"github.com/redwingdb/redwing/internal/engine/listpack"
	"github.com/redwingdb/redwing/internal/engine/zset"
)

// ZAdd are the conditions under which ZSet.Add changes something (Redis 7.2, ZADD).
type ZAdd uint8

const (
	ZAddIncr ZAdd = 1 << iota // the score is added to the present one
	ZAddNX                    // only if the member is not there
	ZAddXX                    // only if it is
	ZAddGT                    // a present score only becomes greater
	ZAddLT                    // a present score only becomes less
)

// ZChange is what ZSet.Add did.
type ZChange uint8

const (
	ZNone    ZChange = iota // a condition did not hold
	ZSame                   // the member had that score
	ZUpdated                // the member got another score
	ZAdded                  // the member is new
	ZNaN                    // the sum is not a number; nothing was changed
)

// Add gives member a score and returns what it did and the score that the member has
// then, which means nothing with ZNone and ZNaN. score must not be NaN, and is kept as
// zero if it is negative zero; member must not lie in the set. On error nothing has
// changed.
func (z *ZSet) Add(member []byte, score float64, how ZAdd) (ZChange, float64, error) {
	switch {
	case !z.Exists() && how&ZAddXX != 0:
		return ZNone, 0, nil
	case !z.Exists():
		return ZAdded, score, z.create(member, score)
	case z.Rooted():
		return z.addToTree(member, score, how)
	}
	lp := z.Packed()
	off := findMember(lp, member)
	if off < 0 {
		if how&ZAddXX != 0 {
			return ZNone, 0, nil
		}
		if z.outgrown(lp, member) {
			if err := z.becomeTree(); err != nil {
				return ZNone, 0, err
			}
			return z.addToTree(member, score, how)
		}
		return ZAdded, score, z.insertPair(lp, member, score)
	}
	at := listpack.Next(lp, off)
	old := scoreAt(lp, at)
	did, score := how.decide(old, score)
	if did != ZUpdated {
		return did, score, nil
	}
	return did, score, z.movePair(lp, off, at, member, score)
}

// stored returns score as a set keeps it: zero has no sign. A listpack cannot keep one, in
// Redis neither, and of two copies of a set one may be a tree and the other a listpack.
func stored(score float64) float64 { return score + 0 }

// decide returns what becomes of a member that has a score already.
func (how ZAdd) decide(old, score float64) (ZChange, float64) {
	if how&ZAddNX != 0 {
		return ZNone, old
	}
	if how&ZAddIncr != 0 {
		if score += old; math.IsNaN(score) {
			return ZNaN, old
		}
	}
	switch {
	case how&ZAddLT != 0 && score >= old || how&ZAddGT != 0 && score <= old:
		return ZNone, old
	case score == old:
		return ZSame, score
	}
	return ZUpdated, score
}

func (z *ZSet) outgrown(lp, member []byte) bool {
	l := z.Limits()
	return len(member) > l.ZSetValue || listpack.Len(lp)/2 >= l.ZSetEntries ||
		len(lp)+len(member)+2*double.MaxBytes > listpack.MaxBytes
}

// create makes the key with its first member.
func (z *ZSet) create(member []byte, score float64) error {
	l := z.Limits()
	if len(member) > l.ZSetValue || l.ZSetEntries < 1 {
		return z.plantTree(func(e *Elements, t *zset.Tree) error { return appendMember(e, t, member, score) })
	}
	var room [256]byte
	return z.Create(TypeZSet, EncListpack, appendPair(listpack.New(room[:0]), member, score))
}

// becomeTree moves the members of a listpack into a tree.
func (z *ZSet) becomeTree() error {
	return z.plantTree(func(e *Elements, t *zset.Tree) (err error) {
		eachScored(z.Packed(), func(member []byte, score float64) bool {
			err = appendMember(e, t, member, score)
			return err == nil
		})
		return err
	})
}

// plantTree makes a tree that fill fills the value of the key.
func (z *ZSet) plantTree(fill func(*Elements, *zset.Tree) error) error {
	ref, err := z.buildTree(fill)
	if err == nil {
		if err = z.Plant(TypeZSet, EncSkiplist, ref); err != nil {
			z.abandon(ref)
		}
	}
	return err
}

// buildTree returns the root of a tree that fill has filled.
func (z *ZSet) buildTree(fill func(*Elements, *zset.Tree) error) (arena.Ref, error) {
	ref, p, err := z.NewRoot(zsetRootBytes)
	if err != nil {
		return 0, err
	}
	root := (*zsetRoot)(p)
	e, t := z.Elements(&root.members), zset.Tree{A: z.Arena(), H: &root.order}
	if err = fill(&e, &t); err != nil {
		z.abandon(ref)
		return 0, err
	}
	return ref, nil
}

// abandon leaves a root that is not planted to be freed.
func (z *ZSet) abandon(root arena.Ref) {
	z.p.sh.buryRootLocked(deadRoot{typ: TypeZSet, root: root})
}

// appendMember adds a member that is behind all others.
func appendMember(e *Elements, t *zset.Tree, member []byte, score float64) error {
	score = stored(score)
	var value [scoreBytes]byte
	putScore(value[:], score)
	ref, err := e.Insert(member, value[:], 0)
	if err == nil && t.Append(score, ref) != nil {
		err = ErrNoSpace
	}
	return err
}

func (z *ZSet) addToTree(member []byte, score float64, how ZAdd) (ZChange, float64, error) {
	e, t := z.members(), z.order()
	pos := e.Find(member)
	if pos.Ref == 0 {
		if how&ZAddXX != 0 {
			return ZNone, 0, nil
		}
		z.Changing()
		kept := stored(score)
		var value [scoreBytes]byte
		putScore(value[:], kept)
		ref, err := e.Insert(member, value[:], 0)
		if err != nil {
			return ZNone, 0, err
		}
		if t.Insert(kept, ref) != nil {
			e.Delete(e.Find(member))
			return ZNone, 0, ErrNoSpace
		}
		return ZAdded, score, nil
	}
	r := e.Rec(pos.Ref)
	old := scoreOf(r)
	did, score := how.decide(old, score)
	if did != ZUpdated {
		return did, score, nil
	}
	z.Changing()
	kept := stored(score)
	if _, err := t.Update(old, pos.Ref, kept); err != nil {
		return ZNone, old, ErrNoSpace
	}
	e.touch(pos)
	putScore(r.Value(), kept)
	return did, score, nil
}
