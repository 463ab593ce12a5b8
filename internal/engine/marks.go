package engine

import (
	"github.com/redwingdb/redwing/internal/engine/arena"
	"github.com/redwingdb/redwing/internal/engine/table"
	"github.com/redwingdb/redwing/internal/slots"
)

// walk is a snapshot's way through one space: the marks of its bucket chains and how far
// the walker has come. It is guarded by the shard's lock.
//
// The one rule: no chain changes its contents while it is unmarked for a live snapshot;
// whoever wants to change it first hands its records over and marks it. The marks of a
// table are made when it is first touched after the cut, by a writer or by the walker,
// so its arrays are then those of the cut; arrays that the marks do not know were born
// after it and count as marked.
type walk struct {
	snap *Snapshot
	sh   *shard
	sp   *space
	also []*space // spaces that hold a slot of sp by now and are watched for it
	db   int      // its number at the cut

	marks []*marks // by local slot number
	none  marks    // of a table without unmarked chains

	local  uint32 // the walker's place: tables before are done
	array  int
	bucket uint32
	done   bool
}

// marks are those of one table: for each array that it had at the cut one bit a chain.
type marks struct{ arrays [2]markedArray }

type markedArray struct {
	table.Array        // Ref 0: no such array, or freed since
	bits        bitset // nil: no chain is marked
}

// seesLocked reports whether a change of a slot of the space concerns w.
func (w watch) seesLocked(local uint32) bool {
	return (w.only < 0 || w.only == int32(local)) && !w.walk.done && w.walk.covers(local)
}

func (w *walk) slot(local uint32) slots.Slot { return w.snap.k.slotOf(w.sh.index, local) }

func (w *walk) covers(local uint32) bool {
	return w.snap.slots == nil || w.snap.slots.Has(w.slot(local))
}

// needsLocked reports whether the walker has still to read the table of a slot.
func (w *walk) needsLocked(local uint32) bool { return !w.done && local >= w.local }

// marksLocked returns the marks of a slot's table, made if this is the first touch.
func (w *walk) marksLocked(local uint32) *marks {
	if w.marks == nil {
		w.marks = make([]*marks, len(w.sp.headers))
	}
	if m := w.marks[local]; m != nil {
		return m
	}
	t := table.Table{A: w.sh.arena, H: &w.sp.headers[local], Hash: &w.snap.k.hash}
	arrays := t.Arrays()
	m := &w.none
	if arrays[0].Ref != 0 {
		m = &marks{}
		for i, x := range arrays {
			m.arrays[i] = markedArray{Array: x}
		}
	}
	w.marks[local] = m
	return m
}

// take marks chain i of the array and reports whether it was unmarked.
func (x *markedArray) take(i uint32) bool {
	if i >= x.Buckets || !x.Uses(i) {
		return false
	}
	if x.bits == nil {
		x.bits = make(bitset, (x.Buckets+63)/64)
	}
	if x.bits.has(i) {
		return false
	}
	x.bits.set(i)
	return true
}

// BeforeChange hands the chain over to every live snapshot for which it is unmarked.
func (h *hook) BeforeChange(arr arena.Ref, i uint32) {
	for _, w := range h.sp.watches {
		if !w.seesLocked(h.local) {
			continue
		}
		m := w.walk.marksLocked(h.local)
		for j := range m.arrays {
			if x := &m.arrays[j]; x.Ref == arr && x.take(i) {
				w.walk.handOverLocked(h.local, arr, i)
			}
		}
	}
}

// ArrayGone makes every live snapshot forget the array.
func (h *hook) ArrayGone(arr arena.Ref) {
	for _, w := range h.sp.watches {
		if !w.seesLocked(h.local) {
			continue
		}
		m := w.walk.marksLocked(h.local)
		for j := range m.arrays {
			if x := &m.arrays[j]; x.Ref == arr && m != &w.walk.none {
				*x = markedArray{}
			}
		}
	}
}

// handOverLocked copies a chain to the snapshot's queue, ahead of its change.
func (w *walk) handOverLocked(local uint32, arr arena.Ref, i uint32) {
	w.snap.queue.handOver(&w.snap.queue.mu.pieces, func(p *piece) { p.addChain(w, local, arr, i) })
}

// stepLocked walks on until it has passed a bounded number of chains and bytes, gives
// what it found unmarked to p, and reports whether the space is done.
func (w *walk) stepLocked(p *piece) (done bool) {
	most := &w.snap.k.stride
	for chains := 0; int(w.local) < len(w.sp.headers); {
		if !w.covers(w.local) {
			w.local++
			continue
		}
		m := w.marksLocked(w.local)
		for ; w.array < len(m.arrays); w.array, w.bucket = w.array+1, 0 {
			x := &m.arrays[w.array]
			for ; w.bucket < x.Buckets; w.bucket++ {
				if chains == most.chains || len(p.buf) >= most.bytes || len(p.roots) >= most.roots {
					return false
				}
				chains++
				if x.take(w.bucket) {
					p.addChain(w, w.local, x.Ref, w.bucket)
				}
			}
		}
		w.marks[w.local] = &w.none
		w.local, w.array, w.bucket = w.local+1, 0, 0
	}
	return true
}

// leaveLocked ends the walk: its space, and where a slot of it went, is watched no more.
func (w *walk) leaveLocked() {
	w.done, w.marks = true, nil
	for _, sp := range append(w.also, w.sp) {
		kept := sp.watches[:0]
		for _, x := range sp.watches {
			if x.walk != w {
				kept = append(kept, x)
			}
		}
		clear(sp.watches[len(kept):])
		sp.watches = kept
	}
	w.also = nil
}
