package command

import (
	"math"
	"math/big"

	"github.com/redwingdb/redwing/internal/double"
	"github.com/redwingdb/redwing/internal/resp"
)

var (
	errTimeoutFloat    = resp.NewError("ERR timeout is not a float or out of range")
	errTimeoutRange    = resp.NewError("ERR timeout is out of range")
	errTimeoutNegative = resp.NewError("ERR timeout is negative")
)

// Deadline reads argument i, seconds with a fraction, as the time from now on that a
// command waits, and returns the Unix millisecond of its end; 0: it waits for ever (Redis
// 7.2, timeout.c, getTimeoutFromObjectOrReply).
func (c *Ctx) Deadline(i int) (deadlineMillis int64, err error) {
	millis, err := timeoutMillis(c.Args[i])
	switch {
	case err != nil:
		return 0, err
	case millis < 0:
		return 0, errTimeoutNegative
	case millis == 0:
		return 0, nil
	case millis > math.MaxInt64-c.Now():
		return 0, errTimeoutRange
	}
	return c.Now() + millis, nil
}

// timeoutMillis rounds up as Redis does, in the 80-bit format: -0.001 seconds are 0 there.
func timeoutMillis(arg []byte) (int64, error) {
	if v, ok := ParseInt(arg); ok && v > -1<<40 && v < 1<<40 { // without allocations
		return v * 1000, nil
	}
	x, ok := double.ParseExtended(arg)
	if !ok {
		return 0, errTimeoutFloat
	}
	x.Float = new(big.Float).SetPrec(64).Mul(x.Float, big.NewFloat(1000))
	if x.Cmp(new(big.Float).SetInt64(math.MaxInt64)) > 0 {
		return 0, errTimeoutRange
	}
	millis, rounded := x.Int64() // towards zero
	if rounded == big.Below {
		millis++
	}
	return millis, nil
}
