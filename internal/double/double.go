// Package double reads and writes floating-point numbers as Redis does: scores, distances
// and the doubles of replies. It is pure and allocates nothing for what is well formed.
package double

import (
	"bytes"
	"math"
	"strconv"
	"unsafe"
)

// MaxBytes is the length of the longest text that Append writes.
const MaxBytes = 26

// Integer returns the integer that v is. ok is false if v has a fraction or is beyond
// 2^62 (Redis 7.2, util.c, double2ll). Negative zero is 0.
func Integer(v float64) (i int64, ok bool) {
	if !(v >= -1<<62 && v <= 1<<62) {
		return 0, false
	}
	i = int64(v)
	return i, float64(i) == v
}

// Append appends v as Redis prints a double (Redis 7.2, util.c, d2string): inf, -inf,
// nan, an integer that Integer takes in full, else the shortest digits that read back to
// v, written out unless that takes many zeros or decimals.
func Append(dst []byte, v float64) []byte {
	switch i, ok := Integer(v); {
	case ok && (i != 0 || !math.Signbit(v)):
		return strconv.AppendInt(dst, i, 10)
	case ok:
		return append(dst, "-0"...)
	case math.IsNaN(v):
		return append(dst, "nan"...)
	case math.IsInf(v, 1):
		return append(dst, "inf"...)
	case math.IsInf(v, -1):
		return append(dst, "-inf"...)
	}
	if v < 0 {
		dst = append(dst, '-')
	}
	var room [MaxBytes]byte
	text := strconv.AppendFloat(room[:0], math.Abs(v), 'e', -1, 64) // d.ddde±xx
	e := bytes.IndexByte(text, 'e')
	exponent := 0
	for _, c := range text[e+2:] {
		exponent = exponent*10 + int(c-'0')
	}
	if text[e+1] == '-' {
		exponent = -exponent
	}
	digits := text[:e]
	if e > 1 {
		digits = append(text[:1], text[2:e]...)
	}
	return appendDigits(dst, digits, exponent)
}

// appendDigits appends d.ddd times 10 to the exponent, in one of the three forms of
// Redis 7.2 (deps/fpconv, emit_digits).
func appendDigits(dst, digits []byte, exponent int) []byte {
	n := len(digits)
	zeros := exponent - n + 1 // behind the digits; negative: decimals
	size := max(exponent, -exponent)
	switch {
	case zeros >= 0 && size < n+7:
		dst = append(dst, digits...)
		return appendZeros(dst, zeros)
	case zeros < 0 && (zeros > -7 || size < 4):
		if exponent < 0 {
			dst = append(dst, "0."...)
			dst = appendZeros(dst, -exponent-1)
			return append(dst, digits...)
		}
		dst = append(dst, digits[:exponent+1]...)
		dst = append(dst, '.')
		return append(dst, digits[exponent+1:]...)
	}
	dst = append(dst, digits[0])
	if n > 1 {
		dst = append(dst, '.')
		dst = append(dst, digits[1:]...)
	}
	if exponent < 0 {
		dst = append(dst, "e-"...)
	} else {
		dst = append(dst, "e+"...)
	}
	return strconv.AppendInt(dst, int64(size), 10)
}

func appendZeros(dst []byte, n int) []byte {
	for range n {
		dst = append(dst, '0')
	}
	return dst
}

// Append17 appends v with 17 digits, as C's %.17g prints it.
func Append17(dst []byte, v float64) []byte {
	switch {
	case math.IsInf(v, 1):
		return append(dst, "inf"...)
	case math.IsInf(v, -1):
		return append(dst, "-inf"...)
	}
	return strconv.AppendFloat(dst, v, 'g', 17, 64)
}

// Parse reads the whole of b as a double (Redis 7.2, util.c, string2d and object.c): the
// decimal and hexadecimal numbers and infinities of C's strtod, with nothing around them;
// no NaN, nothing out of range.
func Parse(b []byte) (v float64, ok bool) {
	if v, ok := parseShort(b); ok {
		return v, true
	}
	if len(b) == 0 || isSpace(b[0]) {
		return 0, false
	}
	v, out, ok := parse(b)
	return v, ok && !out
}

// ParseBound reads b as the bound of a range of scores (t_zset.c, zslParseRange), where C
// is left to itself: b ends at a NUL, spaces may come first, nothing at all is 0, what is
// out of range is an infinity or 0.
func ParseBound(b []byte) (v float64, ok bool) {
	if v, ok := parseShort(b); ok {
		return v, true
	}
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	if len(b) == 0 {
		return 0, true
	}
	for len(b) > 0 && isSpace(b[0]) {
		b = b[1:]
	}
	v, _, ok = parse(b)
	return v, ok
}

// parseShort reads plain integers of up to 15 digits.
func parseShort(b []byte) (v float64, ok bool) {
	if len(b) == 0 || len(b) > 15 {
		return 0, false
	}
	digits := b
	if b[0] == '-' {
		digits = b[1:]
	}
	u := int64(0)
	for _, c := range digits {
		if c -= '0'; c > 9 {
			return 0, false
		} else {
			u = u*10 + int64(c)
		}
	}
	if len(digits) == len(b) {
		return float64(u), true
	}
	return -float64(u), len(digits) > 0
}

// parse reads what strtod reads if it reads all of b. out says that the value is out of
// range: v is then the infinity or zero that strtod gives.
func parse(b []byte) (v float64, out, ok bool) {
	if bytes.IndexByte(b, '_') >= 0 { // Go alone reads these
		return 0, false, false
	}
	s := unsafe.String(unsafe.SliceData(b), len(b)) // not kept by ParseFloat
	digits := b
	if len(b) > 0 && (b[0] == '+' || b[0] == '-') {
		digits = b[1:]
	}
	exponent := "eE"
	if len(digits) > 2 && digits[0] == '0' && digits[1]|0x20 == 'x' {
		digits, exponent = digits[2:], "pP"
		if !bytes.ContainsAny(digits, exponent) {
			s += "p0" // which C leaves out
		}
	}
	v, err := strconv.ParseFloat(s, 64)
	switch {
	case err != nil && math.IsInf(v, 0): // only ErrRange gives one
		return v, true, true
	case err != nil || v != v:
		return 0, false, false
	case v == 0:
		if i := bytes.IndexAny(digits, exponent); i >= 0 {
			digits = digits[:i]
		}
		return v, len(bytes.Trim(digits, "0.")) > 0, true
	}
	return v, false, true
}

// isSpace is C's isspace.
func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }
