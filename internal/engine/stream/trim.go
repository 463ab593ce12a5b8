package stream

import (
	"github.com/redwingdb/redwing/internal/engine/listpack"
)

// References say what becomes of the pending entries of groups when their entry is
// deleted (Redis 8.2).
type References uint8

const (
	// KeepReferences leaves them.
	KeepReferences References = iota
	// DeleteReferences takes them out with the entry.
	DeleteReferences
	// OnlyAcknowledged keeps an entry that a group has not read, or not acknowledged.
	OnlyAcknowledged
)

// referenced reports whether a group has still to read or to acknowledge id.
func (s Stream) referenced(id ID) bool {
	for i := range s.Groups() {
		g := s.GroupAt(i)
		if g.g.last.Less(id) || g.g.pending.find(s.A, id).ok() {
			return true
		}
	}
	return false
}

// Lost hears which group has lost the pending entry of id with the entry itself. nil: nobody
// does.
type Lost func(group int, id ID)

// forget takes id out of the pending entries of all groups.
func (s Stream) forget(id ID, lost Lost) {
	for i := range s.Groups() {
		if s.GroupAt(i).Ack(id) && lost != nil {
			lost(i, id)
		}
	}
}

// Trim says what to take from the beginning of a stream.
type Trim struct {
	MaxLen     int64 // entries to be left; -1: by MinID
	MinID      ID    // the first entry to be left
	Approx     bool  // whole nodes alone
	Limit      int64 // with Approx: the most entries to look at; 0: no bound
	References References
	Lost       Lost // with DeleteReferences
}

// Trim takes entries from the beginning (t_stream.c, streamTrim) and returns how many,
// and with Approx from which id on it has not looked at any. On error, which only an
// exact trim or one that minds references can meet, what was taken until then is gone.
func (s Stream) Trim(t Trim) (taken int, edge ID, err error) {
	s.last = tail{}
	looked := int64(0)
	for from := (ID{}); ; {
		p := s.nodes.ceil(s.A, from)
		if !p.ok() {
			edge = MaxID
			break
		}
		lp := bytesAt(s.A, *p.ref())
		live := number(lp, liveAt)
		if edge = p.id(); t.reached(s) || t.Limit > 0 && looked+live > t.Limit {
			break
		}
		whole := t.takesNode(s, p.id(), lp, live)
		if !whole && t.Approx {
			break
		}
		looked += live
		from, _ = p.id().Next()
		if whole && t.References == KeepReferences {
			s.length -= uint64(live)
			taken += int(live)
			s.dropNode(p)
			s.nodes.remove(s.A, p.id())
			continue
		}
		n, failed := s.trimNode(&t, p, whole)
		if taken += n; failed != nil || !whole {
			err = failed
			break
		}
	}
	if taken > 0 {
		s.findFirst()
	}
	return taken, edge, err
}

// reached reports whether the stream is short enough.
func (t *Trim) reached(s Stream) bool { return t.MaxLen >= 0 && int64(s.length) <= t.MaxLen }

// takesNode reports whether all entries of a node are to go.
func (t *Trim) takesNode(s Stream, master ID, lp []byte, live int64) bool {
	if t.MaxLen >= 0 {
		return int64(s.length)-live >= t.MaxLen
	}
	h := readHead(lp)
	off := previous(lp, listpack.Last(lp))
	if off < 0 {
		return true
	}
	x := readItem(lp, off, master, &h)
	return x.id.Less(t.MinID)
}

// trimNode marks the first entries of the node at p deleted, or all of them, as far as
// references let it. A node of which only deleted entries are left behind those taken
// stays, as in Redis.
func (s Stream) trimNode(t *Trim, p spot, whole bool) (n int, err error) {
	s.own(p)
	ref := p.ref()
	h := readHead(bytesAt(s.A, *ref))
	lp, err := reserveMarks(s.A, ref, &h, h.live)
	if err != nil {
		return 0, err
	}
	for off := listpack.Next(lp, h.term); off >= 0; {
		x := readItem(lp, off, p.id(), &h)
		off = x.next(lp)
		if x.flags&flagDeleted != 0 {
			continue
		}
		if !whole && (t.reached(s) || t.MaxLen < 0 && !x.id.Less(t.MinID)) {
			break
		}
		switch t.References {
		case OnlyAcknowledged:
			if s.referenced(x.id) {
				continue
			}
		case DeleteReferences:
			s.forget(x.id, t.Lost)
		}
		lp[x.off] |= flagDeleted
		s.length--
		n++
	}
	if whole && int64(n) == h.live {
		s.dropNode(p)
		s.nodes.remove(s.A, p.id())
		return n, nil
	}
	return n, setCounts(s.A, ref, &h, int64(n))
}
