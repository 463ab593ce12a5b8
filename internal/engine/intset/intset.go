// Package intset reads and changes intsets, the sorted arrays of integers in which Redis
// keeps small sets of numbers. The bytes are Redis' own (intset.c;
// docs/format/listpack.md). All functions are pure, work on the caller's bytes and
// allocate nothing, but for Add, which grows a Go slice.
//
//	| bytes a value: 2, 4 or 8 (32 bits) | values (32 bits) | value ... |    little-endian
//
// An intset may lie at the start of a longer buffer. Bytes from elsewhere go through
// Validate first.
package intset

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

const headerBytes = 8

// ErrCorrupt is returned when bytes are no intset.
var ErrCorrupt = errors.New("intset: corrupt")

// New appends an empty intset to dst.
func New(dst []byte) []byte { return append(dst, 2, 0, 0, 0, 0, 0, 0, 0) }

// Len returns the number of values.
func Len(is []byte) int { return int(binary.LittleEndian.Uint32(is[4:])) }

func width(is []byte) int { return int(binary.LittleEndian.Uint32(is)) }

// Bytes returns the length of is in bytes.
func Bytes(is []byte) int { return headerBytes + Len(is)*width(is) }

// At returns value i, counted from the smallest.
func At(is []byte, i int) int64 { return at(is, i, width(is)) }

func at(is []byte, i, width int) int64 {
	switch is = is[headerBytes+i*width:]; width {
	case 2:
		return int64(int16(binary.LittleEndian.Uint16(is)))
	case 4:
		return int64(int32(binary.LittleEndian.Uint32(is)))
	}
	return int64(binary.LittleEndian.Uint64(is))
}

func put(is []byte, i, width int, v int64) {
	switch is = is[headerBytes+i*width:]; width {
	case 2:
		binary.LittleEndian.PutUint16(is, uint16(v))
	case 4:
		binary.LittleEndian.PutUint32(is, uint32(v))
	default:
		binary.LittleEndian.PutUint64(is, uint64(v))
	}
}

// Find returns the position of v, or the one at which it would be inserted.
func Find(is []byte, v int64) (pos int, ok bool) {
	n, w := Len(is), width(is)
	if n == 0 || v < at(is, 0, w) {
		return 0, false
	}
	if v > at(is, n-1, w) { // numbers are often added in ascending order
		return n, false
	}
	low, high := 0, n
	for low < high {
		mid := int(uint(low+high) / 2)
		if at(is, mid, w) < v {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low, at(is, low, w) == v
}

// Random returns the value that the random number picks; is must not be empty.
func Random(is []byte, random uint64) int64 { return At(is, int(random%uint64(Len(is)))) }

func widthOf(v int64) int {
	switch {
	case v == int64(int16(v)):
		return 2
	case v == int64(int32(v)):
		return 4
	}
	return 8
}

// InsertSize returns the bytes of is once v, which it does not have, has been inserted:
// a value that needs more room widens all of them.
func InsertSize(is []byte, v int64) int {
	return headerBytes + (Len(is)+1)*max(width(is), widthOf(v))
}

// Insert inserts v and reports whether it was not there. The buffer must have room for
// InsertSize bytes.
func Insert(is []byte, v int64) bool {
	n, old := Len(is), width(is)
	pos, ok := Find(is, v)
	if ok {
		return false
	}
	w := max(old, widthOf(v))
	if w == old {
		from := headerBytes + pos*w
		copy(is[from+w:headerBytes+(n+1)*w], is[from:headerBytes+n*w])
	} else {
		// v lies outside the range of the others: in front of all or behind.
		shift := 0
		if v < 0 {
			shift = 1
		}
		for i := n - 1; i >= 0; i-- {
			put(is, i+shift, w, at(is, i, old))
		}
		binary.LittleEndian.PutUint32(is, uint32(w))
	}
	put(is, pos, w, v)
	binary.LittleEndian.PutUint32(is[4:], uint32(n+1))
	return true
}

// Add inserts v into the intset is, the whole of a Go slice, which grows.
func Add(is []byte, v int64) (_ []byte, added bool) {
	n, size := len(is), InsertSize(is, v)
	is = slices.Grow(is, size-n)[:size]
	if !Insert(is, v) {
		return is[:n], false
	}
	return is, true
}

// Remove takes v out in place and returns how many bytes are left, and whether v was
// there. Values are never narrowed again, as in Redis.
func Remove(is []byte, v int64) (size int, removed bool) {
	pos, ok := Find(is, v)
	if !ok {
		return Bytes(is), false
	}
	RemoveAt(is, pos)
	return Bytes(is), true
}

// RemoveAt takes out the value at pos, in place.
func RemoveAt(is []byte, pos int) {
	n, w := Len(is), width(is)
	from := headerBytes + pos*w
	copy(is[from:], is[from+w:headerBytes+n*w])
	binary.LittleEndian.PutUint32(is[4:], uint32(n-1))
}

// Validate reports whether is, bytes of any origin, is exactly one intset with at least
// one value (intset.c, intsetValidateIntegrity); with deep also whether the values
// ascend. No byte outside is is read.
func Validate(is []byte, deep bool) error {
	if len(is) < headerBytes {
		return fmt.Errorf("%w: %d bytes", ErrCorrupt, len(is))
	}
	n, w := Len(is), width(is)
	if w != 2 && w != 4 && w != 8 || n == 0 || len(is) != headerBytes+n*w {
		return fmt.Errorf("%w: %d values of %d bytes in %d", ErrCorrupt, n, w, len(is))
	}
	for i := 1; deep && i < n; i++ {
		if at(is, i-1, w) >= at(is, i, w) {
			return fmt.Errorf("%w: value %d is not above the one before", ErrCorrupt, i)
		}
	}
	return nil
}
