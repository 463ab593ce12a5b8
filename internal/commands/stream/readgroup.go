package stream

import (
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/engine/stream"
	"github.com/redwingdb/redwing/internal/resp"
)

var (
	errNoGroupOption = resp.NewError("ERR Missing GROUP option for XREADGROUP")
	errLastInGroup   = resp.NewError("ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.")
	errTopInGroup    = resp.NewError("ERR The + ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The + ID would just return an empty result set.")
)

// groupRead is what XREADGROUP does with one of its keys.
type groupRead struct {
	newer bool      // ">": what nobody of the group was given
	from  stream.ID // else the history of the consumer from here on
}

func xreadgroup(c *command.Ctx) error {
	o, err := parseRead(c, true)
	if err != nil {
		return err
	}
	if o.group == 0 {
		return errNoGroupOption
	}
	hits, misses := c.Hits, c.Misses
	var room [8]groupRead
	reads := room[:0]
	slow := c.Slow(len(c.Args), 0)
	for i := range o.n {
		r, x, g, err := parseGroupRead(c, &o, i)
		if err != nil {
			return err
		}
		reads = append(reads, r)
		s := x.View()
		if !r.newer {
			slow = slow || slowHistory(c, s, g, &o)
		} else if next, ok := g.Last().Next(); ok {
			slow = slow || slowRange(c, s, next, stream.MaxID, o.count, false)
		}
	}
	if slow {
		c.Hits, c.Misses = hits, misses
		return command.ErrSlow
	}
	begin := len(c.Out.Buf)
	d, served := c.Out.Defer(o.n), 0
	for i := range o.n {
		something, err := readGroup(c, &o, i, reads[i])
		if err != nil {
			c.Out.Buf = c.Out.Buf[:begin]
			return engine.StoreError(err)
		}
		if something {
			served++
		}
	}
	if served > 0 {
		c.Out.SetMap(d, served)
		return nil
	}
	c.Out.Buf = c.Out.Buf[:begin]
	if o.block {
		return wait(c, &o, true)
	}
	c.Out.NullArray()
	return nil
}

// parseGroupRead finds the group of key i and reads its id.
func parseGroupRead(c *command.Ctx, o *readOptions, i int) (r groupRead, x engine.Stream, g stream.Group, err error) {
	key, name := c.Args[o.keyArg(i)], c.Args[o.group]
	found, err := openRead(c, &x, o.keyArg(i))
	if err != nil {
		return r, x, g, err
	}
	if found {
		g, found = x.View().Group(name)
	}
	if !found {
		return r, x, g, noGroup("No such key '", string(key), "' or consumer group '", string(name), "' in XREADGROUP with GROUP option")
	}
	if word := c.Args[o.idArg(i)]; len(word) == 1 {
		switch word[0] {
		case '$':
			return r, x, g, errLastInGroup
		case '+':
			return r, x, g, errTopInGroup
		case '>':
			return groupRead{newer: true}, x, g, nil
		}
	}
	last, err := strictID(c, o.idArg(i))
	if err != nil {
		return r, x, g, err
	}
	if last == stream.MaxID { // as Redis keeps ">"
		return groupRead{newer: true}, x, g, nil
	}
	r.from, _ = last.Next()
	return r, x, g, nil
}

// slowHistory reports whether to reply with the history of a consumer is too long for a
// shard's mutex.
func slowHistory(c *command.Ctx, s stream.Stream, g stream.Group, o *readOptions) bool {
	consumer, ok := g.Consumer(c.Args[o.group+1])
	if !ok || c.Owner {
		return false
	}
	n := consumer.Pending()
	if o.count > 0 {
		n = min(n, int(o.count))
	}
	return c.Slow(n, n*s.EntryBytes())
}

// readGroup reads key i for the consumer, which is made if it is not there, and replies
// unless there is nothing new for it: by another consumer, or by this very command.
func readGroup(c *command.Ctx, o *readOptions, i int, r groupRead) (something bool, err error) {
	var x engine.Stream
	if _, err := open(c, &x, o.keyArg(i)); err != nil {
		return false, err
	}
	s := x.Edit()
	key, name := c.Args[o.keyArg(i)], c.Args[o.group+1]
	g, _ := s.Group(c.Args[o.group])
	p := claims{c, c.Slot(o.keyArg(i)), key, c.Args[o.group]}
	consumer, created, err := g.CreateConsumer(name, c.Now())
	if err != nil {
		return false, err
	}
	consumer.SetSeen(c.Now())
	if created {
		c.Notify(command.NotifyStream, "xgroup-createconsumer", o.keyArg(i))
	}
	next, ok := g.Last().Next()
	fresh := r.newer && ok && hasFrom(s, next)
	if created && (!fresh || o.noAck) {
		p.created(name) // else the claims do
	}
	switch {
	case !r.newer:
		nameStream(c.Out, key)
		return true, replyHistory(&p, s, g, consumer, r.from, o.count)
	case !fresh:
		return false, nil
	}
	nameStream(c.Out, key)
	return true, deliver(&p, s, g, consumer, o, next)
}

// deliver replies with the entries from next on and makes them pending for the consumer.
func deliver(p *claims, s stream.Stream, g stream.Group, consumer stream.Consumer, o *readOptions, next stream.ID) error {
	c, now := p.c, p.c.Now()
	likely := int64(s.Len())
	if o.count > 0 {
		likely = min(likely, o.count)
	}
	d := c.Out.Defer(int(likely))
	n := int64(0)
	var it stream.Iter
	for it.Start(s, next, stream.MaxID, false); (o.count == 0 || n < o.count) && it.Next(); n++ {
		if !o.noAck {
			// The group may have been set back: then somebody has the entry already.
			if err := g.Deliver(it.ID, consumer, now, 1); err != nil {
				p.advance(g)
				return err
			}
		}
		g.ReadOn(s, it.ID)
		replyEntry(c.Out, &it)
		if !o.noAck {
			p.claim(g, consumer.Name(), it.ID, now, 1)
		}
	}
	if !o.noAck {
		consumer.SetActive(now)
	}
	p.advance(g)
	c.Out.SetArray(d, int(n))
	return nil
}

// replyHistory replies with the pending entries of the consumer, and counts that as
// delivering them once more, which Redis does not propagate. An entry that is not in the
// stream any more is null.
func replyHistory(p *claims, s stream.Stream, g stream.Group, consumer stream.Consumer, from stream.ID, count int64) error {
	c := p.c
	likely := int64(consumer.Pending())
	if count > 0 {
		likely = min(likely, count)
	}
	d := c.Out.Defer(int(likely))
	n := int64(0)
	var b stream.Backlog
	for b.Start(g, &consumer, from, stream.MaxID); (count == 0 || n < count) && b.Next(); n++ {
		if !replyOne(c.Out, s, b.ID) {
			c.Out.Array(2)
			replyID(c.Out, b.ID)
			c.Out.NullArray()
			continue
		}
		if err := g.Deliver(b.ID, consumer, c.Now(), b.Count+1); err != nil {
			return err
		}
		p.claim(g, consumer.Name(), b.ID, c.Now(), b.Count+1)
	}
	c.Out.SetArray(d, int(n))
	return nil
}
