package engine

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/clock"
	"github.com/redwingdb/redwing/internal/slots"
)

// residentBytes returns what the process has in memory now.
func residentBytes(tb testing.TB) int64 {
	runtime.GC()
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		tb.Fatal(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(b))[1], 10, 64)
	if err != nil {
		tb.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// benchKeys writes n 16-byte keys with 64-byte values and returns the keys.
func benchKeys(tb testing.TB, k *Keyspace, n int) [][]byte {
	a := k.Access(0, 1_700_000_000_000, ModePrimary)
	val := []byte(strings.Repeat("v", 64))
	keys := make([][]byte, n)
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "key:%012d", i)
	}
	for _, key := range keys {
		if err := setLocked(k, &a, key, val); err != nil {
			tb.Fatal(err)
		}
	}
	return keys
}

func setLocked(k *Keyspace, a *Access, key, val []byte) error {
	s := slots.Of(key)
	m := k.Mask(s)
	k.Lock(m)
	err := a.SetString(s, key, val, 0)
	k.Unlock(m)
	return err
}

// BenchmarkBytesAKey reports resident bytes a key, of an empty keyspace and of a flushed one.
func BenchmarkBytesAKey(b *testing.B) {
	for range b.N {
		const n = 1_000_000
		before := residentBytes(b)
		k, err := New(Options{Databases: 16, Seed: 1})
		if err != nil {
			b.Fatal(err)
		}
		empty := residentBytes(b) - before
		val := []byte(strings.Repeat("v", 64))
		a := k.Access(0, 1_700_000_000_000, ModePrimary)
		var key []byte
		for i := range n {
			key = fmt.Appendf(key[:0], "key:%012d", i)
			if err := setLocked(k, &a, key, val); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(empty)/1e6, "empty-MB")
		b.ReportMetric(float64(residentBytes(b)-before)/n, "resident-B/key")
		b.ReportMetric(float64(k.UsedMemory())/n, "used-B/key")
		k.Lock(k.AllShards())
		k.Flush(0)
		k.Unlock(k.AllShards())
		start := clock.Mono()
		for k.BackgroundStep(testNow, time.Millisecond) {
		}
		b.ReportMetric(float64(clock.Mono()-start)/1e6, "free-ms")
		b.ReportMetric(float64(residentBytes(b)-before)/1e6, "flushed-MB")
		k.Close()
	}
}

// BenchmarkMillion is memory latency for the most part: it misses the caches two or three
// times an operation, which BenchmarkThousands does not.
func BenchmarkMillion(b *testing.B) { benchOps(b, 1_000_000) }

func BenchmarkThousands(b *testing.B) { benchOps(b, 4_000) }

