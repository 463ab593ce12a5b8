package admin

import (
	"time"

	"github.com/redwingdb/redwing/internal/command"
)

// timeNow is TIME. It reads the clock: the frozen time has no microseconds.
func timeNow(c *command.Ctx) error {
	now := time.Now().UnixMicro()
	c.Out.Array(2)
	c.Out.BulkInt(now / 1e6)
	c.Out.BulkInt(now % 1e6)
	return nil
}
