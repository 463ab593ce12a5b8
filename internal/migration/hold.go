package migration

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/redwingdb/redwing/internal/slots"
)

// Hold says what may not run on a slot for the moment.
type Hold uint8

const (
	// HoldNone lets everything run.
	HoldNone Hold = iota
	// HoldWrites parks commands that write.
	HoldWrites
	// HoldAll parks every command.
	HoldAll
)

// String returns the hold's name as logs show it.
func (h Hold) String() string {
	switch h {
	case HoldWrites:
		return "writes"
	case HoldAll:
		return "all"
	}
	return "none"
}

// Holds are the slots of this node on which commands must wait because of a slot move.
// The gate asks Held before it locks a command's shards and again when it has them;
// whoever raises a hold locks and unlocks these shards afterwards (see barrier), so
// that no command which passed the gate before is still running then.
//
// The zero value holds nothing.
type Holds struct {
	table atomic.Pointer[holdTable] // nil: nothing is held
	mu    struct {
		sync.Mutex
		parties []party
		paces   []pace
		waiters []holdWaiter // bounded by the number of connections: each parks once
	}
}

// holdTable is the union of all parties' holds. It is immutable.
type holdTable struct {
	writes, all slots.Set // all is part of writes
	any         Hold      // the strongest hold of a party that is not quiet
	paces       []pace
}

// pace holds writes on a set of slots while spent says so: back-pressure.
type pace struct {
	name  string
	set   slots.Set
	spent func() bool // takes no lock but the effect log's
}

// party is one move's hold; a move has at most one of each of its roles.
type party struct {
	name string
	set  slots.Set
	hold Hold
	// quiet: commands that touch all slots need not wait (staged slots, which this node
	// does not own yet).
	quiet bool
}

type holdWaiter struct {
	slot slots.Slot
	any  bool // waits for all slots
	wake func()
}

// Held returns the hold on slot. It costs one atomic load while nothing is held.
func (h *Holds) Held(slot slots.Slot) Hold {
	t := h.table.Load()
	level := t.level(slot)
	if t == nil || level != HoldNone {
		return level
	}
	for i := range t.paces {
		if p := &t.paces[i]; p.set.Has(slot) && p.spent() {
			return HoldWrites
		}
	}
	return HoldNone
}

// HeldAny returns the strongest hold that concerns commands which touch all slots
// (FLUSHALL).
func (h *Holds) HeldAny() Hold {
	return h.table.Load().strongest()
}

// AwaitHold has wake called once when the hold on slot may have been lowered; at once
// if there is none now. wake must not block; it is called from any goroutine, under no
// lock of this package.
func (h *Holds) AwaitHold(slot slots.Slot, wake func()) {
	h.mu.Lock()
	if h.Held(slot) == HoldNone {
		h.mu.Unlock()
		wake()
		return
	}
	h.mu.waiters = append(h.mu.waiters, holdWaiter{slot: slot, wake: wake})
	h.mu.Unlock()
}

// AwaitAny is AwaitHold for commands that touch all slots: wake is called when any
// hold was lowered, at once if there is none that concerns them.
func (h *Holds) AwaitAny(wake func()) {
	h.mu.Lock()
	if h.HeldAny() == HoldNone {
		h.mu.Unlock()
		wake()
		return
	}
	h.mu.waiters = append(h.mu.waiters, holdWaiter{any: true, wake: wake})
	h.mu.Unlock()
}

// set makes name's hold be hold on exactly the slots of set, and wakes who waits for a
// slot that is held less strongly than before. HoldNone forgets name. A quiet hold
// does not concern commands that touch all slots.
func (h *Holds) set(name string, set *slots.Set, hold Hold, quiet bool) {
	h.mu.Lock()
	h.putPartyLocked(party{name, *set, hold, quiet})
	h.changedAndUnlock()
}

// setPace makes name hold writes on set whenever spent returns true; a nil set forgets
// name. Who makes spent return false again calls wakePaced.
func (h *Holds) setPace(name string, set *slots.Set, spent func() bool) {
	h.mu.Lock()
	h.mu.paces = slices.DeleteFunc(slices.Clone(h.mu.paces), func(p pace) bool { return p.name == name })
	if set != nil {
		h.mu.paces = append(h.mu.paces, pace{name, *set, spent})
	}
	h.changedAndUnlock()
}

// wakePaced wakes who waits for a slot of name's pace. It costs one mutex where nobody
// waits.
func (h *Holds) wakePaced(name string) {
	h.mu.Lock()
	at := slices.IndexFunc(h.mu.paces, func(p pace) bool { return p.name == name })
	if at < 0 || len(h.mu.waiters) == 0 {
		h.mu.Unlock()
		return
	}
	t := h.table.Load()
	h.wakeAndUnlock(func(w *holdWaiter) bool {
		return !w.any && h.mu.paces[at].set.Has(w.slot) && t.level(w.slot) == HoldNone
	})
}

// changedAndUnlock publishes the parties' holds and wakes whom that concerns. REQUIRES
// h.mu held.
func (h *Holds) changedAndUnlock() {
	before := h.table.Load()
	after := h.unionLocked()
	h.table.Store(after)
	h.wakeAndUnlock(func(w *holdWaiter) bool {
		if w.any {
			return after.strongest() < before.strongest()
		}
		return after.level(w.slot) < before.level(w.slot) || before.paced(w.slot) && !after.paced(w.slot)
	})
}

// wakeAndUnlock takes the waiters that which chooses off the list, and wakes them once
// h.mu is free. REQUIRES h.mu held.
func (h *Holds) wakeAndUnlock(which func(w *holdWaiter) bool) {
	var woken []holdWaiter
	kept := h.mu.waiters[:0]
	for i := range h.mu.waiters {
		if w := h.mu.waiters[i]; which(&w) {
			woken = append(woken, w)
		} else {
			kept = append(kept, w)
		}
	}
	clear(h.mu.waiters[len(kept):])
	h.mu.waiters = kept
	h.mu.Unlock()
	for _, w := range woken {
		w.wake()
	}
}

// putPartyLocked REQUIRES h.mu held.
func (h *Holds) putPartyLocked(p party) {
	at := slices.IndexFunc(h.mu.parties, func(o party) bool { return o.name == p.name })
	switch gone := p.hold == HoldNone || p.set.Empty(); {
	case at < 0 && gone:
	case at < 0:
		h.mu.parties = append(h.mu.parties, p)
	case gone:
		h.mu.parties = slices.Delete(h.mu.parties, at, at+1)
	default:
		h.mu.parties[at] = p
	}
}

// unionLocked REQUIRES h.mu held.
func (h *Holds) unionLocked() *holdTable {
	if len(h.mu.parties)+len(h.mu.paces) == 0 {
		return nil
	}
	t := &holdTable{paces: h.mu.paces}
	for i := range h.mu.parties {
		p := &h.mu.parties[i]
		t.writes.Union(&p.set)
		if p.hold == HoldAll {
			t.all.Union(&p.set)
		}
		if !p.quiet {
			t.any = max(t.any, p.hold)
		}
	}
	return t
}

func (t *holdTable) paced(slot slots.Slot) bool {
	return t != nil && slices.ContainsFunc(t.paces, func(p pace) bool { return p.set.Has(slot) })
}

func (t *holdTable) strongest() Hold {
	if t == nil {
		return HoldNone
	}
	return t.any
}

func (t *holdTable) level(slot slots.Slot) Hold {
	switch {
	case t == nil || !t.writes.Has(slot):
		return HoldNone
	case t.all.Has(slot):
		return HoldAll
	}
	return HoldWrites
}
