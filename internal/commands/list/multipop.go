package list

import (
	"strconv"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/resp"
)

// manyKeys are the words of LMPOP and BLMPOP.
type manyKeys struct {
	first, n int // arguments that are the keys
	at       side
	count    int64
}

// parseMany reads the words from the number of keys, at argument i, on.
func parseMany(c *command.Ctx, i int) (m manyKeys, err error) {
	n, err := c.NumKeys(i)
	if err != nil {
		return m, err
	}
	if n >= int64(len(c.Args)-i-1) {
		return m, resp.ErrSyntax
	}
	m.first, m.n, m.count = i+1, int(n), 1
	i += m.n + 1
	if m.at, err = sideAt(c, i); err != nil {
		return m, err
	}
	switch rest := c.Args[i+1:]; {
	case len(rest) == 0:
		return m, nil
	case len(rest) != 2 || !command.Is(rest[0], "count"):
		return m, manyError(rest)
	default:
		var ok bool
		if m.count, ok = command.ParseInt(rest[1]); !ok || m.count < 1 {
			return m, command.ErrMinCount
		}
	}
	return m, nil
}

// manyError finds the error that comes first in rest: Redis reads the count before it
// meets the words behind it.
func manyError(rest [][]byte) error {
	if len(rest) > 2 && command.Is(rest[0], "count") {
		if n, ok := command.ParseInt(rest[1]); !ok || n < 1 {
			return command.ErrMinCount
		}
	}
	return resp.ErrSyntax
}

func lmpop(c *command.Ctx) error {
	m, err := parseMany(c, 1)
	if err != nil {
		return err
	}
	done, err := popFirst(c, m)
	if err == nil && !done {
		c.Out.NullArray()
	}
	return err
}

// popFirst pops from the first list there is, and replies with its key and the elements.
func popFirst(c *command.Ctx, m manyKeys) (done bool, err error) {
	for key := m.first; key < m.first+m.n; key++ {
		var l engine.List
		found, err := open(c, &l, key)
		if err != nil {
			return false, err
		}
		if !found {
			continue
		}
		count := min(m.count, int64(l.Len()))
		begin := len(c.Out.Buf)
		c.Out.Array(2)
		c.Out.Bulk(c.Args[key])
		if err := popRange(c, &l, key, m.at, count); err != nil {
			c.Out.Buf = c.Out.Buf[:begin]
			return false, err
		}
		var digits [20]byte
		c.Effect(c.Slot(key), m.at.popWord(), c.Args[key], strconv.AppendInt(digits[:0], count, 10))
		return true, nil
	}
	return false, nil
}
