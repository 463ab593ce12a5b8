package engine

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/slots"
)

// evictions is a Sink that notes what was evicted.
type evictions struct {
	mu   sync.Mutex // the shards' locks are several
	keys []string
}

func (v *evictions) Append(_ slots.Slot, _ int, e Effect) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if e.Kind == EffectEvict {
		v.keys = append(v.keys, string(e.Key))
	}
}

// crowd is a keyspace of many keys over several shards, each of 1 KiB.
type crowd struct {
	*testing.T
	k   *Keyspace
	out evictions
	n   int
}

func crowdKey(i int) (slots.Slot, []byte) {
	key := []byte(fmt.Sprintf("key:%06d", i))
	return slots.Of(key), key
}

func newCrowd(t *testing.T, p Policy, n int, expireAt func(i int) int64) *crowd {
	c := &crowd{T: t, n: n}
	c.k = newKeyspace(t, Options{Shards: 8, Databases: 2, Seed: 42, Sink: &c.out})
	c.k.SetEviction(EvictionSettings{Policy: p, LFULogFactor: 10, LFUDecayMinutes: 1})
	val := []byte(strings.Repeat("v", 1000))
	for i := range n {
		s, key := crowdKey(i)
		c.at(i%2, testNow, s, func(a *Access) {
			if err := a.SetString(s, key, val, expireAt(i)); err != nil {
				t.Fatal(err)
			}
		})
	}
	return c
}

func never(int) int64 { return 0 }

func (c *crowd) at(db int, now int64, s slots.Slot, f func(a *Access)) {
	a := c.k.Access(db, now, ModePrimary)
	c.k.Lock(c.k.Mask(s))
	f(&a)
	c.k.Unlock(c.k.Mask(s))
}

// shrink sets the limit so that about part of the keys must go and makes room.
func (c *crowd) shrink(p Policy, part float64, now int64) (room Room) {
	c.Helper()
	set := c.k.Eviction()
	set.Policy = p
	set.LimitBytes = max(1, c.k.CountedBytes()-int64(part*float64(c.n)*1024))
	c.k.SetEviction(set)
	for deadline := time.Now().Add(20 * time.Second); ; {
		if room = c.k.MakeRoom(now, time.Millisecond); room != RoomBeingMade || time.Now().After(deadline) {
			break
		}
	}
	if room == RoomEnough && c.k.CountedBytes() > set.LimitBytes {
		c.Fatalf("%d bytes counted, the limit is %d", c.k.CountedBytes(), set.LimitBytes)
	}
	if err := c.k.checkInvariants(); err != nil {
		c.Fatal(err)
	}
	if int(c.k.Stats().EvictedKeys) != len(c.out.keys) || int(c.k.Len(0)+c.k.Len(1)) != c.n-len(c.out.keys) {
		c.Fatalf("%d evicted, the sink heard of %d, %d of %d keys left", c.k.Stats().EvictedKeys, len(c.out.keys), c.k.Len(0)+c.k.Len(1), c.n)
	}
	return room
}

// evictedBelow returns how many of the evicted keys have a number below i.
func (c *crowd) evictedBelow(i int) (n int) {
	_, bound := crowdKey(i)
	for _, key := range c.out.keys {
		if key < string(bound) {
			n++
		}
	}
	return n
}

func TestEvictionPolicies(t *testing.T) {
	const n = 4000
	later := int64(testNow + 600_000)
	half := func(i int) int64 {
		if i < n/2 {
			return testNow + 3_600_000 + int64(i)*1000
		}
		return 0
	}
	for _, p := range []Policy{AllKeysLRU, AllKeysLFU, AllKeysRandom, VolatileLRU, VolatileLFU, VolatileRandom, VolatileTTL} {
		t.Run(p.String(), func(t *testing.T) {
			expire := never
			if p.volatile() {
				expire = half
			}
			c := newCrowd(t, p, n, expire)
			// Of those that may go the upper half is used again and again.
			domain := n
			if p.volatile() {
				domain = n / 2
			}
			for round := range 20 {
				for i := domain / 2; i < domain; i++ {
					s, key := crowdKey(i)
					c.at(i%2, testNow+590_000+int64(round), s, func(a *Access) { a.Find(s, key) })
				}
			}
			if room := c.shrink(p, 0.2*float64(domain)/n, later); room != RoomEnough {
				t.Fatalf("room %d", room)
			}
			gone := len(c.out.keys)
			if gone < domain/10 || gone > domain*4/10 {
				t.Fatalf("%d of %d keys evicted for a fifth", gone, domain)
			}
			if p.volatile() && c.evictedBelow(n/2) != gone {
				t.Errorf("%d keys evicted that never expire", gone-c.evictedBelow(n/2))
			}
			good := float64(c.evictedBelow(domain/2)) / float64(gone)
			if p.random() && (good < 0.4 || good > 0.6) || !p.random() && good < 0.9 {
				t.Errorf("%.0f%% of the evicted keys are of the worse half", 100*good)
			}
		})
	}
}

