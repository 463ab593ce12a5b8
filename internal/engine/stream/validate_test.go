package stream

import (
	"math/rand/v2"
	"testing"
)

// nodeOf returns the bytes of a node with live and deleted entries of both forms.
func nodeOf(t testing.TB) []byte {
	a := newArena(t)
	s := newStream(t, a)
	l := Limits{NodeBytes: 4096, NodeEntries: 100}
	for i := range 6 {
		pairs := []string{"name", "v", "2", "12345"}
		if i%3 == 2 {
			pairs = []string{"other", "v"}
		}
		if err := s.Append(ID{10, uint64(i)}, byteSlices(pairs), l); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Delete(ID{10, 1}); err != nil {
		t.Fatal(err)
	}
	var out []byte
	s.EachNode(func(_ ID, lp []byte) bool {
		out = append(out, lp...)
		return true
	})
	return out
}

// use does with a node everything that may be done with one.
func use(t testing.TB, master ID, lp []byte) {
	live, _, last, err := Validate(master, lp)
	if err != nil {
		return
	}
	a := newArena(t)
	s := newStream(t, a)
	if err := s.AddNode(master, lp); err != nil {
		t.Fatal(err)
	}
	s.Last = last
	s.findFirst()
	forward := read(s, ID{}, MaxID, false)
	if len(forward) != live || len(read(s, ID{}, MaxID, true)) != live {
		t.Fatalf("%d entries, says %d", len(forward), live)
	}
	l := Limits{NodeBytes: 4096, NodeEntries: 100}
	if next, ok := last.Next(); ok {
		if err := s.Append(next, byteSlices([]string{"name", "x", "2", "y"}), l); err != nil {
			t.Fatal(err)
		}
	}
	for i, e := range forward {
		if i%2 == 0 {
			if ok, err := s.Delete(e.id); !ok || err != nil {
				t.Fatalf("%v is not deleted: %v", e.id, err)
			}
		}
	}
	if _, _, err := s.Trim(Trim{MaxLen: 1}); err != nil {
		t.Fatal(err)
	}
	if live > 0 {
		if err := s.checkInvariants(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestValidate(t *testing.T) {
	lp := nodeOf(t)
	live, deleted, last, err := Validate(ID{10, 0}, lp)
	if err != nil || live != 5 || deleted != 1 || last != (ID{10, 5}) {
		t.Fatalf("%d live, %d deleted, last %v: %v", live, deleted, last, err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 4_000 {
		bad := append([]byte(nil), lp...)
		for range 1 + r.IntN(3) {
			bad[r.IntN(len(bad))] ^= byte(1 << r.IntN(8))
		}
		use(t, ID{10, 0}, bad)
	}
	for n := range lp {
		if _, _, _, err := Validate(ID{10, 0}, lp[:n]); err == nil {
			t.Errorf("the first %d bytes pass", n)
		}
	}
}

func FuzzValidate(f *testing.F) {
	lp := nodeOf(f)
	f.Add(uint64(10), uint64(0), lp)
	f.Add(uint64(1)<<63, uint64(1)<<63, lp)
	f.Fuzz(func(t *testing.T, ms, seq uint64, lp []byte) { use(t, ID{ms, seq}, lp) })
}
