//go:build !linux || race || arenacheck

package effects

// newSegmentBuf takes a segment from the heap, where the race detector sees it.
func newSegmentBuf() (buf []byte, mapped bool) { return make([]byte, segmentBytes), false }

// freeSegmentBuf poisons the bytes, so that a reader that kept them is found.
func freeSegmentBuf(buf []byte, _ bool) {
	for i := range buf {
		buf[i] = 0xdb
	}
}
