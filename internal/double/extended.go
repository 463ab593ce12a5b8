package double

import (
	"bytes"
	"math/big"
	"strings"
)

// Redis computes INCRBYFLOAT and HINCRBYFLOAT in C's long double, which on x86 is the
// 80-bit extended format: 64 bits of mantissa, binary exponents from -16445 to 16384. A
// big.Float of that precision rounds alike; range is checked here.
const (
	extendedPrec   = 64
	extendedMaxExp = 16384  // values are below 2^16384
	extendedMinExp = -16445 // values below 2^-16446 round to zero
	vanishingExp   = -60    // values below 2^-60 print as 0
)

// MaxExtendedText is how long a text is, in bytes, that ParseExtended refuses unread.
const MaxExtendedText = 5 * 1024

// Extended is a number in the 80-bit format.
type Extended struct{ *big.Float }

// Zero returns 0.
func Zero() Extended { return Extended{new(big.Float)} }

// Add returns x + y; ok is false if that is no finite number.
func (x Extended) Add(y Extended) (_ Extended, ok bool) {
	if x.IsInf() || y.IsInf() {
		return Extended{}, false
	}
	sum := new(big.Float).SetPrec(extendedPrec).Add(x.Float, y.Float)
	return Extended{sum}, sum.MantExp(nil) <= extendedMaxExp
}

// Human prints x as Redis does for people (util.c, ld2string, LD_STR_HUMAN): 17
// digits behind the point, trailing zeros cut off.
func (x Extended) Human() []byte {
	if x.MantExp(nil) < vanishingExp { // printing it exactly would take milliseconds
		return []byte("0")
	}
	text := x.Append(nil, 'f', 17)
	text = bytes.TrimRight(text, "0")
	text = bytes.TrimSuffix(text, []byte("."))
	if string(text) == "-0" || len(text) == 0 {
		return []byte("0")
	}
	return text
}

// ParseExtended reads what C's strtold reads, as far as Redis lets it through
// (util.c, string2ld): decimal and hexadecimal numbers and infinities, no NaN,
// nothing around them, nothing out of range.
func ParseExtended(b []byte) (_ Extended, ok bool) {
	if len(b) == 0 || len(b) >= MaxExtendedText {
		return Extended{}, false
	}
	sign, body := "", strings.ToLower(string(b))
	if body[0] == '+' || body[0] == '-' {
		sign, body = body[:1], body[1:]
	}
	if body == "inf" || body == "infinity" {
		return Extended{new(big.Float).SetInf(sign == "-")}, true
	}
	n, ok := scanNumber(body)
	if !ok {
		return Extended{}, false
	}
	// Read with room to spare, so that rounding to 64 bits happens once.
	f, _, err := new(big.Float).SetPrec(512).Parse(sign+n.String(), 0)
	if err != nil {
		return Extended{}, false
	}
	return toExtended(f)
}

// toExtended rounds f; ok is false if it overflows or vanishes.
func toExtended(f *big.Float) (_ Extended, ok bool) {
	if f.Sign() == 0 {
		return Extended{f.SetPrec(extendedPrec)}, true
	}
	exp := f.MantExp(nil)
	if f.IsInf() || exp < extendedMinExp {
		return Extended{}, false
	}
	prec := extendedPrec
	if exp < extendedMinExp+extendedPrec { // denormal
		prec = max(1, exp-extendedMinExp)
	}
	f.SetPrec(uint(prec))
	if f.MantExp(nil) > extendedMaxExp {
		return Extended{}, false
	}
	return Extended{f.SetPrec(extendedPrec)}, true
}
