package engine

import (
	"github.com/redwingdb/redwing/internal/engine/listpack"
	"github.com/redwingdb/redwing/internal/engine/quicklist"
)

// PushHead adds elem before the first element. It makes the key if it is not there. On
// error nothing has changed.
func (l *List) PushHead(elem []byte) error { return l.Push(true, elem) }

// PushTail is PushHead at the other end.
func (l *List) PushTail(elem []byte) error { return l.Push(false, elem) }

// Push adds elems at the front, one after the other, so that the last one comes to be
// the first, or at the back. It makes the key if it is not there. On error nothing has
// changed.
func (l *List) Push(front bool, elems ...[]byte) error {
	bytes := 0
	for _, e := range elems {
		bytes += len(e)
	}
	if err := l.Grow(bytes, len(elems)); err != nil {
		return err
	}
	switch {
	case !l.Exists():
		return l.create(front, elems)
	case l.Rooted():
		return l.pushToNodes(front, elems)
	}
	lp := l.Packed()
	if front {
		e := listpack.InsertReversed(lp, listpack.First(lp), elems...)
		return l.Edit(&e)
	}
	e := listpack.Insert(lp, listpack.End(lp), elems...)
	return l.Edit(&e)
}

// create makes the key, with its first elements in a listpack.
func (l *List) create(front bool, elems [][]byte) error {
	var room [512]byte
	lp := listpack.New(room[:0])
	plan := listpack.Insert(lp, listpack.End(lp), elems...)
	if front {
		plan = listpack.InsertReversed(lp, listpack.End(lp), elems...)
	}
	if plan.Len() <= len(room) {
		plan.Apply(room[:])
		return l.Create(TypeList, EncListpack, room[:plan.Len()])
	}
	if err := l.Create(TypeList, EncListpack, lp); err != nil {
		return err
	}
	err := l.Edit(&plan)
	if err != nil {
		l.Remove()
	}
	return err
}

func (l *List) pushToNodes(front bool, elems [][]byte) error {
	q, limits := l.edit(), l.nodeLimits()
	for i, e := range elems {
		if err := q.Push(limits, e, front); err != nil {
			for ; i > 0; i-- {
				q.Pop(front)
			}
			l.removeIfEmpty()
			return ErrNoSpace
		}
	}
	return nil
}

// Pop takes the first or last element away, and with the last one the key. REQUIRES: the
// list is not empty.
func (l *List) Pop(front bool) {
	if l.Rooted() {
		l.edit().Pop(front)
		l.shrunk()
		return
	}
	lp := l.Packed()
	off := listpack.First(lp)
	if !front {
		off = listpack.Last(lp)
	}
	e := listpack.Delete(lp, off, 1)
	if e.Len() == listpack.EmptyBytes {
		l.Remove()
		return
	}
	_ = l.Edit(&e) // shortening never fails
}

// PopHead takes the first element away.
func (l *List) PopHead() { l.Pop(true) }

// PopTail takes the last element away.
func (l *List) PopTail() { l.Pop(false) }

// Grow makes a listpack to a quicklist where elements of so many bytes altogether, about
// to be added, would exceed a node's limit, and makes an absent key a quicklist without
// elements. Push does this by itself (Redis 7.2, t_list.c, listTypeTryConvertListpack).
func (l *List) Grow(bytes, elements int) error {
	used, held := listpack.EmptyBytes, 0
	if l.Exists() {
		if l.Rooted() {
			return nil
		}
		lp := l.Packed()
		used, held = len(lp), listpack.Len(lp)
	}
	if !l.nodeLimits().Exceeds(used+bytes, held+elements) && used+bytes+2*elements <= longestListpack {
		return nil
	}
	return l.becomeQuicklist()
}

// longestListpack bounds, in bytes, what Redis does not: a listpack of very many empty
// elements, which count nothing there.
const longestListpack = 128 << 10

func (l *List) becomeQuicklist() error {
	ref, p, err := l.NewRoot(quicklist.HeadBytes)
	if err != nil {
		return err
	}
	q := quicklist.Open(l.Arena(), (*quicklist.Head)(p))
	if l.Exists() {
		err = q.AdoptListpack(l.Packed())
	}
	if err == nil {
		err = l.Plant(TypeList, EncQuicklist, ref)
	}
	if err != nil {
		l.p.sh.buryRootLocked(deadRoot{typ: TypeList, root: ref})
		return ErrNoSpace
	}
	return nil
}

// shrunk ends a change that has taken elements out of a quicklist: the key goes with the
// last one, and one node of half its limit becomes a listpack again (t_list.c,
// listTypeTryConvertQuicklist).
func (l *List) shrunk() {
	q := l.quick()
	if q.Len() == 0 {
		l.Remove()
		return
	}
	lp, sole := q.Sole()
	if !sole {
		return
	}
	if bytes, elements := l.nodeLimits().Bounds(); len(lp) > bytes/2 || q.Len() > elements/2 {
		return
	}
	// The listpack lies behind the root, which is freed once it has been copied. Without
	// memory for the copy the list stays as it is.
	_ = l.SetPacked(EncListpack, lp)
}

func (l *List) removeIfEmpty() {
	if l.Len() == 0 {
		l.Remove()
	}
}
