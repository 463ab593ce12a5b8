package bitmap

import (
	"encoding/binary"
	"math"
)

// field is an integer within a string: width bits from a bit offset on, the highest
// first.
type field struct {
	off    int64
	width  int
	signed bool
}

// end returns how many bytes a string needs to hold the field.
func (f field) end() int { return int((f.off+int64(f.width)-1)>>3) + 1 }

// window returns the nine bytes from that of the first bit on, zeros behind the end.
func (f field) window(v []byte) (w [9]byte) {
	if at := f.off >> 3; at < int64(len(v)) {
		copy(w[:], v[at:])
	}
	return w
}

// load returns the bits of f in v, those behind its end zero, as an int64 carries them:
// unsigned fields have at most 63.
func (f field) load(v []byte) int64 {
	w := f.window(v)
	skip := f.off & 7
	top := binary.BigEndian.Uint64(w[:])<<skip | uint64(w[8])>>(8-skip)
	if f.signed {
		return int64(top) >> (64 - f.width)
	}
	return int64(top >> (64 - f.width))
}

// store writes the low bits of x, which v must have room for.
func (f field) store(v []byte, x int64) {
	w := f.window(v)
	skip := f.off & 7
	mask := uint64(math.MaxUint64) << (64 - f.width)
	bits := uint64(x) << (64 - f.width)
	high := binary.BigEndian.Uint64(w[:])
	binary.BigEndian.PutUint64(w[:], high&^(mask>>skip)|bits>>skip)
	w[8] = w[8]&^byte(mask<<(8-skip)) | byte(bits<<(8-skip))
	copy(v[f.off>>3:], w[:])
}

// overflow is what happens to a number that a field cannot hold.
type overflow uint8

const (
	wrap overflow = iota
	saturate
	fail
)

// fit returns x + by as f holds it under o, and false where o refuses: then nothing is
// stored. For an unsigned field x and by are taken as Redis takes them: x as 64 bits
// without a sign, by with one (Redis 7.2, bitops.c, check...BitfieldOverflow).
func (f field) fit(x, by int64, o overflow) (_ int64, ok bool) {
	var over, under bool
	if f.signed {
		over, under = f.signedRange(x, by)
	} else {
		over, under = f.unsignedRange(uint64(x), by)
	}
	switch {
	case !over && !under, o == wrap:
		return f.wrapped(x + by), true
	case o == fail:
		return 0, false
	case over:
		return f.max(), true
	}
	return f.min(), true
}

func (f field) max() int64 {
	if f.signed {
		return math.MaxInt64 >> (64 - f.width)
	}
	return int64(uint64(math.MaxUint64) >> (64 - f.width))
}

func (f field) min() int64 {
	if f.signed {
		return -f.max() - 1
	}
	return 0
}

// signedRange tells on which side of the range x + by falls. The differences wrap around
// as they do in Redis: a SET of a number so far below the range that they do is taken to
// be above it (OVERFLOW SAT then stores the highest number).
func (f field) signedRange(x, by int64) (over, under bool) {
	lo, hi := f.min(), f.max()
	if x > hi || (f.width != 64 || x >= 0 && by > 0) && by > hi-x {
		return true, false
	}
	return false, x < lo || (f.width != 64 || x < 0 && by < 0) && by < lo-x
}

func (f field) unsignedRange(x uint64, by int64) (over, under bool) {
	hi := uint64(f.max())
	switch {
	case x > hi:
		return true, false
	case by >= 0:
		return uint64(by) > hi-x, false
	}
	return false, -uint64(by) > x
}

// wrapped keeps the low bits of x, with the sign that the highest of them is.
func (f field) wrapped(x int64) int64 {
	top := uint64(x) << (64 - f.width)
	if f.signed {
		return int64(top) >> (64 - f.width)
	}
	return int64(top >> (64 - f.width))
}
