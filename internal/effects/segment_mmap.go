//go:build linux && !race && !arenacheck

package effects

import "golang.org/x/sys/unix"

// newSegmentBuf maps the bytes of a segment outside the heap; where the system has
// no mapping left it takes them from the heap.
func newSegmentBuf() (buf []byte, mapped bool) {
	b, err := unix.Mmap(-1, 0, segmentBytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return make([]byte, segmentBytes), false
	}
	return b, true
}

func freeSegmentBuf(buf []byte, mapped bool) {
	if !mapped {
		return
	}
	// The only possible failure is an address that was never mapped, which would be
	// a bug of this file; the memory is then merely kept.
	_ = unix.Munmap(buf)
}
