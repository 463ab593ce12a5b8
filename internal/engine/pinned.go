package engine

import (
	"unsafe"

	"github.com/redwingdb/redwing/internal/engine/arena"
	"github.com/redwingdb/redwing/internal/engine/stream"
	"github.com/redwingdb/redwing/internal/engine/table"
)

// A big collection is handed to a snapshot as a pin of its root, made in a time that does
// not depend on its size: by the walker, or by the writer that is about to change
// something under the key, be it to rename, overwrite or delete it. The pin keeps what is
// behind the root readable as it was at the cut until the snapshot's user has read it:
//
//	hash, set, zset   the one rule one level down: no bucket chain of the collection's table
//	                  changes while it is unmarked for a live pin; who wants to change it hands
//	                  its elements over first, to the pin's own run
//	list              the array of nodes is copied at the first write, nodes before they change
//	stream            each tree of it notes what its changes replaced (stream.Past)
//
// A root that no key has any more is freed with its last pin.

// pinnedRoot is a root with pins. It is guarded by its shard's lock.
type pinnedRoot struct {
	sh     *shard
	typ    Type
	root   arena.Ref
	pins   []*rootPin // oldest first
	pasts  stream.Pasts
	orphan bool  // no key has it,
	bytes  int64 // and it has about so many, which are kept
}

// rootPin is what a snapshot holds of a collection.
type rootPin struct {
	of    *pinnedRoot
	snap  *Snapshot
	count int   // elements at the cut
	nodes int   // nodes of a list at the cut
	near  int64 // nearest expiry of a field at the cut, 0: none
	past  pinnedPast
	run   []*piece // guarded by the queue's mutex: what writers have handed over
	noted int64    // likewise: bytes of notes, which count in the queue
	kept  int64    // guarded by the shard's lock: bytes of blocks kept for this pin and older ones

	// Of the goroutine that uses the snapshot.
	piece    *piece // being read
	parts    Parts  // of it
	walked   bool   // past has given all
	released bool
	err      error
}

// pinnedPast reads what a collection was at the cut. Its methods REQUIRE the shard's lock.
type pinnedPast interface {
	// stepLocked gives the next parts to p, so many as a short hold allows, and reports
	// whether they are the last. Its error is ErrNoSpace: the past could not be kept.
	stepLocked(p *piece) (done bool, err error)
	// endLocked gives up what was kept for the pin, number i of the root's.
	endLocked(i int)
}

// orphanSamples is how many elements tell how much memory an orphan takes.
const orphanSamples = 16

// rootPinBytes is about what a pin takes, for the bound of the queue.
const rootPinBytes = 512

// pinRootLocked pins the root of r for s, which covers it and has not been handed it yet.
func (sh *shard) pinRootLocked(s *Snapshot, r table.Rec) *rootPin {
	at := sh.arena.At(r.Root())
	x := sh.pinned[at]
	if x == nil {
		x = &pinnedRoot{sh: sh, typ: typeOf(r), root: r.Root()}
		if sh.pinned == nil {
			sh.pinned = map[unsafe.Pointer]*pinnedRoot{}
		}
		sh.pinned[at] = x
	}
	pin := &rootPin{of: x, snap: s, count: opsOf(x.typ).len(sh, x.root)}
	if x.typ == TypeHash {
		pin.near = nearestField(sh, r)
	}
	pin.past = opsOf(x.typ).pin(x, pin)
	x.pins = append(x.pins, pin)
	return pin
}

// pinnedLocked returns the pins of the root at that address, nil if there are none.
func (sh *shard) pinnedLocked(root unsafe.Pointer) *pinnedRoot {
	if len(sh.pinned) == 0 {
		return nil
	}
	return sh.pinned[root]
}

// orphanLocked leaves a root that no key has any more to its pins, if it has some.
func (sh *shard) orphanLocked(root arena.Ref) bool {
	if len(sh.pinned) == 0 {
		return false
	}
	x := sh.pinned[sh.arena.At(root)]
	if x == nil {
		return false
	}
	x.orphan = true
	x.bytes = opsOf(x.typ).size(sh, root, orphanSamples)
	x.pins[0].snap.k.keep(x.bytes)
	return true
}

// release takes the pin off. Calling it again does nothing. REQUIRES: no shard locked by
// the caller.
func (r *rootPin) release() {
	if r.released {
		return
	}
	r.released = true
	x, s := r.of, r.snap
	mask := ShardMask(1) << x.sh.index
	s.k.Lock(mask)
	x.dropLocked(r)
	s.k.Unlock(mask)
	s.recycle(r.piece)
	r.piece, r.parts = nil, Parts{}
	for _, p := range s.queue.takeRun(r) {
		s.unpin(p)
	}
}

