//go:build !race && !arenacheck

package engine

import (
	"strings"
	"testing"
)

func TestNoAllocations(t *testing.T) {
	k := newKeyspace(t, Options{Shards: 4})
	a := k.Access(0, testNow, ModePrimary)
	key, val, num := []byte("key:000000000001"), []byte(strings.Repeat("v", 64)), []byte("12345")
	scratch := make([]byte, 0, 64)
	if err := a.SetString(5, key, val, 0); err != nil {
		t.Fatal(err)
	}
	w := &Waiter{Wake: func() {}}
	for name, f := range map[string]func(){
		"find":      func() { r, _ := a.Find(5, key); scratch = r.Append(scratch[:0]) },
		"miss":      func() { a.Find(5, val) },
		"overwrite": func() { _ = a.SetString(5, key, val, 0) },
		"resize":    func() { _ = a.SetString(5, key, num, 0); _ = a.SetString(5, key, val, testNow+1000) },
		"integer":   func() { _ = a.SetString(5, key, num, 0); a.IncrBy(5, key, 1) },
		"expire":    func() { _, _ = a.SetExpireAt(5, key, testNow+5000); _, _ = a.SetExpireAt(5, key, 0) },
		"delete":    func() { a.Delete(5, key); _ = a.SetString(5, key, val, 0) },
		"append":    func() { _, _ = a.AppendString(5, key, num); _ = a.SetString(5, key, val, 0) },
	} {
		n := testing.AllocsPerRun(1000, func() {
			m := k.Mask(5)
			if k.TryLock(m, w) {
				f()
				k.Unlock(m)
			}
		})
		if n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

func TestMakingRoomAllocatesNothing(t *testing.T) {
	for _, p := range []Policy{AllKeysLRU, VolatileLFU, VolatileTTL, AllKeysRandom} {
		c := newCrowd(t, p, 2000, func(i int) int64 { return testNow + 1_000_000 })
		c.k.sink = nil // the test's own
		set := c.k.Eviction()
		set.LimitBytes = 1
		c.k.SetEviction(set)
		if n := testing.AllocsPerRun(500, func() { c.k.MakeRoom(testNow, 0) }); n != 0 {
			t.Errorf("%v allocates %v times", p, n)
		}
		if c.k.Stats().EvictedKeys < 400 {
			t.Errorf("%v: %d keys evicted", p, c.k.Stats().EvictedKeys)
		}
	}
}
