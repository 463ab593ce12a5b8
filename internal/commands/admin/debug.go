package admin

import (
	"math"
	"strconv"
	"time"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/resp"
	"github.com/redwingdb/redwing/internal/slots"
)

// debug runs off-loop and locks what it needs by itself: DEBUG has no subcommands
// in the table, as in Redis.
func (d *Deps) debug(c *command.Ctx) error {
	switch sub := c.Args[1]; {
	case command.Is(sub, "sleep") && len(c.Args) == 3:
		return d.debugSleep(c)
	case command.Is(sub, "object") && len(c.Args) == 3:
		return d.debugObject(c)
	case command.Is(sub, "help") && len(c.Args) == 2:
		return debugHelp(c)
	default:
		return command.QuoteError("ERR unknown subcommand or wrong number of arguments for '", string(sub), "'. Try DEBUG HELP.")
	}
}

// maxSleepSeconds bounds DEBUG SLEEP.
const maxSleepSeconds = 24 * 3600

// debugSleep owns every data shard for the given seconds: all commands on keys wait,
// as they do where one thread sleeps. The node's heartbeats go on.
func (d *Deps) debugSleep(c *command.Ctx) error {
	seconds, err := strconv.ParseFloat(string(c.Args[2]), 64)
	if err != nil || math.IsNaN(seconds) {
		seconds = 0 // as strtod says
	}
	timer := time.NewTimer(time.Duration(min(max(seconds, 0), maxSleepSeconds) * float64(time.Second)))
	defer timer.Stop()
	all := d.Keyspace.AllShards()
	d.Keyspace.Own(all)
	defer d.Keyspace.Disown(all)
	select {
	case <-timer.C:
	case <-d.Done:
	}
	c.Out.OK()
	return nil
}

func (d *Deps) debugObject(c *command.Ctx) error {
	key := c.Args[2]
	slot := slots.Of(key)
	mask := d.Keyspace.Mask(slot)
	d.Keyspace.Lock(mask)
	defer d.Keyspace.Unlock(mask)
	r, ok := c.DB.Peek(slot, key)
	if !ok {
		return resp.ErrNoSuchKey
	}
	idle := r.Idle(c.Now()) / 1000
	// There is no address to tell: values move.
	c.Out.Simple("Value at:0x0 refcount:1 encoding:" + r.Encoding().String() +
		" serializedlength:" + strconv.Itoa(serializedLength(r)) +
		" lru:" + strconv.FormatInt((c.Now()/1000-idle)&lruMask, 10) +
		" lru_seconds_idle:" + strconv.FormatInt(idle, 10))
	return nil
}

// serializedLength is the length of a string value in an RDB file that is not
// compressed.
func serializedLength(r engine.Record) int {
	if v, ok := r.Int(); ok {
		switch {
		case v >= math.MinInt8 && v <= math.MaxInt8:
			return 2
		case v >= math.MinInt16 && v <= math.MaxInt16:
			return 3
		case v >= math.MinInt32 && v <= math.MaxInt32:
			return 5
		}
	}
	n := r.Len()
	switch {
	case n < 1<<6:
		return n + 1
	case n < 1<<14:
		return n + 2
	default:
		return n + 5
	}
}

func debugHelp(c *command.Ctx) error {
	lines := []string{
		"DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
		"OBJECT <key>",
		"    Show low level info about `key` and associated value.",
		"SLEEP <seconds>",
		"    Stop the server for <seconds>. Decimals allowed.",
		"HELP",
		"    Prints this help.",
	}
	c.Out.Array(len(lines))
	for _, line := range lines {
		c.Out.Simple(line)
	}
	return nil
}
