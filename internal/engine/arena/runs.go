package arena

import (
	"math/bits"
	"slices"
)

type runKind uint8

const (
	runUnused runKind = iota // the id is on the list of unused ids
	runSlab
	runSpan
	runFree
	runAdvising // taken off the free lists while its pages are given back
)

// run is a range of pages. Only the run map entries of a run's first and last page are
// always right; slabs have all of them set.
//
//	unused -> slab | span -> free -> slab | span ...   (free runs merge and split)
//	          free -> advising -> free
type run struct {
	start, pages uint32
	next, prev   uint32 // free: the bin's list; slab with free blocks: the class's list; unused: next only
	kind         runKind
	class        uint8  // slab
	dead         bool   // span: freed, waits for its last pin
	sparse       bool   // slab: its blocks are to move to others (PlanMoves)
	used         uint32 // slab: live blocks; span: counted pages; free: pages that may be resident
	stale        uint32 // span: pages that may have been resident when it was made
	blocks       uint32 // slab: capacity
	bump         uint32 // slab: blocks ever handed out
	pins         uint32 // span
	freeHead     Ref    // slab: free blocks, linked through their first bytes
}

// freeBins holds the free runs by length: four bins to a doubling.
type freeBins struct {
	head [24 * 4]uint32
	some [2]uint64 // bit a bin: not empty
}

// binProbes bounds how many runs of the bin that may be too short are looked at.
const binProbes = 4

func binOf(pages uint32) int {
	exp := bits.Len32(pages) - 1
	sub := uint32(0)
	if exp >= 2 {
		sub = pages >> (exp - 2) & 3
	} else if exp == 1 {
		sub = pages & 1 << 1
	}
	return min(exp*4+int(sub), len(freeBins{}.head)-1)
}

func (a *Arena) newID() uint32 {
	if id := a.freeIDs; id != 0 {
		a.freeIDs = a.runs[id].next
		return id
	}
	a.runs = append(a.runs, run{})
	return uint32(len(a.runs) - 1)
}

func (a *Arena) dropID(id uint32) {
	a.runs[id] = run{next: a.freeIDs}
	a.freeIDs = id
}

func (a *Arena) setEnds(id uint32) {
	r := &a.runs[id]
	a.mem.setRun(r.start, id)
	a.mem.setRun(r.start+r.pages-1, id)
}

// allocRun returns a run of exactly pages pages of no kind yet, or 0.
func (a *Arena) allocRun(pages uint32) uint32 {
	if id := a.findFree(pages); id != 0 {
		a.unlinkFree(id)
		if spare := a.runs[id].pages - pages; spare > 0 {
			rest := a.newID()
			r := &a.runs[id]
			r.pages = pages
			dirty := min(r.used, spare)
			a.runs[rest] = run{start: r.start + pages, pages: spare, kind: runFree, used: dirty}
			a.linkFree(rest)
		}
		r := &a.runs[id]
		*r = run{start: r.start, pages: pages, stale: min(r.used, pages)}
		a.setEnds(id)
		return id
	}
	start, ok := a.mem.extend(a.top, pages, a.limit)
	if !ok {
		return 0
	}
	a.top = start + pages
	id := a.newID()
	a.runs[id] = run{start: start, pages: pages}
	a.setEnds(id)
	return id
}

func (a *Arena) findFree(pages uint32) uint32 {
	bin := binOf(pages)
	id := a.bins.head[bin]
	for range binProbes {
		if id == 0 {
			break
		}
		if a.runs[id].pages >= pages {
			return id
		}
		id = a.runs[id].next
	}
	for bin++; bin < len(a.bins.head); bin++ {
		rest := a.bins.some[bin>>6] >> (bin & 63)
		if rest == 0 {
			bin |= 63
			continue
		}
		bin += bits.TrailingZeros64(rest)
		return a.bins.head[bin]
	}
	return 0
}