func (x *pinnedRoot) dropLocked(r *rootPin) {
	for i, pin := range x.pins {
		if pin == r {
			r.past.endLocked(i)
			if i > 0 {
				x.pins[i-1].kept += r.kept
			} else {
				r.snap.k.keep(-r.kept)
			}
			x.pins = append(x.pins[:i], x.pins[i+1:]...)
			break
		}
	}
	if len(x.pins) > 0 {
		return
	}
	delete(x.sh.pinned, x.sh.arena.At(x.root))
	if x.orphan {
		r.snap.k.keep(-x.bytes)
		x.sh.buryRootLocked(deadRoot{typ: x.typ, root: x.root})
	}
}

// next returns the next part of the collection, false after the last or on error.
func (r *rootPin) next() ([]byte, bool) {
	for {
		if part, ok := r.parts.Next(); ok {
			return part, true
		}
		if !r.refill() {
			return nil, false
		}
	}
}

// refill takes the next piece of the run, or else of the way through what is behind the
// root. Once the way is over nothing is handed over any more.
func (r *rootPin) refill() bool {
	if r.released || r.err != nil {
		return false
	}
	s := r.snap
	s.recycle(r.piece)
	r.piece = nil
	for {
		p, err := s.queue.takeOfRun(r)
		if err != nil {
			s.recycle(p)
			r.err = err
			return false
		}
		if p == nil {
			if r.walked {
				return false
			}
			p = &piece{buf: s.buffer()}
			mask := ShardMask(1) << r.of.sh.index
			s.k.Lock(mask)
			r.walked, r.err = r.past.stepLocked(p)
			s.k.Unlock(mask)
			if r.err != nil {
				s.recycle(p)
				return false
			}
			if len(p.buf) == 0 {
				s.recycle(p)
				continue
			}
		}
		r.piece, r.parts = p, Parts{buf: p.buf, pins: p.pins}
		return true
	}
}

// grew counts bytes of notes that a writer has made for the pin.
func (r *rootPin) grew(bytes int) { r.snap.queue.note(r, int64(bytes)) }

// keeps counts a block that a writer has left to the pin.
func (r *rootPin) keeps(bytes int64) {
	r.kept += bytes
	r.snap.k.keep(bytes)
}

// tablePast is the past of a table of elements.
type tablePast struct {
	pin    *rootPin
	marks  marks
	array  int // the walker's place
	bucket uint32
}

// pinElements begins the past of a collection whose table's header is its root's first
// field.
func pinElements(x *pinnedRoot, pin *rootPin) pinnedPast {
	e := elementsOf(x.sh, nil, (*table.Header)(x.sh.arena.At(x.root)))
	past := &tablePast{pin: pin}
	for i, arr := range e.t.Arrays() {
		past.marks.arrays[i] = markedArray{Array: arr}
	}
	return past
}

func (t *tablePast) stepLocked(p *piece) (done bool, err error) {
	sh, most := t.pin.of.sh, &t.pin.snap.k.stride
	for chains := 0; t.array < len(t.marks.arrays); t.array, t.bucket = t.array+1, 0 {
		x := &t.marks.arrays[t.array]
		for ; t.bucket < x.Buckets; t.bucket++ {
			if chains == most.chains || len(p.buf) >= most.bytes {
				return false, nil
			}
			chains++
			if x.take(t.bucket) {
				p.addElements(sh, x.Ref, t.bucket)
			}
		}
	}
	return true, nil
}

func (t *tablePast) endLocked(int) {}

// BeforeChange implements table.Watch for the table behind the root: it hands the chain
// over to every pin for which it is unmarked.
func (x *pinnedRoot) BeforeChange(arr arena.Ref, i uint32) {
	for _, pin := range x.pins {
		t := pin.past.(*tablePast)
		for j := range t.marks.arrays {
			if a := &t.marks.arrays[j]; a.Ref == arr && a.take(i) {
				pin.snap.queue.handOver(&pin.run, func(p *piece) { p.addElements(x.sh, arr, i) })
			}
		}
	}
}

// ArrayGone implements table.Watch.
func (x *pinnedRoot) ArrayGone(arr arena.Ref) {
	for _, pin := range x.pins {
		t := pin.past.(*tablePast)
		for j := range t.marks.arrays {
			if a := &t.marks.arrays[j]; a.Ref == arr {
				*a = markedArray{}
			}
		}
	}
}
