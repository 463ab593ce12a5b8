package engine

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/slots"
)

// sparse is a keyspace of keys of every form, most of which are deleted again at random:
// what is left lies in sparse slabs.
type sparse struct {
	*testing.T
	k    *Keyspace
	want map[string][]string // by key, its value or the elements of it
}

func newSparse(t *testing.T, keys int) *sparse {
	s := &sparse{t, newKeyspace(t, Options{Shards: 2, Seed: 3}), map[string][]string{}}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range keys {
		slot, key := crowdKey(i)
		s.locked(slot, func(a *Access) {
			switch {
			case i%50 == 0:
				s.add(i, s.hash(a, slot, key, 700+i%1000))
			case i%50 == 10:
				s.add(i, s.set(a, slot, key, 300+i%1000))
			case i%50 == 12:
				s.add(i, s.zset(a, slot, key, 200+i%1000))
			case i%50 == 25:
				s.add(i, s.list(a, slot, key, 200+i%1000))
			default:
				val := strings.Repeat("v", 20+r.IntN(80))
				if err := a.SetString(slot, key, []byte(val), int64(i%3)*testNow); err != nil {
					t.Fatal(err)
				}
				s.add(i, []string{val})
			}
		})
	}
	for i := range keys {
		if r.IntN(8) == 0 {
			continue
		}
		slot, key := crowdKey(i)
		s.locked(slot, func(a *Access) { a.Delete(slot, key) })
		delete(s.want, string(key))
	}
	s.settle()
	return s
}

func (s *sparse) add(i int, val []string) {
	_, key := crowdKey(i)
	s.want[string(key)] = val
}

func (s *sparse) locked(slot slots.Slot, f func(a *Access)) {
	a := s.k.Access(0, testNow, ModePrimary)
	s.k.Lock(s.k.Mask(slot))
	f(&a)
	s.k.Unlock(s.k.Mask(slot))
}

// fieldExpiry gives every fourth field of a hash an expiry, some the same.
func fieldExpiry(i int) int64 { return int64(i&3>>1) * (testNow + 1_000_000 + int64(i%40)) }

func (s *sparse) hash(a *Access, slot slots.Slot, key []byte, n int) (want []string) {
	var h Hash
	if _, err := h.Open(a, slot, key); err != nil {
		s.Fatal(err)
	}
	for i := range n {
		field := fmt.Sprint("field:", i)
		if _, err := h.Put([]byte(field), key, fieldExpiry(i)); err != nil {
			s.Fatal(err)
		}
		want = append(want, field)
	}
	return want
}

func (s *sparse) set(a *Access, slot slots.Slot, key []byte, n int) (want []string) {
	var set Set
	if _, err := set.Open(a, slot, key); err != nil {
		s.Fatal(err)
	}
	for i := range n {
		member := fmt.Sprint("member:", i)
		if _, err := set.Add([]byte(member)); err != nil {
			s.Fatal(err)
		}
		want = append(want, member)
	}
	return want
}

func (s *sparse) list(a *Access, slot slots.Slot, key []byte, n int) (want []string) {
	var l List
	if _, err := l.Open(a, slot, key); err != nil {
		s.Fatal(err)
	}
	for i := range n {
		elem := fmt.Sprint(i, strings.Repeat("e", 100))
		if err := l.PushTail([]byte(elem)); err != nil {
			s.Fatal(err)
		}
		want = append(want, elem)
	}
	return want
}

// zset makes a sorted set with many equal scores. want is in order.
func (s *sparse) zset(a *Access, slot slots.Slot, key []byte, n int) (want []string) {
	var z ZSet
	if _, err := z.Open(a, slot, key); err != nil {
		s.Fatal(err)
	}
	for i := range n {
		member := fmt.Sprintf("member:%06d", i)
		if _, _, err := z.Add([]byte(member), float64(i/7), 0); err != nil {
			s.Fatal(err)
		}
		want = append(want, member)
	}
	return want
}

// settle frees what is waiting and gives idle pages back.
func (s *sparse) settle() {
	for s.k.BackgroundStep(testNow, time.Second) {
	}
	s.k.Purge()
}

// check looks whether every key is what it should be.
func (s *sparse) check() {
	s.Helper()
	if err := s.k.checkInvariants(); err != nil {
		s.Fatal(err)
	}
	if int(s.k.Len(0)) != len(s.want) {
		s.Fatalf("%d keys, want %d", s.k.Len(0), len(s.want))
	}
	for key, want := range s.want {
		slot := slots.Of([]byte(key))
		s.locked(slot, func(a *Access) {
			r, ok := a.Peek(slot, []byte(key))
			if !ok {
				s.Fatalf("%s is gone", key)
			}
			switch r.Type() {
			case TypeHash:
				var h Hash
				if _, err := h.Open(a, slot, []byte(key)); err != nil || h.Len() != len(want) {
					s.Fatalf("%s has %d fields, want %d (%v)", key, h.Len(), len(want), err)
				}
				for i, field := range want {
					if v, at, ok := h.Get([]byte(field)); !ok || string(v) != key || at != fieldExpiry(i) {
						s.Fatalf("%s %s is %q", key, field, v)
					}
				}
			case TypeSet:
				var set Set
				if _, err := set.Open(a, slot, []byte(key)); err != nil || set.Len() != len(want) {
					s.Fatalf("%s has %d members, want %d (%v)", key, set.Len(), len(want), err)
				}
				for _, member := range want {
					if !set.Has([]byte(member)) {
						s.Fatalf("%s lacks %s", key, member)
					}
				}
			case TypeZSet:
				var z ZSet
				if _, err := z.Open(a, slot, []byte(key)); err != nil || z.Len() != len(want) {
					s.Fatalf("%s has %d members, want %d (%v)", key, z.Len(), len(want), err)
				}
				for i, member := range want {
					if rank, score, ok := z.Rank([]byte(member)); !ok || rank != i || score != float64(i/7) {
						s.Fatalf("%s %s is %d with %v", key, member, rank, score)
					}
				}
			case TypeList:
				var b Batch
				e, _ := a.Entry(slot, []byte(key), &b)
				i := 0
				if err := e.EachElement(func(elem []byte) error {
					if i >= len(want) || string(elem) != want[i] {
						return fmt.Errorf("element %d is %q", i, elem)
					}
					i++
					return nil
				}); err != nil || i != len(want) {
					s.Fatalf("%s: %v, %d elements of %d", key, err, i, len(want))
				}
			default:
				if got := r.Append(nil); !bytes.Equal(got, []byte(want[0])) {
					s.Fatalf("%s is %q", key, got)
				}
			}
		})
	}
}

