package engine

import (
	"github.com/redwingdb/redwing/internal/engine/table"
	"github.com/redwingdb/redwing/internal/slots"
)

// Hold keeps a long string as it is, so that it can be read when its shard has been
// released: whoever changes or deletes the key meanwhile leaves these bytes alone. The
// zero Hold holds nothing.
type Hold struct {
	pin
	k *Keyspace
}

// Hold holds the string r of slot s; false if it is not one in memory of its own, as long
// ones are. Release must be called once. REQUIRES: the lock of the slot's shard, or
// ownership.
func (a *Access) Hold(s slots.Slot, r Record) (h Hold, ok bool) {
	if r.Type() != TypeString || r.rec.Flags()&table.FlagSpan == 0 {
		return Hold{}, false
	}
	sh := &a.k.shards[a.k.ShardOf(s)]
	ref, n := r.rec.Span()
	sh.arena.Pin(ref)
	return Hold{pin{sh, ref, sh.arena.Bytes(ref, n)}, a.k}, true
}

// Held reports whether h holds anything.
func (h *Hold) Held() bool { return h.sh != nil }

// Bytes returns the string.
func (h *Hold) Bytes() []byte { return h.data }

// Release lets go of the string and locks its shard for that: the caller has not locked
// it, does not own it, and may block.
func (h *Hold) Release() {
	mask := ShardMask(1) << h.sh.index
	h.k.Lock(mask)
	h.sh.arena.Unpin(h.ref)
	h.k.Unlock(mask)
	*h = Hold{}
}
