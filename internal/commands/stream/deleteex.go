package stream

import (
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/engine/stream"
	"github.com/redwingdb/redwing/internal/resp"
)

var (
	errIDCount      = resp.NewError("ERR Number of IDs must be a positive integer")
	errIDCountWrong = resp.NewError("ERR The `numids` parameter must match the number of arguments")
)

// What XDELEX and XACKDEL reply for an id (Redis 8.2, documentation of the commands).
const (
	replyNotFound = -1
	replyDeleted  = 1
	replyKept     = 2 // for the sake of a group that has not acknowledged it
)

// deleteOptions are the options of XDELEX and XACKDEL, in any order.
type deleteOptions struct {
	refs stream.References
	ids  []stream.ID
}

func parseDelete(c *command.Ctx, from int, room []stream.ID) (o deleteOptions, err error) {
	hasRefs, hasIDs := false, false
	for i := from; i < len(c.Args); i++ {
		if r, ok := parseReferences(c.Args[i]); ok && !hasRefs {
			o.refs, hasRefs = r, true
			continue
		}
		if !is(c.Args[i], "ids") || hasIDs || i+1 == len(c.Args) {
			return o, resp.ErrSyntax
		}
		hasIDs = true
		n, ok := command.ParseInt(c.Args[i+1])
		if !ok || n < 1 {
			return o, errIDCount
		}
		if i += 2; n > int64(len(c.Args)-i) {
			return o, errIDCountWrong
		}
		if o.ids, err = strictIDs(c, room, i, i+int(n)); err != nil {
			return o, err
		}
		i += int(n) - 1
	}
	if !hasIDs {
		return o, resp.ErrSyntax
	}
	return o, nil
}

// replyNone replies that none of n ids was found.
func replyNone(out *resp.Writer, n int) {
	out.Array(n)
	for range n {
		out.Int(replyNotFound)
	}
}

func xdelex(c *command.Ctx) error {
	var room [16]stream.ID
	o, err := parseDelete(c, 2, room[:0])
	if err != nil {
		return err
	}
	var x engine.Stream
	found, err := open(c, &x, 1)
	if err != nil {
		return err
	}
	if !found {
		replyNone(c.Out, len(o.ids))
		return nil
	}
	return deleteIDs(c, &x, &o, nil)
}

func xackdel(c *command.Ctx) error {
	var room [16]stream.ID
	o, err := parseDelete(c, 3, room[:0])
	if err != nil {
		return err
	}
	var x engine.Stream
	g, found, err := openGroup(c, &x, 1)
	if err != nil {
		return err
	}
	if !found {
		replyNone(c.Out, len(o.ids))
		return nil
	}
	return deleteIDs(c, &x, &o, &g)
}

// deleteIDs deletes entries and replies what has become of each; with a group only what
// is pending there, which it acknowledges first. What has become of them is propagated in
// the words of servers that have neither command.
func deleteIDs(c *command.Ctx, x *engine.Stream, o *deleteOptions, g *stream.Group) error {
	s := x.View()
	if c.Slow(len(o.ids)*(1+s.Groups()), 0) {
		return command.ErrSlow
	}
	s = x.Edit()
	if g != nil {
		*g = s.Regain(*g)
	}
	begin := len(c.Out.Buf)
	c.Out.Array(len(o.ids))
	var room [2][16]stream.ID
	acked, deleted := room[0][:0], room[1][:0]
	lost, hear := newLostRefs(o.refs)
	var err error
	for _, id := range o.ids {
		if g != nil {
			if !g.Ack(id) {
				c.Out.Int(replyNotFound)
				continue
			}
			acked = append(acked, id)
		}
		var found, kept bool
		if found, kept, err = s.DeleteAs(id, o.refs, hear); err != nil {
			break
		}
		switch {
		case found && kept:
			c.Out.Int(replyKept)
		case found:
			deleted = append(deleted, id)
			c.Out.Int(replyDeleted)
		case g != nil:
			c.Out.Int(replyDeleted) // it had gone before
		default:
			c.Out.Int(replyNotFound)
		}
	}
	if len(deleted) > 0 {
		c.Changed(len(deleted))
		c.Notify(command.NotifyStream, "xdel", 1)
	}
	if g != nil {
		onIDs(c, acked, wordXAck, c.Args[1], c.Args[2])
	}
	onIDs(c, deleted, wordXDel, c.Args[1])
	lost.propagate(c, s)
	if err != nil {
		c.Out.Buf = c.Out.Buf[:begin]
		return engine.StoreError(err)
	}
	return nil
}
