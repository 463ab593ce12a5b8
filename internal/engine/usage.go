package engine

import (
	"math"
	"unsafe"

	"github.com/redwingdb/redwing/internal/engine/table"
	"github.com/redwingdb/redwing/internal/slots"
)

const (
	// bucketBytesAKey is about what a key takes of its table (docs/format/record.md).
	bucketBytesAKey = 9
	// wheelBytesAKey is about what an expiry takes of the wheel, in its 256-byte chunk.
	wheelBytesAKey = 8
)

// Elements returns how many elements the value of r, a key of slot s, has of blocks of
// their own: none if it is a string or packed.
func (a *Access) Elements(s slots.Slot, r Record) int {
	if r.rec.Flags()&table.FlagRoot == 0 {
		return 0
	}
	return opsOf(r.Type()).len(&a.k.shards[a.k.ShardOf(s)], r.rec.Root())
}

// MemoryUsage returns the bytes that r, a key of slot s, its value and its part of the
// table take. Of a collection samples elements are measured, all of them if that is 0.
func (a *Access) MemoryUsage(s slots.Slot, r Record, samples int64) int64 {
	n := r.RefSize() + bucketBytesAKey
	if r.rec.Flags()&table.FlagRoot != 0 {
		n += opsOf(r.Type()).size(&a.k.shards[a.k.ShardOf(s)], r.rec.Root(), int(min(samples, math.MaxInt32)))
	}
	return n
}

// TableBytes returns what the tables of a database take, buckets excepted where a lock
// would be needed to count them: nearly. It needs no lock.
func (k *Keyspace) TableBytes(db int) (main, expires int64) {
	for i := range k.shards {
		sp := k.shards[i].spaces[db].Load()
		if sp == nil {
			continue
		}
		main += int64(len(sp.headers))*int64(unsafe.Sizeof(table.Header{})) + sp.keys.Load()*bucketBytesAKey
		expires += int64(len(sp.headers))*int64(unsafe.Sizeof(uint32(0))) + sp.volatile.Load()*wheelBytesAKey
	}
	return main, expires
}

// Purge gives the free pages of all shards back to the system. It locks one shard at a
// time and may block. REQUIRES: no shard locked by the caller.
func (k *Keyspace) Purge() {
	for i := range k.shards {
		sh := &k.shards[i]
		for more := true; more; {
			k.Lock(1 << i)
			idle, ok := sh.arena.TakeIdle()
			k.Unlock(1 << i)
			if more = ok; ok {
				sh.arena.Advise(idle)
				k.Lock(1 << i)
				sh.arena.PutBack(idle)
				k.Unlock(1 << i)
			}
		}
	}
}

// EachArena calls f with the bytes of each shard: of allocated blocks, of the pages they
// lie in, of free pages that may be resident, and of the reserved range.
func (k *Keyspace) EachArena(f func(shard int, used, active, idle, limit int64)) {
	for i := range k.shards {
		a := k.shards[i].arena
		f(i, a.Used(), a.ActiveBytes(), a.IdleBytes(), a.Limit())
	}
}
