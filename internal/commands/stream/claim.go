package stream

import (
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/engine/stream"
	"github.com/redwingdb/redwing/internal/resp"
)

var (
	errMinIdleClaim = resp.NewError("ERR Invalid min-idle-time argument for XCLAIM")
	errIdleClaim    = resp.NewError("ERR Invalid IDLE option argument for XCLAIM")
	errTimeClaim    = resp.NewError("ERR Invalid TIME option argument for XCLAIM")
	errRetryClaim   = resp.NewError("ERR Invalid RETRYCOUNT option argument for XCLAIM")
)

// claimOptions are the options of XCLAIM.
type claimOptions struct {
	minIdle int64
	ids     []stream.ID
	time    int64 // of the delivery, Unix milliseconds
	retries int64 // -1: one more than before
	force   bool
	justID  bool
	last    stream.ID
}

func parseClaim(c *command.Ctx, room []stream.ID) (o claimOptions, err error) {
	var ok bool
	if o.minIdle, ok = command.ParseInt(c.Args[4]); !ok {
		return o, errMinIdleClaim
	}
	o.minIdle = max(o.minIdle, 0)
	o.ids, o.time, o.retries = room, -1, -1
	i := 5
	for ; i < len(c.Args); i++ {
		p, ok := parseID(c.Args[i], 0, idOptions{})
		if !ok {
			break
		}
		o.ids = append(o.ids, p.ID)
	}
	now := c.Now()
	for ; i < len(c.Args); i++ {
		word, more := c.Args[i], len(c.Args)-1-i
		ok := true
		switch {
		case is(word, "force"):
			o.force = true
		case is(word, "justid"):
			o.justID = true
		case more > 0 && is(word, "idle"):
			i++
			if o.time, ok = command.ParseInt(c.Args[i]); !ok {
				return o, errIdleClaim
			}
			o.time = now - o.time
		case more > 0 && is(word, "time"):
			i++
			if o.time, ok = command.ParseInt(c.Args[i]); !ok {
				return o, errTimeClaim
			}
		case more > 0 && is(word, "retrycount"):
			i++
			if o.retries, ok = command.ParseInt(c.Args[i]); !ok {
				return o, errRetryClaim
			}
		case more > 0 && is(word, "lastid"):
			i++
			if o.last, err = strictID(c, i); err != nil {
				return o, err
			}
		default:
			return o, command.QuoteError("ERR Unrecognized XCLAIM option '", string(word), "'")
		}
	}
	// A bogus time is the client's clock, not an error. What is applied is the sender's.
	if o.time < 0 || o.time > now && !c.Applying {
		o.time = now
	}
	return o, nil
}

func xclaim(c *command.Ctx) error {
	var x engine.Stream
	g, found, err := openGroup(c, &x, 1)
	if err != nil {
		return err
	}
	if !found {
		return missingGroup(c.Args[1], c.Args[2])
	}
	var room [16]stream.ID
	o, err := parseClaim(c, room[:0])
	if err != nil {
		return err
	}
	bytes := 0
	if !o.justID {
		bytes = len(o.ids) * x.View().EntryBytes()
	}
	if c.Slow(len(o.ids), bytes) {
		return command.ErrSlow
	}
	s := x.Edit()
	g = s.Regain(g)
	cl := claimer{claims: claims{c, c.Slot(1), c.Args[1], c.Args[2]}, s: s, g: g, justID: o.justID}
	advanced := g.Last().Less(o.last)
	if advanced {
		g.Advance(o.last, g.Read())
	}
	if err := cl.begin(c.Args[3]); err != nil {
		return engine.StoreError(err)
	}
	begin := len(c.Out.Buf)
	d := c.Out.Defer(len(o.ids))
	n := 0
	for _, id := range o.ids {
		claimed, err := cl.claimID(id, &o)
		if err != nil {
			c.Out.Buf = c.Out.Buf[:begin]
			return engine.StoreError(err)
		}
		if claimed {
			n++
		}
	}
	if advanced && !cl.told {
		cl.advance(g)
	}
	cl.end()
	c.Out.SetArray(d, n)
	return nil
}

// claimer gives pending entries of a group to one consumer.
type claimer struct {
	claims
	s        stream.Stream
	g        stream.Group
	consumer stream.Consumer
	created  bool // the consumer is new
	named    bool // and a claim has named it
	told     bool // a claim has told how far the group has read
	justID   bool
}

// begin finds the consumer, made if it is not there.
func (cl *claimer) begin(name []byte) (err error) {
	now := cl.c.Now()
	if cl.consumer, cl.created, err = cl.g.CreateConsumer(name, now); err != nil {
		return err
	}
	cl.consumer.SetSeen(now)
	if cl.created {
		cl.c.Notify(command.NotifyStream, "xgroup-createconsumer", 1)
	}
	return nil
}

// end propagates a new consumer that got nothing.
func (cl *claimer) end() {
	if cl.created && !cl.named {
		cl.claims.created(cl.consumer.Name())
	}
}

// drop takes out a pending entry that is not in the stream any more.
func (cl *claimer) drop(p *stream.Pending) {
	cl.claim(cl.g, p.Consumer.Name(), p.ID, p.Time, p.Count)
	cl.told = true
	cl.g.Ack(p.ID)
}

// take gives id to the consumer, and replies with it.
func (cl *claimer) take(id stream.ID, timeMillis int64, count uint64) error {
	if err := cl.g.Deliver(id, cl.consumer, timeMillis, count); err != nil {
		return err
	}
	if cl.justID {
		replyID(cl.c.Out, id)
	} else {
		replyOne(cl.c.Out, cl.s, id)
	}
	cl.consumer.SetActive(cl.c.Now())
	cl.claim(cl.g, cl.consumer.Name(), id, timeMillis, count)
	cl.named, cl.told = true, true
	return nil
}

func (cl *claimer) claimID(id stream.ID, o *claimOptions) (claimed bool, err error) {
	p, pending := cl.g.Lookup(id)
	if !cl.s.Has(id) {
		if pending {
			cl.drop(&p)
		}
		return false, nil
	}
	switch {
	case !pending && !o.force:
		return false, nil
	case !pending:
		p.Count = 1 // what a new one begins with
	case o.minIdle > 0 && cl.c.Now()-p.Time < o.minIdle:
		return false, nil
	}
	count := p.Count
	switch {
	case o.retries >= 0:
		count = uint64(o.retries)
	case !o.justID:
		count++
	}
	return true, cl.take(id, o.time, count)
}
