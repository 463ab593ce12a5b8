package engine

import (
	"encoding/binary"

	"github.com/redwingdb/redwing/internal/engine/arena"
	"github.com/redwingdb/redwing/internal/engine/intset"
	"github.com/redwingdb/redwing/internal/engine/listpack"
	"github.com/redwingdb/redwing/internal/slots"
)

// Members is a list of different members on the heap, the result of an operation on
// sets before it takes the place of one of them.
type Members struct {
	buf  []byte // | length, varint | member | ...
	n    int
	ints int // how many of them are integers
}

// Add appends member, which must not be in the list.
func (m *Members) Add(member []byte) {
	m.buf = binary.AppendUvarint(m.buf, uint64(len(member)))
	m.buf = append(m.buf, member...)
	m.n++
	if _, ok := parseInt(member); ok {
		m.ints++
	}
}

// Len returns the number of members.
func (m *Members) Len() int { return m.n }

// Bytes returns about how many bytes they take.
func (m *Members) Bytes() int { return len(m.buf) }

// Each calls f with every member until f returns false.
func (m *Members) Each(f func(member []byte) bool) {
	for b := m.buf; len(b) > 0; {
		n, w := binary.Uvarint(b)
		end := w + int(n)
		if !f(b[w:end:end]) {
			return
		}
		b = b[end:]
	}
}

// StoreSet makes the set of members, which must not be empty, the value of key, without an
// expiry and whatever was there. like is the encoding to begin with, EncIntset unless it
// is to be no smaller than another set's; integers alone become an intset in any case, if
// they are few enough. On error nothing has changed, but for what the error of the very
// last step, gone true, leaves: no key.
func (a *Access) StoreSet(s slots.Slot, key []byte, members *Members, like Encoding) (gone bool, err error) {
	var set Set
	set.Value.Open(a, s, key)
	l := a.k.Limits()
	e := members.encoding(l, like)
	var root arena.Ref
	var packed []byte
	switch e {
	case EncHashtable:
		if root, err = set.buildTable(members); err != nil {
			return false, err
		}
	default:
		packed = members.pack(e)
	}
	if set.Exists() {
		set.Value.Remove()
		set.Value.Open(a, s, key)
	}
	if e != EncHashtable {
		err = set.Create(TypeSet, e, packed)
	} else if err = set.Plant(TypeSet, EncHashtable, root); err != nil {
		set.abandonRoot(root)
	}
	return err != nil, err
}

// encoding returns what a set has become once the members have been added one by one to
// an empty set of encoding like.
func (m *Members) encoding(l *Limits, like Encoding) Encoding {
	if m.ints == m.n && l.fitsIntset(m.n) {
		return EncIntset
	}
	if like == EncHashtable || m.n > l.SetEntries || len(m.buf) > listpack.MaxBytes/4 {
		return EncHashtable
	}
	e := EncListpack
	m.Each(func(member []byte) bool {
		if !l.shortMember(member) {
			e = EncHashtable
		}
		return e == EncListpack
	})
	return e
}

func (m *Members) pack(e Encoding) (b []byte) {
	if e == EncIntset {
		b = intset.New(nil)
		m.Each(func(member []byte) bool {
			v, _ := parseInt(member)
			b, _ = intset.Add(b, v)
			return true
		})
		return b
	}
	b = listpack.New(make([]byte, 0, len(m.buf)+12*m.n+listpack.EmptyBytes))
	m.Each(func(member []byte) bool {
		b = listpack.Append(b, member)
		return true
	})
	return b
}

// buildTable returns the root of a table of members that is no key's value yet.
func (s *Set) buildTable(members *Members) (arena.Ref, error) {
	ref, p, err := s.NewRoot(setRootBytes)
	if err != nil {
		return 0, err
	}
	e := s.Elements(&(*setRoot)(p).members)
	members.Each(func(member []byte) bool {
		_, err = e.Insert(member, nil, 0)
		return err == nil
	})
	if err != nil {
		s.abandonRoot(ref)
	}
	return ref, err
}
