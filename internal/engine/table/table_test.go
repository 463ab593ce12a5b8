package table

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"testing"

	"github.com/redwingdb/redwing/internal/engine/arena"
)

// harness is a table with the model of it: a map from key to ref.
type harness struct {
	t     Table
	model map[string]arena.Ref
	watch *handOver
	deaf  int // watches miss every deaf-th hand-over; 0: none
}

func newHarness(tb testing.TB, limit int64, seed uint64) *harness {
	a, err := arena.New(limit)
	if err != nil {
		tb.Fatal(err)
	}
	h := NewHasher(seed)
	return &harness{t: Table{A: a, H: &Header{}, Hash: &h}, model: map[string]arena.Ref{}}
}

func keyOf(i int) []byte { return fmt.Appendf(nil, "k%d", i) }

func (h *harness) put(key []byte) error {
	l := Layout{KeyLen: len(key)}
	ref, err := h.t.A.Alloc(l.Size())
	if err != nil {
		return err
	}
	RecAt(h.t.A, ref).Init(l, 0, key)
	sum := h.t.Hash.Sum(key)
	if p := h.t.Find(sum, key); p.Ref != 0 {
		h.t.Touch(p)
		h.t.Replace(p, ref)
		h.t.A.Free(p.Ref)
	} else if _, err := h.t.Insert(sum, ref); err != nil {
		h.t.A.Free(ref)
		return err
	}
	h.model[string(key)] = ref
	return nil
}

func (h *harness) del(key []byte) error {
	p := h.t.Find(h.t.Hash.Sum(key), key)
	want, ok := h.model[string(key)]
	if p.Ref != want || ok != (p.Ref != 0) {
		return fmt.Errorf("find %q: %#x, model %#x", key, p.Ref, want)
	}
	if ok {
		h.t.Delete(p)
		h.t.A.Free(p.Ref)
		delete(h.model, string(key))
	}
	return nil
}

// check holds the whole table against the model.
func (h *harness) check() error {
	if h.t.H.Len() != len(h.model) {
		return fmt.Errorf("%d records, model %d", h.t.H.Len(), len(h.model))
	}
	for key, ref := range h.model {
		if p := h.t.Find(h.t.Hash.Sum([]byte(key)), []byte(key)); p.Ref != ref {
			return fmt.Errorf("find %q: %#x, model %#x", key, p.Ref, ref)
		}
	}
	n := 0
	for _, x := range h.t.Arrays() {
		for i := range x.Buckets {
			if !x.Uses(i) {
				continue
			}
			for b := bucketAt(h.t.A, x.Ref, i); ; b = overflow(h.t.A, b.next) {
				k := b.len()
				n += k
				for j := range bucketSlots {
					if (b.tags[j] != 0) != (j < k) || (b.refs[j] != 0) != (j < k) {
						return fmt.Errorf("bucket %d of %#x is not dense: %v %v", i, x.Ref, b.tags, b.refs)
					}
				}
				if b.next == 0 {
					break
				}
				if k != bucketSlots {
					return fmt.Errorf("bucket %d of %#x has %d records and an overflow", i, x.Ref, k)
				}
			}
		}
	}
	if n != len(h.model) {
		return fmt.Errorf("%d records in chains, model %d", n, len(h.model))
	}
	return nil
}

// handOver is a snapshot of one table in its simplest form: marks in maps.
type handOver struct {
	h      *harness
	arrays [2]Array
	marked [2]map[uint32]bool
	want   map[string]bool
	got    map[string]bool
	calls  int
	walk   bool // this is the walker, not a writer
	err    error
}

func (h *harness) cut() *handOver {
	w := &handOver{h: h, arrays: h.t.Arrays(), want: map[string]bool{}, got: map[string]bool{}}
	for i := range w.marked {
		w.marked[i] = map[uint32]bool{}
	}
	for key := range h.model {
		w.want[key] = true
	}
	return w
}

func (w *handOver) BeforeChange(arr arena.Ref, i uint32) {
	for j := range w.arrays {
		x := &w.arrays[j]
		if x.Ref != arr || i >= x.Buckets || !x.Uses(i) || w.marked[j][i] {
			continue
		}
		if w.calls++; w.h.deaf > 0 && !w.walk && w.calls%w.h.deaf == 0 {
			continue
		}
		w.marked[j][i] = true
		EachRef(w.h.t.A, arr, i, func(ref arena.Ref) bool {
			key := string(RecAt(w.h.t.A, ref).Key())
			if w.got[key] || !w.want[key] {
				w.err = fmt.Errorf("handed over %q, before %v, at the cut %v", key, w.got[key], w.want[key])
			}
			w.got[key] = true
			return true
		})
	}
}

func (w *handOver) ArrayGone(arr arena.Ref) {
	for j := range w.arrays {
		if w.arrays[j].Ref == arr {
			w.arrays[j] = Array{}
		}
	}
}

