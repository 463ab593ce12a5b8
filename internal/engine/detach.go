package engine

import (
	"github.com/redwingdb/redwing/internal/engine/arena"
	"github.com/redwingdb/redwing/internal/engine/table"
	"github.com/redwingdb/redwing/internal/slots"
)

// grave is what was detached from the keyspace at once and is freed in steps, when no
// snapshot needs it any more.
type grave struct {
	sp      *space         // a whole space, or nil
	headers []table.Header // its tables, or the one of a dropped slot
	holds   []hold         // snapshots that had the dropped slot
	next    int            // tables before are freed
	pos     uint64         // buckets of the next table before are freed
	serial  uint64         // graves of a shard are numbered
}

// hold says that a snapshot may not be through with a slot.
type hold struct {
	walk  *walk
	local uint32
}

// Flush empties database db, in time that does not depend on the number of keys.
// REQUIRES: AllShards, locked or owned.
func (k *Keyspace) Flush(db int) {
	for i := range k.shards {
		sh := &k.shards[i]
		if sp := sh.spaces[db].Swap(nil); sp != nil {
			sh.buryLocked(&grave{sp: sp, headers: sp.headers}, sp.keys.Load())
		}
	}
}

// FlushAll empties every visible database. REQUIRES: AllShards, locked or owned.
func (k *Keyspace) FlushAll() {
	for db := range k.databases {
		k.Flush(db)
	}
}

// SwapDB exchanges two visible databases. REQUIRES: AllShards, locked or owned.
func (k *Keyspace) SwapDB(a, b int) {
	for i := range k.shards {
		spaces := k.shards[i].spaces
		x, y := spaces[a].Load(), spaces[b].Load()
		spaces[a].Store(y)
		spaces[b].Store(x)
	}
}

// DropSlot takes slot s out of database db, in time that does not depend on the number
// of its keys, and returns that number. REQUIRES: Mask(s).
func (k *Keyspace) DropSlot(db int, s slots.Slot) int {
	sh := &k.shards[k.ShardOf(s)]
	sp := sh.spaces[db].Load()
	if sp == nil {
		return 0
	}
	local := k.local(s)
	n := sp.headers[local].Len()
	if n == 0 {
		return 0
	}
	g := &grave{headers: make([]table.Header, 1)}
	for _, w := range sp.watches {
		if w.seesLocked(local) {
			w.walk.marksLocked(local)
			g.holds = append(g.holds, hold{w.walk, local})
		}
	}
	g.headers[0].MoveFrom(&sp.headers[local])
	sp.forgetLocked(local, n)
	sh.buryLocked(g, int64(n))
	return n
}

// forgetLocked takes the n keys of a slot whose table was moved away out of the counts.
func (sp *space) forgetLocked(local uint32, n int) {
	sp.keys.Add(int64(-n))
	sp.volatileLocked(local, -int(sp.volatil[local]))
	sp.rehashes.clear(local)
}

// AttachStaged makes the staged table of slot s database 0's, whose own is dropped, in
// time that does not depend on the number of keys. Keys with an expiry enter the wheel
// in the background. REQUIRES: Mask(s).
func (k *Keyspace) AttachStaged(s slots.Slot) {
	k.DropSlot(0, s)
	sh := &k.shards[k.ShardOf(s)]
	from := sh.spaces[k.StagingDB()].Load()
	local := k.local(s)
	if from == nil || from.headers[local].Len() == 0 {
		return
	}
	to := k.spaceLocked(sh, 0)
	for _, w := range to.watches {
		if w.seesLocked(local) {
			// The table is new to this snapshot, which knows what was here at its cut.
			w.walk.marksLocked(local)
		}
	}
	for _, w := range from.watches {
		if w.seesLocked(local) {
			w.walk.marksLocked(local)
			to.watches = append(to.watches, watch{w.walk, int32(local)})
			w.walk.also = append(w.walk.also, to)
		}
	}
	n, volatile := from.headers[local].Len(), int(from.volatil[local])
	rehashing := from.headers[local].Rehashing()
	to.headers[local].MoveFrom(&from.headers[local])
	from.forgetLocked(local, n)
	to.keys.Add(int64(n))
	to.volatileLocked(local, volatile)
	if rehashing {
		to.rehashes.set(local)
	}
	if from.fieldExpiry {
		to.fieldExpiry = true
		k.fieldExpires()
	}
	if volatile > 0 || from.fieldExpiry {
		to.refill.add(local, len(to.headers))
	}
}

// heldLocked reports whether a live snapshot may still read what lies in g.
func (g *grave) heldLocked() bool {
	if g.sp != nil {
		return len(g.sp.watches) != 0
	}
	for _, h := range g.holds {
		if h.walk.needsLocked(h.local) {
			return true
		}
	}
	return false
}

// freeStepLocked frees at most n buckets of g and reports whether all is freed.
func (k *Keyspace) freeStepLocked(sh *shard, g *grave, n int) bool {
	for ; g.next < len(g.headers); g.next++ {
		t := table.Table{A: sh.arena, H: &g.headers[g.next], Hash: &k.hash}
		before, done := g.pos, false
		g.pos, done = t.Drain(g.pos, n, func(ref arena.Ref) { sh.buryRecordLocked(ref) })
		if !done {
			return false
		}
		// An empty table costs as much as a bucket.
		if n -= max(1, int(g.pos-before)); n <= 0 && g.next+1 < len(g.headers) {
			g.next, g.pos = g.next+1, 0
			return false
		}
		g.pos = 0
	}
	if g.sp == nil {
		return true
	}
	for _, w := range []*wheel{g.sp.wheel, g.sp.refill.old} {
		if w != nil && !w.drain(sh.arena, max(n, 1)) {
			return false
		}
	}
	k.countHeaders(-g.sp.headerBytes())
	return true
}
