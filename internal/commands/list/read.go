package list

import (
	"math"
	"slices"
	"strconv"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/engine/listpack"
	"github.com/redwingdb/redwing/internal/resp"
)

func llen(c *command.Ctx) error {
	var l engine.List
	found, err := open(c, &l, 1)
	c.Count(found || err != nil)
	if err != nil {
		return err
	}
	c.Out.Int(int64(l.Len()))
	return nil
}

// index returns the place that i names in a list of n elements, negative ones counted
// from the end.
func index(i int64, n int) (at int, ok bool) {
	if i < 0 {
		i += int64(n)
	}
	return int(i), i >= 0 && i < int64(n)
}

func lindex(c *command.Ctx) error {
	var l engine.List
	found, err := open(c, &l, 1)
	if err != nil || !found {
		c.Count(found || err != nil)
		if err == nil {
			c.Out.Null()
		}
		return err
	}
	i, err := c.Int(2)
	if err != nil {
		c.Count(true)
		return err
	}
	at, ok := index(i, l.Len())
	if !ok {
		c.Count(true)
		c.Out.Null()
		return nil
	}
	str, v, isInt := l.Index(at)
	if c.Slow(1, len(str)) {
		return command.ErrSlow
	}
	c.Count(true)
	reply(c.Out, str, v, isInt)
	return nil
}

// bounds reads arguments 2 and 3.
func bounds(c *command.Ctx) (start, end int64, err error) {
	if start, err = c.Int(2); err == nil {
		end, err = c.Int(3)
	}
	return start, end, err
}

func lrange(c *command.Ctx) error {
	start, end, err := bounds(c)
	if err != nil {
		return err
	}
	var l engine.List
	found, err := open(c, &l, 1)
	if err != nil {
		c.Count(true)
		return err
	}
	from, n := 0, 0
	if found {
		from, n = command.Span(start, end, l.Len())
		if slowRange(c, &l, from, n) {
			return command.ErrSlow
		}
	}
	c.Count(found)
	replyRange(c.Out, &l, from, n, false)
	return nil
}

var (
	// errRange is the reply to the one 64-bit integer that has no absolute value.
	errRange  = resp.NewError("ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807")
	errRank   = resp.NewError("ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list")
	errCount  = resp.NewError("ERR COUNT can't be negative")
	errMaxLen = resp.NewError("ERR MAXLEN can't be negative")
)

// posOptions are the words of LPOS.
type posOptions struct {
	rank   int64 // which match, from 1
	back   bool  // matches are counted from the end
	count  int64 // matches that are wanted, 0: all
	array  bool  // COUNT was given: the reply is an array
	maxLen int64 // elements looked at, 0: all
}

func parsePos(c *command.Ctx) (o posOptions, err error) {
	o.rank = 1
	for i := 3; i < len(c.Args); i += 2 {
		if i+1 == len(c.Args) {
			return o, resp.ErrSyntax
		}
		v, ok := command.ParseInt(c.Args[i+1])
		switch word := c.Args[i]; {
		case command.Is(word, "rank"):
			switch {
			case !ok:
				return o, resp.ErrNotInteger
			case v == math.MinInt64:
				return o, errRange
			case v == 0:
				return o, errRank
			}
			o.rank, o.back = max(v, -v), v < 0
		case command.Is(word, "count"):
			if !ok || v < 0 {
				return o, errCount
			}
			o.count, o.array = v, true
		case command.Is(word, "maxlen"):
			if !ok || v < 0 {
				return o, errMaxLen
			}
			o.maxLen = v
		default:
			return o, resp.ErrSyntax
		}
	}
	return o, nil
}

func lpos(c *command.Ctx) error {
	o, err := parsePos(c)
	if err != nil {
		return err
	}
	var l engine.List
	found, err := open(c, &l, 1)
	if err != nil {
		c.Count(true)
		return err
	}
	look := l.Len()
	if o.maxLen > 0 && o.maxLen < int64(look) {
		look = int(o.maxLen)
	}
	if found && c.Slow(look, 0) {
		return command.ErrSlow
	}
	c.Count(found)
	begin, matches := len(c.Out.Buf), 0
	if found {
		matches = replyMatches(c, &l, o, look)
	}
	if o.array {
		// Their number is known only now: the header goes in front of them.
		var room [24]byte
		header := append(strconv.AppendInt(append(room[:0], '*'), int64(matches), 10), '\r', '\n')
		c.Out.Buf = slices.Insert(c.Out.Buf, begin, header...)
	} else if matches == 0 {
		c.Out.Null()
	}
	return nil
}

// replyMatches appends the indexes of the matches among the first look elements, or only
// the first of them without COUNT, and returns their number.
func replyMatches(c *command.Ctx, l *engine.List, o posOptions, look int) (matches int) {
	needle := listpack.NewNeedle(c.Args[2])
	first, step := 0, 1
	if o.back {
		first, step = l.Len()-1, -1
	}
	skip := o.rank - 1
	for w, at := l.From(first, o.back), first; look > 0; look, at = look-1, at+step {
		str, v, isInt, _ := w.Next()
		if !needle.Is(str, v, isInt) {
			continue
		}
		if skip > 0 {
			skip--
			continue
		}
		c.Out.Int(int64(at))
		if matches++; !o.array || int64(matches) == o.count {
			break
		}
	}
	return matches
}
