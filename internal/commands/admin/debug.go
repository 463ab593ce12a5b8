package admin

import (
	"math"
	"strconv"
	"time"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/glob"
)

// debug runs off-loop and locks what it needs by itself: DEBUG has no subcommands
// in the table, as in Redis.
func (d *Deps) debug(c *command.Ctx) error {
	switch sub := c.Args[1]; {
	case command.Is(sub, "sleep") && len(c.Args) == 3:
		return d.debugSleep(c)
	case command.Is(sub, "change-repl-id") && len(c.Args) == 2:
		d.ChangeReplicationID()
		c.Out.OK()
		return nil
	case command.Is(sub, "object") && len(c.Args) == 3:
		return d.debugObject(c)
	case command.Is(sub, "digest") && len(c.Args) == 2:
		return d.debugDigest(c)
	case command.Is(sub, "digest-value") && len(c.Args) >= 2:
		return d.debugDigestValue(c)
	case command.Is(sub, "listpack") && len(c.Args) == 3:
		return d.debugListpack(c)
	case command.Is(sub, "quicklist-packed-threshold") && len(c.Args) == 3:
		return d.debugPackedThreshold(c)
	case command.Is(sub, "set-active-expire") && len(c.Args) == 3:
		return d.debugSetActiveExpire(c)
	case command.Is(sub, "stringmatch-len") && len(c.Args) == 4:
		matches := int64(0)
		if glob.Match(c.Args[2], c.Args[3]) {
			matches = 1
		}
		c.Out.Int(matches)
		return nil
	case command.Is(sub, "loadaof") && len(c.Args) == 2:
		return d.debugLoadAOF(c)
	case command.Is(sub, "reload") && len(c.Args) >= 2:
		return d.debugReload(c)
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
	case <-d.Done():
	}
	c.Out.OK()
	return nil
}

// debugSetActiveExpire switches the expiry of keys that nobody asks for, as C's atoi
// reads the number: what is none is 0.
func (d *Deps) debugSetActiveExpire(c *command.Ctx) error {
	n, _ := strconv.Atoi(string(c.Args[2]))
	d.SetActiveExpire(n != 0)
	c.Out.OK()
	return nil
}

func debugHelp(c *command.Ctx) error {
	lines := []string{
		"DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
		"CHANGE-REPL-ID",
		"    Change the replication IDs of the instance.",
		"    Dangerous: should be used only for testing the replication subsystem.",
		"DIGEST",
		"    Output a hex signature representing the current DB content.",
		"DIGEST-VALUE <key> [<key> ...]",
		"    Output a hex signature of the values of all the specified keys.",
		"LISTPACK <key>",
		"    Show low level info about the listpack encoding of <key>.",
		"LOADAOF",
		"    Flush the AOF buffers on disk and reload the AOF in memory.",
		"OBJECT <key>",
		"    Show low level info about `key` and associated value.",
		"QUICKLIST-PACKED-THRESHOLD <size>",
		"    Sets the threshold for elements to be inserted as plain vs packed nodes",
		"    Default value is 1GB, allows values up to 4GB. Setting to 0 restores to default.",
		"RELOAD [option ...]",
		"    Save the RDB on disk and reload it back to memory. Valid <option> values:",
		"    * MERGE: conflicting keys will be loaded from RDB.",
		"    * NOFLUSH: the existing database will not be removed before load, but",
		"      conflicting keys will generate an exception and kill the server.",
		"    * NOSAVE: the database will be loaded from an existing RDB file.",
		"    Examples:",
		"    * DEBUG RELOAD: verify that the server is able to persist, flush and reload",
		"      the database.",
		"    * DEBUG RELOAD NOSAVE: replace the current database with the contents of an",
		"      existing RDB file.",
		"    * DEBUG RELOAD NOSAVE NOFLUSH MERGE: add the contents of an existing RDB",
		"      file to the database.",
		"SET-ACTIVE-EXPIRE <0|1>",
		"    Setting it to 0 disables expiring keys in background when they are not",
		"    accessed (otherwise the Redis behavior). Setting it to 1 reenables back the",
		"    default.",
		"SLEEP <seconds>",
		"    Stop the server for <seconds>. Decimals allowed.",
		"STRINGMATCH-LEN <pattern> <string>",
		"    Return 1 if the glob-style pattern matches the string, 0 if not.",
		"HELP",
		"    Prints this help.",
	}
	c.Out.Array(len(lines))
	for _, line := range lines {
		c.Out.Simple(line)
	}
	return nil
}
