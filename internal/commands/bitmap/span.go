package bitmap

import (
	"encoding/binary"
	"math/bits"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/resp"
)

// span is the bits from first to last, both included; none where first > last.
type span struct{ first, last int64 }

// clip turns indexes as a client gives them, negative ones from the end, in bits or in
// bytes, into bits of a string of n bytes.
func clip(start, end int64, inBits bool, n int64) span {
	if inBits {
		n <<= 3
	}
	if start < 0 {
		start = max(0, start+n)
	}
	if end < 0 {
		end = max(0, end+n)
	}
	end = min(end, n-1)
	if start > end {
		return span{0, -1}
	}
	if inBits {
		return span{start, end}
	}
	return span{start << 3, end<<3 | 7}
}

// bytes returns the number of bytes that s touches.
func (s span) bytes() int {
	if s.first > s.last {
		return 0
	}
	return int(s.last>>3-s.first>>3) + 1
}

// parseUnit reads the word BIT or BYTE at argument i.
func parseUnit(c *command.Ctx, i int) (inBits bool, err error) {
	switch {
	case command.Is(c.Args[i], "bit"):
		return true, nil
	case command.Is(c.Args[i], "byte"):
		return false, nil
	}
	return false, resp.ErrSyntax
}

// edges returns the masks of the bits of s within its first and its last byte.
func (s span) edges() (first, last byte) {
	return 0xff >> (s.first & 7), 0xff << (7 - s.last&7)
}

// count returns the number of ones of v within s, which must lie in v.
func (s span) count(v []byte) (n int64) {
	if s.first > s.last {
		return 0
	}
	v = v[s.first>>3 : s.last>>3+1]
	first, last := s.edges()
	end := len(v) - 1
	if end == 0 {
		return int64(bits.OnesCount8(v[0] & first & last))
	}
	n = int64(bits.OnesCount8(v[0]&first) + bits.OnesCount8(v[end]&last))
	for v = v[1:end]; len(v) >= 32; v = v[32:] {
		n += int64(bits.OnesCount64(binary.NativeEndian.Uint64(v)) +
			bits.OnesCount64(binary.NativeEndian.Uint64(v[8:])) +
			bits.OnesCount64(binary.NativeEndian.Uint64(v[16:])) +
			bits.OnesCount64(binary.NativeEndian.Uint64(v[24:])))
	}
	for ; len(v) >= 8; v = v[8:] {
		n += int64(bits.OnesCount64(binary.NativeEndian.Uint64(v)))
	}
	for _, b := range v {
		n += int64(bits.OnesCount8(b))
	}
	return n
}

// find returns the first bit of v within s that is one, or zero with one false; -1 if
// there is none. s must lie in v.
func (s span) find(v []byte, one bool) int64 {
	if s.first > s.last {
		return -1
	}
	flip := byte(0xff)
	if one {
		flip = 0
	}
	first, last := s.edges()
	at, end := int(s.first>>3), int(s.last>>3)
	if at == end {
		return place(at, (v[at]^flip)&first&last)
	}
	if b := (v[at] ^ flip) & first; b != 0 {
		return place(at, b)
	}
	skip := uint64(flip) * 0x0101010101010101 // a word without the bit that is sought
	for at++; at+8 <= end && binary.NativeEndian.Uint64(v[at:]) == skip; at += 8 {
	}
	for ; at < end; at++ {
		if b := v[at] ^ flip; b != 0 {
			return place(at, b)
		}
	}
	return place(end, (v[end]^flip)&last)
}

// place returns the index of the first one of b, the byte at index at; -1 if b is 0.
func place(at int, b byte) int64 {
	if b == 0 {
		return -1
	}
	return int64(at)<<3 + int64(bits.LeadingZeros8(b))
}
