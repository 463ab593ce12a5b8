package engine

import "github.com/redwingdb/redwing/internal/slots"

const (
	// PrefetchMax is how many keys Prefetch looks at.
	PrefetchMax = 16
	// prefetchKeys is how many keys a data shard must have: below, what is looked for
	// is in the cache anyway and asking costs more than it saves.
	prefetchKeys = 1000
)

// Prefetch brings what Find will touch for each of keys into the cache, all of them at
// once instead of one after the other: with many keys a lookup is two waits for memory
// and little else. It changes nothing and passes over shards that are busy. REQUIRES:
// no shard locked by the caller.
func (k *Keyspace) Prefetch(db int, keys [][]byte) {
	keys = keys[:min(len(keys), PrefetchMax)]
	var at [PrefetchMax]struct {
		hash uint64
		slot slots.Slot
		ok   bool
	}
	for i, key := range keys {
		p := &at[i]
		p.slot = slots.Of(key)
		sh := &k.shards[k.ShardOf(p.slot)]
		sp := sh.spaces[db].Load()
		if sp == nil || sp.keys.Load() < prefetchKeys || !sh.lock.TryLock() {
			continue
		}
		if !sh.lock.owned {
			p.hash, p.ok = k.hash.Sum(key), true
			t := k.tableLocked(sh, sp, k.local(p.slot))
			t.PrefetchBucket(p.hash)
		}
		sh.lock.Unlock()
	}
	for i := range keys {
		p := &at[i]
		sh := &k.shards[k.ShardOf(p.slot)]
		if !p.ok || !sh.lock.TryLock() {
			continue
		}
		// The space is looked up again: a flush may have come between.
		if sp := sh.spaces[db].Load(); sp != nil && !sh.lock.owned {
			t := k.tableLocked(sh, sp, k.local(p.slot))
			t.PrefetchRecords(p.hash)
		}
		sh.lock.Unlock()
	}
}
