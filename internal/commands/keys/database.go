package keys

import (
	"sync/atomic"
	"time"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/resp"
)

func dbsize(c *command.Ctx) error {
	c.Out.Int(c.Keyspace.Len(c.DB.DB()))
	return nil
}

// flushMode returns whether the client is to wait until memory is free (SYNC, and
// without a word by lazyfree-lazy-user-flush). Tables are detached at once and freed
// behind the commands in any case.
func (h *handlers) flushMode(c *command.Ctx) (wait bool, err error) {
	switch {
	case len(c.Args) == 1:
		return !h.LazyFlush(), nil
	case len(c.Args) == 2 && command.Is(c.Args[1], "async"):
		return false, nil
	case len(c.Args) == 2 && command.Is(c.Args[1], "sync"):
		return true, nil
	}
	return false, resp.ErrSyntax
}

// flushed ends a flush. Who waits holds no shard: others go on meanwhile. Within EXEC, or
// where a stream is applied, nobody can wait.
func (h *handlers) flushed(c *command.Ctx, wait bool) error {
	c.Changed(1)
	if wait && c.Client != nil && !c.InExec && !c.Applying {
		var free atomic.Bool
		var wake func()
		// All shards are held, so nobody frees before wake is known.
		if c.Keyspace.WhenFreed(func() { free.Store(true); wake() }) {
			wake = c.Client.Block(time.Time{}, func(out *resp.Writer, _ bool) bool {
				if free.Load() {
					out.OK()
				}
				return free.Load()
			}, nil)
			if h.FreeSoon != nil {
				h.FreeSoon()
			}
			return nil
		}
	}
	c.Out.OK()
	return nil
}

// flushall empties every database. It and FLUSHDB are propagated even where there was
// nothing, as in Redis. Applied to the hidden database of slots on their way here, it
// empties that one alone: the stream speaks only of those slots.
func (h *handlers) flushall(c *command.Ctx) error {
	wait, err := h.flushMode(c)
	if err != nil {
		return err
	}
	if staging := c.Keyspace.StagingDB(); c.DB.DB() == staging {
		c.Keyspace.Flush(staging)
	} else {
		for db := range c.Keyspace.Databases() {
			c.TouchDatabase(db, db)
		}
		c.Keyspace.FlushAll()
		if h.Flushed != nil {
			h.Flushed()
		}
	}
	return h.flushed(c, wait)
}

func (h *handlers) flushdb(c *command.Ctx) error {
	wait, err := h.flushMode(c)
	if err != nil {
		return err
	}
	c.TouchDatabase(c.DB.DB(), c.DB.DB())
	c.Keyspace.Flush(c.DB.DB())
	return h.flushed(c, wait)
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