// finish walks what is unmarked and compares.
func (w *handOver) finish() error {
	w.walk = true
	for j := range w.arrays {
		for i := range w.arrays[j].Buckets {
			w.BeforeChange(w.arrays[j].Ref, i)
		}
	}
	if w.err == nil && len(w.got) != len(w.want) {
		w.err = fmt.Errorf("%d of %d records", len(w.got), len(w.want))
	}
	return w.err
}

// runModel makes random calls, drawn by next.
func runModel(h *harness, steps int, next func(n int) int) error {
	keys, grow := 50, true
	for step := range steps {
		var err error
		switch op := next(1000); {
		case op < 6:
			keys, grow = 1+next(1<<next(14)), next(2) == 0
		case op < 8:
			err = h.check()
		case op < 14:
			h.t.Step(1 + next(4))
		case op < 18:
			if h.watch != nil {
				err = h.watch.finish()
				h.watch, h.t.W = nil, nil
			} else {
				h.watch = h.cut()
				h.t.W = h.watch
			}
		case (op < 700) == grow:
			err = h.put(keyOf(next(keys)))
			if errors.Is(err, arena.ErrNoSpace) {
				err = nil
			}
		default:
			err = h.del(keyOf(next(keys)))
		}
		if err == nil && h.watch != nil {
			err = h.watch.err
		}
		if err != nil {
			return fmt.Errorf("step %d: %w", step, err)
		}
	}
	if err := h.check(); err != nil {
		return err
	}
	h.t.W = nil
	for pos, done := uint64(0), false; !done; {
		pos, done = h.t.Drain(pos, 7, func(ref arena.Ref) { h.t.A.Free(ref) })
	}
	if n := h.t.A.Used(); n != 0 {
		return fmt.Errorf("%d bytes left of a drained table", n)
	}
	return h.t.A.Close()
}

// seeds returns n, or a third of it where a seed costs ten times as much.
func seeds(n uint64) uint64 {
	if testing.Short() || arena.Checked {
		return (n + 2) / 3
	}
	return n
}

