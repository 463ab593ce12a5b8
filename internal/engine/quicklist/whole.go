package quicklist

import (
	"github.com/redwingdb/redwing/internal/engine/arena"
	"github.com/redwingdb/redwing/internal/engine/bulk"
)

// Free frees about n nodes of a list that nobody uses any more; the last call frees the
// ring, and the root is left to the caller. pos is 0 first and then what the last call
// returned.
func (l List) Free(pos uint64, n int) (next uint64, done bool) {
	to := min(uint64(l.h.nodes), pos+uint64(max(n, 1)))
	for ; pos < to; pos++ {
		l.a.Free(l.node(uint32(pos)).ref)
	}
	if pos < uint64(l.h.nodes) {
		return pos, false
	}
	if l.h.size > 0 {
		l.a.Free(l.h.ring)
	}
	*l.h = Head{}
	return 0, true
}

// CopyTo makes the empty list to a copy, its blocks no longer than needed. On error what
// has been copied is left in it.
func (l List) CopyTo(to List) error {
	if err := to.reserve(l.h.nodes); err != nil {
		return err
	}
	for i := range l.h.nodes {
		src := l.node(i)
		n := node{bytes: src.bytes, count: src.count}
		var err error
		if n.bytes > arena.MaxBlock {
			n.ref, err = to.a.AllocSpan(int64(n.bytes), int64(n.bytes))
		} else {
			n.ref, err = to.a.Alloc(int(n.bytes))
		}
		if err != nil {
			return err
		}
		bulk.Copy(to.bytes(&n), l.bytes(src))
		if err := to.insertNode(i, n); err != nil {
			return err
		}
	}
	return nil
}

// Size returns the bytes of ring and nodes, those extrapolated from samples of them; 0:
// all are looked at.
func (l List) Size(samples int) int64 {
	if l.h.nodes == 0 {
		return 0
	}
	looked := l.h.nodes
	if samples > 0 {
		looked = min(looked, uint32(min(samples, 1<<31)))
	}
	bytes := int64(0)
	for i := range looked {
		bytes += l.a.Size(l.node(i).ref)
	}
	return l.a.Size(l.h.ring) + int64(float64(bytes)/float64(looked)*float64(l.h.nodes))
}

// Bytes returns about how many bytes the elements from i up to to have: those of their
// nodes. It stops counting past enough.
func (l List) Bytes(i, to, enough int) (bytes int) {
	if i >= to {
		return 0
	}
	j, at := l.nodeOf(i)
	for at < to && bytes <= enough {
		n := l.node(j)
		bytes += int(n.bytes)
		at += n.len()
		j++
	}
	return bytes
}
