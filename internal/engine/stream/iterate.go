package stream

import (
	"github.com/redwingdb/redwing/internal/engine/listpack"
)

// Entry is an entry in its node, good until the node changes.
type Entry struct {
	ID     ID
	Fields int // number of field-value pairs

	lp    []byte // nil in an Iter: the next node is to be entered
	same  bool
	name  int // offset of the next name,
	value int // and of the next value if it is of the same fields
}

// Iter walks the entries of a range, in either direction. It lies on its user's stack and
// is good until the stream changes.
//
//	for it.Start(s, from, to, false); it.Next(); {
//		for range it.Fields { name, value := it.Field(a[:0], b[:0]) }
//	}
type Iter struct {
	Entry // that Next has found

	s        Stream
	from, to ID
	reverse  bool
	node     spot
	started  bool
	master   ID
	head     head
	at       int // forwards: flags of the next entry; backwards: the count that ends it; -1: none
}

// Start begins a walk over the entries from from to to, both included.
func (it *Iter) Start(s Stream, from, to ID, reverse bool) {
	it.s, it.from, it.to, it.reverse = s, from, to, reverse
	it.lp, it.started = nil, false
}

// enter goes to the next node and reports whether there is one.
func (it *Iter) enter() bool {
	a := it.s.A
	switch {
	case it.started:
		if it.node.ok() {
			it.node.step(a, !it.reverse)
		}
	case it.reverse:
		it.node = it.s.nodes.floor(a, it.to)
	default:
		if it.node = it.s.nodes.floor(a, it.from); !it.node.ok() {
			it.node = it.s.nodes.front(a)
		}
	}
	it.started = true
	if !it.node.ok() {
		return false
	}
	it.lp, it.master = bytesAt(a, *it.node.ref()), it.node.id()
	it.head = readHead(it.lp)
	if it.reverse {
		it.at = listpack.Last(it.lp)
	} else {
		it.at = listpack.Next(it.lp, it.head.term)
	}
	return true
}

// Next goes to the next entry and reports whether there is one.
func (it *Iter) Next() bool {
	for {
		if it.lp == nil && !it.enter() {
			return false
		}
		off := it.at
		if it.reverse {
			off = previous(it.lp, it.at)
		}
		if off < 0 {
			it.lp = nil
			continue
		}
		x := readItem(it.lp, off, it.master, &it.head)
		if it.reverse {
			it.at = listpack.Prev(it.lp, off)
		} else {
			it.at = x.next(it.lp)
		}
		if x.flags&flagDeleted != 0 {
			continue
		}
		if it.reverse && it.to.Less(x.id) || !it.reverse && x.id.Less(it.from) {
			continue
		}
		if it.reverse && x.id.Less(it.from) || !it.reverse && it.to.Less(x.id) {
			it.node, it.lp = spot{}, nil
			return false
		}
		it.set(&x, &it.head)
		return true
	}
}

// set makes e the entry x of its node.
func (e *Entry) set(x *item, h *head) {
	e.ID, e.Fields, e.same = x.id, x.fields, x.flags&flagSameFields != 0
	e.name, e.value = x.body, x.body
	if e.same {
		e.name = h.names
	}
}

// EachEntry calls f with every live entry of a node, which has passed Validate, until f
// returns an error, which it returns.
func EachEntry(master ID, lp []byte, f func(e *Entry) error) error {
	h := readHead(lp)
	e := Entry{lp: lp}
	for off := listpack.Next(lp, h.term); off >= 0; {
		x := readItem(lp, off, master, &h)
		off = x.next(lp)
		if x.flags&flagDeleted != 0 {
			continue
		}
		e.set(&x, &h)
		if err := f(&e); err != nil {
			return err
		}
	}
	return nil
}

// Field returns the next field-value pair of the entry: in place, integers formatted into
// a and b, which should have room for 20 bytes. It may be called Fields times.
func (e *Entry) Field(a, b []byte) (name, value []byte) {
	name = listpack.Get(e.lp, e.name, a)
	if !e.same {
		e.value = listpack.Next(e.lp, e.name)
	}
	value = listpack.Get(e.lp, e.value, b)
	if e.same {
		e.name = listpack.Next(e.lp, e.name)
		e.value = listpack.Next(e.lp, e.value)
	} else {
		e.name = listpack.Next(e.lp, e.value)
	}
	return name, value
}

// Has reports whether there is an entry id.
func (s Stream) Has(id ID) bool {
	var it Iter
	it.Start(s, id, id, false)
	return it.Next()
}

// Cost returns about how many entries, and bytes of them, a walk over at most count (0:
// all) entries of a range passes. It looks at nodes alone and stops past one of the
// bounds.
func (s Stream) Cost(from, to ID, count int64, reverse bool, maxEntries, maxBytes int) (entries, bytes int) {
	first := from
	if reverse {
		first = to
	}
	p := s.nodes.floor(s.A, first)
	if !p.ok() && !reverse {
		p = s.nodes.front(s.A)
	}
	for p.ok() && entries <= maxEntries && bytes <= maxBytes {
		if !reverse && to.Less(p.id()) {
			break
		}
		lp := bytesAt(s.A, *p.ref())
		live := int(number(lp, liveAt))
		if left := int64(count) - int64(entries); count > 0 && left < int64(live) {
			// A part of this node; the first one may be entered anywhere.
			return entries + int(left), bytes + len(lp)
		}
		entries, bytes = entries+live, bytes+len(lp)
		if reverse && p.id().Less(from) {
			break
		}
		p.step(s.A, !reverse)
	}
	return entries, bytes
}
