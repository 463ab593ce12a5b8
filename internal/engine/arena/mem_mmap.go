//go:build linux && !race && !arenacheck

package arena

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// memory is one reserved range of addresses and, in a range of its own, the map from
// page to run. Both are backed by the system page by page as they are written.
type memory struct {
	base   unsafe.Pointer
	data   []byte
	pageTo []uint32
	meta   []byte
}

func (m *memory) reserve(limit int64) error {
	const flags = unix.MAP_PRIVATE | unix.MAP_ANON | unix.MAP_NORESERVE
	limit = limit &^ (pageSize - 1)
	data, err := unix.Mmap(-1, 0, int(limit), unix.PROT_READ|unix.PROT_WRITE, flags)
	if err != nil {
		return err
	}
	meta, err := unix.Mmap(-1, 0, int(limit>>pageShift)*4, unix.PROT_READ|unix.PROT_WRITE, flags)
	if err != nil {
		_ = unix.Munmap(data)
		return err
	}
	// Sparse slabs must not be backed by whole huge pages. A kernel without the feature
	// refuses the advice, which is as good.
	_ = unix.Madvise(data, unix.MADV_NOHUGEPAGE)
	m.data, m.meta = data, meta
	m.base = unsafe.Pointer(unsafe.SliceData(data))
	m.pageTo = unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(meta))), limit>>pageShift)
	return nil
}

func (m *memory) release() error {
	if m.data == nil {
		return nil
	}
	err := unix.Munmap(m.data)
	if err2 := unix.Munmap(m.meta); err == nil {
		err = err2
	}
	*m = memory{}
	return err
}

func (m *memory) pages() uint32 { return uint32(len(m.pageTo)) }

func (m *memory) at(ref Ref) unsafe.Pointer { return unsafe.Add(m.base, uintptr(ref)*Unit) }

func (m *memory) runOf(page uint32) uint32 { return m.pageTo[page] }

func (m *memory) setRun(page, id uint32) { m.pageTo[page] = id }

// extend returns the first page of a new range of pages at top.
func (m *memory) extend(top, pages, limit uint32) (uint32, bool) {
	return top, pages <= limit-top
}

// boundary reports whether the memory of page does not follow that of the page before.
func (m *memory) boundary(uint32) bool { return false }

// populate makes pages resident that are about to be written: a call for many costs a
// fraction of the faults.
func (m *memory) populate(start, pages uint32) {
	b := m.data[int64(start)<<pageShift : int64(start+pages)<<pageShift]
	for len(b) > 0 {
		n := min(len(b), adviseBytes)
		if unix.Madvise(b[:n], unix.MADV_POPULATE_WRITE) != nil {
			return // a kernel before 5.14: they become so when they are written
		}
		b = b[n:]
	}
}

func (m *memory) advise(start, pages uint32) {
	b := m.data[int64(start)<<pageShift : int64(start+pages)<<pageShift]
	for len(b) > 0 {
		n := min(len(b), adviseBytes)
		// A refusal leaves the pages resident, which is what they were.
		_ = unix.Madvise(b[:n], unix.MADV_DONTNEED)
		b = b[n:]
	}
}
