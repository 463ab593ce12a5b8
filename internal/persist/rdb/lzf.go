package rdb

import (
	"errors"
	"math"
	"math/bits"
)

// LZF, the compression of LibLZF that RDB uses for strings: a control byte below 32
// is followed by that many literal bytes and one more; else its upper three bits and,
// if they are all set, the next byte are a length less 2, and its lower five bits with
// the byte after are the distance back less 1.

var errLZF = errors.New("rdb: damaged LZF data")

const (
	lzfHashBits = 14
	lzfLeast    = 8 // bits of the hash for short inputs, which then stay in the first cache
	lzfMaxLit   = 1 << 5
	lzfMaxOff   = 1 << 13
	lzfMaxRef   = 1<<8 + 1<<3
)

// lzfTable holds, by hash of three bytes, where they were seen last, counted from before
// the first input: what is below base is of an earlier one.
type lzfTable struct {
	at   [1 << lzfHashBits]uint32
	base uint32
}

// begin makes room for the positions of n bytes and returns the base and the bits of the
// hash to use.
func (t *lzfTable) begin(n int) (base, shift uint32) {
	if uint64(t.base)+uint64(n) >= math.MaxUint32 {
		clear(t.at[:])
		t.base = 0
	}
	base = t.base + 1 // 0 is nowhere
	t.base += uint32(n)
	return base, 32 - uint32(min(max(bits.Len(uint(n))+1, lzfLeast), lzfHashBits))
}

// compress appends the LZF form of in to dst if that takes less than limit bytes, and
// reports whether it did.
func (t *lzfTable) compress(dst, in []byte, limit int) (_ []byte, ok bool) {
	base, shift := t.begin(len(in))
	start := len(dst)
	dst = append(dst, 0) // control byte of the literals to come
	lit := 0
	literal := func(c byte) {
		dst = append(dst, c)
		if lit++; lit == lzfMaxLit {
			dst[len(dst)-lit-1] = byte(lit - 1)
			lit = 0
			dst = append(dst, 0)
		}
	}
	i := 0
	for i < len(in) {
		if len(dst)-start > limit {
			return dst[:start], false
		}
		if i+2 >= len(in) {
			literal(in[i])
			i++
			continue
		}
		h := (uint32(in[i])<<16 | uint32(in[i+1])<<8 | uint32(in[i+2])) * 2654435761 >> shift
		ref := int(t.at[h]) - int(base)
		t.at[h] = base + uint32(i)
		off := i - ref - 1
		if ref < 0 || off >= lzfMaxOff || in[ref] != in[i] || in[ref+1] != in[i+1] || in[ref+2] != in[i+2] {
			literal(in[i])
			i++
			continue
		}
		n := 3
		for most := min(len(in)-i, lzfMaxRef); n < most && in[ref+n] == in[i+n]; {
			n++
		}
		if lit > 0 {
			dst[len(dst)-lit-1] = byte(lit - 1)
		} else {
			dst = dst[:len(dst)-1] // no literals: no control byte
		}
		lit = 0
		if n-2 < 7 {
			dst = append(dst, byte((n-2)<<5|off>>8))
		} else {
			dst = append(dst, byte(7<<5|off>>8), byte(n-2-7))
		}
		dst = append(dst, byte(off), 0)
		i += n
	}
	if lit > 0 {
		dst[len(dst)-lit-1] = byte(lit - 1)
	} else {
		dst = dst[:len(dst)-1]
	}
	if len(dst)-start >= limit {
		return dst[:start], false
	}
	return dst, true
}

// decompress appends exactly n bytes, the plain form of in, to dst. It grows dst only
// by what in yields, so a false n costs nothing.
func decompress(dst, in []byte, n int) ([]byte, error) {
	start := len(dst)
	for i := 0; i < len(in); {
		c := int(in[i])
		i++
		if c < lzfMaxLit {
			c++
			if i+c > len(in) || len(dst)-start+c > n {
				return nil, errLZF
			}
			dst = append(dst, in[i:i+c]...)
			i += c
			continue
		}
		length := c >> 5
		if length == 7 {
			if i >= len(in) {
				return nil, errLZF
			}
			length += int(in[i])
			i++
		}
		length += 2
		if i >= len(in) {
			return nil, errLZF
		}
		from := len(dst) - (c&0x1f)<<8 - int(in[i]) - 1
		i++
		if from < start || len(dst)-start+length > n {
			return nil, errLZF
		}
		for k := range length { // the source may overlap what is being written
			dst = append(dst, dst[from+k])
		}
	}
	if len(dst)-start != n {
		return nil, errLZF
	}
	return dst, nil
}
