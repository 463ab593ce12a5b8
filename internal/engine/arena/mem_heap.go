//go:build !linux || race || arenacheck

package arena

import "unsafe"

// chunkPages is the step in which the range is backed: 1 MiB.
const chunkPages = 256

// memory backs the range by the Go heap, chunk by chunk, so that the race detector sees
// it and systems without mmap can run it. A run longer than a chunk gets contiguous
// chunks; runs never cross a boundary between separate allocations.
type memory struct {
	limit  uint32
	chunks []unsafe.Pointer // by page / chunkPages
	bounds map[uint32]bool  // first pages of allocations
	pageTo []uint32
}

func (m *memory) reserve(limit int64) error {
	m.limit = uint32(limit >> pageShift)
	m.bounds = map[uint32]bool{}
	m.grow(0, chunkPages)
	return nil
}

func (m *memory) release() error {
	*m = memory{}
	return nil
}

func (m *memory) pages() uint32 { return m.limit }

func (m *memory) at(ref Ref) unsafe.Pointer {
	page := uint32(ref) / pageUnits
	in := uintptr(page%chunkPages)<<pageShift + uintptr(uint32(ref)%pageUnits)*Unit
	return unsafe.Add(m.chunks[page/chunkPages], in)
}

func (m *memory) runOf(page uint32) uint32 { return m.pageTo[page] }

func (m *memory) setRun(page, id uint32) { m.pageTo[page] = id }

// extend returns the first page of a new range of pages at or after top: at top while
// the present chunk has room, else at the next chunk.
func (m *memory) extend(top, pages, limit uint32) (uint32, bool) {
	end := uint32(len(m.chunks)) * chunkPages
	if pages > limit-top {
		return 0, false
	}
	if top+pages <= end {
		return top, true
	}
	if pages > limit-end {
		return 0, false
	}
	m.grow(end, pages)
	return end, true
}

func (m *memory) grow(page, pages uint32) {
	n := (pages + chunkPages - 1) / chunkPages
	base := unsafe.Pointer(unsafe.SliceData(make([]uint64, int(n)*chunkPages*pageUnits)))
	m.bounds[page] = true
	for i := range n {
		m.chunks = append(m.chunks, unsafe.Add(base, uintptr(i)*chunkPages<<pageShift))
	}
	m.pageTo = append(m.pageTo, make([]uint32, n*chunkPages)...)
}

// boundary reports whether the memory of page does not follow that of the page before.
func (m *memory) boundary(page uint32) bool { return m.bounds[page] }

func (m *memory) populate(uint32, uint32) {}

func (m *memory) advise(uint32, uint32) {}
