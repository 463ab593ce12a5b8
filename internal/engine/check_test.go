package engine

import (
	"fmt"

	"github.com/redwingdb/redwing/internal/engine/arena"
	"github.com/redwingdb/redwing/internal/engine/table"
)

// checkInvariants walks the whole keyspace and returns the first thing that is wrong.
func (k *Keyspace) checkInvariants() error {
	k.Lock(k.AllShards())
	defer k.Unlock(k.AllShards())
	for i := range k.shards {
		sh := &k.shards[i]
		for db := range sh.spaces {
			if sp := sh.spaces[db].Load(); sp != nil {
				if err := k.checkSpaceLocked(sh, sp); err != nil {
					return fmt.Errorf("shard %d db %d: %w", i, db, err)
				}
			}
		}
	}
	return nil
}

func (k *Keyspace) checkSpaceLocked(sh *shard, sp *space) error {
	keys, volatile := 0, 0
	for local := range sp.headers {
		t := table.Table{A: sh.arena, H: &sp.headers[local], Hash: &k.hash}
		n, v := 0, 0
		var bad error
		for _, x := range t.Arrays() {
			for b := range x.Buckets {
				if !x.Uses(b) {
					continue
				}
				table.EachRef(sh.arena, x.Ref, b, func(ref arena.Ref) bool {
					r := table.RecAt(sh.arena, ref)
					n++
					if r.Flags()&table.FlagExpiry != 0 {
						v++
						if !sp.noWheel && r.Flags()&table.FlagInWheel == 0 && !sp.awaitsRefill(uint32(local)) {
							bad = fmt.Errorf("volatile key %q has no wheel entry", r.Key())
						}
					}
					if p := t.Find(k.hash.Sum(r.Key()), r.Key()); p.Ref != ref {
						bad = fmt.Errorf("key %q is at %#x, found at %#x", r.Key(), ref, p.Ref)
					}
					return bad == nil
				})
			}
		}
		switch {
		case bad != nil:
			return bad
		case n != sp.headers[local].Len():
			return fmt.Errorf("slot %d holds %d keys, counts %d", local, n, sp.headers[local].Len())
		case v != int(sp.volatil[local]):
			return fmt.Errorf("slot %d holds %d volatile keys, counts %d", local, v, sp.volatil[local])
		case sp.headers[local].Rehashing() && !sp.rehashes.has(uint32(local)):
			return fmt.Errorf("slot %d rehashes unlisted", local)
		}
		keys, volatile = keys+n, volatile+v
	}
	if int64(keys) != sp.keys.Load() || int64(volatile) != sp.volatile.Load() {
		return fmt.Errorf("%d keys (%d volatile), counts %d (%d)", keys, volatile, sp.keys.Load(), sp.volatile.Load())
	}
	return nil
}

func (sp *space) awaitsRefill(local uint32) bool {
	return sp.refill.todo != nil && sp.refill.todo.has(local)
}
