package engine

import (
	"fmt"
	"sync"
	"testing"

	"github.com/redwingdb/redwing/internal/slots"
)

// Prefetch changes nothing, stands beside writers and flushes, and leaves no lock.
func TestPrefetch(t *testing.T) {
	k, err := New(Options{Databases: 2, Shards: 2, Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	keys, in := make([][]byte, 3*prefetchKeys), make([]slots.Slot, 3*prefetchKeys)
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "key:%d", i)
		in[i] = slots.Of(keys[i])
	}
	a := k.Access(0, 1, ModePrimary)
	put := func() {
		for i := range keys {
			s := slots.Of(keys[i])
			k.Lock(k.Mask(s))
			if err := a.SetString(s, keys[i], keys[i], 0); err != nil {
				t.Error(err)
			}
			k.Unlock(k.Mask(s))
		}
	}
	put()
	var group sync.WaitGroup
	group.Go(func() {
		for i := range 2000 {
			k.Prefetch(i&1, in[i:], keys[i:i+PrefetchMax+1])
			k.Prefetch(0, []slots.Slot{slots.Of([]byte("no such key")), 0}, [][]byte{[]byte("no such key"), nil})
		}
	})
	put()
	k.Own(k.AllShards())
	k.Flush(0)
	k.Disown(k.AllShards())
	put()
	group.Wait()
	k.Own(1)
	k.Prefetch(0, in, keys[:4]) // passes over what is owned
	k.Disown(1)
	if !k.TryLock(k.AllShards(), nil) {
		t.Fatal("a shard is left locked")
	}
	a.Prefetch(in, keys[:4])
	if n := testing.AllocsPerRun(100, func() { a.Prefetch(in, keys[:PrefetchMax+1]) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	k.Unlock(k.AllShards())
	if n := k.Len(0); n != int64(len(keys)) {
		t.Errorf("%d keys, want %d", n, len(keys))
	}
	if n := testing.AllocsPerRun(100, func() { k.Prefetch(0, in, keys[:PrefetchMax]) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
