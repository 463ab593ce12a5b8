package str

import (
	"bytes"
	"math/big"
	"strings"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/resp"
)

// Redis computes INCRBYFLOAT in C's long double, which on x86 is the 80-bit extended
// format: 64 bits of mantissa, binary exponents from -16445 to 16384. A big.Float of
// that precision rounds alike; range is checked here.
const (
	extendedPrec   = 64
	extendedMaxExp = 16384  // values are below 2^16384
	extendedMinExp = -16445 // values below 2^-16446 round to zero
	vanishingExp   = -60    // values below 2^-60 print as 0
	maxFloatText   = 5 * 1024
)

func incrbyfloat(c *command.Ctx) error {
	slot, key := c.Slot(1), c.Args[1]
	r, found := c.DB.Find(slot, key)
	if err := isString(r, found); err != nil {
		return err
	}
	value := extended{new(big.Float)}
	if found {
		if r.Len() >= maxFloatText {
			return resp.ErrNotFloat
		}
		var digits [20]byte
		var ok bool
		if value, ok = parseExtended(r.Bytes(digits[:0])); !ok {
			return resp.ErrNotFloat
		}
	}
	by, ok := parseExtended(c.Args[2])
	if !ok {
		return resp.ErrNotFloat
	}
	sum, ok := value.add(by)
	if !ok {
		return resp.ErrNaNOrInfinity
	}
	text := sum.human()
	if err := c.DB.SetString(slot, key, text, engine.KeepTTL); err != nil {
		return stored(err)
	}
	c.Changed(1)
	// Rounding must not depend on the machine that applies it.
	c.Effect(slot, wordSet, key, text, wordKeepTTL)
	c.Out.Bulk(text)
	return nil
}

// extended is a number in the 80-bit format.
type extended struct{ *big.Float }

// add returns x + y; ok is false if that is no finite number.
func (x extended) add(y extended) (_ extended, ok bool) {
	if x.IsInf() || y.IsInf() {
		return extended{}, false
	}
	sum := new(big.Float).SetPrec(extendedPrec).Add(x.Float, y.Float)
	return extended{sum}, sum.MantExp(nil) <= extendedMaxExp
}

// human prints x as Redis does for people (util.c, ld2string, LD_STR_HUMAN): 17
// digits behind the point, trailing zeros cut off.
func (x extended) human() []byte {
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

// parseExtended reads what C's strtold reads, as far as Redis lets it through
// (util.c, string2ld): decimal and hexadecimal numbers and infinities, no NaN,
// nothing around them, nothing out of range.
func parseExtended(b []byte) (_ extended, ok bool) {
	if len(b) == 0 || len(b) >= maxFloatText {
		return extended{}, false
	}
	sign, body := "", strings.ToLower(string(b))
	if body[0] == '+' || body[0] == '-' {
		sign, body = body[:1], body[1:]
	}
	if body == "inf" || body == "infinity" {
		return extended{new(big.Float).SetInf(sign == "-")}, true
	}
	n, ok := scanNumber(body)
	if !ok {
		return extended{}, false
	}
	// Read with room to spare, so that rounding to 64 bits happens once.
	f, _, err := new(big.Float).SetPrec(512).Parse(sign+n.String(), 0)
	if err != nil {
		return extended{}, false
	}
	return toExtended(f)
}

// toExtended rounds f; ok is false if it overflows or vanishes.
func toExtended(f *big.Float) (_ extended, ok bool) {
	if f.Sign() == 0 {
		return extended{f.SetPrec(extendedPrec)}, true
	}
	exp := f.MantExp(nil)
	if f.IsInf() || exp < extendedMinExp {
		return extended{}, false
	}
	prec := extendedPrec
	if exp < extendedMinExp+extendedPrec { // denormal
		prec = max(1, exp-extendedMinExp)
	}
	f.SetPrec(uint(prec))
	if f.MantExp(nil) > extendedMaxExp {
		return extended{}, false
	}
	return extended{f.SetPrec(extendedPrec)}, true
}
