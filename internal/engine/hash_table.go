package engine

import (
	"github.com/redwingdb/redwing/internal/engine/arena"
	"github.com/redwingdb/redwing/internal/engine/table"
	"github.com/redwingdb/redwing/internal/engine/zset"
)

// hashTable is what is behind the root of a hash: its fields and, of those with an
// expiry, the order in which they expire.
type hashTable struct {
	fields   Elements
	expiring zset.Tree
}

func hashTableOf(sh *shard, hash *table.Hasher, root *hashRoot) hashTable {
	return hashTable{elementsOf(sh, hash, &root.fields), zset.Tree{A: sh.arena, H: &root.expiring}}
}

// put gives the field, which is at pos or with Ref 0 nowhere, a value and an expiry. On
// error nothing has changed.
func (x *hashTable) put(pos table.Pos, field, value []byte, expireAt int64) error {
	if pos.Ref == 0 {
		ref, err := x.fields.Insert(field, value, expireAt)
		if err != nil || expireAt == 0 {
			return err
		}
		if x.expiring.Insert(float64(expireAt), ref) != nil {
			x.fields.Delete(x.fields.Find(field))
			return ErrNoSpace
		}
		return nil
	}
	r, ref := x.fields.Rec(pos.Ref), pos.Ref
	had, inPlace := r.ExpireAt(), holds(r, value, expireAt)
	if !inPlace {
		var err error
		if ref, err = x.fields.newRecord(r.Key(), value, expireAt); err != nil {
			return ErrNoSpace
		}
	}
	// The tree reads the record that it knows: it is told before that goes.
	if err := x.reorder(pos.Ref, had, expireAt); err != nil {
		if !inPlace {
			x.fields.sh.freeBlocks(ref)
		}
		return ErrNoSpace
	}
	if inPlace {
		x.fields.touch(pos)
		rewrite(r, value, expireAt)
		return nil
	}
	if expireAt != 0 {
		x.expiring.Replace(float64(expireAt), pos.Ref, ref)
	}
	x.fields.replace(pos, ref)
	return nil
}

// reorder moves the entry of a field in the tree from one expiry to another; 0 is none.
func (x *hashTable) reorder(ref arena.Ref, from, to int64) (err error) {
	switch {
	case from == to:
	case to == 0:
		x.expiring.Delete(float64(from), ref)
	case from == 0:
		err = x.expiring.Insert(float64(to), ref)
	default:
		_, err = x.expiring.Update(float64(from), ref, float64(to))
	}
	return err
}

// hashRoots implements rootOps.
type hashRoots struct{}

func (hashRoots) at(sh *shard, root arena.Ref) *hashRoot { return (*hashRoot)(sh.arena.At(root)) }

func (x hashRoots) free(sh *shard, root arena.Ref, pos uint64, n int) (next uint64, done bool) {
	t := hashTableOf(sh, nil, x.at(sh, root))
	if !t.expiring.Drain(n) {
		return pos, false
	}
	if next, done = t.fields.free(pos, n); done {
		sh.arena.Free(root)
	}
	return next, done
}

func (x hashRoots) copy(k *Keyspace, from *shard, root arena.Ref, to *shard) (arena.Ref, error) {
	ref, err := to.arena.Alloc(hashRootBytes)
	if err != nil {
		return 0, ErrNoSpace
	}
	clear(to.arena.Bytes(ref, hashRootBytes))
	src, dst := hashTableOf(from, &k.hash, x.at(from, root)), hashTableOf(to, &k.hash, x.at(to, ref))
	var unordered error
	err = src.fields.copyTo(&dst.fields, func(ref arena.Ref, r table.Rec) {
		if at := r.ExpireAt(); at != 0 && unordered == nil {
			unordered = dst.expiring.Insert(float64(at), ref)
		}
	})
	if err != nil || unordered != nil {
		to.buryRootLocked(deadRoot{typ: TypeHash, root: ref})
		return 0, ErrNoSpace
	}
	return ref, nil
}

func (x hashRoots) size(sh *shard, root arena.Ref, samples int) int64 {
	t := hashTableOf(sh, nil, x.at(sh, root))
	return sh.arena.Size(root) + t.fields.size(samples) + t.expiring.Bytes()
}

func (x hashRoots) parts(sh *shard, root arena.Ref, p *piece) {
	e := elementsOf(sh, nil, &x.at(sh, root).fields)
	e.parts(p)
}

func (x hashRoots) brief(sh *shard, root arena.Ref) bool {
	e := elementsOf(sh, nil, &x.at(sh, root).fields)
	return e.brief()
}

func (hashRoots) pin(x *pinnedRoot, pin *rootPin) pinnedPast { return pinElements(x, pin) }

func (x hashRoots) len(sh *shard, root arena.Ref) int { return x.at(sh, root).fields.Len() }

// moveBlocks implements blockMover. The tree names the records of fields that expire.
func (x hashRoots) moveBlocks(sh *shard, root arena.Ref, pos uint64, n int, m *mover) (next uint64, done bool) {
	t := hashTableOf(sh, nil, x.at(sh, root))
	return t.fields.moveOrdered(&t.expiring, pos, n, m, func(old, moved arena.Ref) {
		if at := t.fields.Rec(old).ExpireAt(); at != 0 {
			t.expiring.Replace(float64(at), old, moved)
		}
	})
}

// EachField calls f with every field of a hash, its value and its expiry (Unix
// milliseconds, 0: none), expired ones included, until f returns an error, which it
// returns. The slices are good during the call.
func (e *Entry) EachField(f func(field, value []byte, expireAt int64) error) (err error) {
	if !e.rooted {
		eachField(e.Value, e.Encoding == EncListpackEx, new(pairDigits), func(field, value []byte, expireAt int64) bool {
			err = f(field, value, expireAt)
			return err == nil
		})
		return err
	}
	parts := e.parts
	for err == nil {
		r, value, ok := parts.nextElement()
		if !ok {
			return parts.Err()
		}
		err = f(r.Key(), value, r.ExpireAt())
	}
	return err
}
