package stream

import (
	"math"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/engine/stream"
	"github.com/redwingdb/redwing/internal/resp"
)

var (
	errGroupOption   = resp.NewError("ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.")
	errNoAckOption   = resp.NewError("ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.")
	errUnbalanced    = resp.NewError("ERR Unbalanced 'xread' list of streams: for each stream key an ID or '$' must be specified.")
	errUnbalancedGrp = resp.NewError("ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' must be specified.")
	errNewerOption   = resp.NewError("ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.")
	errTimeout       = resp.NewError("ERR timeout is not an integer or out of range")
	errTimeoutRange  = resp.NewError("ERR timeout is out of range")
	errTimeoutSign   = resp.NewError("ERR timeout is negative")
)

// readOptions are the options of XREAD and XREADGROUP.
type readOptions struct {
	count    int64 // 0: all
	block    bool
	deadline int64 // Unix milliseconds, 0: never
	noAck    bool
	group    int // argument of the group, with that of the consumer behind it; 0: none
	keys     int // argument of the first key
	n        int // number of keys, and of the ids behind them
}

func parseRead(c *command.Ctx, grouped bool) (o readOptions, err error) {
	for i := 1; i < len(c.Args); i++ {
		word := c.Args[i]
		more := len(c.Args) - 1 - i
		switch {
		case more > 0 && is(word, "block"):
			i++
			if o.deadline, err = deadline(c, i); err != nil {
				return o, err
			}
			o.block = true
		case more > 0 && is(word, "count"):
			i++
			if o.count, err = c.Int(i); err != nil {
				return o, err
			}
			o.count = max(o.count, 0)
		case more > 0 && is(word, "streams"):
			o.keys, o.n = i+1, more/2
			if more%2 != 0 && grouped {
				return o, errUnbalancedGrp
			} else if more%2 != 0 {
				return o, errUnbalanced
			}
			return o, nil
		case more > 1 && is(word, "group"):
			if !grouped {
				return o, errGroupOption
			}
			o.group = i + 1
			i += 2
		case is(word, "noack"):
			if !grouped {
				return o, errNoAckOption
			}
			o.noAck = true
		default:
			return o, resp.ErrSyntax
		}
	}
	return o, resp.ErrSyntax
}

// deadline reads argument i as a timeout in milliseconds, 0 for none (timeout.c,
// getTimeoutFromObjectOrReply), and returns when it ends.
func deadline(c *command.Ctx, i int) (int64, error) {
	v, ok := command.ParseInt(c.Args[i])
	switch {
	case !ok:
		return 0, errTimeout
	case v < 0:
		return 0, errTimeoutSign
	case v == 0:
		return 0, nil
	case v > math.MaxInt64-c.Now():
		return 0, errTimeoutRange
	}
	return v + c.Now(), nil
}

// keyArg and idArg return the arguments of key i and its id.
func (o *readOptions) keyArg(i int) int { return o.keys + i }
func (o *readOptions) idArg(i int) int  { return o.keys + o.n + i }

func xread(c *command.Ctx) error {
	o, err := parseRead(c, false)
	if err != nil {
		return err
	}
	hits, misses := c.Hits, c.Misses
	var room [8]stream.ID
	from := room[:0] // from which ids to read
	for i := range o.n {
		id, err := readFrom(c, o.keyArg(i), o.idArg(i))
		if err != nil {
			return err
		}
		from = append(from, id)
	}
	served, slow := 0, 0
	for i := range o.n {
		var x engine.Stream
		if found, _ := open(c, &x, o.keyArg(i)); found && hasFrom(x.View(), from[i]) {
			served++
			if slowRange(c, x.View(), from[i], stream.MaxID, o.count, false) {
				slow++
			}
		}
	}
	if slow > 0 || c.Slow(len(c.Args), 0) {
		c.Hits, c.Misses = hits, misses
		return command.ErrSlow
	}
	if served == 0 {
		return nothing(c, &o, from)
	}
	beginStreams(c.Out, served)
	for i := range o.n {
		var x engine.Stream
		if found, _ := open(c, &x, o.keyArg(i)); found && hasFrom(x.View(), from[i]) {
			nameStream(c.Out, c.Args[o.keyArg(i)])
			replyRange(c.Out, x.View(), from[i], stream.MaxID, o.count, false)
		}
	}
	return nil
}

// beginStreams begins the reply of n streams: in RESP3 a map.
func beginStreams(out *resp.Writer, n int) {
	if out.RESP3 {
		out.Map(n)
		return
	}
	out.Array(n)
}

// nameStream begins the reply of one stream.
func nameStream(out *resp.Writer, key []byte) {
	if !out.RESP3 {
		out.Array(2)
	}
	out.Bulk(key)
}

// unreachable is where a read begins that never finds anything.
var unreachable = stream.ID{}

// readFrom returns the first id that XREAD is to read of a key; 0-0 if there is none.
func readFrom(c *command.Ctx, keyArg, idArg int) (stream.ID, error) {
	var x engine.Stream
	found, err := openRead(c, &x, keyArg)
	if err != nil {
		return stream.ID{}, err
	}
	last := stream.ID{}
	switch word := c.Args[idArg]; {
	case len(word) == 1 && word[0] == '$':
		if found {
			last = x.View().Last
		}
	case len(word) == 1 && word[0] == '+': // Redis 7.4: the last entry that is there
		if found {
			top, ok := x.View().Top()
			if ok {
				return top, nil
			}
			last = x.View().Last
		}
	case len(word) == 1 && word[0] == '>':
		return last, errNewerOption
	default:
		if last, err = strictID(c, idArg); err != nil {
			return last, err
		}
	}
	next, ok := last.Next()
	if !ok {
		return unreachable, nil
	}
	return next, nil
}

// hasFrom reports whether the stream has an entry from id on.
func hasFrom(s stream.Stream, id stream.ID) bool {
	if id == unreachable || s.Len() == 0 {
		return false
	}
	top, ok := s.Top()
	return ok && !top.Less(id)
}

// nothing ends a read that found nothing: it waits or replies so.
func nothing(c *command.Ctx, o *readOptions, from []stream.ID) error {
	if !o.block {
		c.Out.NullArray()
		return nil
	}
	for i, id := range from {
		// What $ and + mean now they do not mean when the command is run again.
		if word := c.Args[o.idArg(i)]; len(word) == 1 && (word[0] == '$' || word[0] == '+') {
			last, _ := id.Prev()
			if id == unreachable {
				last = stream.MaxID
			}
			c.Args[o.idArg(i)] = last.Append(nil)
		}
	}
	return wait(c, o, false)
}

// wait waits for the keys of the request; with whenGone for their end, too.
func wait(c *command.Ctx, o *readOptions, whenGone bool) error {
	keys := make([]int, o.n)
	for i := range keys {
		keys[i] = o.keyArg(i)
	}
	return c.BlockOnKeys(command.WaitOptions{DeadlineMillis: o.deadline, OnTimeout: (*resp.Writer).NullArray, WhenGone: whenGone}, keys...)
}
