package engine

import (
	"slices"
	"time"

	"github.com/redwingdb/redwing/internal/clock"
	"github.com/redwingdb/redwing/internal/engine/arena"
	"github.com/redwingdb/redwing/internal/engine/table"
	"github.com/redwingdb/redwing/internal/slots"
)

// SetExpireAt sets the expiry of key to atMillis, or takes it away if that is 0. It
// reports false if there is no key. A past time does not delete the key at once.
func (a *Access) SetExpireAt(s slots.Slot, key []byte, atMillis int64) (bool, error) {
	var p spot
	if !a.lookLocked(&p, s, key) {
		return false, nil
	}
	oldAt := p.rec.ExpireAt()
	if oldAt == atMillis {
		return true, nil
	}
	p.t.Touch(p.pos)
	if oldAt == 0 || atMillis == 0 {
		if err := p.reshapeLocked(p.rec.Flags() ^ table.FlagExpiry); err != nil {
			return true, ErrNoSpace
		}
	}
	if atMillis != 0 {
		p.rec.SetExpireAt(atMillis)
	}
	a.expiryChangedLocked(&p, oldAt)
	return true, nil
}

// reshapeLocked gives the record at p other flags, in place if its block allows that. A
// value in a span stays where it is. REQUIRES: p.t.Touch(p.pos).
func (p *spot) reshapeLocked(flags byte) error {
	old := p.rec
	l := table.Layout{Kind: old.Kind(), Flags: flags, KeyLen: len(old.Key()), ValueLen: len(old.Value())}
	if arena.Fits(old.Size(), l.Size()) {
		old.Reshape(l)
		return nil
	}
	ar := p.sh.arena
	ref, err := ar.Alloc(l.Size())
	if err != nil {
		return err
	}
	rec := table.RecAt(ar, ref)
	rec.Init(l, old.LRU(), old.Key())
	copy(rec.Value(), old.Value())
	p.t.Replace(p.pos, ref)
	ar.Free(p.pos.Ref)
	p.pos.Ref, p.rec = ref, rec
	return nil
}

// expiryChangedLocked keeps counters and wheel right after the record at p, whose expiry
// was oldAt, got the one it has now. The record's FlagInWheel says whether the wheel has
// an entry from before: that entry will look at the key no later than at oldAt, so a
// later expiry needs no other.
func (a *Access) expiryChangedLocked(p *spot, oldAt int64) {
	at := p.rec.ExpireAt()
	if oldAt == 0 && at == 0 {
		return
	}
	switch {
	case oldAt == 0:
		p.sp.volatileLocked(p.local, 1)
	case at == 0:
		p.sp.volatileLocked(p.local, -1)
		return
	}
	if p.rec.Flags()&table.FlagInWheel != 0 && oldAt != 0 && at >= oldAt {
		return
	}
	p.sp.enterLocked(p.sh.arena, p.rec, p.local, p.hash, at, a.now)
}

// enterLocked puts an entry for the record rec into the wheel: it will be looked at once
// what expires at the time at has expired.
func (sp *space) enterLocked(a *arena.Arena, rec table.Rec, local uint32, hash uint64, at, now int64) {
	if sp.noWheel {
		rec.SetInWheel(false)
		return
	}
	if sp.wheel == nil {
		sp.wheel = &wheel{}
	}
	rec.SetInWheel(sp.wheel.insert(a, entryOf(local, hash), at, now))
}

const (
	// expireBatch bounds the entries fired in one hold of a shard.
	expireBatch = 64
	// expireRounds bounds a step that never finds its budget spent.
	expireRounds = 1 << 20
)

// ExpireStep deletes keys that have expired at nowMillis, in holds of one shard at a
// time, until none are due or budget is spent, and returns their number. It is called
// about every 100 ms, on primaries only, by one goroutine. Shards with an owner are left
// for the next time.
func (k *Keyspace) ExpireStep(nowMillis int64, budget time.Duration) (expired int) {
	end := clock.Mono() + int64(budget)
	first := int(k.nextStep.Add(1))
	rounds := 0
	for i := range k.shards {
		sh := &k.shards[(first+i)%len(k.shards)]
		for more := true; more && rounds < expireRounds; rounds++ {
			if !k.TryLock(1<<sh.index, nil) {
				break
			}
			var n int
			n, more = k.expireShardLocked(sh, nowMillis)
			k.Unlock(1 << sh.index)
			expired += n
			if clock.Mono() >= end {
				return expired
			}
		}
	}
	return expired
}

// expireShardLocked fires at most expireBatch entries of a shard.
func (k *Keyspace) expireShardLocked(sh *shard, now int64) (expired int, more bool) {
	var due [expireBatch]wheelEntry
	limit := expireBatch
	for db := range k.databases {
		sp := sh.spaces[db].Load()
		if sp == nil {
			continue
		}
		for _, w := range [2]*wheel{sp.wheel, sp.refill.old} {
			if w == nil || w.n == 0 {
				continue
			}
			n := 0
			limit -= w.advance(sh.arena, now, limit, func(e wheelEntry) {
				due[n] = e
				n++
			})
			expired += k.fireAllLocked(sh, sp, db, due[:n], now)
			if limit == 0 {
				return expired, true
			}
		}
	}
	return expired, false
}

// fireAllLocked fires entries that are due. What their lookups touch is fetched for a few
// of them at a time: one after the other they are little but waits for memory.
func (k *Keyspace) fireAllLocked(sh *shard, sp *space, db int, due []wheelEntry, now int64) (expired int) {
	for group := range slices.Chunk(due, PrefetchMax) {
		for _, e := range group {
			t := k.tableLocked(sh, sp, e.local())
			t.PrefetchBucket(e.hash())
		}
		for _, e := range group {
			t := k.tableLocked(sh, sp, e.local())
			t.PrefetchRecords(e.hash())
		}
		for _, e := range group {
			if k.fireLocked(sh, sp, db, e, now) {
				expired++
			}
		}
	}
	return expired
}

// fireLocked looks at the keys that an entry may stand for: one that has expired is
// deleted, one that lives longer gets an entry for its time.
func (k *Keyspace) fireLocked(sh *shard, sp *space, db int, e wheelEntry, now int64) (expired bool) {
	p := spot{sh: sh, sp: sp, hash: e.hash(), local: e.local()}
	p.t = k.tableLocked(sh, sp, p.local)
	p.pos = p.t.FindPart(e.hash(), func(r table.Rec) bool {
		return r.Flags()&table.FlagInWheel != 0 && k.hash.Sum(r.Key())&(1<<hashBits-1) == e.hash()
	})
	if !p.found() {
		return false
	}
	p.rec = table.RecAt(sh.arena, p.pos.Ref)
	slot := k.slotOf(sh.index, p.local)
	if at := p.rec.ExpireAt(); at != 0 && now > at {
		k.expireLocked(&p, slot, db, k.sink)
		return true
	}
	if hasFieldExpiry(p.rec) {
		k.expireFieldsLocked(&p, slot, db, now)
		if !p.found() {
			return true
		}
	}
	if at := dueAt(sh, p.rec); at != 0 {
		sp.enterLocked(sh.arena, p.rec, p.local, p.hash, at, now)
	} else {
		p.rec.SetInWheel(false)
	}
	return false
}