func TestEvictionOfFewVolatileKeys(t *testing.T) {
	c := newCrowd(t, VolatileLRU, 4000, func(i int) int64 {
		if i%400 == 0 {
			return testNow + 10_000_000
		}
		return 0
	})
	if room := c.shrink(VolatileLRU, 5.0/4000, testNow); room != RoomEnough {
		t.Fatalf("room %d", room)
	}
	if room := c.shrink(VolatileLRU, 0.5, testNow); room != RoomNone || len(c.out.keys) != 10 {
		t.Fatalf("room %d with %d of 10 volatile keys gone", room, len(c.out.keys))
	}
	if st := c.k.Stats(); st.OverNowNanos <= 0 || st.OverLimitNanos < st.OverNowNanos {
		t.Errorf("over the limit for %d ns, in all %d", st.OverNowNanos, st.OverLimitNanos)
	}
	if room := c.shrink(NoEviction, 0.5, testNow); room != RoomNone {
		t.Errorf("room %d without eviction", room)
	}
	if room := c.shrink(AllKeysRandom, 2, testNow); room != RoomNone || c.k.Len(0)+c.k.Len(1) != 0 {
		t.Errorf("room %d with %d keys left", room, c.k.Len(0)+c.k.Len(1))
	}
}

// What is only waiting to be freed is freed before a key goes.
func TestEvictionFreesDetachedFirst(t *testing.T) {
	c := newCrowd(t, AllKeysLRU, 2000, never)
	c.k.Lock(c.k.AllShards())
	c.k.Flush(0)
	c.k.Unlock(c.k.AllShards())
	c.n = 1000
	if room := c.shrink(AllKeysLRU, 0.9, testNow); room != RoomEnough || len(c.out.keys) != 0 {
		t.Fatalf("room %d, %d keys evicted", room, len(c.out.keys))
	}
}

func TestLimitCountsOtherBytes(t *testing.T) {
	c := newCrowd(t, AllKeysLRU, 1000, never)
	for range 2 {
		c.k.CountBytes(400 << 10)
		c.k.CountBytes(-400 << 10)
	}
	set := c.k.Eviction()
	set.LimitBytes = c.k.CountedBytes() + 300<<10
	c.k.SetEviction(set)
	for range 2 { // before and after the shards have taken the settings up
		if c.k.OverLimit() {
			t.Fatal("over the limit")
		}
		c.k.CountBytes(400 << 10)
		if !c.k.OverLimit() {
			t.Fatal("not over the limit")
		}
		c.k.CountBytes(-400 << 10)
		c.k.BackgroundStep(testNow, time.Second)
	}
	if got := c.k.counted.Sum(); got < c.k.CountedBytes()-8*slackMost || got > c.k.CountedBytes()+8*slackMost {
		t.Errorf("counted %d, in truth %d", got, c.k.CountedBytes())
	}
}

func TestLFUCounter(t *testing.T) {
	l := &lfu{logFactor: 10, decayMinutes: 1}
	now := int64(testNow)
	field := lfuMinutes(now)<<8 | lfuFirst
	seed := uint64(1)
	for range 100 {
		field = l.touched(field, now, splitmix(&seed))
	}
	// Redis documents about 10 after 100 hits, and 18 after 1000, with factor 10.
	if got := l.decayed(field, now); got < 7 || got > 14 {
		t.Errorf("counter %d after 100 accesses", got)
	}
	for range 1_000_000 {
		field = l.touched(field, now, splitmix(&seed))
	}
	if got := l.decayed(field, now); got != 255 {
		t.Errorf("counter %d after a million accesses", got)
	}
	for minutes, want := range map[int64]uint8{0: 255, 1: 254, 100: 155, 255: 0, 1000: 0} {
		if got := l.decayed(field, now+minutes*60_000); got != want {
			t.Errorf("counter %d after %d minutes, want %d", got, minutes, want)
		}
	}
	if got := (&lfu{logFactor: 10}).decayed(field, now+1_000_000_000); got != 255 {
		t.Errorf("counter %d without decay", got)
	}
	// The clock of minutes wraps after 45 days.
	wrapped := int64(0x10000) * 60_000
	if got := l.decayed(0xfffe<<8|100, wrapped+60_000); got != 98 {
		t.Errorf("counter %d over the wrap", got)
	}
}

