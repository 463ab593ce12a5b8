package stream

import (
	"unsafe"

	"github.com/redwingdb/redwing/internal/engine/arena"
)

// delivery is the value of a pending entry in its group's tree. It is made of 32-bit
// words, since values are not aligned to more.
type delivery struct {
	timeLow, timeHigh   uint32
	countLow, countHigh uint32
	consumer            arena.Ref
}

const deliveryBytes = uint8(unsafe.Sizeof(delivery{}))

// Pending is an entry that was delivered to a consumer and not acknowledged.
type Pending struct {
	ID       ID
	Time     int64  // of the last delivery, Unix milliseconds
	Count    uint64 // deliveries
	Consumer Consumer
}

func (g Group) pendingAt(p spot) Pending {
	d := (*delivery)(p.value())
	return Pending{
		ID:       p.id(),
		Time:     d.time(),
		Count:    d.count(),
		Consumer: g.consumerAt(d.consumer),
	}
}

func (d *delivery) time() int64 { return int64(uint64(d.timeHigh)<<32 | uint64(d.timeLow)) }

func (d *delivery) count() uint64 { return uint64(d.countHigh)<<32 | uint64(d.countLow) }

func (d *delivery) set(timeMillis int64, count uint64, consumer arena.Ref) {
	d.timeLow, d.timeHigh = uint32(timeMillis), uint32(uint64(timeMillis)>>32)
	d.countLow, d.countHigh = uint32(count), uint32(count>>32)
	d.consumer = consumer
}

// Lookup returns the pending entry id.
func (g Group) Lookup(id ID) (Pending, bool) {
	p := g.g.pending.find(g.a, id)
	if !p.ok() {
		return Pending{}, false
	}
	return g.pendingAt(p), true
}

// Deliver makes id pending for c, whoever had it, with the given time and count of
// deliveries. On error nothing has changed.
func (g Group) Deliver(id ID, c Consumer, timeMillis int64, count uint64) error {
	p := g.g.pending.find(g.a, id)
	if p.ok() {
		d := (*delivery)(p.value())
		g.pasts.change(g.ref, &g.g.pending, id, p.value())
		if d.consumer != c.ref {
			if err := c.own(id); err != nil {
				return err
			}
			g.consumerAt(d.consumer).disown(id)
		}
		d.set(timeMillis, count, c.ref)
		return nil
	}
	if err := c.own(id); err != nil {
		return err
	}
	g.pasts.change(g.ref, &g.g.pending, id, nil)
	p, _, err := g.g.pending.put(g.a, id)
	if err != nil {
		c.disown(id)
		return err
	}
	(*delivery)(p.value()).set(timeMillis, count, c.ref)
	return nil
}

// own makes id one of c's pending entries.
func (c Consumer) own(id ID) error {
	if c.pasts != nil && !c.c.pending.find(c.a, id).ok() {
		c.pasts.change(c.ref, &c.c.pending, id, nil)
	}
	_, _, err := c.c.pending.put(c.a, id)
	return err
}

// disown takes id out of c's pending entries.
func (c Consumer) disown(id ID) {
	if c.pasts != nil {
		if p := c.c.pending.find(c.a, id); p.ok() {
			c.pasts.change(c.ref, &c.c.pending, id, p.value())
		}
	}
	c.c.pending.remove(c.a, id)
}

// drop takes id out of the group's pending entries, whoever owns it, and reports whether
// it was there.
func (g Group) drop(id ID) bool {
	if g.pasts != nil {
		if p := g.g.pending.find(g.a, id); p.ok() {
			g.pasts.change(g.ref, &g.g.pending, id, p.value())
		}
	}
	return g.g.pending.remove(g.a, id)
}

// Ack takes a pending entry out and reports whether there was one.
func (g Group) Ack(id ID) bool {
	p := g.g.pending.find(g.a, id)
	if !p.ok() {
		return false
	}
	g.consumerAt((*delivery)(p.value()).consumer).disown(id)
	return g.drop(id)
}

// Backlog walks pending entries by their ids, of a group or of one of its consumers. It
// is good until they change; after a change of deliveries it may be started again.
type Backlog struct {
	Pending // what Next has found
	g       Group
	of      *tree
	own     bool // of one consumer: deliveries are looked up
	to      ID
	at      spot
	begun   bool
}

// Start begins a walk over the pending entries of g with ids from from to to; with c not
// nil over those of c alone.
func (b *Backlog) Start(g Group, c *Consumer, from, to ID) {
	b.g, b.of, b.own, b.to, b.begun = g, &g.g.pending, false, to, false
	if c != nil {
		b.of, b.own = &c.c.pending, true
	}
	b.at = b.of.ceil(g.a, from)
}

// Next goes to the next pending entry and reports whether there is one.
func (b *Backlog) Next() bool {
	if !b.at.ok() {
		return false
	}
	if b.begun && !b.at.step(b.g.a, true) {
		return false
	}
	b.begun = true
	id := b.at.id()
	if b.to.Less(id) {
		b.at = spot{}
		return false
	}
	if !b.own {
		b.Pending = b.g.pendingAt(b.at)
		return true
	}
	found := false
	b.Pending, found = b.g.Lookup(id)
	return found
}

// Edges returns the least and the greatest pending id. REQUIRES: there are some.
func (g Group) Edges() (first, last ID) {
	return g.g.pending.front(g.a).id(), g.g.pending.back(g.a).id()
}
