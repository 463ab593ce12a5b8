package command

import (
	"math"

	"github.com/redwingdb/redwing/internal/resp"
)

// What the commands of several types ask for in the same words: how many keys, how many
// elements, which of them, how many draws.

var (
	// ErrMinCount is the error of the COUNT of LMPOP and ZMPOP.
	ErrMinCount    = resp.NewError("ERR count should be greater than 0")
	errNumKeys     = resp.NewError("ERR numkeys should be greater than 0")
	errRandomRange = resp.NewError("ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807")
)

// MaxDraws bounds the elements that one command with a negative count repeats: its reply is
// built in memory.
const MaxDraws = 1 << 27

// NumKeys reads the number of keys at argument i, from 1 on.
func (c *Ctx) NumKeys(i int) (int64, error) {
	n, ok := ParseInt(c.Args[i])
	if !ok || n < 1 {
		return 0, errNumKeys
	}
	return n, nil
}

// Draws reads the count of HRANDFIELD, SRANDMEMBER and ZRANDMEMBER at argument 2: negative
// for so many draws with repetition. paired is set where each draw is two elements, which
// the word at argument 3, to be the last, asks for.
func (c *Ctx) Draws(word string) (count int64, paired bool, err error) {
	if count, err = c.Int(2); err != nil {
		return 0, false, err
	}
	paired = len(c.Args) == 4
	switch {
	case count == math.MinInt64:
		return 0, false, errRandomRange
	case len(c.Args) > 4 || paired && !Is(c.Args[3], word):
		return 0, false, resp.ErrSyntax
	case paired && (count < -math.MaxInt64/2 || count > math.MaxInt64/2):
		return 0, false, resp.ErrOutOfRange
	}
	return count, paired, nil
}

// Span turns inclusive bounds, negative ones counted from the end, into a first element and
// a number of elements of n.
func Span(start, end int64, n int) (from, count int) {
	if start < 0 {
		start = max(0, start+int64(n))
	}
	if end < 0 {
		end += int64(n)
	}
	end = min(end, int64(n)-1)
	if start > end {
		return 0, 0
	}
	return int(start), int(end - start + 1)
}