func TestModel(t *testing.T) {
	for seed := range seeds(12) {
		r := rand.New(rand.NewPCG(seed, 3))
		if err := runModel(newHarness(t, 0, seed), 20_000, r.IntN); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

// The model has to notice when hand-overs are left out, or it proves nothing.
func TestLeavingOutHandOversFails(t *testing.T) {
	for seed := range uint64(3) {
		r := rand.New(rand.NewPCG(seed, 3))
		h := newHarness(t, 0, seed)
		h.deaf = 50
		if err := runModel(h, 20_000, r.IntN); err == nil {
			t.Fatalf("seed %d: every 50th hand-over was left out and nobody noticed", seed)
		}
	}
}

// With hardly any space, allocations fail everywhere, and nothing may be lost by it.
func TestNoSpace(t *testing.T) {
	for seed := range seeds(3) {
		r := rand.New(rand.NewPCG(seed, 4))
		h := newHarness(t, 64<<20, seed)
		// Take nearly all there is, in pieces that can be given back.
		var ballast []arena.Ref
		for _, size := range []int{32 << 10, 1 << 10, 64, 16} {
			for {
				ref, err := h.t.A.Alloc(size)
				if err != nil {
					break
				}
				ballast = append(ballast, ref)
			}
		}
		for range 400 {
			i := r.IntN(len(ballast))
			h.t.A.Free(ballast[i])
			ballast[i] = ballast[len(ballast)-1]
			ballast = ballast[:len(ballast)-1]
		}
		for step := range 5000 {
			key := keyOf(r.IntN(3000))
			var err error
			if step/1000%2 == 0 || r.IntN(3) == 0 {
				if err = h.put(key); errors.Is(err, arena.ErrNoSpace) {
					err = nil
				}
			} else {
				err = h.del(key)
			}
			if err != nil {
				t.Fatalf("seed %d step %d: %v", seed, step, err)
			}
		}
		if err := h.check(); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

func FuzzTable(f *testing.F) {
	f.Add([]byte("0123456789abcdefghijklmnopqrstuvwxyz"))
	f.Add(bytes.Repeat([]byte{0, 3, 1, 255, 0, 16, 7, 200, 3, 90}, 100))
	f.Fuzz(func(t *testing.T, data []byte) {
		next := func(n int) int {
			if len(data) < 2 {
				return 0
			}
			v := int(binary.BigEndian.Uint16(data)) % n
			data = data[2:]
			return v
		}
		if err := runModel(newHarness(t, 64<<20, 1), min(len(data)/4, 5000), next); err != nil {
			t.Fatal(err)
		}
	})
}

// A key present from the first step of a scan to the last is seen, whatever the table
// does in between.
func TestScanGuarantee(t *testing.T) {
	for seed := range seeds(20) {
		r := rand.New(rand.NewPCG(seed, 5))
		h := newHarness(t, 0, seed)
		for i := range 1000 + r.IntN(4000) {
			if err := h.put(keyOf(i)); err != nil {
				t.Fatal(err)
			}
		}
		constant := map[string]bool{}
		for key := range h.model {
			if r.IntN(20) == 0 {
				constant[key] = true
			}
		}
		shrink := r.IntN(2) == 0
		seen := map[string]bool{}
		steps := 0
		for cursor := uint64(0); ; {
			cursor = h.t.Scan(cursor, func(rec Rec) { seen[string(rec.Key())] = true })
			if cursor == 0 {
				break
			}
			if steps++; steps > 1<<20 {
				t.Fatalf("seed %d: scan does not end", seed)
			}
			for range r.IntN(60) {
				key := keyOf(r.IntN(6000))
				if shrink {
					if !constant[string(key)] {
						if err := h.del(key); err != nil {
							t.Fatal(err)
						}
					}
				} else if err := h.put(fmt.Appendf(key, "/%d", steps)); err != nil {
					t.Fatal(err)
				}
			}
		}
		for key := range constant {
			if !seen[key] {
				t.Fatalf("seed %d: scan missed %q, present all the time", seed, key)
			}
		}
	}
}

func TestScanTerminates(t *testing.T) {
	h := newHarness(t, 0, 1)
	if got := h.t.Scan(12345, func(Rec) {}); got != 0 {
		t.Fatalf("scan of an empty table goes on at %d", got)
	}
	for i := range 300 {
		if err := h.put(keyOf(i)); err != nil {
			t.Fatal(err)
		}
	}
	// Any number is a cursor.
	for _, cursor := range []uint64{0, 1, 31, 1 << 40, ^uint64(0)} {
		steps := 0
		for cursor = h.t.Scan(cursor, func(Rec) {}); cursor != 0; steps++ {
			if cursor = h.t.Scan(cursor, func(Rec) {}); steps > 100 {
				t.Fatal("scan does not end")
			}
		}
	}
}

func TestRandomIsFair(t *testing.T) {
	h := newHarness(t, 0, 9)
	if _, ok := h.t.Random(rand.Uint64); ok {
		t.Fatal("an empty table gave a record")
	}
	const n, draws = 100, 100_000
	for i := range n {
		if err := h.put(keyOf(i)); err != nil {
			t.Fatal(err)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	count := map[string]int{}
	for range draws {
		rec, ok := h.t.Random(r.Uint64)
		if !ok {
			t.Fatal("no record drawn")
		}
		count[string(rec.Key())]++
	}
	for i := range n {
		if c := count[string(keyOf(i))]; c < draws/n*8/10 || c > draws/n*12/10 {
			t.Errorf("%s drawn %d times of %d, fair is %d", keyOf(i), c, draws, draws/n)
		}
	}
}

func TestMatchIsExact(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	for range 20_000 {
		var b bucket
		tag := uint8(r.IntN(256))
		for i := range b.tags {
			b.tags[i] = tag + uint8(r.IntN(3)) - 1
		}
		low, high := b.match(tag)
		for i := range b.tags {
			got := false
			if i < 8 {
				got = low>>(8*i+7)&1 != 0
			} else {
				got = high>>(8*(i-8)+7)&1 != 0
			}
			if got != (b.tags[i] == tag) {
				t.Fatalf("match of %d in %v: place %d is %v", tag, b.tags, i, got)
			}
		}
		if bits.OnesCount64(low)+bits.OnesCount64(high) > bucketSlots {
			t.Fatalf("match of %d in %v: masks %x %x", tag, b.tags, low, high)
		}
	}
}

func TestHash(t *testing.T) {
	x, y := NewHasher(1), NewHasher(2)
	seen := map[uint64]string{}
	same := 0
	for n := range 200 {
		for v := range 20 {
			key := bytes.Repeat([]byte{byte(v)}, n)
			if n > 0 {
				key[n-1] = 0xff
				key[n/2] = byte(v * 7)
			}
			sum := x.Sum(key)
			if old, ok := seen[sum]; ok && old != string(key) {
				t.Fatalf("%q and %q collide", old, key)
			}
			seen[sum] = string(key)
			if sum != x.Sum(bytes.Clone(key)) {
				t.Fatal("one key, two hashes")
			}
			if sum == y.Sum(key) {
				same++
			}
		}
	}
	if same > 0 {
		t.Fatalf("%d keys hash alike under two seeds", same)
	}
	// Every bit of the key counts, and flips about half of the hash.
	key := make([]byte, 40)
	for n := 1; n <= len(key); n++ {
		base := x.Sum(key[:n])
		for bit := range 8 * n {
			key[bit/8] ^= 1 << (bit % 8)
			d := bits.OnesCount64(base ^ x.Sum(key[:n]))
			key[bit/8] ^= 1 << (bit % 8)
			if d < 8 || d > 56 {
				t.Fatalf("length %d: flipping bit %d flips %d bits of the hash", n, bit, d)
			}
		}
	}
}

func BenchmarkHash16(b *testing.B) {
	h := NewHasher(1)
	key := []byte("key:000000123456")
	for range b.N {
		key[15] = byte(h.Sum(key))
	}
}
