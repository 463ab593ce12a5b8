package engine

import (
	"sync/atomic"
	"time"

	"github.com/redwingdb/redwing/internal/clock"
	"github.com/redwingdb/redwing/internal/engine/arena"
	"github.com/redwingdb/redwing/internal/engine/table"
	"github.com/redwingdb/redwing/internal/engine/zset"
)

// Defragmentation moves blocks out of slabs that hold few into the gaps of slabs that hold
// many, so that the former become empty pages. It goes through the tables of one shard
// after the other, as a snapshot does, and changes refs where it finds them. A space that
// a snapshot watches is passed over: no chain changes for the sake of order while
// somebody may have to be handed it, and nothing that is pinned moves: spans never do, and
// what is behind a root that has a pin stays.

// blockMover is a rootOps whose blocks may be moved.
type blockMover interface {
	// moveBlocks gives about n refs behind root, itself not among them, to m and puts what
	// it returns in every place that held them. pos is 0 first and then what the last call
	// returned. The table of a space is not watched meanwhile.
	moveBlocks(sh *shard, root arena.Ref, pos uint64, n int, m *mover) (next uint64, done bool)
}

// mover moves blocks of one arena out of sparse slabs, and counts.
type mover struct {
	a            *arena.Arena
	hits, misses int64
}

// move returns the ref that the block has from now on.
func (m *mover) move(ref arena.Ref) arena.Ref { return m.moveTelling(ref, nil) }

// moveTelling is move for a block that is named elsewhere too: tell is called while the
// old block can still be read.
func (m *mover) moveTelling(ref arena.Ref, tell func(old, moved arena.Ref)) arena.Ref {
	moved, ok := m.a.Twin(ref)
	if !ok {
		m.misses++
		return ref
	}
	if tell != nil {
		tell(ref, moved)
	}
	m.a.Free(ref)
	m.hits++
	return moved
}

// defrag is how far the pass through the keyspace has come. All but the counters belongs
// to the goroutine that calls DefragStep.
type defrag struct {
	shard   int
	planned bool // the shard's arena has a plan
	db      int
	local   uint32
	cursor  uint64 // in the table of local
	later   []laterMove

	hits, misses       atomic.Int64 // blocks moved, and looked at and left
	keyHits, keyMisses atomic.Int64 // keys of which a block was moved, or none
}

// laterMove is a value of many blocks, which is gone through in steps behind the tables.
// It is known by the hash of its key.
type laterMove struct {
	db    int
	local uint32
	hash  uint64
	pos   uint64
}

const (
	// moveBuckets bounds the buckets gone through in one hold of a shard.
	moveBuckets = 16
	// moveTables bounds the tables looked at in one hold.
	moveTables = 64
	// moveBlocks bounds the blocks of a big value gone through in one hold.
	moveBlocks = 256
)

// DefragStats are counters since the birth of the keyspace.
type DefragStats struct{ Hits, Misses, KeyHits, KeyMisses int64 }

// DefragStats returns the counters of defragmentation. It needs no lock.
func (k *Keyspace) DefragStats() DefragStats {
	d := &k.defrag
	return DefragStats{d.hits.Load(), d.misses.Load(), d.keyHits.Load(), d.keyMisses.Load()}
}

// DefragStep moves blocks, in holds of one shard at a time, until budget is spent or the
// pass through all shards is over, which it reports. Values of more than scanFields
// elements are gone through in steps. It is called by one goroutine; shards with an owner
// are left for the next pass. REQUIRES: no shard locked by the caller.
func (k *Keyspace) DefragStep(scanFields int64, budget time.Duration) (over bool) {
	d := &k.defrag
	end := clock.Mono() + int64(budget)
	for {
		sh := &k.shards[d.shard]
		shardOver := true
		if k.TryLock(1<<sh.index, nil) {
			shardOver = k.defragLocked(sh, scanFields)
			if shardOver {
				sh.arena.EndMoves()
			}
			k.Unlock(1 << sh.index)
		}
		if shardOver {
			d.planned, d.db, d.local, d.cursor, d.later = false, 0, 0, 0, nil
			if d.shard++; d.shard == len(k.shards) {
				d.shard = 0
				return true
			}
		}
		if clock.Mono() >= end {
			return false
		}
	}
}

