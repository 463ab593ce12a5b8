package rdb

import (
	"encoding/binary"
	"fmt"

	"github.com/redwingdb/redwing/internal/engine/listpack"
)

// A ziplist is what listpacks were before redis 7.0 (ziplist.c):
//
//	| bytes u32 | offset of the last entry u32 | entries u16 | entry ... | 0xFF |
//	entry: | length of the one before, 1 byte or 0xFE and 4 | encoding | data |
//
// The upper bits of the encoding say what follows:
//
//	00 string, 6 bits of length    01 string, 14 bits    10 string, 4 bytes, big-endian
//	0xC0 int16   0xD0 int32   0xE0 int64   0xF0 int24   0xFE int8   0xF1 to 0xFD: 0 to 12
const (
	zipHeader  = 10
	zipEnd     = 0xFF
	zipBigPrev = 0xFE
)

// fromZiplist appends the entries of the ziplist b to the listpack lp. All of it is
// checked: that lengths stay inside, that the lengths of the entries before are right, and
// that the header says what is there.
func fromZiplist(lp, b []byte) ([]byte, error) {
	bad := func(at int, what string) ([]byte, error) {
		return lp, fmt.Errorf("%w: ziplist, byte %d of %d: %s", ErrFormat, at, len(b), what)
	}
	if len(b) < zipHeader+1 || uint64(binary.LittleEndian.Uint32(b)) != uint64(len(b)) {
		return bad(0, "length")
	}
	end := len(b) - 1
	if b[end] != zipEnd {
		return bad(end, "no end")
	}
	at, n, prev, last := zipHeader, 0, 0, zipHeader
	for at < end {
		if b[at] == zipEnd {
			return bad(at, "ends early")
		}
		start := at
		before := int(b[at])
		at++
		if before == zipBigPrev {
			if at+4 > end {
				return bad(start, "cut")
			}
			before = int(binary.LittleEndian.Uint32(b[at:]))
			at += 4
		}
		if before != prev {
			return bad(start, "length of the entry before")
		}
		size, width, ok := zipEntry(b[at:end])
		if !ok {
			return bad(at, "entry")
		}
		if width == 0 {
			lp = listpack.Append(lp, b[at+size:at+size+zipStringLen(b[at:])])
			at += size + zipStringLen(b[at:])
		} else {
			lp = listpack.AppendInt(lp, zipInt(b[at:], width))
			at += size
		}
		n++
		prev, last = at-start, start
		if len(lp) > 1<<30 {
			return bad(at, "too long")
		}
	}
	if tail := binary.LittleEndian.Uint32(b[4:]); uint64(tail) != uint64(last) {
		return bad(4, "offset of the last entry")
	}
	if known := int(binary.LittleEndian.Uint16(b[8:])); known != 0xFFFF && known != n {
		return bad(8, "number of entries")
	}
	return lp, nil
}

// zipEntry looks at the encoding at the start of b: how many bytes it takes, for integers
// with their data, and the bits of an integer (1 for one that has no data, 0 for a
// string). ok is false if the entry does not fit into b.
func zipEntry(b []byte) (size, bits int, ok bool) {
	if len(b) == 0 {
		return 0, 0, false
	}
	switch c := b[0]; {
	case c < 0x40:
		size = 1
	case c < 0x80:
		size = 2
	case c == 0x80:
		size = 5
	case c == 0xC0:
		size, bits = 3, 16
	case c == 0xD0:
		size, bits = 5, 32
	case c == 0xE0:
		size, bits = 9, 64
	case c == 0xF0:
		size, bits = 4, 24
	case c == 0xFE:
		size, bits = 2, 8
	case c >= 0xF1 && c <= 0xFD:
		size, bits = 1, 1
	default:
		return 0, 0, false
	}
	if size > len(b) {
		return 0, 0, false
	}
	if bits == 0 && zipStringLen(b) > len(b)-size {
		return 0, 0, false
	}
	return size, bits, true
}

// zipStringLen returns the length of the string whose encoding begins b.
func zipStringLen(b []byte) int {
	switch {
	case b[0] < 0x40:
		return int(b[0])
	case b[0] < 0x80:
		return int(b[0]&0x3F)<<8 | int(b[1])
	}
	return int(binary.BigEndian.Uint32(b[1:]))
}

func zipInt(b []byte, bits int) int64 {
	switch bits {
	case 1:
		return int64(b[0]) - 0xF1
	case 8:
		return int64(int8(b[1]))
	case 16:
		return int64(int16(binary.LittleEndian.Uint16(b[1:])))
	case 24:
		return int64(int32(binary.LittleEndian.Uint32(b))) >> 8
	case 32:
		return int64(int32(binary.LittleEndian.Uint32(b[1:])))
	}
	return int64(binary.LittleEndian.Uint64(b[1:]))
}
