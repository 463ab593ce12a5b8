package engine

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/redwingdb/redwing/internal/slots"
)

// A set against a map, through its encodings, renames, copies and deletion; nothing is
// left in the arena at the end.
func TestSetModel(t *testing.T) {
	seeds := uint64(20)
	if testing.Short() {
		seeds = 5
	}
	for seed := range seeds {
		rnd := rand.New(rand.NewPCG(seed, 2))
		k := newKeyspace(t, Options{Shards: 2, Seed: seed})
		k.SetLimits(Limits{SetIntset: int(rnd.Uint64() % 30), SetEntries: int(rnd.Uint64() % 20), SetValue: 8})
		a := k.Access(0, 1000, ModePrimary)
		want := map[string]bool{}
		key := []byte("set")
		slot := slots.Of(key)
		all := k.AllShards()
		k.Lock(all)
		for step := range 2000 {
			var s Set
			if _, err := s.Open(&a, slot, key); err != nil {
				t.Fatal(err)
			}
			member := fmt.Appendf(nil, "%d", rnd.IntN(60)*rnd.IntN(3)-10)
			switch rnd.IntN(60) {
			case 0:
				member = []byte("word")
			case 1:
				member = fmt.Appendf(nil, "%d", rnd.Int64()>>rnd.IntN(60))
			case 2:
				member = make([]byte, 40<<10)
			case 3:
				member = nil
			}
			had := want[string(member)]
			switch rnd.IntN(12) {
			case 0, 1, 2, 3, 4:
				if rnd.IntN(20) == 0 {
					if err := s.Expect(rnd.IntN(40)); err != nil {
						t.Fatal(err)
					}
				}
				if added, err := s.Add(member); err != nil || added == had {
					t.Fatalf("seed %d step %d: added %v, had %v, %v", seed, step, added, had, err)
				}
				want[string(member)] = true
			case 5, 6, 7:
				if s.Remove(member) != had {
					t.Fatalf("seed %d step %d: removal", seed, step)
				}
				delete(want, string(member))
			case 8:
				other := fmt.Appendf(nil, "other%d", rnd.IntN(4))
				if err := a.Copy(slot, key, 0, slots.Of(other), other); err != nil {
					t.Fatal(err)
				}
				if rnd.IntN(2) == 0 {
					if err := a.Rename(slots.Of(other), other, slot, key); err != nil {
						t.Fatal(err)
					}
				}
			case 9:
				if s.Has(member) != had {
					t.Fatalf("seed %d step %d: membership", seed, step)
				}
			case 10:
				if drawn, ok := s.Random(rnd.Uint64); ok != (len(want) > 0) || ok && !want[string(drawn)] {
					t.Fatalf("seed %d step %d: drawn %q %v", seed, step, drawn, ok)
				} else if ok {
					delete(want, string(drawn))
					s.RemoveDrawn()
				}
			case 11:
				checkStore(t, k, &a, &s, rnd)
			}
			checkSet(t, &a, slot, key, want)
		}
		for _, name := range []string{"set", "other0", "other1", "other2", "other3", "stored"} {
			a.Delete(slots.Of([]byte(name)), []byte(name))
		}
		k.Unlock(all)
		for k.PendingFrees() > 0 {
			k.BackgroundStep(1000, 1e9)
		}
		for i := range k.shards {
			if used := k.shards[i].arena.Used(); used != 0 {
				t.Errorf("seed %d: %d bytes left in shard %d", seed, used, i)
			}
		}
	}
}

// checkStore stores some members of s under another key.
func checkStore(t *testing.T, k *Keyspace, a *Access, s *Set, rnd *rand.Rand) {
	t.Helper()
	var m Members
	want := map[string]bool{}
	n := rnd.IntN(s.Len() + 2)
	s.Sample(n, rnd.Uint64, func(member []byte) {
		m.Add(member)
		want[string(member)] = true
	})
	if m.Len() != min(n, s.Len()) {
		t.Fatalf("%d of %d members sampled, %d asked for", m.Len(), s.Len(), n)
	}
	key := []byte("stored")
	if m.Len() == 0 {
		return
	}
	like := []Encoding{EncIntset, EncListpack, EncHashtable}[rnd.IntN(3)]
	if _, err := a.StoreSet(slots.Of(key), key, &m, like); err != nil {
		t.Fatal(err)
	}
	checkSet(t, a, slots.Of(key), key, want)
}

