package engine

import (
	"github.com/redwingdb/redwing/internal/engine/table"
	"github.com/redwingdb/redwing/internal/slots"
)

// HasFieldExpiry reports whether some hash has a field with an expiry. It locks one shard
// for one slot after the other, so what changes meanwhile may be missed. Where no hash has
// ever had such a field it looks at nothing.
func (k *Keyspace) HasFieldExpiry() bool {
	for i := range k.shards {
		for db := range k.Databases() {
			if k.shardHasFieldExpiry(i, db) {
				return true
			}
		}
	}
	return false
}

func (k *Keyspace) shardHasFieldExpiry(index, db int) (found bool) {
	sh := &k.shards[index]
	mask := ShardMask(1) << index
	for s := slots.Slot(0); s < slots.Count && !found; s++ {
		if k.ShardOf(s) != index {
			continue
		}
		k.Lock(mask)
		sp := sh.spaces[db].Load()
		if sp == nil || !sp.fieldExpiry {
			k.Unlock(mask)
			return false
		}
		t := k.tableLocked(sh, sp, k.local(s))
		for cursor := uint64(0); ; {
			cursor = t.Scan(cursor, func(r table.Rec) {
				found = found || hasFieldExpiry(r) && nearestField(sh, r) != 0
			})
			if found || cursor == 0 {
				break
			}
		}
		k.Unlock(mask)
	}
	return found
}
