package listpack

import (
	"bytes"
	"encoding/binary"
	"strconv"

	"github.com/redwingdb/redwing/internal/engine/bulk"
)

// The first byte of an entry says what it is. Integers are two's complement, the longer
// ones little-endian; lengths of strings too, but for the 12-bit one.
const (
	tagString6  = 0x80 // 10nnnnnn: length
	tagInt13    = 0xC0 // 110nnnnn n: big-endian
	tagString12 = 0xE0 // 1110nnnn n: length, big-endian
	tagString32 = 0xF0 // then 4 bytes of length
	tagInt16    = 0xF1
	tagInt24    = 0xF2
	tagInt32    = 0xF3
	tagInt64    = 0xF4

	invalid = "listpack: no entry at this offset"
)

// size returns the bytes of the entry at off without its back length.
func size(lp []byte, off int) int {
	switch b := lp[off]; {
	case b < tagString6:
		return 1
	case b < tagInt13:
		return 1 + int(b&0x3F)
	case b < tagString12:
		return 2
	case b < tagString32:
		return 2 + int(b&0x0F)<<8 + int(lp[off+1])
	case b == tagString32:
		return 5 + int(binary.LittleEndian.Uint32(lp[off+1:]))
	case b <= tagInt32:
		return int(b) - tagInt16 + 3
	case b == tagInt64:
		return 9
	}
	panic(invalid)
}

// backBytes returns the bytes of a back length of n. The bounds are Redis', which are
// one short of what 7 bits a byte could hold, except for the first.
func backBytes(n int) int {
	switch {
	case n <= 127:
		return 1
	case n < 1<<14-1:
		return 2
	case n < 1<<21-1:
		return 3
	case n < 1<<28-1:
		return 4
	}
	return 5
}

// backLength reads the back length that ends before off: 7 bits a byte, the lowest in
// the last byte, all but the first byte marked.
func backLength(lp []byte, off int) int {
	off--
	n, shift := int(lp[off]&127), 0
	for lp[off]&128 != 0 {
		off--
		shift += 7
		n |= int(lp[off]&127) << shift
	}
	return n
}

// skip returns the offset behind the entry at off. It is inlined for short entries, whose
// bit 7 tells a string from an integer without a branch.
func skip(lp []byte, off int) int {
	if b := lp[off]; b < tagInt13 {
		return off + 2 + int(b&0x3F*(b>>7))
	}
	return skipLong(lp, off)
}

func skipLong(lp []byte, off int) int {
	n := size(lp, off)
	return off + n + backBytes(n)
}

// Value returns the entry at off: a string in place, or an integer.
func Value(lp []byte, off int) (str []byte, v int64, isInt bool) {
	b := lp[off]
	if b < tagString6 {
		return nil, int64(b), true
	}
	if b < tagInt13 {
		return lp[off+1 : off+1+int(b&0x3F)], 0, false
	}
	return longValue(lp, off)
}

// Step is Value and Next in one: it returns the entry at off and the offset of the next
// one, or -1.
func Step(lp []byte, off int) (str []byte, v int64, isInt bool, next int) {
	b := lp[off]
	switch {
	case b < tagString6:
		v, isInt, next = int64(b), true, off+2
	case b < tagInt13:
		next = off + 2 + int(b&0x3F)
		str = lp[off+1 : next-1]
	default:
		str, v, isInt = longValue(lp, off)
		next = skipLong(lp, off)
	}
	if lp[next] == end {
		next = -1
	}
	return str, v, isInt, next
}

func longValue(lp []byte, off int) (str []byte, v int64, isInt bool) {
	switch b := lp[off]; {
	case b < tagString12:
		return nil, int64(b&0x1F)<<59>>51 | int64(lp[off+1]), true
	case b < tagString32:
		return lp[off+2 : off+size(lp, off)], 0, false
	case b == tagString32:
		return lp[off+5 : off+size(lp, off)], 0, false
	case b == tagInt16:
		return nil, int64(int16(binary.LittleEndian.Uint16(lp[off+1:]))), true
	case b == tagInt24:
		return nil, int64(binary.LittleEndian.Uint32(lp[off:])) << 32 >> 40, true
	case b == tagInt32:
		return nil, int64(int32(binary.LittleEndian.Uint32(lp[off+1:]))), true
	case b == tagInt64:
		return nil, int64(binary.LittleEndian.Uint64(lp[off+1:])), true
	}
	panic(invalid)
}

// Get returns the entry at off as a string: in place, or an integer formatted into
// scratch, which should have room for 20 bytes.
func Get(lp []byte, off int, scratch []byte) []byte {
	s, v, isInt := Value(lp, off)
	if isInt {
		return strconv.AppendInt(scratch[:0], v, 10)
	}
	return s
}

// Equal reports whether the entry at off is elem.
func Equal(lp []byte, off int, elem []byte) bool {
	s, v, isInt := Value(lp, off)
	if isInt {
		w, ok := parseInt(elem)
		return ok && v == w
	}
	return equal(s, elem)
}

func equal(a, b []byte) bool {
	if len(a) > bulk.Piece {
		return bulk.Equal(a, b)
	}
	return bytes.Equal(a, b)
}

// Find returns the offset of the first entry that is elem, from the one at off on, or -1.
// skipped entries are passed over behind each that is compared: 1 to look at the fields of
// field-value pairs alone. An off of -1 finds nothing.
func Find(lp []byte, off int, elem []byte, skipped int) int {
	if off < 0 {
		return -1
	}
	want := NewNeedle(elem)
	for {
		if b := lp[off]; b >= tagString6 && b < tagInt13 {
			n := int(b & 0x3F)
			if n == len(elem) && string(lp[off+1:off+1+n]) == string(elem) {
				return off
			}
			off += n + 2
		} else {
			if want.Is(Value(lp, off)) {
				return off
			}
			off = skip(lp, off)
		}
		for n := skipped; n > 0 && lp[off] != end; n-- {
			off = skip(lp, off)
		}
		if lp[off] == end {
			return -1
		}
	}
}