// defragLocked goes a bounded way through a shard and reports whether it is through.
func (k *Keyspace) defragLocked(sh *shard, scanFields int64) (over bool) {
	d := &k.defrag
	if !d.planned {
		d.planned = true
		return sh.arena.PlanMoves() == 0
	}
	buckets := moveBuckets
	for tables := moveTables; d.db < k.databases; d.local, d.cursor = d.local+1, 0 {
		sp := sh.spaces[d.db].Load()
		if sp == nil || len(sp.watches) > 0 || int(d.local) == len(sp.headers) {
			d.db, d.local = d.db+1, ^uint32(0) // becomes 0
			continue
		}
		if tables--; tables == 0 {
			return false
		}
		t := k.tableLocked(sh, sp, d.local)
		if d.cursor == 0 {
			t.MoveArrays()
		}
		for again := true; again; again = d.cursor != 0 {
			if buckets--; buckets < 0 {
				return false
			}
			d.cursor = t.MoveChains(d.cursor, func(ref arena.Ref) arena.Ref { return k.moveRecordLocked(sh, ref, scanFields) })
		}
	}
	return k.moveLaterLocked(sh)
}

// moveRecordLocked moves a key's record and the blocks of its value, those of a big one
// later.
func (k *Keyspace) moveRecordLocked(sh *shard, ref arena.Ref, scanFields int64) arena.Ref {
	d := &k.defrag
	m := mover{a: sh.arena}
	ref = m.move(ref)
	if r := table.RecAt(sh.arena, ref); r.Flags()&table.FlagRoot != 0 {
		ops := opsOf(typeOf(r))
		if blocks, ok := ops.(blockMover); !ok || sh.pinnedLocked(sh.arena.At(r.Root())) != nil {
			m.misses++
		} else if r.SetRoot(m.move(r.Root())); int64(ops.len(sh, r.Root())) > scanFields {
			d.later = append(d.later, laterMove{db: d.db, local: d.local, hash: k.hash.Sum(r.Key())})
		} else {
			for pos, done := uint64(0), false; !done; {
				pos, done = blocks.moveBlocks(sh, r.Root(), pos, moveBlocks, &m)
			}
		}
	}
	if m.hits > 0 {
		d.keyHits.Add(1)
	} else {
		d.keyMisses.Add(1)
	}
	d.count(&m)
	return ref
}

func (d *defrag) count(m *mover) {
	d.hits.Add(m.hits)
	d.misses.Add(m.misses)
}

// moveLaterLocked goes on with the big values and reports whether all are done.
func (k *Keyspace) moveLaterLocked(sh *shard) (over bool) {
	d := &k.defrag
	if len(d.later) == 0 {
		return true
	}
	l := &d.later[len(d.later)-1]
	done := true
	if sp := sh.spaces[l.db].Load(); sp != nil && len(sp.watches) == 0 {
		t := k.tableLocked(sh, sp, l.local)
		pos := t.FindPart(l.hash, func(r table.Rec) bool {
			return r.Flags()&table.FlagRoot != 0 && k.hash.Sum(r.Key()) == l.hash
		})
		if pos.Ref != 0 {
			r := table.RecAt(sh.arena, pos.Ref)
			// The key may hold a value of another type by now.
			if blocks, ok := opsOf(typeOf(r)).(blockMover); ok && sh.pinnedLocked(sh.arena.At(r.Root())) == nil {
				m := mover{a: sh.arena}
				l.pos, done = blocks.moveBlocks(sh, r.Root(), l.pos, moveBlocks, &m)
				d.count(&m)
			}
		}
	}
	if done {
		d.later = d.later[:len(d.later)-1]
	}
	return len(d.later) == 0
}

// moveBlocks is blockMover's for a table of elements. tell, if not nil, hears of every
// element that moves, before its old record goes.
func (e *Elements) moveBlocks(pos uint64, n int, m *mover, tell func(old, moved arena.Ref)) (next uint64, done bool) {
	if pos == 0 {
		e.t.MoveArrays()
	}
	for ; n > 0; n -= movedAChain {
		pos = e.t.MoveChains(pos, func(ref arena.Ref) arena.Ref { return m.moveTelling(ref, tell) })
		if pos == 0 {
			return 0, true
		}
	}
	return pos, false
}

// inTree is set in a position that is a rank in the tree.
const inTree = 1 << 63

// moveOrdered is moveBlocks for a table of elements that a tree has in order: the nodes of
// the tree come behind the table.
func (e *Elements) moveOrdered(t *zset.Tree, pos uint64, n int, m *mover, tell func(old, moved arena.Ref)) (next uint64, done bool) {
	if pos&inTree == 0 {
		if pos, done = e.moveBlocks(pos, n, m, tell); done {
			pos = inTree
		}
		return pos, done && t.H.Len() == 0
	}
	rank := int(pos &^ inTree)
	for ; n > 0 && rank < t.H.Len(); n-- {
		rank = t.MoveNodes(rank, m.move)
	}
	return inTree | uint64(rank), rank >= t.H.Len()
}

// movedAChain is about how many elements a chain has.
const movedAChain = 8
