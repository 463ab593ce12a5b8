package stream

import (
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/engine/stream"
	"github.com/redwingdb/redwing/internal/resp"
)

// openInfo finds the stream at argument 2, which must be there.
func openInfo(c *command.Ctx, x *engine.Stream) error {
	found, err := openRead(c, x, 2)
	if err == nil && !found {
		err = resp.ErrNoSuchKey
	}
	return err
}

func xinfoGroups(c *command.Ctx) error {
	var x engine.Stream
	if err := openInfo(c, &x); err != nil {
		return err
	}
	s := x.View()
	if c.Slow(s.Groups(), 0) {
		c.Hits--
		return command.ErrSlow
	}
	c.Out.Array(s.Groups())
	for i := range s.Groups() {
		g := s.GroupAt(i)
		c.Out.Map(6)
		c.Out.BulkString("name")
		c.Out.Bulk(g.Name())
		c.Out.BulkString("consumers")
		c.Out.Int(int64(g.Consumers()))
		c.Out.BulkString("pending")
		c.Out.Int(int64(g.Pending()))
		c.Out.BulkString("last-delivered-id")
		replyID(c.Out, g.Last())
		replyProgress(c.Out, s, g)
	}
	return nil
}

// replyProgress replies with how many entries the group has read and how many it has
// still to read, each null where it cannot be told.
func replyProgress(out *resp.Writer, s stream.Stream, g stream.Group) {
	out.BulkString("entries-read")
	if g.Read() == stream.Unknown {
		out.Null()
	} else {
		out.Int(g.Read())
	}
	out.BulkString("lag")
	if lag, ok := g.Lag(s); ok {
		out.Int(lag)
	} else {
		out.Null()
	}
}

func xinfoConsumers(c *command.Ctx) error {
	var x engine.Stream
	if err := openInfo(c, &x); err != nil {
		return err
	}
	g, found := x.View().Group(c.Args[3])
	if !found {
		return missingGroupOf(c.Args[2], c.Args[3])
	}
	if c.Slow(g.Consumers(), 0) {
		c.Hits--
		return command.ErrSlow
	}
	c.Out.Array(g.Consumers())
	for i := range g.Consumers() {
		consumer := g.ConsumerAt(i)
		inactive := consumer.Active()
		if inactive != stream.Unknown {
			inactive = c.Now() - inactive
		}
		c.Out.Map(4)
		c.Out.BulkString("name")
		c.Out.Bulk(consumer.Name())
		c.Out.BulkString("pending")
		c.Out.Int(int64(consumer.Pending()))
		c.Out.BulkString("idle")
		c.Out.Int(max(c.Now()-consumer.Seen(), 0))
		c.Out.BulkString("inactive")
		c.Out.Int(inactive)
	}
	return nil
}

func xinfoStream(c *command.Ctx) error {
	var x engine.Stream
	if err := openInfo(c, &x); err != nil {
		return err
	}
	s := x.View()
	full, count := len(c.Args) > 3, int64(10)
	if full {
		if n := len(c.Args); n != 4 && n != 6 || !is(c.Args[3], "full") || n == 6 && !is(c.Args[4], "count") {
			return badSubcommand(c)
		}
		if len(c.Args) == 6 {
			var err error
			if count, err = c.Int(5); err != nil {
				return err
			}
			if count < 0 {
				count = 10
			}
		}
	}
	if c.Slow(s.Nodes(), 0) || full && slowFull(c, s, count) {
		c.Hits--
		return command.ErrSlow
	}
	if full {
		c.Out.Map(9)
	} else {
		c.Out.Map(10)
	}
	replyCounters(c.Out, s)
	if full {
		c.Out.BulkString("entries")
		replyRange(c.Out, s, stream.ID{}, stream.MaxID, count, false)
		replyGroups(c.Out, s, count)
		return nil
	}
	c.Out.BulkString("groups")
	c.Out.Int(int64(s.Groups()))
	c.Out.BulkString("first-entry")
	replyEdge(c.Out, s, false)
	c.Out.BulkString("last-entry")
	replyEdge(c.Out, s, true)
	return nil
}

