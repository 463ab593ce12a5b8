package serial

import (
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/persist"
)

// dump replies with the value in the form of RDB, its version and checksum behind it; null
// where there is no key (Redis 7.2, cluster.c, dumpCommand).
func dump(c *command.Ctx) error {
	var v engine.Value
	if !v.Open(&c.DB, c.Slot(1), c.Args[1]) {
		c.Count(false)
		c.Out.Null()
		return nil
	}
	if c.Slow(v.Weight()) {
		return command.ErrSlow
	}
	c.Count(true)
	var b engine.Batch
	e, ok := c.DB.Entry(c.Slot(1), c.Args[1], &b)
	if !ok {
		c.Out.Null()
		return nil
	}
	c.Out.Bulk(persist.Dump(nil, &e, true))
	return nil
}
