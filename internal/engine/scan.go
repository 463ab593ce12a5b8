package engine

import (
	"github.com/redwingdb/redwing/internal/engine/table"
	"github.com/redwingdb/redwing/internal/slots"
)

// A scan cursor is the slot in its low 14 bits and the cursor of the slot's table above.
const slotBits = 14

// ScanShard returns the shard to lock for the step of a scan at cursor.
func (k *Keyspace) ScanShard(db int, cursor uint64) ShardMask {
	return k.Mask(slots.Slot(cursor & (slots.Count - 1)))
}

// Scan visits the keys of one bucket chain (a few chains while a table is rehashed) and
// returns the cursor of the next step, 0 after the last. The first cursor is 0. A key
// present from the first step to the last is visited at least once. Expired keys are not
// visited. visit must not change the keyspace. REQUIRES: ScanShard(a.DB(), cursor).
func (a *Access) Scan(cursor uint64, visit func(key []byte, r Record)) (next uint64) {
	s := slots.Slot(cursor & (slots.Count - 1))
	if next := a.scanSlot(s, cursor>>slotBits, visit); next != 0 {
		return next<<slotBits | uint64(s)
	}
	for s++; s < slots.Count; s++ {
		if a.k.SlotLen(int(a.db), s) > 0 {
			return uint64(s)
		}
	}
	return 0
}

// scanSlot visits the keys of one step through a slot's table.
func (a *Access) scanSlot(s slots.Slot, cursor uint64, visit func(key []byte, r Record)) (next uint64) {
	sh := &a.k.shards[a.k.ShardOf(s)]
	sp := sh.spaces[a.db].Load()
	if sp == nil {
		return 0
	}
	t := a.k.tableLocked(sh, sp, a.k.local(s))
	return t.Scan(cursor, func(r table.Rec) {
		if !a.expiredLocked(r) {
			visit(r.Key(), Record{r, sh.arena})
		}
	})
}

// SlotKeys visits at most limit keys of slot s. visit must not change the keyspace.
func (a *Access) SlotKeys(s slots.Slot, limit int, visit func(key []byte)) {
	for cursor := uint64(0); limit > 0; {
		cursor = a.scanSlot(s, cursor, func(key []byte, _ Record) {
			if limit > 0 {
				visit(key)
			}
			limit--
		})
		if cursor == 0 {
			return
		}
	}
}

// randomTries bounds the draws of RandomKey that hit expired keys (as Redis).
const randomTries = 100

// RandomKey returns a key drawn uniformly, by counts and then by position, from the
// random numbers of rnd; false if it finds none. Expired keys that it meets are deleted
// in ModePrimary; in ModeReplica, where all may have expired, it gives one of them rather
// than search for ever. The key is in place. REQUIRES: AllShards.
func (a *Access) RandomKey(rnd func() uint64) (key []byte, ok bool) {
	for try := 0; ; try++ {
		total := a.k.Len(int(a.db))
		if total == 0 {
			return nil, false
		}
		s, ok := a.k.slotAt(int(a.db), int64(rnd()%uint64(total)))
		if !ok {
			return nil, false
		}
		sh := &a.k.shards[a.k.ShardOf(s)]
		t := a.k.tableLocked(sh, sh.spaces[a.db].Load(), a.k.local(s))
		r, ok := t.Random(rnd)
		if !ok {
			return nil, false
		}
		if !a.expiredLocked(r) || a.mode == ModeReplica && try >= randomTries {
			return r.Key(), true
		}
		if try >= randomTries {
			return nil, false
		}
		if a.mode == ModePrimary {
			var p spot
			a.lookLocked(&p, s, r.Key())
		}
	}
}

// slotAt returns the slot of the n-th key of a database.
func (k *Keyspace) slotAt(db int, n int64) (slots.Slot, bool) {
	for i := range k.shards {
		sp := k.shards[i].spaces[db].Load()
		if sp == nil {
			continue
		}
		if keys := sp.keys.Load(); n >= keys {
			n -= keys
			continue
		}
		for local := range sp.headers {
			if n -= int64(sp.headers[local].Len()); n < 0 {
				return k.slotOf(i, uint32(local)), true
			}
		}
	}
	return 0, false
}
