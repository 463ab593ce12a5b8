package hll

import (
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine/hll"
	"github.com/redwingdb/redwing/internal/resp"
)

var (
	errNoKey     = resp.NewError("ERR The specified key does not exist")
	errNotSparse = resp.NewError("ERR HLL encoding is not sparse")
)

// pfdebug serves GETREG, DECODE, ENCODING and TODENSE. Its words are looked at only
// once the key is known to be a HyperLogLog (Redis 7.2, hyperloglog.c, pfdebugCommand).
func pfdebug(c *command.Ctx) error {
	word := c.Args[1]
	if c.Slow(0, len(word)) {
		return command.ErrSlow
	}
	var v edited
	if err := v.open(c, 2); err != nil {
		return err
	}
	if v.b == nil {
		return errNoKey
	}
	var run func(*command.Ctx, *edited) error
	switch {
	case command.Is(word, "getreg"):
		run = getreg
	case command.Is(word, "decode"):
		run = decode
	case command.Is(word, "encoding"):
		run = encoding
	case command.Is(word, "todense"):
		run = todense
	default:
		return command.QuoteError("ERR Unknown PFDEBUG subcommand '", string(word), "'")
	}
	if len(c.Args) != 3 {
		return command.QuoteError("ERR Wrong number of arguments for the '", string(word), "' subcommand")
	}
	return run(c, &v)
}

// getreg makes a sparse value dense, as in Redis.
func getreg(c *command.Ctx, v *edited) error {
	if c.Slow(hll.Registers, 0) {
		return command.ErrSlow
	}
	if _, err := densify(c, v); err != nil {
		return err
	}
	var registers [hll.Registers]uint8
	if err := hll.Merge(&registers, v.b); err != nil {
		return refused(err)
	}
	c.Out.Array(len(registers))
	for _, r := range registers {
		c.Out.Int(int64(r))
	}
	return nil
}

func decode(c *command.Ctx, v *edited) error {
	if hll.Dense(v.b) {
		return errNotSparse
	}
	if c.Slow(0, len(v.b)) {
		return command.ErrSlow
	}
	c.Out.Bulk(hll.AppendRuns(nil, v.b))
	return nil
}

func encoding(c *command.Ctx, v *edited) error {
	if hll.Dense(v.b) {
		c.Out.Simple("dense")
	} else {
		c.Out.Simple("sparse")
	}
	return nil
}

func todense(c *command.Ctx, v *edited) error {
	did, err := densify(c, v)
	if err != nil {
		return err
	}
	n := int64(0)
	if did {
		n = 1
	}
	c.Out.Int(n)
	return nil
}

// densify makes a sparse value dense and reports whether it was sparse.
func densify(c *command.Ctx, v *edited) (bool, error) {
	if hll.Dense(v.b) {
		return false, nil
	}
	if err := v.promote(); err != nil {
		return false, refused(err)
	}
	c.Changed(1)
	return true, nil
}
