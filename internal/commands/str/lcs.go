package str

import (
	"math"
	"slices"
	"strconv"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/resp"
)

var (
	errLCSType    = resp.NewError("ERR The specified keys must contain string values")
	errLCSBoth    = resp.NewError("ERR If you want both the length and indexes, please just use IDX.")
	errLCSTooLong = resp.NewError("ERR String too long for LCS")
	errLCSMemory  = resp.NewError("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len")
)

type lcsOptions struct {
	indexes, length, lengths bool
	minLen                   int64
}

func lcs(c *command.Ctx) error {
	var scratch [2][20]byte
	var texts [2][]byte
	hits, misses := c.Hits, c.Misses
	for i := range texts {
		r, ok := c.Read(i + 1)
		if !ok {
			continue
		}
		if r.Type() != engine.TypeString {
			return errLCSType
		}
		texts[i] = r.Bytes(scratch[i][:0])
	}
	o, err := parseLCS(c)
	if err != nil {
		return err
	}
	a, b := texts[0], texts[1]
	if len(a) >= math.MaxUint32-1 || len(b) >= math.MaxUint32-1 {
		return errLCSTooLong
	}
	cells := (int64(len(a)) + 1) * (int64(len(b)) + 1)
	if cells > c.MaxString()/4 {
		return errLCSMemory
	}
	if c.Slow(0, int(cells)) {
		c.Hits, c.Misses = hits, misses
		return command.ErrSlow
	}
	t := newLCSTable(a, b)
	switch {
	case o.indexes:
		t.replyIndexes(c.Out, o)
	case o.length:
		c.Out.Int(int64(t.at(len(a), len(b))))
	default:
		c.Out.Bulk(t.text())
	}
	return nil
}

func parseLCS(c *command.Ctx) (o lcsOptions, err error) {
	for i := 3; i < len(c.Args); i++ {
		switch word := c.Args[i]; {
		case command.Is(word, "idx"):
			o.indexes = true
		case command.Is(word, "len"):
			o.length = true
		case command.Is(word, "withmatchlen"):
			o.lengths = true
		case command.Is(word, "minmatchlen") && i+1 < len(c.Args):
			i++
			if o.minLen, err = c.Int(i); err != nil {
				return o, err
			}
		default:
			return o, resp.ErrSyntax
		}
	}
	if o.indexes && o.length {
		return o, errLCSBoth
	}
	return o, nil
}

// lcsTable holds the length of the longest common subsequence of every two prefixes.
type lcsTable struct {
	a, b  []byte
	cells []uint32 // (len(a)+1) rows of len(b)+1
}

func newLCSTable(a, b []byte) *lcsTable {
	width := len(b) + 1
	t := &lcsTable{a, b, make([]uint32, (len(a)+1)*width)}
	for i := 1; i <= len(a); i++ {
		above, row := t.cells[(i-1)*width:i*width], t.cells[i*width:(i+1)*width]
		for j := 1; j <= len(b); j++ {
			if a[i-1] == b[j-1] {
				row[j] = above[j-1] + 1
			} else {
				row[j] = max(above[j], row[j-1])
			}
		}
	}
	return t
}

func (t *lcsTable) at(i, j int) uint32 { return t.cells[i*(len(t.b)+1)+j] }

// walk follows one longest common subsequence from the end, calling match for each
// byte of it and gap where a run of adjacent matches is broken.
func (t *lcsTable) walk(match func(i, j int), gap func()) {
	for i, j := len(t.a), len(t.b); i > 0 && j > 0; {
		switch {
		case t.a[i-1] == t.b[j-1]:
			i, j = i-1, j-1
			match(i, j)
		case t.at(i-1, j) > t.at(i, j-1):
			gap()
			i--
		default:
			gap()
			j--
		}
	}
	gap()
}

func (t *lcsTable) text() []byte {
	out := make([]byte, 0, t.at(len(t.a), len(t.b)))
	t.walk(func(i, _ int) { out = append(out, t.a[i]) }, func() {})
	slices.Reverse(out)
	return out
}

// replyIndexes replies with the runs of matches, last one first. Their number is known
// only at the end, so its header is put in front of them then.
func (t *lcsTable) replyIndexes(out *resp.Writer, o lcsOptions) {
	out.Map(2)
	out.BulkString("matches")
	begin, runs := len(out.Buf), 0
	var fromA, fromB, n int // the run at hand, n bytes long
	t.walk(func(i, j int) { fromA, fromB, n = i, j, n+1 }, func() {
		if n > 0 && int64(n) >= o.minLen {
			runs++
			if o.lengths {
				out.Array(3)
			} else {
				out.Array(2)
			}
			replyRange(out, fromA, n)
			replyRange(out, fromB, n)
			if o.lengths {
				out.Int(int64(n))
			}
		}
		n = 0
	})
	header := strconv.AppendInt([]byte{'*'}, int64(runs), 10)
	out.Buf = slices.Insert(out.Buf, begin, append(header, '\r', '\n')...)
	out.BulkString("len")
	out.Int(int64(t.at(len(t.a), len(t.b))))
}

func replyRange(out *resp.Writer, from, n int) {
	out.Array(2)
	out.Int(int64(from))
	out.Int(int64(from + n - 1))
}