func benchOps(b *testing.B, n int) {
	k, err := New(Options{Databases: 1, Seed: 1})
	if err != nil {
		b.Fatal(err)
	}
	defer k.Close()
	keys := benchKeys(b, k, n)
	a := k.Access(0, 1_700_000_001_000, ModePrimary)
	val := []byte(strings.Repeat("w", 64))
	pick := func(i int) []byte { return keys[uint64(i)*0x9e3779b97f4a7c15%uint64(len(keys))] }
	b.Run("go-map", func(b *testing.B) {
		m := make(map[string]*[]byte, n)
		for _, key := range keys {
			v := append([]byte(nil), val...)
			m[string(key)] = &v
		}
		sum := 0
		for i := range b.N {
			key := pick(i)
			k.TryLock(1, nil)
			sum += int((*m[string(key)])[0]) + int(slots.Of(key))
			k.Unlock(1)
		}
		if sum == 0 {
			b.Fatal("missing")
		}
	})
	b.Run("slot-lock-only", func(b *testing.B) {
		for i := range b.N {
			m := k.Mask(slots.Of(pick(i)))
			k.TryLock(m, nil)
			k.Unlock(m)
		}
	})
	b.Run("find", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			key := pick(i)
			s := slots.Of(key)
			m := k.Mask(s)
			k.TryLock(m, nil)
			if _, ok := a.Find(s, key); !ok {
				b.Fatal("missing")
			}
			k.Unlock(m)
		}
	})
	b.Run("find-hot", func(b *testing.B) {
		key := pick(1)
		s := slots.Of(key)
		for range b.N {
			if _, ok := a.Find(s, key); !ok {
				b.Fatal("missing")
			}
		}
	})
	b.Run("overwrite", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			if err := setLocked(k, &a, pick(i), val); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("overwrite-hot", func(b *testing.B) {
		key := pick(1)
		s := slots.Of(key)
		for range b.N {
			if err := a.SetString(s, key, val, 0); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("delete-insert", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			key := pick(i)
			s := slots.Of(key)
			m := k.Mask(s)
			k.Lock(m)
			a.Delete(s, key)
			if err := a.SetString(s, key, val, 0); err != nil {
				b.Fatal(err)
			}
			k.Unlock(m)
		}
	})
}

// BenchmarkCut is the time for which a snapshot's cut holds all shards, and what it
// takes to walk a million keys.
func BenchmarkCut(b *testing.B) {
	k, err := New(Options{Shards: 64, Databases: 16, Seed: 1})
	if err != nil {
		b.Fatal(err)
	}
	defer k.Close()
	benchKeys(b, k, 1_000_000)
	b.Run("cut", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			s, err := k.Snapshot(SnapshotOptions{DB: -1})
			if err != nil {
				b.Fatal(err)
			}
			s.Close()
		}
	})
	b.Run("walk", func(b *testing.B) {
		for range b.N {
			s, err := k.Snapshot(SnapshotOptions{DB: -1})
			if err != nil {
				b.Fatal(err)
			}
			var batch Batch
			longest, n := int64(0), 0
			for {
				start := clock.Mono()
				err := s.Next(&batch)
				longest = max(longest, clock.Mono()-start)
				if err == io.EOF {
					break
				}
				if err != nil {
					b.Fatal(err)
				}
				if err := batch.Each(func(Entry) error { n++; return nil }); err != nil {
					b.Fatal(err)
				}
			}
			s.Close()
			b.ReportMetric(float64(longest)/1e3, "longest-us")
			b.ReportMetric(float64(n), "keys")
		}
	})
}

// What the limit costs a command: below it, and while a key goes for each that comes.
func BenchmarkLimit(b *testing.B) {
	k, err := New(Options{Shards: 32, Databases: 16, Seed: 1})
	if err != nil {
		b.Fatal(err)
	}
	defer k.Close()
	val := make([]byte, 64)
	set := func(i int) {
		key := strconv.AppendInt([]byte("key:"), int64(i), 10)
		s := slots.Of(key)
		a := k.Access(0, testNow+int64(i), ModePrimary)
		k.Lock(k.Mask(s))
		if err := a.SetString(s, key, val, 0); err != nil {
			b.Fatal(err)
		}
		k.Unlock(k.Mask(s))
	}
	for i := range 300_000 {
		set(i)
	}
	b.Run("below", func(b *testing.B) {
		k.SetEviction(EvictionSettings{LimitBytes: 1 << 40, Policy: AllKeysLRU})
		k.BackgroundStep(testNow, time.Second)
		for b.Loop() {
			k.MakeRoom(testNow, time.Millisecond)
		}
	})
	b.Run("at", func(b *testing.B) {
		k.SetEviction(EvictionSettings{LimitBytes: k.CountedBytes(), Policy: AllKeysLRU})
		k.BackgroundStep(testNow, time.Second)
		for i := 1_000_000; b.Loop(); i++ {
			k.MakeRoom(testNow+1_000_000, time.Millisecond)
			set(i)
		}
	})
}

// What a key costs that expires by the wheel: cascading included, the log excluded.
func BenchmarkExpire(b *testing.B) {
	const n = 500_000
	for b.Loop() {
		b.StopTimer()
		k, err := New(Options{Shards: 32, Databases: 16, Seed: 1})
		if err != nil {
			b.Fatal(err)
		}
		val := make([]byte, 64)
		a := k.Access(0, testNow, ModePrimary)
		k.Lock(k.AllShards())
		for i := range n {
			key := strconv.AppendInt([]byte("key:"), int64(i), 10)
			if err := a.SetString(slots.Of(key), key, val, testNow+20_000+int64(i%1000)); err != nil {
				b.Fatal(err)
			}
		}
		k.Unlock(k.AllShards())
		b.StartTimer()
		for now := int64(testNow); k.Len(0) > 0; now += 100 {
			k.ExpireStep(now, time.Hour)
		}
		b.StopTimer()
		k.Close()
		b.StartTimer()
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/n, "ns/key")
}