// freeRun puts run id, of which dirty pages may be resident, among the free ones,
// merged with free neighbours.
func (a *Arena) freeRun(id, dirty uint32) {
	r := &a.runs[id]
	*r = run{start: r.start, pages: r.pages, kind: runFree, used: dirty}
	if r.start > 1 && !a.mem.boundary(r.start) {
		if left := a.mem.runOf(r.start - 1); a.runs[left].kind == runFree {
			a.unlinkFree(left)
			r.start, r.pages, r.used = a.runs[left].start, r.pages+a.runs[left].pages, r.used+a.runs[left].used
			a.dropID(left)
		}
	}
	if end := r.start + r.pages; end < a.top && !a.mem.boundary(end) {
		if right := a.mem.runOf(end); a.runs[right].kind == runFree {
			a.unlinkFree(right)
			r.pages, r.used = r.pages+a.runs[right].pages, r.used+a.runs[right].used
			a.dropID(right)
		}
	}
	a.linkFree(id)
}

func (a *Arena) linkFree(id uint32) {
	r := &a.runs[id]
	bin := binOf(r.pages)
	r.prev, r.next = 0, a.bins.head[bin]
	if r.next != 0 {
		a.runs[r.next].prev = id
	}
	a.bins.head[bin] = id
	a.bins.some[bin>>6] |= 1 << (bin & 63)
	add(&a.dirty, int64(r.used))
	a.setEnds(id)
}

func (a *Arena) unlinkFree(id uint32) {
	r := &a.runs[id]
	bin := binOf(r.pages)
	if r.prev != 0 {
		a.runs[r.prev].next = r.next
	} else if a.bins.head[bin] = r.next; r.next == 0 {
		a.bins.some[bin>>6] &^= 1 << (bin & 63)
	}
	if r.next != 0 {
		a.runs[r.next].prev = r.prev
	}
	r.next, r.prev = 0, 0
	add(&a.dirty, -int64(r.used))
}

func (a *Arena) newSlab(class int) uint32 {
	pages := slabPages(class, a.pages[class])
	id := a.allocRun(pages)
	if id == 0 {
		return 0
	}
	r := &a.runs[id]
	r.kind, r.class = runSlab, uint8(class)
	r.blocks = pages * pageSize / uint32(classBytes(class))
	for p := range pages {
		a.mem.setRun(r.start+p, id)
	}
	a.pages[class] += pages
	add(&a.active, int64(pages))
	a.linkPartial(class, id)
	return id
}

// keptSlabs bounds the slabs that an arena keeps though no block in them is live.
const keptSlabs = 4

// slabEmptied gives a slab without live blocks back. If it is its class's only one with
// room it is kept for a while instead: a key set and deleted over and over must not cost a
// slab each time. Only the last few are, since a value that grows leaves one behind in each
// class on its way.
func (a *Arena) slabEmptied(class int, id uint32) {
	if r := &a.runs[id]; r.next != 0 || r.prev != 0 {
		a.dropSlab(class, id)
		return
	}
	if slices.Contains(a.kept[:], id) {
		return
	}
	old := &a.kept[a.nextKept]
	a.nextKept = (a.nextKept + 1) % keptSlabs
	// Its run may be another slab by now, which is dropped as well if it is empty.
	if r := &a.runs[*old]; *old != 0 && r.kind == runSlab && r.used == 0 {
		a.dropSlab(int(r.class), *old)
	}
	*old = id
}

func (a *Arena) dropSlab(class int, id uint32) {
	r := &a.runs[id]
	a.unlinkPartial(class, id)
	a.pages[class] -= r.pages
	add(&a.active, -int64(r.pages))
	a.freeRun(id, r.pages)
}

func (a *Arena) linkPartial(class int, id uint32) {
	r := &a.runs[id]
	r.prev, r.next = 0, a.partial[class]
	if r.next != 0 {
		a.runs[r.next].prev = id
	}
	a.partial[class] = id
}

func (a *Arena) unlinkPartial(class int, id uint32) {
	r := &a.runs[id]
	if r.prev != 0 {
		a.runs[r.prev].next = r.next
	} else {
		a.partial[class] = r.next
	}
	if r.next != 0 {
		a.runs[r.next].prev = r.prev
	}
	r.next, r.prev = 0, 0
}
