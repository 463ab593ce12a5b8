package stream

import (
	"math"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/engine/stream"
	"github.com/redwingdb/redwing/internal/resp"
)

var (
	errMinIdleAuto = resp.NewError("ERR Invalid min-idle-time argument for XAUTOCLAIM")
	errAutoCount   = resp.NewError("ERR COUNT must be > 0")
)

const (
	autoClaimCount = 100
	// autoClaimTries is how many pending entries are looked at for each that may be
	// claimed.
	autoClaimTries = 10
)

// autoClaimOptions are the options of XAUTOCLAIM.
type autoClaimOptions struct {
	minIdle int64
	from    stream.ID
	count   int64
	justID  bool
}

func parseAutoClaim(c *command.Ctx) (o autoClaimOptions, err error) {
	var ok bool
	if o.minIdle, ok = command.ParseInt(c.Args[4]); !ok {
		return o, errMinIdleAuto
	}
	o.minIdle = max(o.minIdle, 0)
	if o.from, err = intervalStart(c, 5); err != nil {
		return o, err
	}
	o.count = autoClaimCount
	for i := 6; i < len(c.Args); i++ {
		switch {
		case i+1 < len(c.Args) && is(c.Args[i], "count"):
			i++
			const idBytes = 16
			if o.count, ok = command.ParseInt(c.Args[i]); !ok || o.count < 1 || o.count > math.MaxInt64/idBytes {
				return o, errAutoCount
			}
		case is(c.Args[i], "justid"):
			o.justID = true
		default:
			return o, resp.ErrSyntax
		}
	}
	return o, nil
}

func xautoclaim(c *command.Ctx) error {
	o, err := parseAutoClaim(c)
	if err != nil {
		return err
	}
	var x engine.Stream
	g, found, err := openGroup(c, &x, 1)
	if err != nil {
		return err
	}
	if !found {
		return missingGroup(c.Args[1], c.Args[2])
	}
	tries := int64(g.Pending()) + 1 // more cannot be looked at
	if o.count < tries/autoClaimTries {
		tries = o.count * autoClaimTries
	}
	bytes := int64(0)
	if !o.justID {
		bytes = min(o.count, tries) * int64(x.View().EntryBytes())
	}
	if c.Slow(int(tries), int(bytes)) {
		return command.ErrSlow
	}
	s := x.Edit()
	cl := claimer{claims: claims{c, c.Slot(1), c.Args[1], c.Args[2]}, s: s, g: s.Regain(g), justID: o.justID}
	if err := cl.begin(c.Args[3]); err != nil {
		return engine.StoreError(err)
	}
	begin := len(c.Out.Buf)
	if err := autoClaim(&cl, &o, tries); err != nil {
		c.Out.Buf = c.Out.Buf[:begin]
		return engine.StoreError(err)
	}
	cl.end()
	return nil
}

// autoClaim replies with where to go on, the entries claimed, and the ids of pending
// entries that were not in the stream any more.
func autoClaim(cl *claimer, o *autoClaimOptions, tries int64) error {
	c := cl.c
	c.Out.Array(3)
	// The cursor stands first and is known last: it is put before the rest then.
	cursorAt := len(c.Out.Buf)
	d := c.Out.Defer(int(min(o.count, tries)))
	n := 0
	var gone []stream.ID
	cursor := stream.ID{}
	from, count := o.from, o.count
	for {
		var b stream.Backlog
		if b.Start(cl.g, nil, from, stream.MaxID); !b.Next() {
			break
		}
		if tries == 0 || count == 0 {
			cursor = b.ID
			break
		}
		tries--
		switch {
		case !cl.s.Has(b.ID):
			cl.drop(&b.Pending)
			gone = append(gone, b.ID)
			count--
		case o.minIdle > 0 && c.Now()-b.Time < o.minIdle:
		default:
			times := b.Count
			if !o.justID {
				times++
			}
			if err := cl.take(b.ID, c.Now(), times); err != nil {
				return err
			}
			n++
			count--
		}
		var ok bool
		if from, ok = b.ID.Next(); !ok {
			break
		}
	}
	c.Out.SetArray(d, n)
	insertID(c.Out, cursorAt, cursor)
	c.Out.Array(len(gone))
	for _, id := range gone {
		replyID(c.Out, id)
	}
	return nil
}

// insertID puts an id before the reply that stands from at on.
func insertID(out *resp.Writer, at int, id stream.ID) {
	end := len(out.Buf)
	replyID(out, id)
	n := len(out.Buf) - end
	var text [stream.IDText + 8]byte
	copy(text[:n], out.Buf[end:])
	copy(out.Buf[at+n:], out.Buf[at:end])
	copy(out.Buf[at:], text[:n])
}
