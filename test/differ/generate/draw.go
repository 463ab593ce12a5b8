package generate

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// profile is what a sequence leans to.
type profile int

const (
	small profile = iota // few short elements: everything meets
	ints                 // integers of all widths
	wide                 // many elements: past the entry limits
	long                 // long elements: past the value and node limits
	profiles
)

// Draw draws words. It belongs to one sequence.
type Draw struct {
	r       *rand.Rand
	profile profile
	clock   int // grows with every stream entry, so that most ids are new ones
}

// FarFuture is a time in Unix milliseconds that no test lives to see.
const FarFuture = 33_177_117_420_000

// Keys are the names that Key draws from.
var Keys = []string{"k0", "k1", "k2", "k3", "k4", "{k}5"}

// N returns a number from 0 to n-1.
func (d *Draw) N(n int) int { return d.r.IntN(n) }

// Chance is true in so many of a hundred cases.
func (d *Draw) Chance(percent int) bool { return d.r.IntN(100) < percent }

// One returns one of the words.
func (d *Draw) One(of ...string) string { return of[d.r.IntN(len(of))] }

// Option returns the words in so many of a hundred cases, the first in any letter case.
func (d *Draw) Option(percent int, words ...string) []string {
	if !d.Chance(percent) {
		return nil
	}
	if d.Chance(20) {
		words[0] = strings.ToUpper(words[0])
	}
	return words
}

// Key returns a key.
func (d *Draw) Key() string { return Keys[d.r.IntN(len(Keys))] }

// Keys returns 1 to n keys, behind their number if counted; the number is wrong at times.
func (d *Draw) Keys(n int, counted bool) []string {
	count := 1 + d.r.IntN(n)
	var out []string
	if counted {
		out = append(out, strconv.Itoa(count))
		if d.Chance(4) {
			out[0] = d.One("0", "-1", "x", "", strconv.Itoa(count+1), "9223372036854775807", "1.0")
		}
	}
	for range count {
		out = append(out, d.Key())
	}
	return out
}

// Extremes are the numbers that break parsers and sums.
var Extremes = []string{
	"0", "-0", "-1", "1", "+1", "01", " 1", "1 ", "", "x", "1x", "1.0", "1.5", "1e3", "0x10",
	"2147483647", "2147483648", "-2147483648", "-2147483649", "4294967295", "4294967296",
	"9223372036854775806", "9223372036854775807", "9223372036854775808",
	"-9223372036854775807", "-9223372036854775808", "-9223372036854775809", "18446744073709551615", "18446744073709551616",
	"nan", "NaN", "-nan", "inf", "-inf", "+inf", "Infinity", "1e308", "1e309", "-1e400", "1e-400", "5e-324", "\x00", "1\x00",
}

// Int returns an integer, seldom an extreme one or none.
func (d *Draw) Int() string {
	switch n := d.r.IntN(40); {
	case n == 0:
		return d.One(Extremes...)
	case n < 4:
		return d.One("127", "128", "-128", "-129", "255", "256", "4095", "4096", "-4097", "32767", "32768", "-32768", "-32769",
			"8388607", "8388608", "65535", "65536", "2147483647", "2147483648", "-2147483648", "9223372036854775807", "-9223372036854775808")
	case n < 8:
		return strconv.FormatInt(int64(d.r.Uint64())>>d.r.IntN(64), 10)
	}
	return strconv.Itoa(d.r.IntN(60) - 20)
}

// Index returns a place in a sequence of elements.
func (d *Draw) Index() string {
	switch d.r.IntN(20) {
	case 0:
		return d.One(Extremes...)
	case 1, 2:
		return strconv.Itoa(d.r.IntN(700) - 350)
	}
	return strconv.Itoa(d.r.IntN(14) - 7)
}

// Count returns how many of something are asked for. It is small in most cases.
func (d *Draw) Count() string {
	switch d.r.IntN(20) {
	case 0:
		return d.One(Extremes...)
	case 1:
		return d.One("0", "-1", "-3")
	case 2:
		return strconv.Itoa(d.r.IntN(500))
	}
	return strconv.Itoa(d.r.IntN(6))
}

// Sample returns the count of a command that draws elements by chance. A negative one is
// how many there are to be, repeated ones among them: it is never large.
func (d *Draw) Sample() string {
	if d.Chance(40) {
		return d.One("-1", "-5", "-200", "-9223372036854775808", "-9223372036854775809")
	}
	c := d.Count()
	if strings.HasPrefix(c, "-") && len(c) > 4 {
		return "-3"
	}
	return c
}

// Score returns a floating point number as clients write them.
func (d *Draw) Score() string {
	switch d.r.IntN(16) {
	case 0:
		return d.One(Extremes...)
	case 1:
		return d.One("inf", "-inf", "+inf", "0", "-0", "1e300", "-1e300")
	case 2:
		return strconv.FormatFloat(d.r.NormFloat64()*1e3, 'g', -1, 64)
	case 3:
		return d.One("0.1", "0.5", "1.25", "3.3", "-2.75", "1e-7", "1e21", "1e17", "123456789.123", "9007199254740993", "4503599627370497.5")
	}
	return strconv.Itoa(d.r.IntN(16) - 4)
}