func replyCounters(out *resp.Writer, s stream.Stream) {
	out.BulkString("length")
	out.Int(int64(s.Len()))
	out.BulkString("radix-tree-keys")
	out.Int(int64(s.Nodes()))
	out.BulkString("radix-tree-nodes")
	out.Int(int64(radixNodes(s)))
	out.BulkString("last-generated-id")
	replyID(out, s.Last)
	out.BulkString("max-deleted-entry-id")
	replyID(out, s.MaxDeleted)
	out.BulkString("entries-added")
	out.Int(int64(s.Added))
	out.BulkString("recorded-first-entry-id")
	replyID(out, s.First)
}

// replyEdge replies with the first or the last entry, or null.
func replyEdge(out *resp.Writer, s stream.Stream, last bool) {
	var it stream.Iter
	if it.Start(s, stream.ID{}, stream.MaxID, last); it.Next() {
		replyEntry(out, &it)
		return
	}
	out.Null()
}

// slowFull reports whether the full form is too long for a shard's mutex: count is that
// of entries, and of pending ones of each group and consumer.
func slowFull(c *command.Ctx, s stream.Stream, count int64) bool {
	elements, bytes := s.Cost(stream.ID{}, stream.MaxID, count, false, command.SlowElements, command.SlowBytes)
	for i := 0; i < s.Groups() && elements <= command.SlowElements; i++ {
		g := s.GroupAt(i)
		elements += 1 + upTo(g.Pending(), count)
		for j := 0; j < g.Consumers() && elements <= command.SlowElements; j++ {
			elements += 1 + upTo(g.ConsumerAt(j).Pending(), count)
		}
	}
	return c.Slow(elements, bytes)
}

// upTo returns n, or count if that is less and not 0.
func upTo(n int, count int64) int {
	if count > 0 {
		n = int(min(int64(n), count))
	}
	return n
}

// replyGroups replies with the groups of the full form.
func replyGroups(out *resp.Writer, s stream.Stream, count int64) {
	out.BulkString("groups")
	out.Array(s.Groups())
	for i := range s.Groups() {
		g := s.GroupAt(i)
		out.Map(7)
		out.BulkString("name")
		out.Bulk(g.Name())
		out.BulkString("last-delivered-id")
		replyID(out, g.Last())
		replyProgress(out, s, g)
		out.BulkString("pel-count")
		out.Int(int64(g.Pending()))
		out.BulkString("pending")
		out.Array(upTo(g.Pending(), count))
		var b stream.Backlog
		b.Start(g, nil, stream.ID{}, stream.MaxID)
		for range upTo(g.Pending(), count) {
			b.Next()
			out.Array(4)
			replyID(out, b.ID)
			out.Bulk(b.Consumer.Name())
			out.Int(b.Time)
			out.Int(int64(b.Count))
		}
		out.BulkString("consumers")
		out.Array(g.Consumers())
		for j := range g.Consumers() {
			replyConsumer(out, g, g.ConsumerAt(j), count)
		}
	}
}

func replyConsumer(out *resp.Writer, g stream.Group, consumer stream.Consumer, count int64) {
	out.Map(5)
	out.BulkString("name")
	out.Bulk(consumer.Name())
	out.BulkString("seen-time")
	out.Int(consumer.Seen())
	out.BulkString("active-time")
	out.Int(consumer.Active())
	out.BulkString("pel-count")
	out.Int(int64(consumer.Pending()))
	out.BulkString("pending")
	n := upTo(consumer.Pending(), count)
	out.Array(n)
	var b stream.Backlog
	b.Start(g, &consumer, stream.ID{}, stream.MaxID)
	for range n {
		b.Next()
		out.Array(3)
		replyID(out, b.ID)
		out.Int(b.Time)
		out.Int(int64(b.Count))
	}
}

func xinfoHelp(c *command.Ctx) error {
	c.ReplyHelp(
		"CONSUMERS <key> <groupname>",
		"    Show consumers of <groupname>.",
		"GROUPS <key>",
		"    Show the stream consumer groups.",
		"STREAM <key> [FULL [COUNT <count>]",
		"    Show information about the stream.",
	)
	return nil
}
