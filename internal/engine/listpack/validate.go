package listpack

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrCorrupt is returned when bytes are no listpack.
var ErrCorrupt = errors.New("listpack: corrupt")

// Validate reports whether lp, bytes of any origin, is exactly one listpack (listpack.c,
// lpValidateIntegrity). Without deep only its header and end are looked at: enough
// for Bytes, not for walking. With deep every entry is, and each, if not nil, is called
// with the offset and the number of each entry once that entry is known to be whole; it
// may read it with Value, and returns false to refuse it. No byte outside lp is read.
func Validate(lp []byte, deep bool, each func(off, index int) bool) error {
	if len(lp) < EmptyBytes || uint64(binary.LittleEndian.Uint32(lp)) != uint64(len(lp)) || lp[len(lp)-1] != end {
		return fmt.Errorf("%w: header or end of %d bytes", ErrCorrupt, len(lp))
	}
	if !deep {
		return nil
	}
	off, n := headerBytes, 0
	for ; lp[off] != end; n++ {
		next := wholeEntry(lp, off)
		if next < 0 {
			return fmt.Errorf("%w: entry %d at byte %d of %d", ErrCorrupt, n, off, len(lp))
		}
		if each != nil && !each(off, n) {
			return fmt.Errorf("%w: entry %d at byte %d refused", ErrCorrupt, n, off)
		}
		off = next
	}
	if off != len(lp)-1 {
		return fmt.Errorf("%w: ends at byte %d of %d", ErrCorrupt, off, len(lp))
	}
	if known := count(lp); known != unknown && known != n {
		return fmt.Errorf("%w: %d entries instead of %d", ErrCorrupt, n, known)
	}
	return nil
}

// wholeEntry returns the offset behind the entry at off, which leaves at least the end
// byte, or -1 if there is no whole entry.
func wholeEntry(lp []byte, off int) int {
	b, room := lp[off], len(lp)-1-off
	lengthBytes := 1
	switch {
	case b > tagInt64:
		return -1
	case b >= tagString12 && b < tagString32:
		lengthBytes = 2
	case b == tagString32:
		lengthBytes = 5
	}
	if lengthBytes > room {
		return -1
	}
	n := size(lp, off)
	back := backBytes(n)
	if n+back > room {
		return -1
	}
	// The back length must be of as many bytes as its value takes, or a walk backwards
	// would read it otherwise.
	var want [5]byte
	for i, c := range appendBack(want[:0], n) {
		if lp[off+n+i] != c {
			return -1
		}
	}
	return off + n + back
}