// checkOrder takes the expiries of all fields away, which finds each in the order.
func (s *sparse) checkOrder() {
	s.Helper()
	for key, want := range s.want {
		slot := slots.Of([]byte(key))
		s.locked(slot, func(a *Access) {
			var h Hash
			if found, err := h.Open(a, slot, []byte(key)); err != nil || !found || !h.Rooted() {
				return // it holds something else
			}
			for _, field := range want {
				if _, err := h.SetFieldExpireAt([]byte(field), 0); err != nil {
					s.Fatal(err)
				}
			}
			if n := h.root().expiring.Len(); n != 0 {
				s.Fatalf("%s: %d fields are left in the order of expiry", key, n)
			}
		})
	}
}

func TestDefragGivesMemoryBack(t *testing.T) {
	keys := 40_000
	if testing.Short() {
		keys = 12_000
	}
	s := newSparse(t, keys)
	before := s.k.Stats()
	for steps := 0; !s.k.DefragStep(1000, 0); steps++ {
		if steps%100 == 0 {
			s.settle()
		}
	}
	s.settle()
	s.check()
	after, st := s.k.Stats(), s.k.DefragStats()
	t.Logf("%d bytes in %d of pages, before %d; %+v", after.ArenaBytes, after.ActiveBytes, before.ActiveBytes, st)
	if after.ArenaBytes != before.ArenaBytes {
		t.Errorf("%d bytes used, before %d", after.ArenaBytes, before.ArenaBytes)
	}
	if gapBefore, gap := before.ActiveBytes-before.ArenaBytes, after.ActiveBytes-after.ArenaBytes; gap > gapBefore/3 {
		t.Errorf("%d bytes lie free between blocks, before %d", gap, gapBefore)
	}
	if st.Hits == 0 || st.KeyHits == 0 || st.KeyMisses == 0 {
		t.Errorf("%+v", st)
	}
	// A second pass finds next to nothing to do.
	for !s.k.DefragStep(1000, time.Second) {
	}
	if again := s.k.DefragStats().Hits - st.Hits; again > st.Hits/10 {
		t.Errorf("the second pass moved %d blocks, the first %d", again, st.Hits)
	}
	s.check()
	s.checkOrder()
}

// What a snapshot watches stays where it is, and the snapshot is complete.
func TestDefragLeavesSnapshotsAlone(t *testing.T) {
	s := newSparse(t, 4000)
	snap, err := s.k.Snapshot(SnapshotOptions{DB: -1})
	if err != nil {
		t.Fatal(err)
	}
	for !s.k.DefragStep(10, time.Second) {
	}
	if st := s.k.DefragStats(); st.Hits != 0 {
		t.Errorf("%d blocks moved under a snapshot", st.Hits)
	}
	var b Batch
	seen := 0
	for snap.Next(&b) == nil {
		if err := b.Each(func(e Entry) error { seen++; return nil }); err != nil {
			t.Fatal(err)
		}
		s.k.DefragStep(10, 0)
	}
	snap.Close()
	if seen != len(s.want) {
		t.Errorf("the snapshot has %d of %d keys", seen, len(s.want))
	}
	for range 2 {
		for !s.k.DefragStep(10, 0) { // big values in steps
		}
	}
	if st := s.k.DefragStats(); st.Hits == 0 {
		t.Error("nothing moved after the snapshot")
	}
	s.check()
}

// Writers go on between the steps of a pass.
func TestDefragBesideWriters(t *testing.T) {
	s := newSparse(t, 4000)
	r := rand.New(rand.NewPCG(7, 7))
	for range 3 {
		for i := 0; !s.k.DefragStep(100, 0); i++ {
			slot, key := crowdKey(r.IntN(8000))
			s.locked(slot, func(a *Access) {
				if r.IntN(2) == 0 {
					a.Delete(slot, key)
					delete(s.want, string(key))
					return
				}
				if r.IntN(10) == 0 {
					a.Delete(slot, key)
					s.want[string(key)] = s.hash(a, slot, key, 600)
					return
				}
				val := strings.Repeat("w", r.IntN(300))
				if err := a.SetRaw(slot, key, []byte(val), 0); err != nil {
					t.Fatal(err)
				}
				s.want[string(key)] = []string{val}
			})
			s.k.BackgroundStep(testNow, 0)
		}
	}
	s.check()
}
