package engine

import (
	"sync"
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/slots"
)

func newKeyspace(t testing.TB, o Options) *Keyspace {
	t.Helper()
	k, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	return k
}

func TestMasks(t *testing.T) {
	for _, n := range []int{1, 2, 64} {
		k := newKeyspace(t, Options{Shards: n})
		var union ShardMask
		for s := range slots.Slot(slots.Count) {
			if k.Mask(s) != 1<<k.ShardOf(s) || k.slotOf(k.ShardOf(s), k.local(s)) != s {
				t.Fatalf("%d shards: slot %d is in shard %d, mask %x", n, s, k.ShardOf(s), k.Mask(s))
			}
			union |= k.Mask(s)
		}
		if union != k.AllShards() || k.NumShards() != n {
			t.Fatalf("%d shards: slots reach %x, all is %x", n, union, k.AllShards())
		}
	}
	for _, n := range []int{-1, 3, 128} {
		if _, err := New(Options{Shards: n}); err == nil {
			t.Errorf("%d shards were accepted", n)
		}
	}
}

func TestOwnerRefusesAndWakesInOrder(t *testing.T) {
	k := newKeyspace(t, Options{Shards: 8})
	k.Own(0b1100)
	var order []int
	waiter := func(i int) *Waiter { return &Waiter{Wake: func() { order = append(order, i) }} }
	for i := range 3 {
		if k.TryLock(0b0111, waiter(i)) {
			t.Fatal("locked a shard that has an owner")
		}
	}
	// Nothing stays locked after a refusal, and other shards are free.
	if !k.TryLock(0b0011, nil) {
		t.Fatal("free shards are refused")
	}
	k.Unlock(0b0011)
	if len(order) != 0 {
		t.Fatalf("woken while owned: %v", order)
	}
	k.Disown(0b1100)
	if len(order) != 3 || order[0] != 0 || order[1] != 1 || order[2] != 2 {
		t.Fatalf("woken %v", order)
	}
	if !k.TryLock(0b1111, nil) {
		t.Fatal("refused after the owner has gone")
	}
	k.Unlock(0b1111)
}

// Lockers and owners of overlapping sets never meet, and all get their turn.
func TestLocksExclude(t *testing.T) {
	k := newKeyspace(t, Options{Shards: 4})
	var counters [4]int // each guarded by its shard
	var wg sync.WaitGroup
	const rounds = 300
	for g := range 6 {
		mask := ShardMask(0b0011 << (g % 3))
		wg.Go(func() {
			for range rounds {
				if g < 3 {
					k.Lock(mask)
				} else {
					k.Own(mask)
				}
				for i := range counters {
					if mask&(1<<i) != 0 {
						counters[i]++
					}
				}
				if g < 3 {
					k.Unlock(mask)
				} else {
					k.Disown(mask)
				}
			}
		})
	}
	wg.Wait()
	k.Lock(k.AllShards())
	defer k.Unlock(k.AllShards())
	if want := [4]int{2 * rounds, 4 * rounds, 4 * rounds, 2 * rounds}; counters != want {
		t.Fatalf("counters %v, want %v", counters, want)
	}
}

// Steps behind the commands pass over shards that have an owner.
func TestStepsSkipOwners(t *testing.T) {
	k := newKeyspace(t, Options{Shards: 2})
	a := k.Access(0, testNow, ModePrimary)
	k.Lock(0b11)
	for s := range slots.Slot(2) {
		if err := a.SetString(s, []byte("k"), []byte("v"), testNow+1); err != nil {
			t.Fatal(err)
		}
	}
	k.OwnLocked(0b01)
	k.Unlock(0b10)
	if n := k.ExpireStep(testNow+1000, time.Second); n != 1 || k.SlotLen(0, 0) != 1 {
		t.Errorf("%d keys expired beside an owner, slot 0 has %d", n, k.SlotLen(0, 0))
	}
	if !k.BackgroundStep(testNow, time.Second) {
		t.Error("nothing left to do, though a shard was passed over")
	}
	k.Disown(0b01)
	if n := k.ExpireStep(testNow+1000, time.Second); n != 1 {
		t.Errorf("%d keys expired after the owner has gone", n)
	}
}
