package engine

import (
	"github.com/redwingdb/redwing/internal/engine/listpack"
	"github.com/redwingdb/redwing/internal/engine/quicklist"
	"github.com/redwingdb/redwing/internal/slots"
)

// List is a key that holds a list, or will. Its elements lie in one listpack until they
// would exceed what a node may hold (Limits.ListSize), then in a quicklist, and in a
// listpack again when that has shrunk to half of it (Redis 7.2, t_list.c).
//
//	absent --Push--> listpack <--over the limit / at half of it--> quicklist
//	any --last element goes--> absent
//
// Elements are counted from 0. Elements that are given must not lie in the list.
type List struct {
	Value
}

// Open opens the list at key and reports whether it is there; ErrWrongType if the key
// holds something else.
func (l *List) Open(a *Access, s slots.Slot, key []byte) (found bool, err error) {
	return l.open(a, s, key, TypeList)
}

func (l *List) quick() quicklist.List {
	return quicklist.Open(l.Arena(), (*quicklist.Head)(l.Root()))
}

// edit is quick for changes. REQUIRES: Rooted.
func (l *List) edit() quicklist.List {
	l.Changing()
	if x := l.p.sh.pinnedLocked(l.Root()); x != nil {
		return x.editListLocked()
	}
	return l.quick()
}

func (l *List) nodeLimits() quicklist.Limits {
	limits := l.Limits()
	return quicklist.Limits{Fill: limits.ListSize, Plain: limits.ListPlain}
}

// Len returns the number of elements.
func (l *List) Len() int {
	switch {
	case !l.Exists():
		return 0
	case l.Rooted():
		return l.quick().Len()
	}
	return listpack.Len(l.Packed())
}

// Index returns element i, which exists: a string in place, or an integer.
func (l *List) Index(i int) (str []byte, v int64, isInt bool) {
	if l.Rooted() {
		q := l.quick()
		return q.At(q.Seek(i))
	}
	lp := l.Packed()
	return listpack.Value(lp, listpack.Seek(lp, i))
}

// ListWalk goes over elements: Next returns them one by one.
type ListWalk = quicklist.Walk

// From returns a walk over the elements from i on, which exists, to the last one, or with
// back to the first. The list must not change meanwhile.
func (l *List) From(i int, back bool) ListWalk {
	if l.Rooted() {
		return l.quick().From(i, back)
	}
	lp := l.Packed()
	return quicklist.OverListpack(lp, listpack.Seek(lp, i), back)
}

// Bytes returns about how many bytes the elements from i up to to have, all of them
// existing. It stops counting past enough.
func (l *List) Bytes(i, to, enough int) int {
	switch {
	case i >= to:
		return 0
	case l.Rooted():
		return l.quick().Bytes(i, to, enough)
	}
	return len(l.Packed())
}

// Nodes returns the number of nodes: 1 for a listpack.
func (l *List) Nodes() int {
	if l.Rooted() {
		return l.quick().Nodes()
	}
	return 1
}
