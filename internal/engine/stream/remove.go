package stream

import (
	"github.com/redwingdb/redwing/internal/engine/arena"
	"github.com/redwingdb/redwing/internal/engine/listpack"
)

// Delete takes the entry id out of its node and reports whether it was there. Pending
// entries of groups stay. On error nothing has changed.
func (s Stream) Delete(id ID) (bool, error) {
	p := s.nodes.floor(s.A, id)
	if !p.ok() {
		return false, nil
	}
	s.last = tail{}
	ref := p.ref()
	lp := bytesAt(s.A, *ref)
	h := readHead(lp)
	for off := listpack.Next(lp, h.term); off >= 0; {
		x := readItem(lp, off, p.id(), &h)
		if id.Less(x.id) {
			return false, nil
		}
		if x.id != id {
			off = x.next(lp)
			continue
		}
		if x.flags&flagDeleted != 0 {
			return false, nil
		}
		if h.live == 1 {
			s.dropNode(p)
			s.nodes.remove(s.A, p.id())
			s.deleted(id)
			return true, nil
		}
		s.own(p)
		if err := markDeleted(s.A, ref, &h, off); err != nil {
			return false, err
		}
		s.deleted(id)
		return true, nil
	}
	return false, nil
}

// DeleteAs is Delete that minds the references of groups: see References. It reports
// whether the entry was there, and whether it is kept for the sake of one.
func (s Stream) DeleteAs(id ID, r References, lost Lost) (found, kept bool, err error) {
	if r == OnlyAcknowledged && s.referenced(id) {
		return s.Has(id), true, nil
	}
	found, err = s.Delete(id)
	if err == nil && r == DeleteReferences {
		s.forget(id, lost)
	}
	return found, false, err
}

// deleted counts an entry that was deleted other than by trimming.
func (s Stream) deleted(id ID) {
	s.length--
	if s.MaxDeleted.Less(id) {
		s.MaxDeleted = id
	}
	if id == s.First {
		s.findFirst()
	}
}

// markDeleted marks the live entry whose flags are at off. On error nothing has changed.
func markDeleted(a *arena.Arena, ref *arena.Ref, h *head, off int) error {
	lp, err := reserveMarks(a, ref, h, 1)
	if err != nil {
		return err
	}
	lp[off] |= flagDeleted
	return setCounts(a, ref, h, 1)
}

// reserveMarks makes room for counting n entries more as deleted, and returns the node.
// The marks themselves take none: flags are one byte.
func reserveMarks(a *arena.Arena, ref *arena.Ref, h *head, n int64) ([]byte, error) {
	need := len(bytesAt(a, *ref)) + widening(h.deleted, h.deleted+n)
	return reserve(a, ref, need, need)
}

// setCounts counts n entries more as deleted. REQUIRES: reserveMarks for as many.
func setCounts(a *arena.Arena, ref *arena.Ref, h *head, n int64) error {
	if err := setNumber(a, ref, h.deletedAt, h.deleted+n); err != nil {
		return err
	}
	return setNumber(a, ref, liveAt, h.live-n)
}
