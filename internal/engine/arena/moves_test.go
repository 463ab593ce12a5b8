package arena

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// Blocks move out of sparse slabs, keep their bytes, and leave empty pages behind.
func TestMoves(t *testing.T) {
	for seed := range uint64(4) {
		a, err := New(256 << 20)
		if err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(seed, 9))
		sizes := []int{24, 64, 88, 300, 5000}
		type block struct {
			ref  Ref
			size int
			fill byte
		}
		var live []block
		for range 30_000 {
			b := block{size: sizes[r.IntN(len(sizes))], fill: byte(r.Uint32())}
			if b.ref, err = a.Alloc(b.size); err != nil {
				t.Fatal(err)
			}
			copy(a.Bytes(b.ref, b.size), bytes.Repeat([]byte{b.fill}, b.size))
			live = append(live, b)
		}
		r.Shuffle(len(live), func(i, j int) { live[i], live[j] = live[j], live[i] })
		for _, b := range live[len(live)/5:] {
			a.Free(b.ref)
		}
		live = live[:len(live)/5]
		used, active := a.Used(), a.ActiveBytes()
		planned, moved := a.PlanMoves(), 0
		for i := range live {
			b := &live[i]
			may, old := a.MayMove(b.ref), b.ref
			var ok bool
			if b.ref, ok = a.Move(old); ok != (b.ref != old) || ok && !may {
				t.Fatalf("block %#x, which may move: %v, went to %#x (%v)", old, may, b.ref, ok)
			}
			if ok {
				moved++
			}
		}
		a.EndMoves()
		if err := a.checkInvariants(); err != nil {
			t.Fatal(err)
		}
		for _, b := range live {
			if got := a.Bytes(b.ref, b.size); !bytes.Equal(got, bytes.Repeat([]byte{b.fill}, b.size)) {
				t.Fatalf("block %#x has changed", b.ref)
			}
			if a.MayMove(b.ref) {
				t.Fatalf("block %#x may still move", b.ref)
			}
		}
		if a.Used() != used || moved != planned || moved == 0 || a.ActiveBytes() > active/2 {
			t.Errorf("seed %d: %d of %d planned blocks moved, pages of %d bytes for %d, before %d", seed, moved, planned, a.ActiveBytes(), a.Used(), active)
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
