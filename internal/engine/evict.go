package engine

import (
	"math"
	"sync"
	"time"

	"github.com/redwingdb/redwing/internal/clock"
	"github.com/redwingdb/redwing/internal/engine/arena"
	"github.com/redwingdb/redwing/internal/engine/table"
	"github.com/redwingdb/redwing/internal/slots"
)

// Room is what MakeRoom has come to.
type Room uint8

const (
	// RoomEnough: no more is counted than the limit allows.
	RoomEnough Room = iota
	// RoomBeingMade: more is, and it is on its way out: the budget is spent, or another
	// party is at it.
	RoomBeingMade
	// RoomNone: more is, and there is nothing that may go.
	RoomNone
)

const (
	// poolSize is how many candidates an evictor keeps between victims (Redis).
	poolSize = 16
	// sampleDatabases bounds the databases of a shard that are sampled for one victim.
	sampleDatabases = 16
	// sampleBuckets and sampleRecords bound what is passed for the samples of a database.
	sampleBuckets = 64
	sampleRecords = 128
)

// evictor is one party that makes room, and what it has seen on its way. There are a
// few, so that a loop that finds one busy takes the next. Order: evictor -> data shard.
type evictor struct {
	mu struct {
		sync.Mutex
		policy Policy
		pool   [poolSize]candidate // the best of the samples, worst first
		n      int
		seed   uint64
	}
}

// candidate is a key that may go. It is known by its hash, never by a ref: records move.
type candidate struct {
	score uint64 // the higher the sooner it goes; what it means depends on the policy
	hash  uint64
	db    int32
	slot  slots.Slot
}

// MakeRoom deletes keys by the policy until no more is counted than the limit allows,
// for about as long as budget. Memory that is only waiting to be freed goes first. It
// holds one shard at a time, for one key or a few buckets. REQUIRES: no shard locked by
// the caller.
func (k *Keyspace) MakeRoom(nowMillis int64, budget time.Duration) Room {
	if !k.OverLimit() {
		k.noteOver(false)
		return RoomEnough
	}
	room := RoomBeingMade
	for i := range k.eviction.evictors {
		if e := &k.eviction.evictors[i]; e.mu.TryLock() {
			room = k.makeRoomLocked(e, nowMillis, clock.Mono()+int64(budget))
			e.mu.Unlock()
			break
		}
	}
	k.noteOver(room != RoomEnough)
	return room
}

func (k *Keyspace) makeRoomLocked(e *evictor, now, end int64) Room {
	set := k.eviction.settings.Load()
	if e.mu.policy != set.Policy {
		e.mu.policy, e.mu.n = set.Policy, 0
	}
	for k.OverLimit() {
		if !k.freeDetached() {
			if set.Policy == NoEviction || !k.evictOneLocked(e, set, now) && !k.mayEvict(set.Policy) {
				return RoomNone
			}
		}
		if clock.Mono() >= end {
			return RoomBeingMade
		}
	}
	return RoomEnough
}

// noteOver keeps account of how long memory was over its limit.
func (k *Keyspace) noteOver(over bool) {
	e := &k.eviction
	since := e.overSince.Load()
	switch {
	case over && since == 0:
		e.overSince.CompareAndSwap(0, clock.Mono())
	case !over && since != 0 && e.overSince.CompareAndSwap(since, 0):
		e.overNanos.Add(clock.Mono() - since)
	}
}

// freeDetached frees some of what was detached and reports whether there was any.
func (k *Keyspace) freeDetached() (freed bool) {
	for i := range k.shards {
		sh := &k.shards[i]
		if sh.buried.Load() == 0 || !k.TryLock(1<<i, nil) {
			continue
		}
		freed = k.freeDeadLocked(sh, stepBuckets, stepBlocks)
		k.Unlock(1 << i)
		if freed {
			return true
		}
	}
	return false
}

// mayEvict reports whether there are keys that p lets go.
func (k *Keyspace) mayEvict(p Policy) bool {
	for db := range k.databases {
		if p.volatile() && k.Expires(db) > 0 || !p.volatile() && k.Len(db) > 0 {
			return true
		}
	}
	return false
}

