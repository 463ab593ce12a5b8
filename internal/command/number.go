package command

import (
	"math"

	"github.com/redwingdb/redwing/internal/double"
	"github.com/redwingdb/redwing/internal/resp"
)

// ParseInt parses an integer as Redis does everywhere (util.c, string2ll): decimal
// digits in their one canonical spelling, no sign but '-', no space, no leading zero.
func ParseInt(b []byte) (v int64, ok bool) {
	n := len(b)
	if n == 0 || n > 20 {
		return 0, false
	}
	if n == 1 && b[0] == '0' {
		return 0, true
	}
	negative := b[0] == '-'
	if negative {
		b = b[1:]
	}
	if len(b) == 0 || b[0] < '1' || b[0] > '9' {
		return 0, false
	}
	var u uint64
	for _, c := range b {
		d := uint64(c - '0')
		if d > 9 || u > (math.MaxUint64-d)/10 {
			return 0, false
		}
		u = u*10 + d
	}
	switch {
	case negative && u <= 1<<63:
		return -int64(u), true
	case !negative && u < 1<<63:
		return int64(u), true
	}
	return 0, false
}

// Int parses argument i as an integer.
func (c *Ctx) Int(i int) (int64, error) {
	v, ok := ParseInt(c.Args[i])
	if !ok {
		return 0, resp.ErrNotInteger
	}
	return v, nil
}

// errInt32 is the reply to an integer that Redis keeps in a C int.
var errInt32 = resp.NewError("ERR value is out of range, value must between -2147483648 and 2147483647")

// Int32 parses argument i as an integer that fits into 32 bits.
func (c *Ctx) Int32(i int) (int32, error) {
	v, err := c.Int(i)
	if err == nil && int64(int32(v)) != v {
		return 0, errInt32
	}
	return int32(v), err
}

// Double parses argument i as a double.
func (c *Ctx) Double(i int) (float64, error) {
	v, ok := double.Parse(c.Args[i])
	if !ok {
		return 0, resp.ErrNotFloat
	}
	return v, nil
}
