package engine

import (
	"math/bits"
	"time"

	"github.com/redwingdb/redwing/internal/clock"
	"github.com/redwingdb/redwing/internal/engine/arena"
	"github.com/redwingdb/redwing/internal/engine/table"
)

const (
	// stepBuckets bounds the buckets worked on in one hold of a shard, by kind of work.
	stepBuckets = 64
	// stepBlocks bounds the blocks of big values freed in one hold of a shard.
	stepBlocks = 512
	// idleLeastBytes is what a shard keeps of its free pages for the next allocations,
	// besides an eighth of what is in use.
	idleLeastBytes = 256 << 10
)

// refill is the entering of the volatile keys of some tables into a space's wheel: of
// all when the wheel is rebuilt because stale entries outgrew it, of one when a staged
// slot was attached.
type refill struct {
	old    *wheel // the wheel being replaced; fired until its keys are in the new one
	todo   bitset // local slots whose tables are still to be walked; nil when none
	cursor uint64 // scan cursor in the first of them
	filled int    // entries that the last rebuilding left
}

func (f *refill) add(local uint32, tables int) {
	if f.todo == nil {
		f.todo = make(bitset, (tables+63)/64)
	}
	// If this becomes the first one, the walk under way starts over when its turn comes
	// again; entering a key twice does no harm.
	if first := f.first(); first < 0 || int(local) <= first {
		f.cursor = 0
	}
	f.todo.set(local)
}

func (f *refill) first() int {
	for i, w := range f.todo {
		if w != 0 {
			return i*64 + bits.TrailingZeros64(w)
		}
	}
	return -1
}

// BackgroundStep does what is left to do behind the commands, in holds of one shard at a
// time: rehashing, rebuilding of wheels, freeing of what was detached, giving pages back.
// It returns when budget is spent or nothing is left, and reports whether something may
// be. It is called by one goroutine; shards with an owner are left for the next time.
func (k *Keyspace) BackgroundStep(nowMillis int64, budget time.Duration) (more bool) {
	end := clock.Mono() + int64(budget)
	first := int(k.nextStep.Add(1))
	k.heedEviction()
	for i := range k.shards {
		sh := &k.shards[(first+i)%len(k.shards)]
		for again := true; again; {
			if !k.TryLock(1<<sh.index, nil) {
				more = true
				break
			}
			again = k.backgroundLocked(sh, nowMillis)
			idle, ok := sh.takeIdleLocked()
			k.Unlock(1 << sh.index)
			if ok {
				sh.arena.Advise(idle)
				k.Lock(1 << sh.index)
				sh.arena.PutBack(idle)
				k.Unlock(1 << sh.index)
				again = true
			}
			if clock.Mono() >= end {
				return more || again || i+1 < len(k.shards)
			}
		}
	}
	return more
}

func (sh *shard) takeIdleLocked() (arena.Idle, bool) {
	if sh.arena.IdleBytes() < idleLeastBytes+sh.arena.Used()/8 {
		return arena.Idle{}, false
	}
	return sh.arena.TakeIdle()
}

// backgroundLocked does a bounded piece of each kind of work of a shard and reports
// whether any is left.
func (k *Keyspace) backgroundLocked(sh *shard, now int64) (more bool) {
	for db := range sh.spaces {
		sp := sh.spaces[db].Load()
		if sp == nil {
			continue
		}
		if k.rehashStepLocked(sh, sp) {
			more = true
		}
		if k.refillStepLocked(sh, sp, now) {
			more = true
		}
	}
	if k.freeDeadLocked(sh, stepBuckets, stepBlocks) {
		more = more || sh.buried.Load() > 0
	}
	return more
}

// freeDeadLocked frees about n blocks of big values that no key has any more, and at most
// buckets of what was detached and no snapshot needs. It reports whether there was any.
func (k *Keyspace) freeDeadLocked(sh *shard, buckets, blocks int) (freed bool) {
	freed = len(sh.roots) > 0
	k.freeRootsLocked(sh, blocks)
	freed = k.freeGravesLocked(sh, buckets) || freed
	if len(sh.burial.waits) > 0 {
		k.wakeFreedLocked(sh)
	}
	return freed
}

// freeGravesLocked frees at most n buckets of what was detached and no snapshot needs,
// and reports whether there was any.
func (k *Keyspace) freeGravesLocked(sh *shard, n int) (freed bool) {
	for i, g := range sh.graves {
		if g.heldLocked() {
			continue
		}
		if k.freeStepLocked(sh, g, n) {
			sh.graves = append(sh.graves[:i], sh.graves[i+1:]...)
			sh.buried.Add(-1)
		}
		return true
	}
	return false
}

// rehashStepLocked moves some buckets of the first table that is being rehashed.
func (k *Keyspace) rehashStepLocked(sh *shard, sp *space) (more bool) {
	for i, w := range sp.rehashes {
		if w == 0 {
			continue
		}
		local := uint32(i*64 + bits.TrailingZeros64(w))
		t := k.tableLocked(sh, sp, local)
		before := t.Progress()
		if t.Step(stepBuckets) {
			sp.rehashes.clear(local)
			return true
		}
		return t.Progress() != before // no progress: no space for it
	}
	return false
}

// refillStepLocked walks some buckets for the wheel of a space.
func (k *Keyspace) refillStepLocked(sh *shard, sp *space, now int64) (more bool) {
	f := &sp.refill
	if f.todo == nil && f.old == nil && sp.wheel != nil &&
		int64(sp.wheel.n) > 2*max(sp.volatile.Load(), int64(f.filled))+1024 {
		f.old, sp.wheel = sp.wheel, &wheel{}
		f.todo = make(bitset, len(sp.rehashes))
		for local := range sp.headers {
			if sp.volatil[local] > 0 || sp.fieldExpiry {
				f.todo.set(uint32(local))
			}
		}
		f.cursor = 0
	}
	for n := stepBuckets; f.todo != nil; n-- {
		if n == 0 {
			return true
		}
		local := f.first()
		if local < 0 {
			f.todo = nil
			break
		}
		t := k.tableLocked(sh, sp, uint32(local))
		f.cursor = t.Scan(f.cursor, func(r table.Rec) {
			if at := dueAt(sh, r); at != 0 {
				sp.enterLocked(sh.arena, r, uint32(local), k.hash.Sum(r.Key()), at, now)
			}
		})
		if f.cursor == 0 {
			f.todo.clear(uint32(local))
		}
	}
	if f.old != nil {
		if !f.old.drain(sh.arena, stepBuckets) {
			return true
		}
		f.old, f.filled = nil, sp.wheel.n
	}
	return false
}
