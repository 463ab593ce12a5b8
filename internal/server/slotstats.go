package server

import (
	"sync/atomic"

	"github.com/redwingdb/redwing/internal/slots"
)

// SlotUse is what commands on the keys of a slot have taken since counting began: time
// from the start of each to its reply, bytes of requests and of replies.
type SlotUse struct{ Nanos, NetInBytes, NetOutBytes int64 }

// slotUses counts by slot. A command adds to it once, when it ends, and reads no clock
// for it.
type slotUses [slots.Count]struct{ nanos, in, out atomic.Int64 }

// CountSlots begins to count what each slot takes, or ends it and forgets
// (cluster-slot-stats-enabled).
func (srv *Server) CountSlots(on bool) {
	switch {
	case !on:
		srv.slotUses.Store(nil)
	case srv.slotUses.Load() == nil:
		srv.slotUses.Store(new(slotUses))
	}
}

// SlotUse returns what slot has taken, false if that is not counted.
func (srv *Server) SlotUse(slot slots.Slot) (use SlotUse, counted bool) {
	u := srv.slotUses.Load()
	if u == nil {
		return SlotUse{}, false
	}
	c := &u[slot]
	return SlotUse{c.nanos.Load(), c.in.Load(), c.out.Load()}, true
}

// KeepSlotUses forgets what slots have taken that are not in set: they have left this
// node. nil forgets all (CONFIG RESETSTAT).
func (srv *Server) KeepSlotUses(set *slots.Set) {
	u := srv.slotUses.Load()
	if u == nil {
		return
	}
	for slot := range u {
		if set == nil || !set.Has(slots.Slot(slot)) {
			c := &u[slot]
			c.nanos.Store(0)
			c.in.Store(0)
			c.out.Store(0)
		}
	}
}

// noteSlot counts the command that has ended, if its keys were routed to a slot.
func (s *Session) noteSlot(nanos int64) {
	u := s.srv.slotUses.Load()
	if u == nil || s.route.at == nil {
		return
	}
	c := &u[s.route.slot]
	c.nanos.Add(nanos)
	c.in.Add(int64(s.argLen + s.tx.bytes))
	c.out.Add(int64(len(s.out.w.Buf) - s.start))
}
