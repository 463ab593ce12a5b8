package stream

import (
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/engine/stream"
	"github.com/redwingdb/redwing/internal/resp"
)

// pendingOptions are those of the long form of XPENDING.
type pendingOptions struct {
	from, to stream.ID
	count    int64
	minIdle  int64
	consumer int // argument of its name; 0: all
}

// parsePending reads the long form, count before the interval as Redis does.
func parsePending(c *command.Ctx) (o pendingOptions, err error) {
	at := 3
	if is(c.Args[3], "idle") {
		if o.minIdle, err = c.Int(4); err != nil {
			return o, err
		}
		if len(c.Args) < 8 {
			return o, resp.ErrSyntax
		}
		at = 5
	}
	if o.count, err = c.Int(at + 2); err != nil {
		return o, err
	}
	o.count = max(o.count, 0)
	if o.from, err = intervalStart(c, at); err != nil {
		return o, err
	}
	if o.to, err = intervalEnd(c, at+1); err != nil {
		return o, err
	}
	if at+3 < len(c.Args) {
		o.consumer = at + 3
	}
	return o, nil
}

func xpending(c *command.Ctx) error {
	n := len(c.Args)
	if n != 3 && (n < 6 || n > 9) {
		return resp.ErrSyntax
	}
	var o pendingOptions
	if n > 3 {
		var err error
		if o, err = parsePending(c); err != nil {
			return err
		}
	}
	var x engine.Stream
	found, err := openRead(c, &x, 1)
	if err != nil {
		return err
	}
	var g stream.Group
	if found {
		g, found = x.View().Group(c.Args[2])
	}
	if !found {
		return missingGroup(c.Args[1], c.Args[2])
	}
	if n == 3 {
		if c.Slow(g.Consumers(), 0) {
			c.Hits--
			return command.ErrSlow
		}
		replyPendingSummary(c.Out, g)
		return nil
	}
	return replyPending(c, g, &o)
}

// replyPendingSummary replies with the number of pending entries, the first and the last
// of them, and how many each consumer has.
func replyPendingSummary(out *resp.Writer, g stream.Group) {
	out.Array(4)
	out.Int(int64(g.Pending()))
	if g.Pending() == 0 {
		out.Null()
		out.Null()
		out.NullArray()
		return
	}
	first, last := g.Edges()
	replyID(out, first)
	replyID(out, last)
	d := out.Defer(g.Consumers())
	n := 0
	for i := range g.Consumers() {
		if consumer := g.ConsumerAt(i); consumer.Pending() > 0 {
			n++
			out.Array(2)
			out.Bulk(consumer.Name())
			out.BulkInt(int64(consumer.Pending()))
		}
	}
	out.SetArray(d, n)
}

// replyPending replies with pending entries one by one.
func replyPending(c *command.Ctx, g stream.Group, o *pendingOptions) error {
	var of *stream.Consumer
	if o.consumer != 0 {
		consumer, ok := g.Consumer(c.Args[o.consumer])
		if !ok {
			c.Out.Array(0)
			return nil
		}
		of = &consumer
	}
	begin := len(c.Out.Buf)
	d := c.Out.Defer(int(min(o.count, int64(g.Pending()))))
	n, looked := int64(0), 0
	var b stream.Backlog
	for b.Start(g, of, o.from, o.to); n < o.count && b.Next(); {
		if looked++; c.Slow(looked, 0) {
			c.Out.Buf = c.Out.Buf[:begin]
			c.Hits--
			return command.ErrSlow
		}
		idle := c.Now() - b.Time
		if o.minIdle != 0 && idle < o.minIdle {
			continue
		}
		n++
		c.Out.Array(4)
		replyID(c.Out, b.ID)
		c.Out.Bulk(b.Consumer.Name())
		c.Out.Int(max(idle, 0))
		c.Out.Int(int64(b.Count))
	}
	c.Out.SetArray(d, int(n))
	return nil
}
