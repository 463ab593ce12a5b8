package str

import (
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/double"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/resp"
)

func incrbyfloat(c *command.Ctx) error {
	slot, key := c.Slot(1), c.Args[1]
	r, found := c.DB.Find(slot, key)
	if err := isString(r, found); err != nil {
		return err
	}
	value := double.Zero()
	if found {
		if r.Len() >= double.MaxExtendedText {
			return resp.ErrNotFloat
		}
		var digits [20]byte
		var ok bool
		if value, ok = double.ParseExtended(r.Bytes(digits[:0])); !ok {
			return resp.ErrNotFloat
		}
	}
	by, ok := double.ParseExtended(c.Args[2])
	if !ok {
		return resp.ErrNotFloat
	}
	sum, ok := value.Add(by)
	if !ok {
		return resp.ErrNaNOrInfinity
	}
	text := sum.Human()
	if err := c.DB.SetString(slot, key, text, engine.KeepTTL); err != nil {
		return err
	}
	c.Changed(1)
	// Rounding must not depend on the machine that applies it.
	c.Effect(slot, wordSet, key, text, wordKeepTTL)
	c.Notify(command.NotifyString, "incrbyfloat", 1)
	c.Out.Bulk(text)
	return nil
}