var shortWords = []string{"a", "b", "c", "d", "aa", "ab", "B", "foo", "bar", "", "\x00", "\xff", "a\r\nb", "0", "1", "2", "3", "-1", "10", "00", "-0", "1.5", "9223372036854775807", "-9223372036854775808", "9223372036854775808"}

// Word returns any word.
func (d *Draw) Word() string {
	switch d.r.IntN(4) {
	case 0:
		return d.One(Extremes...)
	case 1:
		return d.One("nx", "xx", "get", "count", "limit", "withscores", "nosuch", "*", "-", "+", "(1", "[a")
	case 2:
		return d.Key()
	}
	return d.One(shortWords...)
}

// Elem returns an element, a field or a value.
func (d *Draw) Elem() string {
	n := d.r.IntN(100)
	switch {
	case d.profile == ints && n < 90:
		if n < 30 {
			return d.Int()
		}
		return strconv.Itoa(d.r.IntN(30) - 5)
	case d.profile == long && n < 30:
		return strings.Repeat(d.One("x", "y", "\xfe"), d.longLen())
	case d.profile == wide && n < 60:
		return "e" + strconv.Itoa(d.r.IntN(600))
	case n < 3:
		return d.Int()
	case n == 3:
		return strings.Repeat("v", d.longLen())
	}
	return d.One(shortWords...)
}

// longLen returns a length beside one of the limits of an encoding.
func (d *Draw) longLen() int {
	at := []int{62, 63, 64, 65, 66, 127, 128, 253, 254, 255, 256, 511, 512, 1000, 4095, 4096}
	if d.Chance(10) {
		return []int{8180, 8192, 8200, 16384, 20000}[d.r.IntN(5)]
	}
	return at[d.r.IntN(len(at))]
}

// Elems returns 1 to 4 elements, seldom hundreds of them.
func (d *Draw) Elems() []string {
	if many := d.many(); many != nil {
		return many
	}
	out := make([]string, 1+d.r.IntN(4))
	for i := range out {
		out[i] = d.Elem()
	}
	return out
}

// many returns hundreds of different elements, or nil in most cases.
func (d *Draw) many() []string {
	if d.profile != wide && d.profile != ints || !d.Chance(12) {
		return nil
	}
	from, n := d.r.IntN(500), []int{20, 126, 127, 128, 129, 200, 511, 512, 513, 600}[d.r.IntN(10)]
	out := make([]string, n)
	for i := range out {
		if d.profile == ints {
			out[i] = strconv.Itoa(from + i - 200)
		} else {
			out[i] = fmt.Sprintf("e%d", (from+i)%700)
		}
	}
	return out
}

// Pairs returns the elements of Elems, each with what value draws behind it.
func (d *Draw) Pairs(value func() string) []string {
	var out []string
	for _, e := range d.Elems() {
		out = append(out, e, value())
	}
	return out
}

// At returns an option that sets a time far ahead, seldom nonsense.
func (d *Draw) At() []string {
	at := FarFuture + d.r.Int64N(1e9)
	switch d.r.IntN(10) {
	case 0, 1, 2:
		return []string{"exat", strconv.FormatInt(at/1000, 10)}
	case 3:
		return []string{d.One("ex", "px", "exat", "pxat"), d.One("0", "-1", "x", "9223372036854775807")}
	}
	return []string{"pxat", strconv.FormatInt(at, 10)}
}

// Pattern returns a glob pattern.
func (d *Draw) Pattern() string {
	return d.One("*", "a*", "*1*", "e1?", "[ab]", "[^a]*", "\\*", "", "k[0-2]", "nosuch", "*b")
}

// cat joins words and lists of words.
func cat(parts ...any) []string {
	var out []string
	for _, p := range parts {
		switch p := p.(type) {
		case string:
			out = append(out, p)
		case []string:
			out = append(out, p...)
		}
	}
	return out
}

// Kinds of arguments that many commands share.
func keyOnly(d *Draw) []string  { return []string{d.Key()} }
func keyElem(d *Draw) []string  { return []string{d.Key(), d.Elem()} }
func keyElems(d *Draw) []string { return cat(d.Key(), d.Elems()) }
func twoKeys(d *Draw) []string  { return []string{d.Key(), d.Key()} }
func someKeys(d *Draw) []string { return d.Keys(3, false) }
func keyCount(d *Draw) []string { return cat(d.Key(), d.Option(60, d.Count())) }
func scanArgs(d *Draw) []string {
	cursor := "0"
	if d.Chance(3) {
		cursor = d.One("x", "-", "", "1.5", "99999999999999999999")
	}
	args := cat(cursor, "count", "100000", d.Option(30, "match", d.Pattern()))
	if d.Chance(4) {
		args = cat(args, d.One("count", "match", "nosuch", "novalues"), d.One("0", "-1", "x", "10"))
	}
	return args
}
