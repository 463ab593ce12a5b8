// Package list holds the commands of lists. A handler opens an engine.List, changes it,
// and says what happened in events, in Redis' order; elements of replies are written
// straight from the arena.
package list

import (
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/engine/listpack"
	"github.com/redwingdb/redwing/internal/resp"
)

// side is an end of a list.
type side bool

const (
	left  side = true
	right side = false
)

// The end at the left is the front for the engine.
func (s side) front() bool { return bool(s) }

// pushEvent and popEvent are the names of keyspace events.
func (s side) pushEvent() string {
	if s == left {
		return "lpush"
	}
	return "rpush"
}

func (s side) popEvent() string {
	if s == left {
		return "lpop"
	}
	return "rpop"
}

var (
	wordLPop = []byte("LPOP")
	wordRPop = []byte("RPOP")
)

// popWord is the command that pops at s.
func (s side) popWord() []byte {
	if s == left {
		return wordLPop
	}
	return wordRPop
}

// sideAt reads argument i: LEFT or RIGHT.
func sideAt(c *command.Ctx, i int) (side, error) {
	switch {
	case command.Is(c.Args[i], "left"):
		return left, nil
	case command.Is(c.Args[i], "right"):
		return right, nil
	}
	return left, resp.ErrSyntax
}

// open opens the list at argument i for a change.
func open(c *command.Ctx, l *engine.List, i int) (found bool, err error) {
	return l.Open(&c.DB, c.Slot(i), c.Args[i])
}

// removed says that elements of the list at argument i have gone, and with the last one
// the key.
func removed(c *command.Ctx, l *engine.List, i int, event string) {
	c.Notify(command.NotifyList, event, i)
	if !l.Exists() {
		c.Notify(command.NotifyGeneric, "del", i)
	}
}

// reply appends an element.
func reply(out *resp.Writer, str []byte, v int64, isInt bool) {
	if isInt {
		out.BulkInt(v)
		return
	}
	out.Bulk(str)
}

// replyRange appends n elements from i on, with back those before it, as an array.
func replyRange(out *resp.Writer, l *engine.List, i, n int, back bool) {
	out.Array(n)
	if n == 0 {
		return
	}
	w := l.From(i, back)
	for n > 0 {
		lp, off, ok := w.Rest()
		if !ok {
			str, v, isInt, _ := w.Next()
			reply(out, str, v, isInt)
			n--
			continue
		}
		for ; n > 0 && off >= 0; n-- {
			var str []byte
			var v int64
			var isInt bool
			str, v, isInt, off = listpack.Step(lp, off)
			reply(out, str, v, isInt)
		}
	}
}

// slowRange reports whether a command that touches n elements from i on must own its
// shards.
func slowRange(c *command.Ctx, l *engine.List, i, n int) bool {
	return c.Slow(n, 0) || c.Slow(0, l.Bytes(i, i+n, command.SlowBytes))
}
