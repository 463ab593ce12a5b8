// Package listpack reads and changes listpacks, the compact sequences of strings and
// integers in which Redis keeps small collections, list nodes and stream nodes. The
// bytes are Redis' own (listpack.c; docs/format/listpack.md), so DUMP, RDB files and
// memory hold the same thing. All functions are pure, work on the caller's bytes and
// allocate nothing; where a buffer comes from is the caller's business, which is why
// changes are planned first (Edit) and applied once there is room.
//
//	| total bytes, 32 bits | entries, 16 bits | entry ... | 0xFF |
//	entry: | encoding and length | data | length of the two before, readable backwards |
//
// Positions are byte offsets of entries; -1 is none. A listpack may lie at the start of
// a longer buffer: its header says how long it is. Bytes from elsewhere go through
// Validate first; the other functions trust what they read, and panic at worst.
package listpack

import "encoding/binary"

const (
	headerBytes = 6
	end         = 0xFF
	// unknown stands in the header for a count that does not fit: count by walking.
	unknown = 1<<16 - 1
	// EmptyBytes is the length of a listpack without entries.
	EmptyBytes = headerBytes + 1
	// MaxBytes is the longest listpack that is made, in bytes (LISTPACK_MAX_SAFETY_LIMIT).
	MaxBytes = 1 << 30
)

// New appends an empty listpack to dst.
func New(dst []byte) []byte { return append(dst, EmptyBytes, 0, 0, 0, 0, 0, end) }

// Bytes returns the length of lp in bytes.
func Bytes(lp []byte) int { return int(binary.LittleEndian.Uint32(lp)) }

// End returns the offset behind the last entry, where Insert appends.
func End(lp []byte) int { return Bytes(lp) - 1 }

// Entries returns the bytes of all entries, in place.
func Entries(lp []byte) []byte { return lp[headerBytes:End(lp)] }

// Empty reports whether lp has no entries.
func Empty(lp []byte) bool { return lp[headerBytes] == end }

// Len returns the number of entries. From 65,535 on they are counted one by one.
func Len(lp []byte) int {
	if n := count(lp); n != unknown {
		return n
	}
	n := 0
	for off := headerBytes; lp[off] != end; off = skip(lp, off) {
		n++
	}
	return n
}

func count(lp []byte) int { return int(binary.LittleEndian.Uint16(lp[4:])) }

// First returns the offset of the first entry, or -1.
func First(lp []byte) int {
	if lp[headerBytes] == end {
		return -1
	}
	return headerBytes
}

// Last returns the offset of the last entry, or -1.
func Last(lp []byte) int { return Prev(lp, End(lp)) }

// Next returns the offset of the entry behind the one at off, or -1.
func Next(lp []byte, off int) int {
	if off = skip(lp, off); lp[off] == end {
		return -1
	}
	return off
}

// Behind returns the offset behind the entry at off: of the next one, or End.
func Behind(lp []byte, off int) int { return skip(lp, off) }

// Prev returns the offset of the entry before the one at off (End for the last), or -1.
func Prev(lp []byte, off int) int {
	if off == headerBytes {
		return -1
	}
	n := backLength(lp, off)
	return off - n - backBytes(n)
}

// Seek returns the offset of entry index, counted from the end if negative (-1: the
// last), or -1 if there is no such entry. It walks from the nearer end.
func Seek(lp []byte, index int) int {
	forward := index >= 0
	if n := count(lp); n != unknown {
		if !forward {
			index += n
		}
		if index < 0 || index >= n {
			return -1
		}
		if forward = index <= n/2; !forward {
			index -= n
		}
	}
	if forward {
		off := First(lp)
		for ; index > 0 && off >= 0; index-- {
			off = Next(lp, off)
		}
		return off
	}
	off := Last(lp)
	for ; index < -1 && off >= 0; index++ {
		off = Prev(lp, off)
	}
	return off
}
