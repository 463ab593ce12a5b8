package engine

import (
	"github.com/redwingdb/redwing/internal/engine/listpack"
)

// Insert puts elem before or behind the first element that is pivot, and reports whether
// there was one. On error nothing has changed.
func (l *List) Insert(pivot []byte, after bool, elem []byte) (found bool, err error) {
	if !l.Exists() {
		return false, nil
	}
	if err := l.Grow(len(elem), 1); err != nil {
		return false, err
	}
	if l.Rooted() {
		q := l.quick()
		p, found := q.Find(pivot)
		if !found {
			return false, nil
		}
		if err := l.edit().Insert(l.nodeLimits(), p, after, elem); err != nil {
			return false, ErrNoSpace
		}
		return true, nil
	}
	lp := l.Packed()
	off := listpack.Find(lp, listpack.First(lp), pivot, 0)
	if off < 0 {
		return false, nil
	}
	e := listpack.InsertBefore(lp, off, elem)
	if after {
		e = listpack.InsertAfter(lp, off, elem)
	}
	return true, l.Edit(&e)
}

// Set replaces element i, which exists, by elem. On error nothing has changed.
func (l *List) Set(i int, elem []byte) error {
	if err := l.Grow(len(elem), 1); err != nil {
		return err
	}
	if l.Rooted() {
		q := l.edit()
		if err := q.Set(l.nodeLimits(), q.Seek(i), elem); err != nil {
			return ErrNoSpace
		}
		l.shrunk()
		return nil
	}
	lp := l.Packed()
	e := listpack.Replace(lp, listpack.Seek(lp, i), elem)
	return l.Edit(&e)
}

// Delete takes out n elements from i on, which exist, and with the last one the key.
func (l *List) Delete(i, n int) {
	switch {
	case n == 0:
	case n == l.Len():
		l.Remove()
	case l.Rooted():
		l.edit().Delete(i, n)
		l.shrunk()
	default:
		lp := l.Packed()
		e := listpack.Delete(lp, listpack.Seek(lp, i), n)
		_ = l.Edit(&e) // shortening never fails
	}
}

// Rotate moves the first element to the back, or with front false the last one to the
// front. On error nothing has changed. REQUIRES: Exists.
func (l *List) Rotate(front bool) error {
	if l.Rooted() {
		if err := l.edit().Rotate(l.nodeLimits(), front); err != nil {
			return ErrNoSpace
		}
		l.shrunk()
		return nil
	}
	lp, err := l.Resize(len(l.Packed())) // this value's own bytes, where they are pinned
	if err != nil {
		return err
	}
	var room [512]byte
	listpack.Rotate(lp, front, room[:])
	return nil
}

// DeleteEqual takes out the first limit elements that are elem, with back the last ones,
// and returns how many there were. With the last element the key goes.
func (l *List) DeleteEqual(elem []byte, limit int, back bool) (gone int) {
	if !l.Exists() {
		return 0
	}
	if l.Rooted() {
		if _, found := l.quick().Find(elem); !found {
			return 0 // snapshots need not hear of it
		}
		gone = l.edit().Remove(elem, limit, back)
		l.shrunk()
		return gone
	}
	needle := listpack.NewNeedle(elem)
	lp := l.Packed()
	found := listpack.CountEqual(lp, &needle)
	if found == 0 {
		return 0
	}
	skipped := 0
	if back {
		skipped = max(0, found-limit)
	}
	lp, err := l.Resize(len(lp)) // this value's own bytes, where they are pinned
	if err != nil {
		return 0
	}
	gone = listpack.DeleteEqual(lp, &needle, skipped, limit)
	if listpack.Empty(lp) {
		l.Remove()
		return gone
	}
	_, _ = l.Resize(listpack.Bytes(lp)) // shortening never fails
	return gone
}
