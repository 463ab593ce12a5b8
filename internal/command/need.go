package command

import (
	"slices"

	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/slots"
)

// WaitersNeed returns m and the shards that those need who wait for keys which the
// request of c may make ready, and who wait for keys which they make ready in turn. If
// that is more than m the caller unlocks m, locks what is returned and asks again.
// REQUIRES: the shards of m locked or owned, those of the request among them.
func (c *Ctx) WaitersNeed(m engine.ShardMask) engine.ShardMask {
	t := c.Waits
	if t == nil || !t.Active() {
		return m
	}
	n := need{t: t, locked: m, mask: m}
	var room [16]KeyRef
	for _, k := range c.mayChange(room[:0]) {
		if k.Flags&(KeyRO|NotKey) == 0 && t.ks.Mask(c.Slot(k.Arg))&m != 0 {
			n.add(t.find(c.DB.DB(), c.Slot(k.Arg), c.Args[k.Arg]))
		}
	}
	return n.mask
}

// WaiterNeeds is WaitersNeed for one key, which need not be an argument.
func (t *Waits) WaiterNeeds(db int, slot slots.Slot, key []byte, m engine.ShardMask) engine.ShardMask {
	n := need{t: t, locked: m, mask: m}
	n.add(t.find(db, slot, key))
	return n.mask
}

// need sums up the shards that queues need.
type need struct {
	t      *Waits
	locked engine.ShardMask // what may be looked at
	mask   engine.ShardMask
	seen   []*waitQueue
}

// add adds what the waiters of q need, as far as it can be told under n.locked.
func (n *need) add(q *waitQueue) {
	if q == nil || q.wide == nil || slices.Contains(n.seen, q) {
		return
	}
	n.mask |= q.wide.mask
	if len(q.wide.targets) == 0 {
		return
	}
	n.seen = append(n.seen, q)
	for id := range q.wide.targets {
		slot := slots.Of([]byte(id[4:]))
		if n.t.ks.Mask(slot)&n.locked != 0 {
			n.add(n.t.shards[n.t.ks.ShardOf(slot)][id])
		}
	}
}
