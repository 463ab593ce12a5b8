package migration

import (
	"testing"

	"github.com/redwingdb/redwing/internal/slots"
)

func TestHolds(t *testing.T) {
	var h Holds
	low, high := slots.SetOf(slots.Range{From: 0, To: 9}), slots.SetOf(slots.Range{From: 5, To: 19})
	is := func(slot slots.Slot, want Hold) {
		t.Helper()
		if got := h.Held(slot); got != want {
			t.Errorf("slot %d is held %v, want %v", slot, got, want)
		}
	}
	woken := map[string]int{}
	await := func(name string, slot slots.Slot) { h.AwaitHold(slot, func() { woken[name]++ }) }
	has := func(name string, want int) {
		t.Helper()
		if woken[name] != want {
			t.Errorf("%s was woken %d times, want %d", name, woken[name], want)
		}
	}

	is(3, HoldNone)
	await("nothing held", 3)
	has("nothing held", 1)

	h.set("a", &low, HoldWrites, false)
	h.set("b", &high, HoldAll, true)
	is(3, HoldWrites)
	is(7, HoldAll)
	is(12, HoldAll)
	is(20, HoldNone)
	if h.HeldAny() != HoldWrites {
		t.Errorf("a quiet hold concerns all-slot commands: %v", h.HeldAny())
	}
	await("writer on 3", 3)
	await("reader on 7", 7)
	await("reader on 12", 12)
	h.AwaitAny(func() { woken["flushall"]++ })

	h.set("a", &low, HoldAll, false)
	has("writer on 3", 0)
	h.set("b", &high, HoldWrites, true) // 7 stays held by a, 12 is lowered
	has("reader on 12", 1)
	has("reader on 7", 0)
	is(12, HoldWrites)
	h.set("b", &high, HoldNone, true)
	is(12, HoldNone)
	has("flushall", 0)
	h.set("a", &low, HoldNone, false)
	has("writer on 3", 1)
	has("reader on 7", 1)
	has("flushall", 1)
	if h.table.Load() != nil || len(h.mu.waiters) != 0 {
		t.Error("something is left")
	}
}

func TestPacedWritersWaitForCredit(t *testing.T) {
	var h Holds
	set := slots.SetOf(slots.Range{From: 0, To: 9})
	spent := false
	h.setPace("p", &set, func() bool { return spent })
	if h.Held(3) != HoldNone || h.HeldAny() != HoldNone {
		t.Error("held with credit left")
	}
	spent = true
	if h.Held(3) != HoldWrites || h.Held(10) != HoldNone {
		t.Errorf("held %v and %v", h.Held(3), h.Held(10))
	}
	woken := 0
	h.AwaitHold(3, func() { woken++ })
	h.AwaitHold(4, func() { woken++ })
	h.set("hold", &set, HoldWrites, false)
	spent = false
	h.wakePaced("p")
	if woken != 0 {
		t.Error("woken though the slots are held otherwise")
	}
	h.set("hold", &set, HoldNone, false)
	if woken != 2 {
		t.Errorf("%d of 2 woken when the hold went", woken)
	}
	spent = true
	h.AwaitHold(3, func() { woken++ })
	h.setPace("p", nil, nil)
	if woken != 3 || h.table.Load() != nil {
		t.Errorf("%d of 3 woken when the pace went", woken)
	}
}

func TestHeldAllocatesNothing(t *testing.T) {
	var h Holds
	set := slots.SetOf(slots.Range{From: 0, To: 99})
	h.setPace("p", &set, func() bool { return false })
	if n := testing.AllocsPerRun(100, func() {
		if h.Held(5) != HoldNone {
			t.Error("held")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkHeldNothing(b *testing.B) {
	var h Holds
	b.ReportAllocs()
	for b.Loop() {
		if h.Held(7) != HoldNone {
			b.Fatal("held")
		}
	}
}
