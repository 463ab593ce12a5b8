package keys

import "github.com/redwingdb/redwing/internal/command"

// del serves UNLINK too: the engine always frees big values in steps.
func del(c *command.Ctx) error {
	if c.Slow(len(c.Args)-1, 0) {
		return command.ErrSlow
	}
	n := 0
	for i, slot := range c.EachKey(1, 1) {
		if c.DB.Delete(slot, c.Args[i]) {
			n++
			c.Notify(command.NotifyGeneric, "del", i)
		}
	}
	c.Changed(n)
	c.Out.Int(int64(n))
	return nil
}