// evictOneLocked samples a shard, drawn by its bytes, into the pool and deletes the best
// candidate. It returns false if nothing was deleted: no key was found, or the shard has
// an owner. REQUIRES: e.mu held.
func (k *Keyspace) evictOneLocked(e *evictor, set *EvictionSettings, now int64) bool {
	p := set.Policy
	sh := k.drawShardLocked(e, p)
	if sh == nil || !k.TryLock(1<<sh.index, nil) {
		return false
	}
	e.sampleShardLocked(k, sh, set, now)
	for e.mu.n > 0 {
		e.mu.n--
		c := e.mu.pool[e.mu.n]
		if at := &k.shards[k.ShardOf(c.slot)]; at != sh {
			k.Unlock(1 << sh.index)
			sh = at
			if !k.TryLock(1<<sh.index, nil) {
				return false
			}
		}
		if k.evictLocked(sh, p, c, now) {
			k.Unlock(1 << sh.index)
			return true
		}
	}
	k.Unlock(1 << sh.index)
	return false
}

// evictLocked deletes the candidate, unless it has gone or is no longer as good as it was.
func (k *Keyspace) evictLocked(sh *shard, p Policy, c candidate, now int64) bool {
	sp := sh.spaces[c.db].Load()
	if sp == nil {
		return false
	}
	at := spot{sh: sh, sp: sp, hash: c.hash, local: k.local(c.slot)}
	at.t = k.tableLocked(sh, sp, at.local)
	at.pos = at.t.FindPart(c.hash, func(r table.Rec) bool { return k.hash.Sum(r.Key()) == c.hash })
	if !at.found() {
		return false
	}
	at.rec = table.RecAt(sh.arena, at.pos.Ref)
	if score, ok := k.scoreOf(p, at.rec, now); !ok || score < c.score {
		return false
	}
	if k.sink != nil {
		k.sink.Append(c.slot, int(c.db), Effect{Kind: EffectEvict, Key: at.rec.Key()})
	}
	k.eviction.evicted.Add(1)
	at.removeLocked()
	return true
}

// scoreOf returns how soon r is to go under p, false if it may not. Redis 7.2, evict.c,
// evictionPoolPopulate.
func (k *Keyspace) scoreOf(p Policy, r table.Rec, now int64) (uint64, bool) {
	if p.volatile() && r.Flags()&table.FlagExpiry == 0 {
		return 0, false
	}
	switch p {
	case AllKeysLFU, VolatileLFU:
		l := k.eviction.lfu.Load()
		if l == nil { // the policy is being changed
			return 0, false
		}
		return uint64(0xff - l.decayed(r.LRU(), now)), true
	case VolatileTTL:
		return math.MaxUint64 - uint64(max(r.ExpireAt(), 0)), true
	case AllKeysRandom, VolatileRandom:
		return 0, true
	}
	return uint64(idleMillis(r.LRU(), now)), true
}

// drawShardLocked returns a shard with keys that p lets go, drawn by its bytes; the next
// one that has any if the one drawn has none. REQUIRES: e.mu held.
func (k *Keyspace) drawShardLocked(e *evictor, p Policy) *shard {
	total := int64(0)
	for i := range k.shards {
		total += k.shards[i].arena.Used()
	}
	at := 0
	if total > 0 {
		for n := int64(e.drawLocked() % uint64(total)); at < len(k.shards)-1; at++ {
			if n -= k.shards[at].arena.Used(); n < 0 {
				break
			}
		}
	}
	for i := range k.shards {
		sh := &k.shards[(at+i)&int(k.shardBits)]
		for db := range k.databases {
			if sp := sh.spaces[db].Load(); sp != nil && sp.mayGo(p) > 0 {
				return sh
			}
		}
	}
	return nil
}

// mayGo returns how many keys of sp p lets go.
func (sp *space) mayGo(p Policy) int64 {
	if p.volatile() {
		return sp.volatile.Load()
	}
	return sp.keys.Load()
}

