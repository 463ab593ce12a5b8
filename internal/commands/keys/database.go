package keys

import (
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/resp"
)

func dbsize(c *command.Ctx) error {
	c.Out.Int(c.Keyspace.Len(c.DB.DB()))
	return nil
}

// flushMode checks the argument of FLUSHALL and FLUSHDB. SYNC and ASYNC are the same
// here: tables are detached at once and freed in the background.
func flushMode(c *command.Ctx) error {
	if len(c.Args) == 1 || len(c.Args) == 2 &&
		(command.Is(c.Args[1], "async") || command.Is(c.Args[1], "sync")) {
		return nil
	}
	return resp.ErrSyntax
}

// flushall empties every database. It and FLUSHDB are propagated even where there was
// nothing, as in Redis. Applied to the hidden database of slots on their way here, it
// empties that one alone: the stream speaks only of those slots.
func flushall(c *command.Ctx) error {
	if err := flushMode(c); err != nil {
		return err
	}
	if staging := c.Keyspace.StagingDB(); c.DB.DB() == staging {
		c.Keyspace.Flush(staging)
	} else {
		for db := range c.Keyspace.Databases() {
			c.TouchDatabase(db, db)
		}
		c.Keyspace.FlushAll()
	}
	c.Changed(1)
	c.Out.OK()
	return nil
}

func flushdb(c *command.Ctx) error {
	if err := flushMode(c); err != nil {
		return err
	}
	c.TouchDatabase(c.DB.DB(), c.DB.DB())
	c.Keyspace.Flush(c.DB.DB())
	c.Changed(1)
	c.Out.OK()
	return nil
}

var (
	errSwapCluster = resp.NewError("ERR SWAPDB is not allowed in cluster mode")
	errFirstIndex  = resp.NewError("ERR invalid first DB index")
	errSecondIndex = resp.NewError("ERR invalid second DB index")
)

func (h *handlers) swapdb(c *command.Ctx) error {
	if h.Cluster {
		return errSwapCluster
	}
	a, err := c.Int32(1)
	if err != nil {
		return errFirstIndex
	}
	b, err := c.Int32(2)
	if err != nil {
		return errSecondIndex
	}
	if n := c.Keyspace.Databases(); a < 0 || b < 0 || int(a) >= n || int(b) >= n {
		return resp.ErrDBIndex
	}
	c.TouchDatabase(int(a), int(b))
	c.TouchDatabase(int(b), int(a))
	c.Keyspace.SwapDB(int(a), int(b))
	c.Changed(1)
	c.Out.OK()
	return nil
}
