package stream

import (
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine/stream"
	"github.com/redwingdb/redwing/internal/resp"
)

// replyEntry replies with the entry that it has found: its id, and its fields and values.
func replyEntry(out *resp.Writer, it *stream.Iter) {
	out.Array(2)
	replyID(out, it.ID)
	out.Array(2 * it.Fields)
	var a, b [20]byte
	for range it.Fields {
		name, value := it.Field(a[:0], b[:0])
		out.Bulk(name)
		out.Bulk(value)
	}
}

// replyOne replies with the entry id and reports whether it is there; if not it has
// replied nothing.
func replyOne(out *resp.Writer, s stream.Stream, id stream.ID) bool {
	var it stream.Iter
	if it.Start(s, id, id, false); !it.Next() {
		return false
	}
	replyEntry(out, &it)
	return true
}

// replyRange replies with the entries of a range, at most count of them, 0 for all.
func replyRange(out *resp.Writer, s stream.Stream, from, to stream.ID, count int64, reverse bool) {
	likely := int64(s.Len())
	if count > 0 {
		likely = min(likely, count)
	}
	d := out.Defer(int(likely))
	n := int64(0)
	var it stream.Iter
	for it.Start(s, from, to, reverse); (count == 0 || n < count) && it.Next(); n++ {
		replyEntry(out, &it)
	}
	out.SetArray(d, int(n))
}

// slowRange reports whether to reply with a range is too long for a shard's mutex.
func slowRange(c *command.Ctx, s stream.Stream, from, to stream.ID, count int64, reverse bool) bool {
	if c.Owner {
		return false
	}
	return c.Slow(s.Cost(from, to, count, reverse, command.SlowElements, command.SlowBytes))
}