func checkSet(t *testing.T, a *Access, slot slots.Slot, key []byte, want map[string]bool) {
	t.Helper()
	var s Set
	found, err := s.Open(a, slot, key)
	if err != nil || found != (len(want) > 0) || s.Len() != len(want) {
		t.Fatalf("found %v with %d members, want %d (%v)", found, s.Len(), len(want), err)
	}
	seen := map[string]bool{}
	s.Each(func(member []byte) bool {
		if !want[string(member)] || seen[string(member)] {
			t.Fatalf("member %q is not wanted, or not twice", member)
		}
		seen[string(member)] = true
		return true
	})
	scanned := map[string]bool{}
	for cursor := s.Scan(0, func(member []byte) { scanned[string(member)] = true }); cursor != 0; {
		cursor = s.Scan(cursor, func(member []byte) { scanned[string(member)] = true })
	}
	var b Batch
	exported := 0
	if e, ok := a.Entry(slot, key, &b); ok {
		_ = e.EachMember(func(member []byte) error {
			if !want[string(member)] {
				t.Fatalf("exported member %q", member)
			}
			exported++
			return nil
		})
	}
	if len(seen) != len(want) || len(scanned) != len(want) || exported != len(want) {
		t.Fatalf("%d members seen, %d scanned, %d exported, want %d", len(seen), len(scanned), exported, len(want))
	}
}

// Encodings change where Redis 7.2 changes them.
func TestSetEncodings(t *testing.T) {
	k := newKeyspace(t, Options{Shards: 1, Seed: 1})
	k.SetLimits(Limits{SetIntset: 4, SetEntries: 3, SetValue: 5})
	a := k.Access(0, 1000, ModePrimary)
	k.Lock(k.AllShards())
	defer k.Unlock(k.AllShards())
	for _, c := range []struct {
		expect  int
		members []string
		want    string
	}{
		{1, []string{"1"}, "intset"},
		{1, []string{"1", "2", "3", "4"}, "intset"},
		{1, []string{"1", "2", "3", "4", "5"}, "hashtable"},
		{5, []string{"1"}, "hashtable"}, // more than either bound
		{1, []string{"a"}, "listpack"},
		{3, []string{"a"}, "listpack"},
		{4, []string{"a"}, "hashtable"},
		{4, []string{"1", "a"}, "listpack"},
		{1, []string{"a", "b", "c"}, "listpack"},
		{1, []string{"a", "b", "c", "d"}, "hashtable"},
		{1, []string{"a", "1", "2"}, "listpack"},
		{1, []string{"1", "2", "a"}, "listpack"},
		{1, []string{"1", "2", "3", "a"}, "hashtable"},
		{1, []string{"123456", "a"}, "hashtable"}, // an integer too long for the listpack
		{1, []string{"12345", "a"}, "listpack"},
		{1, []string{"abcdef"}, "hashtable"},
		{1, []string{"a", "abcdef"}, "hashtable"},
		{1, []string{"1", "abcdef"}, "hashtable"},
	} {
		key := []byte("k")
		a.Delete(slots.Of(key), key)
		var s Set
		_, _ = s.Open(&a, slots.Of(key), key)
		if err := s.Expect(c.expect); err != nil {
			t.Fatal(err)
		}
		for _, m := range c.members {
			if _, err := s.Add([]byte(m)); err != nil {
				t.Fatal(err)
			}
		}
		if got := s.Encoding().String(); got != c.want || s.Len() != len(c.members) {
			t.Errorf("%q expecting %d: %s of %d, want %s", c.members, c.expect, got, s.Len(), c.want)
		}
	}
}

// Every member is as likely to be drawn, in each encoding.
func TestSetDrawsUniformly(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 3))
	for _, limits := range []Limits{{SetIntset: 1000}, {SetEntries: 1000, SetValue: 10}, {}} {
		k := newKeyspace(t, Options{Shards: 1, Seed: 1})
		k.SetLimits(limits)
		a := k.Access(0, 1000, ModePrimary)
		k.Lock(k.AllShards())
		var s Set
		_, _ = s.Open(&a, 0, []byte("k"))
		const members, draws = 50, 100_000
		for i := range members {
			_, _ = s.Add(fmt.Appendf(nil, "%d", i))
		}
		drawn, sampled := map[string]int{}, map[string]int{}
		for range draws {
			m, _ := s.Random(rnd.Uint64)
			drawn[string(m)]++
		}
		for range draws / 10 {
			s.Sample(10, rnd.Uint64, func(m []byte) { sampled[string(m)]++ })
		}
		for _, counts := range []map[string]int{drawn, sampled} {
			chi := 0.0
			for i := range members {
				d := float64(counts[fmt.Sprint(i)]) - draws/members
				chi += d * d / (draws / members)
			}
			if chi > 110 { // 49 degrees of freedom: p is about 1e-6
				t.Errorf("%s: chi square %.0f", s.Encoding(), chi)
			}
		}
		k.Unlock(k.AllShards())
	}
}
