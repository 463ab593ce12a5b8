// Package bitmap implements the commands that treat strings as arrays of bits, the
// first bit being the highest of the first byte: SETBIT, GETBIT, BITCOUNT, BITPOS,
// BITOP and BITFIELD. It keeps no state; package command runs it under the locks of
// its keys.
package bitmap

import (
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/resp"
)

var (
	errBit       = resp.NewError("ERR bit is not an integer or out of range")
	errBitArg    = resp.NewError("ERR The bit argument must be 1 or 0.")
	errBitOffset = resp.NewError("ERR bit offset is not an integer or out of range")
)

// isString refuses a found key that holds no string.
func isString(r engine.Record, found bool) error {
	if found && r.Type() != engine.TypeString {
		return resp.ErrWrongType
	}
	return nil
}

// parseOffset reads a bit offset. With width > 0 it may be written #N: the N-th field of
// that width. An offset past proto-max-bulk-len is refused (Redis 7.2, bitops.c,
// getBitOffsetFromArgument); so is a #N whose product does not fit, which Redis wraps.
func parseOffset(c *command.Ctx, arg []byte, width int) (int64, error) {
	factor := int64(1)
	if width > 0 && len(arg) > 0 && arg[0] == '#' {
		arg, factor = arg[1:], int64(width)
	}
	v, ok := command.ParseInt(arg)
	if !ok || v < 0 || v > (1<<62)/factor || (v*factor)>>3 >= c.MaxString() {
		return 0, errBitOffset
	}
	return v * factor, nil
}
