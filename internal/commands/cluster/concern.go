package cluster

import (
	"context"
	"strconv"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/resp"
	"github.com/redwingdb/redwing/internal/topology"
)

var (
	errSyncWrites    = resp.NewError("ERR sync-writes must be no, allowed or always")
	errSyncMinCopies = resp.NewError("ERR sync-min-copies must be a number of copies, or 0 for half of a shard's, rounded up")
	errSyncTimeout   = resp.NewError("ERR sync-timeout must be milliseconds from 100 to 3600000, or 0 for the default")
)

// writeConcern is CLUSTER WRITE-CONCERN, Redwing's own: what holds for synchronous writes
// in the whole cluster. With SET setting value [setting value ...] it changes settings,
// all or none; without, it returns them and the in-sync set of each shard:
//
//	sync-writes, sync-min-copies (0: half of a shard's copies, rounded up), sync-timeout
//	(milliseconds), shards: for each id, term, set-version, copies, min-copies, in-sync
//	(node ids, the primary among them)
func (d *Deps) writeConcern(c *command.Ctx) error {
	switch {
	case len(c.Args) == 2:
		d.showWriteConcern(c)
		return nil
	case !command.Is(c.Args[2], "set") || len(c.Args) < 5 || len(c.Args)%2 == 0:
		return resp.ErrSyntax
	}
	var e topology.SetClusterConfig
	for args := c.Args[3:]; len(args) > 0; args = args[2:] {
		if err := setConcern(&e, args[0], args[1]); err != nil {
			return err
		}
	}
	return d.change(c, func(ctx context.Context) error { return d.Control.Configure(ctx, e) })
}

func setConcern(e *topology.SetClusterConfig, name, value []byte) error {
	switch {
	case command.Is(name, "sync-writes"):
		for _, w := range []topology.SyncWrites{topology.SyncNo, topology.SyncAllowed, topology.SyncAlways} {
			if command.Is(value, string(w)) {
				e.SyncWrites = w
				return nil
			}
		}
		return errSyncWrites
	case command.Is(name, "sync-min-copies"):
		return number(&e.SyncMinCopies, value, 1, topology.MaxNodes, errSyncMinCopies)
	case command.Is(name, "sync-timeout"):
		return number(&e.SyncTimeoutMillis, value, topology.MinSyncMillis, topology.MaxSyncMillis, errSyncTimeout)
	}
	return resp.ErrSyntax
}

// number reads 0 or a number from least to most.
func number(to **int, value []byte, least, most int64, wrong error) error {
	n, ok := command.ParseInt(value)
	if !ok || n != 0 && (n < least || n > most) {
		return wrong
	}
	i := int(n)
	*to = &i
	return nil
}

func (d *Deps) showWriteConcern(c *command.Ctx) {
	v := d.Control.View()
	out, config := c.Out, &v.Config
	text := func(name, value string) {
		out.BulkString(name)
		out.BulkString(value)
	}
	number := func(name string, n int64) {
		out.BulkString(name)
		out.Int(n)
	}
	out.Map(5)
	writes := config.SyncWrites
	if writes == "" {
		writes = topology.SyncNo
	}
	text("sync-writes", string(writes))
	number("sync-min-copies", int64(config.SyncMinCopies))
	number("sync-timeout", int64(config.SyncTimeout()))
	out.BulkString("shards")
	out.Array(len(v.Shards))
	for i := range v.Shards {
		s := &v.Shards[i]
		out.Map(7)
		text("id", string(s.ID))
		text("term", strconv.FormatUint(s.Term, 10))
		text("set-version", strconv.FormatUint(s.SetVersion, 10))
		number("copies", int64(1+len(s.Replicas)))
		number("min-copies", int64(config.MinCopies(s)))
		out.BulkString("in-sync")
		out.Array(len(s.InSync))
		for _, m := range s.InSync {
			out.BulkString(string(m.Node))
		}
		// A set names processes: a node that has just restarted stands in it for a moment
		// longer under the run that ended.
		out.BulkString("in-sync-runs")
		out.Array(len(s.InSync))
		for _, m := range s.InSync {
			out.BulkString(string(m.Run))
		}
	}
	text("run", string(d.Control.Local().Run)) // of this very process
}
