package set

import (
	"slices"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/resp"
)

// reply is a reply whose length shows only while it is made; what makes it may still ask
// to be run as an owner.
type reply struct {
	c            *command.Ctx
	begin        int
	hits, misses int64
	n            int
}

// startReply is called before the keys are counted as found or not where slow may follow.
func startReply(c *command.Ctx) reply {
	return reply{c: c, begin: len(c.Out.Buf), hits: c.Hits, misses: c.Misses}
}

func (r *reply) len() int { return len(r.c.Out.Buf) - r.begin }

// add appends a member and reports whether the reply may grow on under a mutex.
func (r *reply) add(member []byte) bool {
	r.c.Out.Bulk(member)
	r.n++
	return !r.c.Slow(r.n, r.len())
}

// slow takes everything back.
func (r *reply) slow() error {
	r.c.Out.Buf = r.c.Out.Buf[:r.begin]
	r.c.Hits, r.c.Misses = r.hits, r.misses
	return command.ErrSlow
}

// end puts the head of a set before the members.
func (r *reply) end() {
	var room [32]byte
	head := resp.Writer{Buf: room[:0], RESP3: r.c.Out.RESP3}
	head.Set(r.n)
	r.c.Out.Buf = slices.Insert(r.c.Out.Buf, r.begin, head.Buf...)
}
