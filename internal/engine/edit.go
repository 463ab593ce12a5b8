package engine

import (
	"github.com/redwingdb/redwing/internal/engine/arena"
	"github.com/redwingdb/redwing/internal/engine/bulk"
	"github.com/redwingdb/redwing/internal/engine/table"
	"github.com/redwingdb/redwing/internal/slots"
)

// StringEdit changes the string of one key in place. It lies on its caller's stack and
// is good until the shard is unlocked or anything else in it changes.
type StringEdit struct {
	a    *Access
	p    spot
	slot slots.Slot
	key  []byte
}

// OpenEdit finds key for a change and returns its record, as Find does.
func (a *Access) OpenEdit(e *StringEdit, s slots.Slot, key []byte) (Record, bool) {
	e.a, e.slot, e.key = a, s, key
	if !a.lookLocked(&e.p, s, key) {
		return Record{}, false
	}
	a.touch(e.p.sh, e.p.rec)
	return Record{e.p.rec, e.p.sh.arena}, true
}

// Grow makes the string raw and at least n bytes long; see Resize.
func (e *StringEdit) Grow(n int) ([]byte, error) { return e.Resize(max(e.len(), n)) }

// Resize makes the string raw and n bytes long, cut off or padded with zeros, and
// returns it to be changed in place; a key that is not there comes into being. An expiry
// stays. On error nothing has changed. REQUIRES: what OpenEdit found is a string.
func (e *StringEdit) Resize(n int) ([]byte, error) {
	old, found := e.len(), e.p.found()
	if !found {
		if err := e.a.SetRaw(e.slot, e.key, nil, 0); err != nil {
			return nil, err
		}
		e.a.seekLocked(&e.p, e.slot, e.key)
	}
	v, err := e.a.editLocked(&e.p, n)
	if err != nil {
		if !found {
			e.p.removeLocked()
		}
		return nil, err
	}
	if n > old {
		bulk.Clear(v[old:])
	}
	return v, nil
}

func (e *StringEdit) len() int {
	if !e.p.found() {
		return 0
	}
	return Record{e.p.rec, e.p.sh.arena}.Len()
}

// GrowCost returns about how many bytes Grow writes to make the string n long: those
// that are added, and the whole string where it has to move. A string in a span is handed
// to live snapshots before, which pin it.
func (e *StringEdit) GrowCost(n int) int {
	if !e.p.found() {
		return n
	}
	r := Record{e.p.rec, e.p.sh.arena}
	old := r.Len()
	cost := max(0, n-old)
	if r.rec.Flags()&table.FlagSpan == 0 {
		return cost + old
	}
	e.p.t.Touch(e.p.pos)
	if ref, _ := r.rec.Span(); r.a.Pinned(ref) || int64(n) > r.a.SpanRoom(ref) {
		cost += old
	}
	return cost
}

// Draft is a string that is written before it takes the place of its key's value.
type Draft struct {
	p   spot
	ref arena.Ref
}

// DraftString reserves a raw string of n undefined bytes for key, without expiry, and
// returns them to be filled; nothing changes until Put. The caller may look at other
// keys with Peek in between, this one among them, and ends with Put or Drop.
func (a *Access) DraftString(d *Draft, s slots.Slot, key []byte, n int) ([]byte, error) {
	if n > maxString {
		return nil, ErrNoSpace
	}
	a.lookLocked(&d.p, s, key)
	if d.p.sp == nil {
		d.p.sp = a.k.spaceLocked(d.p.sh, int(a.db))
		d.p.t = a.k.tableLocked(d.p.sh, d.p.sp, d.p.local)
	}
	l := table.Layout{Kind: kindOf(TypeString, EncRaw), KeyLen: len(key), ValueLen: n}
	ref, err := d.p.sh.reserveRecord(l, a.fieldAt(&d.p), key, n)
	if err != nil {
		return nil, ErrNoSpace
	}
	d.ref = ref
	return Record{table.RecAt(d.p.sh.arena, ref), d.p.sh.arena}.raw(), nil
}

// Put makes the draft the value of its key. On error nothing has changed and the draft
// is gone.
func (a *Access) Put(d *Draft) error {
	err := a.putLocked(&d.p, d.ref)
	if err != nil {
		a.Drop(d)
	}
	return err
}

// Drop gives the draft up.
func (a *Access) Drop(d *Draft) { d.p.sh.freeRecordLocked(d.ref) }
