package stream

import "github.com/redwingdb/redwing/internal/engine/arena"

// Bytes returns the bytes of all blocks but the root, extrapolated from samples nodes
// and consumers of a group; 0: from all.
func (s Stream) Bytes(samples int) int64 {
	n := s.nodes.bytes(s.A, samples)
	some := sample{limit: samples}
	for p := s.nodes.front(s.A); p.ok() && some.more(); p.step(s.A, true) {
		some.add(s.A.Size(*p.ref()))
	}
	n += some.total(s.nodes.len()) + s.groups.bytes(s.A)
	some = sample{limit: samples}
	for i := 0; i < s.Groups() && some.more(); i++ {
		some.add(s.GroupAt(i).bytes(samples))
	}
	return n + some.total(s.Groups())
}

func (g Group) bytes(samples int) int64 {
	n := g.a.Size(g.ref) + g.g.pending.bytes(g.a, samples) + g.g.consumers.bytes(g.a)
	some := sample{limit: samples}
	for i := 0; i < g.Consumers() && some.more(); i++ {
		c := g.ConsumerAt(i)
		some.add(g.a.Size(c.ref) + c.c.pending.bytes(g.a, samples))
	}
	return n + some.total(g.Consumers())
}

// bytes returns the bytes of the blocks of t, extrapolated from some leaves. What is
// above the leaves is a few hundredths of them.
func (t *tree) bytes(a *arena.Arena, samples int) int64 {
	some, entries := sample{limit: samples}, 0
	for p := t.front(a); p.ok() && some.more(); {
		some.add(int64(arena.ClassSize(blockHeadBytes + int(p.leaf.room)*(idBytes+p.leaf.width))))
		entries += p.leaf.len()
		p.i = p.leaf.len() - 1
		p.step(a, true)
	}
	if entries == 0 {
		return 0
	}
	return int64(float64(some.sum) * float64(t.len()) / float64(entries))
}

func (l *names) bytes(a *arena.Arena) int64 {
	if l.n == 0 {
		return 0
	}
	return a.Size(l.arr)
}

// sample sums up what was looked at of something larger.
type sample struct {
	limit, n int
	sum      int64
}

func (x *sample) more() bool { return x.limit == 0 || x.n < x.limit }

func (x *sample) add(bytes int64) { x.n, x.sum = x.n+1, x.sum+bytes }

func (x *sample) total(of int) int64 {
	if x.n == 0 {
		return 0
	}
	return int64(float64(x.sum) / float64(x.n) * float64(of))
}

// EntryBytes estimates the bytes of an entry, by the first and the last node.
func (s Stream) EntryBytes() int {
	bytes, entries := 0, 0
	for _, p := range [...]spot{s.nodes.front(s.A), s.nodes.back(s.A)} {
		if p.ok() {
			lp := bytesAt(s.A, *p.ref())
			bytes, entries = bytes+len(lp), entries+int(number(lp, liveAt))
		}
	}
	return bytes / max(1, entries)
}
