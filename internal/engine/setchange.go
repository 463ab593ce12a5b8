package engine

import (
	"github.com/redwingdb/redwing/internal/engine/arena"
	"github.com/redwingdb/redwing/internal/engine/intset"
	"github.com/redwingdb/redwing/internal/engine/listpack"
)

// Expect says that about n members are about to be added, so that a set which will be a
// table becomes one at once (Redis 7.2, t_set.c, setTypeCreate and setTypeMaybeConvert).
// On error nothing has changed.
func (s *Set) Expect(n int) error {
	s.hint = n
	if !s.Exists() || s.Rooted() {
		return nil
	}
	most := s.Limits().SetEntries
	if s.Encoding() == EncIntset {
		most = s.Limits().SetIntset
	}
	if n > most {
		return s.becomeTable()
	}
	return nil
}

// Add adds member and reports whether it was not there. member must not lie in the set.
// On error nothing has changed.
func (s *Set) Add(member []byte) (added bool, err error) {
	switch {
	case !s.Exists():
		return true, s.create(member)
	case s.Rooted():
		return s.addToTable(member)
	case s.Encoding() == EncIntset:
		return s.addToIntset(member)
	}
	lp := s.Packed()
	if listpack.Find(lp, listpack.First(lp), member, 0) >= 0 {
		return false, nil
	}
	if l := s.Limits(); listpack.Len(lp) >= l.SetEntries || !l.shortMember(member) || len(lp)+len(member) > listpack.MaxBytes/2 {
		return true, s.becomeTable(member)
	}
	e := listpack.Insert(lp, listpack.End(lp), member)
	return true, s.Edit(&e)
}

func (l *Limits) shortMember(member []byte) bool { return len(member) <= l.SetValue }

// fitsIntset reports whether an intset may hold n values, bounded as a packed value is.
func (l *Limits) fitsIntset(n int) bool { return n <= l.SetIntset && n <= listpack.MaxBytes/16 }

// create makes the key with its first member.
func (s *Set) create(member []byte) error {
	l, n := s.Limits(), max(s.hint, 1)
	var room [256]byte
	if v, isInt := parseInt(member); isInt && l.fitsIntset(n) {
		b, _ := intset.Add(intset.New(room[:0]), v)
		return s.Create(TypeSet, EncIntset, b)
	}
	if n <= l.SetEntries && l.shortMember(member) && len(member) < listpack.MaxBytes/2 {
		return s.Create(TypeSet, EncListpack, listpack.Append(listpack.New(room[:0]), member))
	}
	return s.becomeTable(member)
}

func (s *Set) addToTable(member []byte) (added bool, err error) {
	e := s.members()
	hash := e.t.Hash.Sum(member)
	if e.t.Find(hash, member).Ref != 0 {
		return false, nil
	}
	s.Changing()
	ref, err := e.newRecord(member, nil, 0)
	if err != nil {
		return false, ErrNoSpace
	}
	e.changing()
	if _, err := e.t.Insert(hash, ref); err != nil {
		e.sh.freeBlocks(ref)
		return false, ErrNoSpace
	}
	return true, nil
}

func (s *Set) addToIntset(member []byte) (added bool, err error) {
	is, l := s.Packed(), s.Limits()
	n := intset.Len(is)
	v, isInt := parseInt(member)
	if isInt {
		if _, has := intset.Find(is, v); has {
			return false, nil
		}
		if !l.fitsIntset(n + 1) {
			return true, s.becomeTable(member)
		}
		if is, err = s.Resize(intset.InsertSize(is, v)); err == nil {
			intset.Insert(is, v)
		}
		return true, err
	}
	longest := 0
	if n > 0 {
		longest = max(decimalLen(intset.At(is, 0)), decimalLen(intset.At(is, n-1)))
	}
	if n >= l.SetEntries || !l.shortMember(member) || longest > l.SetValue {
		return true, s.becomeTable(member)
	}
	return true, s.becomeListpack(member)
}

// becomeListpack turns an intset into a listpack with one member more.
func (s *Set) becomeListpack(member []byte) error {
	is := s.Packed()
	lp := listpack.New(make([]byte, 0, listpack.EmptyBytes+intset.Len(is)*11+len(member)+10))
	for i := range intset.Len(is) {
		lp = listpack.AppendInt(lp, intset.At(is, i))
	}
	return s.SetPacked(EncListpack, listpack.Append(lp, member))
}

// becomeTable turns a packed or absent set into a table, with more members that it does
// not have. On error nothing has changed.
func (s *Set) becomeTable(more ...[]byte) error {
	ref, p, err := s.NewRoot(setRootBytes)
	if err != nil {
		return err
	}
	e := s.Elements(&(*setRoot)(p).members)
	s.Each(func(m []byte) bool {
		_, err = e.Insert(m, nil, 0)
		return err == nil
	})
	for i := 0; i < len(more) && err == nil; i++ {
		_, err = e.Insert(more[i], nil, 0)
	}
	if err == nil {
		err = s.Plant(TypeSet, EncHashtable, ref)
	}
	if err != nil {
		s.abandonRoot(ref)
	}
	return err
}

// abandonRoot frees the root of a table that does not become the value.
func (s *Set) abandonRoot(ref arena.Ref) {
	s.p.sh.buryRootLocked(deadRoot{typ: TypeSet, root: ref})
}

// Remove takes member out and reports whether it was there. With the last one the key
// goes.
func (s *Set) Remove(member []byte) bool {
	switch {
	case !s.Exists():
		return false
	case s.Rooted():
		e := s.members()
		if s.drawn = e.Find(member); s.drawn.Ref == 0 {
			return false
		}
	case s.Encoding() == EncIntset:
		v, ok := parseInt(member)
		if ok {
			s.at, ok = intset.Find(s.Packed(), v)
		}
		if !ok {
			return false
		}
	default:
		lp := s.Packed()
		if s.at = listpack.Find(lp, listpack.First(lp), member, 0); s.at < 0 {
			return false
		}
	}
	s.RemoveDrawn()
	return true
}

// RemoveDrawn takes out the member that Random has returned last. With the last one the
// key goes. REQUIRES: the set has not been changed since.
func (s *Set) RemoveDrawn() {
	if s.Len() == 1 {
		s.Value.Remove()
		return
	}
	switch {
	case s.Rooted():
		s.Changing()
		e := s.members()
		e.Delete(s.drawn)
	case s.Encoding() == EncIntset:
		is, _ := s.Resize(len(s.Packed())) // of the same length: the value's own where it was pinned
		if is == nil {
			return
		}
		intset.RemoveAt(is, s.at)
		_, _ = s.Resize(intset.Bytes(is)) // shortening never fails
	default:
		e := listpack.Delete(s.Packed(), s.at, 1)
		_ = s.Edit(&e) // shortening never fails
	}
}
