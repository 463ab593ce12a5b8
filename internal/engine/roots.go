package engine

import (
	"encoding/binary"

	"github.com/redwingdb/redwing/internal/engine/arena"
	"github.com/redwingdb/redwing/internal/engine/table"
)

// A collection that is too big to be packed lies behind a root: a block of its type's own
// form that owns all further ones. The record of its key holds nothing but the root's
// ref, so EXPIRE and RENAME never touch the collection.

// rootOps is what the keyspace must be able to do with the rooted values of a type. All
// of them REQUIRE the lock of the shards that they are given.
type rootOps interface {
	// free frees about n blocks of what is behind root, which no key has any more, and the
	// root itself with the last of them. pos is 0 first and then what the last call
	// returned.
	free(sh *shard, root arena.Ref, pos uint64, n int) (next uint64, done bool)
	// copy returns the root of a deep copy in the shard to. On error nothing is left of it.
	copy(k *Keyspace, from *shard, root arena.Ref, to *shard) (arena.Ref, error)
	// size returns the bytes of all blocks, extrapolated from samples elements; 0: all.
	size(sh *shard, root arena.Ref, samples int) int64
	// parts adds everything behind root to p, in the form that the type's readers of an
	// Entry expect.
	parts(sh *shard, root arena.Ref, p *piece)
	// len returns the number of elements.
	len(sh *shard, root arena.Ref) int
	// brief reports whether all parts are so few and short that they are copied rather
	// than the root pinned. It looks at a bounded number of blocks.
	brief(sh *shard, root arena.Ref) bool
	// pin begins the past of x for pin.
	pin(x *pinnedRoot, pin *rootPin) pinnedPast
}

// opsOf returns the operations on the rooted values of type t.
func opsOf(t Type) rootOps {
	switch t {
	case TypeList:
		return listRoots{}
	case TypeHash:
		return hashRoots{}
	case TypeStream:
		return streamRoots{}
	case TypeSet:
		return setRoots{}
	case TypeZSet:
		return zsetRoots{}
	}
	panic("engine: no rooted values of type " + t.String())
}

const (
	// briefBytes bounds the parts of a value that is brief, but for one element.
	briefBytes = 16 << 10
	// briefElements bounds their number.
	briefElements = 64
)

func typeOf(r table.Rec) Type { return Type(r.Kind() & 15) }

// deadRoot is a value that no key has any more, being freed.
type deadRoot struct {
	typ  Type
	root arena.Ref
	pos  uint64
	rest remains // not nil: that is to be freed, and there is no root
}

// remains is what pins have kept and nobody reads any more.
type remains interface {
	// Free frees about n blocks and reports whether all are gone.
	Free(a *arena.Arena, n int) (done bool)
}

// free frees about n blocks and reports whether all are freed.
func (d *deadRoot) free(sh *shard, n int) (done bool) {
	if d.rest != nil {
		return d.rest.Free(sh.arena, n)
	}
	d.pos, done = opsOf(d.typ).free(sh, d.root, d.pos, n)
	return done
}

// freeAtOnce bounds the blocks of a value that are freed together with its key.
const freeAtOnce = 256

// freeRootLocked frees the value of r, all of it if it is small, else in steps.
func (sh *shard) freeRootLocked(r table.Rec) {
	d := deadRoot{typ: typeOf(r), root: r.Root()}
	if sh.orphanLocked(d.root) {
		return
	}
	if !d.free(sh, freeAtOnce) {
		sh.buryRootLocked(d)
	}
}

// buryRecordLocked is freeRecordLocked for records that are freed by the dozen: nothing
// of a rooted value is freed at once.
func (sh *shard) buryRecordLocked(ref arena.Ref) {
	if r := table.RecAt(sh.arena, ref); r.Flags()&table.FlagRoot != 0 {
		if !sh.orphanLocked(r.Root()) {
			sh.buryRootLocked(deadRoot{typ: typeOf(r), root: r.Root()})
		}
		sh.burial.objects.Add(-1) // its key was one
	} else {
		sh.freedLocked(1)
	}
	sh.freeBlocks(ref)
}

// buryRootLocked leaves a value that no key has any more to be freed in steps.
func (sh *shard) buryRootLocked(d deadRoot) {
	sh.roots = append(sh.roots, d)
	sh.buried.Add(1)
	sh.burial.objects.Add(1)
}

// buryRestLocked frees what nobody reads any more, in steps if it is much.
func (sh *shard) buryRestLocked(rest remains) {
	if d := (deadRoot{rest: rest}); !d.free(sh, freeAtOnce) {
		sh.buryRootLocked(d)
	}
}

// freeRootsLocked frees about n blocks of dead values.
func (k *Keyspace) freeRootsLocked(sh *shard, n int) {
	for len(sh.roots) > 0 && n > 0 {
		d := &sh.roots[len(sh.roots)-1]
		if !d.free(sh, n) {
			return
		}
		n -= freeLeast
		sh.roots = sh.roots[:len(sh.roots)-1]
		sh.buried.Store(int32(len(sh.graves) + len(sh.roots)))
		sh.freedLocked(1)
	}
	if len(sh.roots) == 0 {
		sh.roots = nil
	}
}

// freeLeast is what a value counts for that was freed in less than a step.
const freeLeast = 64

// PendingFrees returns the number of big values and detached tables that wait to be
// freed. It needs no lock.
func (k *Keyspace) PendingFrees() (n int) {
	for i := range k.shards {
		n += int(k.shards[i].buried.Load())
	}
	return n
}

// duplicateRoot is duplicate for a rooted value.
func (k *Keyspace) duplicateRoot(from *spot, sh *shard, l table.Layout, key []byte, share bool) (arena.Ref, error) {
	root := from.rec.Root()
	if !share {
		var err error
		if root, err = opsOf(typeOf(from.rec)).copy(k, from.sh, root, sh); err != nil {
			return 0, err
		}
	}
	ref, err := sh.newRootRecord(l, from.rec.LRU(), key, root)
	if err != nil && !share {
		sh.buryRootLocked(deadRoot{typ: typeOf(from.rec), root: root})
	}
	return ref, err
}

// newRootRecord returns a record of layout l but for its value, which is root.
func (sh *shard) newRootRecord(l table.Layout, lru uint32, key []byte, root arena.Ref) (arena.Ref, error) {
	var v [table.RootBytes]byte
	binary.LittleEndian.PutUint64(v[:], uint64(root))
	l.Flags |= table.FlagRoot
	l.ValueLen = table.RootBytes
	return sh.newRecord(l, lru, key, v[:])
}