func TestAccessFieldFollowsPolicy(t *testing.T) {
	o := newOne(t, Options{})
	o.set("k", "v", 0)
	r, _ := o.a.Peek(1, []byte("k"))
	if _, ok := o.a.Freq(r); ok {
		t.Error("a counter without an LFU policy")
	}
	o.k.SetEviction(EvictionSettings{Policy: AllKeysLFU, LFULogFactor: 0, LFUDecayMinutes: 1})
	o.a = o.k.Access(0, testNow, ModePrimary)
	o.set("new", "v", 0)
	r, _ = o.a.Peek(1, []byte("new"))
	if got, ok := o.a.Freq(r); !ok || got != lfuFirst {
		t.Errorf("counter of a new key %d (%v)", got, ok)
	}
	// With factor 0 every access counts; overwriting is one, in a command of its own.
	o.a.Find(1, []byte("new"))
	o.set("new", "w", 0)
	o.a = o.k.Access(0, testNow, ModePrimary)
	o.set("new", strings.Repeat("long", 100), 0)
	r, _ = o.a.Peek(1, []byte("new"))
	if got, _ := o.a.Freq(r); got != lfuFirst+2 {
		t.Errorf("counter %d after two accesses", got)
	}
	o.a.SetFreq(1, []byte("new"), 77)
	if got, _ := o.a.Freq(r); got != 77 {
		t.Errorf("counter %d, set to 77", got)
	}
	o.k.SetEviction(EvictionSettings{Policy: AllKeysLRU})
	o.a = o.k.Access(0, testNow, ModePrimary)
	o.a.SetIdle(1, []byte("new"), 100)
	if got := r.Idle(testNow); got != 100_000 {
		t.Errorf("idle %d ms, set to 100 s", got)
	}
}

// Several parties write, make room and read a snapshot at once: memory stays at the
// limit and the snapshot has every key of the cut once.
func TestEvictionBesideWritersAndSnapshot(t *testing.T) {
	c := newCrowd(t, AllKeysLRU, 4000, never)
	set := c.k.Eviction()
	set.LimitBytes = c.k.CountedBytes()
	c.k.SetEviction(set)
	snap, err := c.k.Snapshot(SnapshotOptions{DB: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Close()
	var writers sync.WaitGroup
	for w := range 3 {
		writers.Add(1)
		go func() {
			defer writers.Done()
			val := []byte(strings.Repeat("w", 900))
			for i := range 3000 {
				if c.k.MakeRoom(testNow+1000, 500*time.Microsecond) == RoomNone {
					t.Error("no room")
				}
				s, key := crowdKey(1_000_000 + w*3000 + i)
				c.at(0, testNow+1000, s, func(a *Access) {
					if err := a.SetString(s, key, val, 0); err != nil {
						t.Error(err)
					}
				})
			}
		}()
	}
	seen := map[string]bool{}
	var b Batch
	for {
		if err := snap.Next(&b); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if err := b.Each(func(e Entry) error {
			if seen[string(e.Key)] {
				return fmt.Errorf("%s twice", e.Key)
			}
			seen[string(e.Key)] = true
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	writers.Wait()
	if len(seen) != c.n {
		t.Errorf("the snapshot has %d of %d keys", len(seen), c.n)
	}
	for c.k.MakeRoom(testNow+1000, time.Millisecond) == RoomBeingMade {
	}
	if got := c.k.CountedBytes(); got > set.LimitBytes {
		t.Errorf("%d bytes counted, the limit is %d", got, set.LimitBytes)
	}
	if err := c.k.checkInvariants(); err != nil {
		t.Fatal(err)
	}
}

func TestPolicyNames(t *testing.T) {
	for p := NoEviction; p <= VolatileTTL; p++ {
		if got, ok := PolicyNamed(p.String()); !ok || got != p {
			t.Errorf("%v is %v", p, got)
		}
	}
	if _, ok := PolicyNamed("allkeys-lfru"); ok {
		t.Error("a policy by any name")
	}
}
