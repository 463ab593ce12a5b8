package command

import (
	"bytes"
	"math"
	"slices"
	"strconv"

	"github.com/redwingdb/redwing/internal/glob"
	"github.com/redwingdb/redwing/internal/resp"
)

const (
	// scanCount is what a step of a scan aims at unless told.
	scanCount = 10
	// scanEmptySteps x COUNT bounds the walk over empty buckets (Redis 7.2, db.c,
	// scanGenericCommand).
	scanEmptySteps = 10
)

// Scan is one step of HSCAN, SSCAN or ZSCAN: key, cursor, then options.
type Scan struct {
	Cursor  uint64
	Count   int
	pattern []byte // nil: every element
	steps   int
	begin   int // of the reply
}

// Scan parses the cursor at argument i.
func (c *Ctx) Scan(i int) (s Scan, err error) {
	var ok bool
	if s.Cursor, ok = ParseCursor(c.Args[i]); !ok {
		return s, resp.ErrInvalidCursor
	}
	s.Count, s.begin = scanCount, len(c.Out.Buf)
	return s, nil
}

// Options parses the options from argument i on. Redis does so only once it has found
// the key.
func (s *Scan) Options(c *Ctx, i int) error {
	for ; i < len(c.Args); i += 2 {
		if i+1 == len(c.Args) {
			return resp.ErrSyntax
		}
		switch {
		case Is(c.Args[i], "count"):
			n, err := c.Int(i + 1)
			if err != nil {
				return err
			}
			if n < 1 {
				return resp.ErrSyntax
			}
			s.Count = int(min(n, math.MaxInt32))
		case Is(c.Args[i], "match"):
			if s.pattern = c.Args[i+1]; string(s.pattern) == "*" {
				s.pattern = nil
			}
		default:
			return resp.ErrSyntax
		}
	}
	s.steps = s.Count * scanEmptySteps
	return nil
}

// None replies that there is no such key.
func (s *Scan) None(c *Ctx) {
	s.Cursor = 0
	s.Reply(c, 0)
}

// Matches reports whether elem is asked for.
func (s *Scan) Matches(elem []byte) bool {
	return s.pattern == nil || glob.Match(s.pattern, elem)
}

// More takes the cursor that a step has come to and reports whether another one is due,
// seen elements having been visited.
func (s *Scan) More(next uint64, seen int) bool {
	s.Cursor = next
	s.steps--
	return next != 0 && seen < s.Count && s.steps > 0
}

// Reply puts the head before what was appended to c.Out since Scan: n replies.
func (s *Scan) Reply(c *Ctx, n int) {
	var room [64]byte
	head := resp.Writer{Buf: room[:0]}
	head.Array(2)
	var digits [20]byte
	head.Bulk(strconv.AppendUint(digits[:0], s.Cursor, 10))
	head.Array(n)
	c.Out.Buf = slices.Insert(c.Out.Buf, s.begin, head.Buf...)
}

// ParseCursor reads a cursor as C's strtoul does, which takes a sign and the empty
// string and ends at a NUL (Redis 7.2, db.c, parseScanCursorOrReply).
func ParseCursor(b []byte) (uint64, bool) {
	if end := bytes.IndexByte(b, 0); end >= 0 {
		b = b[:end]
	}
	if len(b) == 0 {
		return 0, true
	}
	negative := b[0] == '-'
	if negative || b[0] == '+' {
		b = b[1:]
	}
	if len(b) == 0 {
		return 0, false
	}
	v := uint64(0)
	for _, d := range b {
		d -= '0'
		if d > 9 || v > (math.MaxUint64-uint64(d))/10 {
			return 0, false
		}
		v = v*10 + uint64(d)
	}
	if negative {
		v = -v
	}
	return v, true
}
