package migration

import (
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/slots"
)

// Raise holds the slots of set for a reason other than a slot move (a graceful
// failover, slots that are given up), and returns when no command that passed the
// gate before still runs on them. A name has one hold; Lower ends it.
func (h *Holds) Raise(name string, set *slots.Set, hold Hold, ks *engine.Keyspace) {
	h.set(name, set, hold, false)
	var mask engine.ShardMask
	for slot := range set.Each() {
		mask |= ks.Mask(slot)
	}
	ks.Lock(mask)
	ks.Unlock(mask)
}

// Lower ends the hold of name and lets who waited go on.
func (h *Holds) Lower(name string) { h.set(name, &slots.Set{}, HoldNone, false) }
