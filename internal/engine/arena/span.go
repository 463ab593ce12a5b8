package arena

import "unsafe"

// AllocSpan returns a span of its own for a value of size bytes. It reserves addresses
// for twice that (but for no more than maxBytes, and at least for size), so that the
// value can grow in place; of those only pages that are written become resident.
func (a *Arena) AllocSpan(size, maxBytes int64) (Ref, error) {
	reserve := max(size, min(2*size, maxBytes))
	if size <= 0 || size > a.Limit() {
		return 0, ErrNoSpace
	}
	id := uint32(0)
	if reserve <= a.Limit() {
		id = a.allocRun(pagesOf(reserve))
	}
	if id == 0 && pagesOf(reserve) > pagesOf(size) {
		id = a.allocRun(pagesOf(size))
	}
	if id == 0 {
		return 0, ErrNoSpace
	}
	r := &a.runs[id]
	r.kind, r.used = runSpan, pagesOf(size)
	a.mem.populate(r.start, r.used)
	a.usedBy(int64(r.used) << pageShift)
	add(&a.active, int64(r.used))
	ref := Ref(r.start * pageUnits)
	if Checked {
		a.check.allocated(ref, a.mem.at(ref), int(size))
	}
	return ref, nil
}

// SpanRoom returns how many bytes the span ref may grow to in place.
func (a *Arena) SpanRoom(ref Ref) int64 { return int64(a.span(ref).pages) << pageShift }

// GrowSpan counts the span ref as holding size bytes, more or fewer than before, which
// its room must allow.
func (a *Arena) GrowSpan(ref Ref, size int64) {
	r := a.span(ref)
	grown := int64(pagesOf(size)) - int64(r.used)
	if grown < 0 {
		r.stale += uint32(-grown)
	} else {
		a.mem.populate(r.start+r.used, uint32(grown))
	}
	r.used = pagesOf(size)
	a.usedBy(grown << pageShift)
	add(&a.active, grown)
}

// Pin keeps the bytes of the span ref where and as they are until Unpin, even when the
// span is freed meanwhile. Pinned bytes may be read without the owner's lock.
func (a *Arena) Pin(ref Ref) { a.span(ref).pins++ }

// Unpin takes one pin off; the last one of a freed span frees it.
func (a *Arena) Unpin(ref Ref) {
	r := a.span(ref)
	if r.pins == 0 {
		panic("arena: unpin of a span that is not pinned")
	}
	if r.pins--; r.pins == 0 && r.dead {
		a.freeSpan(ref, a.mem.runOf(uint32(ref)/pageUnits))
	}
}

// Pinned reports whether the span ref must not be changed in place.
func (a *Arena) Pinned(ref Ref) bool { return a.span(ref).pins > 0 }

// Bytes returns the first n bytes of the block ref.
func (a *Arena) Bytes(ref Ref, n int) []byte {
	return unsafe.Slice((*byte)(a.At(ref)), n)
}

func (a *Arena) span(ref Ref) *run {
	r := &a.runs[a.mem.runOf(uint32(ref)/pageUnits)]
	if r.kind != runSpan || r.start*pageUnits != uint32(ref) {
		panic("arena: ref is not a span")
	}
	return r
}

func (a *Arena) freeSpan(ref Ref, id uint32) {
	r := &a.runs[id]
	if r.pins > 0 {
		r.dead = true
		return
	}
	if Checked {
		a.check.freedSpan(ref, a.mem.at(ref), int(r.used)<<pageShift)
	}
	a.usedBy(-int64(r.used) << pageShift)
	add(&a.active, -int64(r.used))
	a.freeRun(id, min(r.used+r.stale, r.pages))
}

func pagesOf(size int64) uint32 { return uint32((size + pageSize - 1) >> pageShift) }
