package bitmap

import (
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/resp"
)

// bitcount looks at its arguments before its key, as Redis has done since 7.2.
func bitcount(c *command.Ctx) error {
	start, end, inBits := int64(0), int64(-1), false
	var err error
	switch len(c.Args) {
	case 2:
	case 4, 5:
		if start, err = c.Int(2); err != nil {
			return err
		}
		if end, err = c.Int(3); err != nil {
			return err
		}
		if len(c.Args) == 5 {
			if inBits, err = parseUnit(c, 4); err != nil {
				return err
			}
		}
	default:
		return resp.ErrSyntax
	}
	r, found := c.Read(1)
	if err := isString(r, found); err != nil {
		return err
	}
	if !found || start < 0 && end < 0 && start > end {
		c.Out.Int(0)
		return nil
	}
	s := clip(start, end, inBits, int64(r.Len()))
	if c.Slow(1, s.bytes()) {
		c.Hits--
		return command.ErrSlow
	}
	var digits [20]byte
	c.Out.Int(s.count(r.Bytes(digits[:0])))
	return nil
}

// bitpos finds a zero behind the string where no end is given: there the string goes on
// with zeros (Redis 7.2, bitops.c, bitposCommand).
func bitpos(c *command.Ctx) error {
	bit, err := c.Int(2)
	if err != nil {
		return err
	}
	if bit&^1 != 0 {
		return errBitArg
	}
	start, end, inBits := int64(0), int64(-1), false
	n := len(c.Args)
	if n > 6 {
		return resp.ErrSyntax
	}
	if n > 3 {
		if start, err = c.Int(3); err != nil {
			return err
		}
	}
	if n == 6 {
		if inBits, err = parseUnit(c, 5); err != nil {
			return err
		}
	}
	if n > 4 {
		if end, err = c.Int(4); err != nil {
			return err
		}
	}
	r, found := c.Read(1)
	if err := isString(r, found); err != nil {
		return err
	}
	if !found {
		c.Out.Int(-bit)
		return nil
	}
	s := clip(start, end, inBits, int64(r.Len()))
	if c.Slow(1, s.bytes()) {
		c.Hits--
		return command.ErrSlow
	}
	var digits [20]byte
	pos := s.find(r.Bytes(digits[:0]), bit == 1)
	if pos < 0 && bit == 0 && n < 5 && s.bytes() > 0 {
		pos = s.last + 1
	}
	c.Out.Int(pos)
	return nil
}
