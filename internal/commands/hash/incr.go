package hash

import (
	"math"
	"strconv"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/double"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/resp"
)

var (
	errValueNotInteger = resp.NewError("ERR hash value is not an integer")
	errValueNotFloat   = resp.NewError("ERR hash value is not a float")
	errIncrNaN         = resp.NewError("ERR value is NaN or Infinity")
)

func hincrby(c *command.Ctx) error {
	by, err := c.Int(3)
	if err != nil {
		return err
	}
	var h engine.Hash
	if _, err := openWrite(c, &h); err != nil {
		return err
	}
	var v int64
	if text, _, ok := h.Get(c.Args[2]); ok {
		if v, ok = command.ParseInt(text); !ok {
			return errValueNotInteger
		}
	}
	if by > 0 && v > math.MaxInt64-by || by < 0 && v < math.MinInt64-by {
		return resp.ErrOverflow
	}
	var room [20]byte
	if _, err := h.Put(c.Args[2], strconv.AppendInt(room[:0], v+by, 10), engine.KeepTTL); err != nil {
		return err
	}
	c.Changed(1)
	c.Notify(command.NotifyHash, "hincrby", 1)
	c.Out.Int(v + by)
	return nil
}

func hincrbyfloat(c *command.Ctx) error {
	by, ok := double.ParseExtended(c.Args[3])
	if !ok {
		return resp.ErrNotFloat
	}
	if by.IsInf() {
		return errIncrNaN
	}
	var h engine.Hash
	if _, err := openWrite(c, &h); err != nil {
		return err
	}
	value := double.Zero()
	text, at, found := h.Get(c.Args[2])
	if found {
		if value, ok = double.ParseExtended(text); !ok {
			return errValueNotFloat
		}
	}
	sum, ok := value.Add(by)
	if !ok {
		return resp.ErrNaNOrInfinity
	}
	result := sum.Human()
	if _, err := h.Put(c.Args[2], result, engine.KeepTTL); err != nil {
		return err
	}
	c.Changed(1)
	c.Notify(command.NotifyHash, "hincrbyfloat", 1)
	// Rounding must not depend on the machine that applies it.
	if at == 0 {
		c.Effect(c.Slot(1), wordHSet, c.Args[1], c.Args[2], result)
	} else {
		c.Effect(c.Slot(1), wordHSetEx, c.Args[1], wordKeepTTL, wordFields, wordOne, c.Args[2], result)
	}
	c.Out.Bulk(result)
	return nil
}
