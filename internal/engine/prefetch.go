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
// and little else. keys[i] is of slot in[i]. It changes nothing and passes over shards that are busy. REQUIRES:
// no shard locked by the caller.
func (k *Keyspace) Prefetch(db int, in []slots.Slot, keys [][]byte) {
	keys = keys[:min(len(keys), PrefetchMax)]
	var hashes [PrefetchMax]uint64 // 0: passed over, as one key in 2^64 is in any case
	for i, key := range keys {
		sh := &k.shards[k.ShardOf(in[i])]
		sp := sh.spaces[db].Load()
		if sp == nil || sp.keys.Load() < prefetchKeys || !sh.lock.TryLock() {
			continue
		}
		if !sh.lock.owned {
			hashes[i] = k.hash.Sum(key)
			t := k.tableLocked(sh, sp, k.local(in[i]))
			t.PrefetchBucket(hashes[i])
		}
		sh.lock.Unlock()
	}
	for i := range keys {
		sh := &k.shards[k.ShardOf(in[i])]
		if hashes[i] == 0 || !sh.lock.TryLock() {
			continue
		}
		// The space is looked up again: a flush may have come between.
		if sp := sh.spaces[db].Load(); sp != nil && !sh.lock.owned {
			t := k.tableLocked(sh, sp, k.local(in[i]))
			t.PrefetchRecords(hashes[i])
		}
		sh.lock.Unlock()
	}
}

// Prefetch is Keyspace.Prefetch for keys of which Find is about to be asked: keys[i] is of
// in[i]. REQUIRES: their shards locked.
func (a *Access) Prefetch(in []slots.Slot, keys [][]byte) {
	keys = keys[:min(len(keys), PrefetchMax)]
	var hashes [PrefetchMax]uint64 // 0: passed over
	k := a.k
	for i, key := range keys {
		sh := &k.shards[k.ShardOf(in[i])]
		if sp := sh.spaces[a.db].Load(); sp != nil && sp.keys.Load() >= prefetchKeys {
			hashes[i] = k.hash.Sum(key)
			t := k.tableLocked(sh, sp, k.local(in[i]))
			t.PrefetchBucket(hashes[i])
		}
	}
	for i := range keys {
		if hashes[i] == 0 {
			continue
		}
		sh := &k.shards[k.ShardOf(in[i])]
		t := k.tableLocked(sh, sh.spaces[a.db].Load(), k.local(in[i]))
		t.PrefetchRecords(hashes[i])
	}
}
