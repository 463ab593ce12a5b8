package hll

import "strconv"

// A sparse value is a row of runs of equal registers:
//
//	ZERO  00llllll           1 to 64 registers of 0
//	XZERO 01llllll llllllll  1 to 16384 registers of 0
//	VAL   1vvvvvll           1 to 4 registers of 1 to 32
type run struct {
	bytes  int
	length int // registers
	value  uint8
}

const (
	zeroMax  = 64 // registers of a ZERO
	valMax   = 4  // registers of a VAL
	valueMax = 32 // the highest register that a sparse value can hold
)

// readRun reads the run at the front of p, which must not be empty.
func readRun(p []byte) (run, bool) {
	switch c := p[0]; {
	case c >= 0x80:
		return run{1, int(c&3) + 1, c>>2&31 + 1}, true
	case c < 0x40:
		return run{1, int(c) + 1, 0}, true
	case len(p) < 2:
		return run{}, false
	default:
		return run{2, int(c&63)<<8 + int(p[1]) + 1, 0}, true
	}
}

// putZeros writes n registers of 0 and returns the bytes that took, none for n 0.
func putZeros(p []byte, n int) int {
	switch {
	case n == 0:
		return 0
	case n <= zeroMax:
		p[0] = byte(n - 1)
		return 1
	}
	p[0], p[1] = 0x40|byte((n-1)>>8), byte(n-1)
	return 2
}

// putValues writes n registers of value and returns the bytes that took, none for n 0.
func putValues(p []byte, value uint8, n int) int {
	if n == 0 {
		return 0
	}
	p[0] = 0x80 | (value-1)<<2 | byte(n-1)
	return 1
}

// AppendRuns appends the runs of the sparse value b in words: z:n, Z:n for an XZERO,
// v:value,n (PFDEBUG DECODE).
func AppendRuns(dst, b []byte) []byte {
	for p := b[HeaderBytes:]; len(p) > 0; {
		r, ok := readRun(p)
		if !ok {
			break
		}
		if len(p) < len(b)-HeaderBytes {
			dst = append(dst, ' ')
		}
		switch {
		case r.value > 0:
			dst = append(dst, "v:"...)
			dst = append(strconv.AppendUint(dst, uint64(r.value), 10), ',')
		case r.bytes == 1:
			dst = append(dst, "z:"...)
		default:
			dst = append(dst, "Z:"...)
		}
		dst = strconv.AppendInt(dst, int64(r.length), 10)
		p = p[r.bytes:]
	}
	return dst
}