// sampleShardLocked puts samples of each database of sh into the pool.
func (e *evictor) sampleShardLocked(k *Keyspace, sh *shard, set *EvictionSettings, now int64) {
	first, left := 0, sampleDatabases
	if k.databases > sampleDatabases || set.Policy.random() {
		first = int(e.drawLocked() % uint64(k.databases))
	}
	for i := range k.databases {
		db := (first + i) % k.databases
		sp := sh.spaces[db].Load()
		if sp == nil || sp.mayGo(set.Policy) == 0 {
			continue
		}
		e.sampleLocked(k, sh, sp, db, set, now)
		if left--; left == 0 || set.Policy.random() && e.mu.n > 0 {
			return
		}
	}
}

// sampleLocked puts samples of a space into the pool: neighbours behind a place drawn by
// the counts of the slots. Where keys that may go are few they come from the wheel.
func (e *evictor) sampleLocked(k *Keyspace, sh *shard, sp *space, db int, set *EvictionSettings, now int64) {
	p, left := set.Policy, set.Samples
	if p.random() {
		left = 1
	}
	take := func(local uint32, r table.Rec) {
		if score, ok := k.scoreOf(p, r, now); ok {
			e.offerLocked(candidate{score, k.hash.Sum(r.Key()), int32(db), k.slotOf(sh.index, local)})
			left--
		}
	}
	local, passed := sp.placeAt(p, int64(e.drawLocked()%uint64(sp.mayGo(p)))), 0
	for range sp.headers {
		if sp.mayGoOf(p, local) > 0 {
			t := k.tableLocked(sh, sp, local)
			t.Sample(e.drawLocked(), sampleBuckets, func(_ arena.Ref, r table.Rec) bool {
				take(local, r)
				passed++
				return left > 0 && passed < sampleRecords
			})
		}
		if left <= 0 || passed >= sampleRecords {
			break
		}
		if local++; int(local) == len(sp.headers) {
			local = 0
		}
	}
	if left == set.Samples && p.volatile() && sp.wheel != nil {
		sp.wheel.sample(sh.arena, e.drawLocked(), left, func(w wheelEntry) bool {
			t := k.tableLocked(sh, sp, w.local())
			pos := t.FindPart(w.hash(), func(r table.Rec) bool {
				return r.Flags()&table.FlagExpiry != 0 && k.hash.Sum(r.Key())&(1<<hashBits-1) == w.hash()
			})
			if pos.Ref == 0 {
				return false
			}
			take(w.local(), table.RecAt(sh.arena, pos.Ref))
			return true
		})
	}
}

// mayGoOf is mayGo of one slot.
func (sp *space) mayGoOf(p Policy, local uint32) int64 {
	if p.volatile() {
		return int64(sp.volatil[local])
	}
	return int64(sp.headers[local].Len())
}

// placeAt returns the local slot of the n-th key that p lets go.
func (sp *space) placeAt(p Policy, n int64) uint32 {
	for local := range sp.headers {
		if n -= sp.mayGoOf(p, uint32(local)); n < 0 {
			return uint32(local)
		}
	}
	return 0
}

// offerLocked puts c into the pool, in its place, unless all others are better.
func (e *evictor) offerLocked(c candidate) {
	pool := &e.mu.pool
	at := 0
	for at < e.mu.n && pool[at].score < c.score {
		at++
	}
	for i := range e.mu.n {
		if o := &pool[i]; o.hash == c.hash && o.db == c.db && o.slot == c.slot {
			return
		}
	}
	if e.mu.n < poolSize {
		copy(pool[at+1:], pool[at:e.mu.n])
		pool[at] = c
		e.mu.n++
		return
	}
	if at > 0 { // the worst goes
		copy(pool[:at-1], pool[1:at])
		pool[at-1] = c
	}
}

// drawLocked returns 64 random bits.
func (e *evictor) drawLocked() uint64 { return splitmix(&e.mu.seed) }
