package engine

import (
	"testing"
	"time"
)

// Whoever waits for a flush is woken once, when its last key is free, and not before.
func TestWhenFreed(t *testing.T) {
	c := newCrowd(t, NoEviction, 3000, never)
	k := c.k
	snap, err := k.Snapshot(SnapshotOptions{DB: 1})
	if err != nil {
		t.Fatal(err)
	}
	woken, later := 0, 0
	k.Lock(k.AllShards())
	k.Flush(0)
	k.Flush(1) // held by the snapshot: nobody waits for that
	if !k.WhenFreed(func() { woken++ }) {
		t.Fatal("nothing to wait for")
	}
	k.Unlock(k.AllShards())
	if st := k.Stats(); st.PendingObjects != 3000 || !k.FreeingAwaited() {
		t.Fatalf("%d objects are pending", st.PendingObjects)
	}
	steps := 0
	for ; woken == 0; steps++ {
		k.BackgroundStep(testNow, 0)
	}
	if st := k.Stats(); steps < 10 || woken != 1 || st.PendingObjects != 1500 || st.FreedObjects != 1500 || k.FreeingAwaited() {
		t.Fatalf("woken %d times after %d steps, %d objects pending, %d freed", woken, steps, st.PendingObjects, st.FreedObjects)
	}
	k.Lock(k.AllShards())
	if k.WhenFreed(func() { later++ }) {
		t.Error("a wait for what a snapshot holds")
	}
	k.Unlock(k.AllShards())
	snap.Close()
	k.Lock(k.AllShards())
	if !k.WhenFreed(func() { later++ }) {
		t.Error("nothing to wait for")
	}
	k.Unlock(k.AllShards())
	for k.BackgroundStep(testNow, time.Second) {
	}
	if st := k.Stats(); later != 1 || st.PendingObjects != 0 || st.FreedObjects != 3000 || k.UsedMemory() != 0 {
		t.Fatalf("woken %d times, %d objects pending, %d freed, %d bytes used", later, st.PendingObjects, st.FreedObjects, k.UsedMemory())
	}
	k.ResetStats()
	if st := k.Stats(); st.FreedObjects != 0 {
		t.Errorf("%d objects freed after the reset", st.FreedObjects)
	}
}

// A big value that goes is one object until it is free.
func TestBigValueIsPending(t *testing.T) {
	k := newKeyspace(t, Options{Shards: 1})
	a := k.Access(0, testNow, ModePrimary)
	var h Hash
	if _, err := h.Open(&a, 1, []byte("h")); err != nil {
		t.Fatal(err)
	}
	for i := range 5000 {
		_, key := crowdKey(i)
		if _, err := h.Put(key, key, 0); err != nil {
			t.Fatal(err)
		}
	}
	h.Remove()
	if st := k.Stats(); st.PendingObjects != 1 || k.PendingFrees() != 1 {
		t.Fatalf("%d objects pending", st.PendingObjects)
	}
	for k.BackgroundStep(testNow, time.Second) {
	}
	if st := k.Stats(); st.PendingObjects != 0 || st.FreedObjects != 1 || k.shards[0].arena.Used() != 0 {
		t.Fatalf("%d objects pending, %d freed, %d bytes", st.PendingObjects, st.FreedObjects, k.shards[0].arena.Used())
	}
}
