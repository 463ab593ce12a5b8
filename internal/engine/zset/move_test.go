package zset

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/redwingdb/redwing/internal/engine/arena"
)

// Every node comes once, and the tree is the same in its new places.
func TestMoveNodes(t *testing.T) {
	for _, n := range []int{1, 3, 200, 30_000} {
		w := newWorld(t, 0)
		for i := range n {
			ref, err := w.record([]byte(fmt.Sprint(i)))
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Insert(float64(rand.IntN(1000)), ref); err != nil {
				t.Fatal(err)
			}
		}
		var before []arena.Ref
		for c := w.First(); c.Valid(); c.Next() {
			before = append(before, c.Ref())
		}
		bytes := w.Bytes()
		moved := map[arena.Ref]bool{}
		var old int64
		for rank := 0; rank < w.H.Len(); {
			rank = w.MoveNodes(rank, func(ref arena.Ref) arena.Ref {
				if moved[ref] {
					t.Fatalf("the node at %d comes twice", ref)
				}
				size := w.A.Size(ref)
				to, err := w.A.Alloc(int(size))
				if err != nil {
					t.Fatal(err)
				}
				copy(unsafe.Slice((*byte)(w.A.At(to)), size), unsafe.Slice((*byte)(w.A.At(ref)), size))
				w.A.Free(ref)
				moved[to] = true
				old += size
				return to
			})
		}
		if err := w.checkInvariants(w.dense); err != nil {
			t.Fatal(err)
		}
		if old != bytes {
			t.Errorf("%d entries: nodes of %d bytes came, of %d there are", n, old, bytes)
		}
		i := 0
		for c := w.First(); c.Valid(); c.Next() {
			if c.Ref() != before[i] {
				t.Fatalf("entry %d has changed", i)
			}
			i++
		}
	}
}
