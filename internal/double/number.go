package double

import "strconv"

// number is a scanned number: digits of the given base with a point, and an exponent
// of 10 (of 2 where the base is 16).
type number struct {
	hex      bool
	mantissa string
	exponent int
}

// maxExponent is beyond what any mantissa of maxFloatText digits can bring back into
// the range of the 80-bit format; exponents saturate there.
const maxExponent = 50_000

// scanNumber reads an unsigned number in lower case: digits with at most one point,
// at least one digit, optionally an exponent (e, or p for 0x).
func scanNumber(s string) (n number, ok bool) {
	isDigit, mark := isDecimal, byte('e')
	if len(s) > 2 && s[:2] == "0x" {
		n.hex, s = true, s[2:]
		isDigit, mark = isHex, 'p'
	}
	i, digits, points := 0, 0, 0
	for ; i < len(s); i++ {
		if isDigit(s[i]) {
			digits++
		} else if s[i] == '.' && points == 0 {
			points++
		} else {
			break
		}
	}
	if digits == 0 {
		return n, false
	}
	n.mantissa = s[:i]
	if i == len(s) {
		return n, true
	}
	if s[i] != mark {
		return n, false
	}
	n.exponent, ok = scanExponent(s[i+1:])
	return n, ok
}

func scanExponent(s string) (exp int, ok bool) {
	negative := false
	if s != "" && (s[0] == '+' || s[0] == '-') {
		negative, s = s[0] == '-', s[1:]
	}
	if s == "" {
		return 0, false
	}
	for i := range len(s) {
		if !isDecimal(s[i]) {
			return 0, false
		}
		exp = min(maxExponent, exp*10+int(s[i]-'0'))
	}
	if negative {
		exp = -exp
	}
	return exp, true
}

// String returns n in a form that math/big reads.
func (n number) String() string {
	if n.hex {
		return "0x" + n.mantissa + "p" + strconv.Itoa(n.exponent)
	}
	return n.mantissa + "e" + strconv.Itoa(n.exponent)
}

func isDecimal(c byte) bool { return '0' <= c && c <= '9' }
func isHex(c byte) bool     { return isDecimal(c) || 'a' <= c && c <= 'f' }
