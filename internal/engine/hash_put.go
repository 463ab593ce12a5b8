package engine

import (
	"strconv"

	"github.com/redwingdb/redwing/internal/engine/listpack"
	"github.com/redwingdb/redwing/internal/engine/table"
)

// Put gives a field a value and an expiry in Unix milliseconds, 0 for none, KeepTTL for
// the one that the field has, and reports whether the field is new; a hidden one is.
// field and value must not lie in the hash. On error nothing has changed.
func (h *Hash) Put(field, value []byte, expireAt int64) (added bool, err error) {
	if !h.Exists() {
		return true, h.create(field, value, max(expireAt, 0))
	}
	if !h.Rooted() {
		packed, added, err := h.putPacked(field, value, expireAt)
		if packed || err != nil {
			return added, err
		}
		if err := h.becomeTable(); err != nil {
			return false, err
		}
	}
	return h.putInTable(field, value, expireAt)
}

// SetFieldExpireAt changes the expiry of a field, 0 for none, and reports whether the
// field is there. On error nothing has changed.
func (h *Hash) SetFieldExpireAt(field []byte, expireAt int64) (found bool, err error) {
	value, had, ok := h.Get(field)
	if !ok || had == expireAt {
		return ok, nil
	}
	if h.Rooted() {
		_, err = h.putInTable(field, value, expireAt) // a value in the field itself is allowed there
		return true, err
	}
	var room [128]byte
	_, err = h.Put(field, append(room[:0], value...), expireAt)
	return true, err
}

// create makes the key with its first field.
func (h *Hash) create(field, value []byte, expireAt int64) error {
	l := h.Limits()
	if len(field) > l.HashValue || len(value) > l.HashValue || l.HashEntries < 1 {
		return h.plantFields(func(to *hashTable) error { return to.put(table.Pos{}, field, value, expireAt) })
	}
	var room [256]byte
	lp := listpack.Append(listpack.Append(listpack.New(room[:0]), field), value)
	if expireAt == 0 {
		return h.Create(TypeHash, EncListpack, lp)
	}
	if err := h.Create(TypeHash, EncListpackEx, listpack.AppendInt(lp, expireAt)); err != nil {
		return err
	}
	h.a.fieldExpiryChangedLocked(&h.p)
	return nil
}

// putPacked is Put for a packed hash. packed is false, with nothing changed, if it is to
// become a table first.
func (h *Hash) putPacked(field, value []byte, expireAt int64) (packed, added bool, err error) {
	lp, stride, l := h.Packed(), h.stride(), h.Limits()
	off := listpack.Find(lp, listpack.First(lp), field, stride-1)
	if len(field) > l.HashValue || len(value) > l.HashValue ||
		off < 0 && listpack.Len(lp)/stride >= l.HashEntries ||
		len(lp)+len(field)+len(value) > listpack.MaxBytes/2 {
		return false, false, nil
	}
	had := int64(0)
	if off >= 0 && stride == 3 {
		had = expiryAt(lp, off)
	}
	added = off < 0 || h.hidden(had)
	if expireAt == KeepTTL {
		expireAt = had
		if added {
			expireAt = 0
		}
	}
	if added && off >= 0 {
		h.tellExpired(field)
	}
	if expireAt != 0 && stride == 2 {
		if err := h.becomeExpiring(); err != nil {
			return true, false, err
		}
		return h.putPacked(field, value, expireAt)
	}
	switch {
	case off >= 0 && expireAt == had:
		edit := listpack.Replace(lp, listpack.Next(lp, off), value)
		return true, added, h.Edit(&edit)
	case stride == 2:
		edit := listpack.Insert(lp, listpack.End(lp), field, value)
		return true, added, h.Edit(&edit)
	}
	var room [intDigits]byte
	digits := strconv.AppendInt(room[:0], expireAt, 10)
	edit := listpack.Insert(lp, expiryPlace(lp, expireAt), field, value, digits)
	if err := h.Edit(&edit); err != nil {
		return true, false, err
	}
	if off >= 0 {
		h.deleteOther(field, expireAt)
	}
	if expireAt != 0 && (had == 0 || expireAt < had) {
		h.a.fieldExpiryChangedLocked(&h.p)
	}
	return true, added, nil
}

// deleteOther deletes the triple of field, which stands there twice, that does not
// expire at expireAt.
func (h *Hash) deleteOther(field []byte, expireAt int64) {
	lp := h.Packed()
	off := listpack.Find(lp, listpack.First(lp), field, 2)
	if expiryAt(lp, off) == expireAt {
		off = listpack.Next(lp, listpack.Next(lp, listpack.Next(lp, off)))
		off = listpack.Find(lp, off, field, 2)
	}
	edit := listpack.Delete(lp, off, 3)
	_ = h.Edit(&edit) // shortening never fails
}

// expiryPlace returns where a triple with that expiry belongs.
func expiryPlace(lp []byte, expireAt int64) int {
	if expireAt != 0 {
		for off := listpack.First(lp); off >= 0; {
			if at := expiryAt(lp, off); at == 0 || at > expireAt {
				return off
			}
			off = listpack.Next(lp, listpack.Next(lp, listpack.Next(lp, off)))
		}
	}
	return listpack.End(lp)
}

// becomeExpiring makes the pairs of a listpack triples.
func (h *Hash) becomeExpiring() error {
	old := h.Packed()
	lp := listpack.New(make([]byte, 0, len(old)+len(old)/4+16))
	eachField(old, false, &h.p.sh.digits, func(field, value []byte, _ int64) bool {
		lp = listpack.AppendInt(listpack.Append(listpack.Append(lp, field), value), 0)
		return true
	})
	return h.SetPacked(EncListpackEx, lp)
}

// becomeTable moves the fields of a listpack into a table.
func (h *Hash) becomeTable() error {
	return h.plantFields(func(to *hashTable) (err error) {
		eachField(h.Packed(), h.stride() == 3, &h.p.sh.digits, func(field, value []byte, expireAt int64) bool {
			err = to.put(table.Pos{}, field, value, expireAt)
			return err == nil
		})
		return err
	})
}

// plantFields makes a table that fill fills the value of the key.
func (h *Hash) plantFields(fill func(to *hashTable) error) error {
	ref, p, err := h.NewRoot(hashRootBytes)
	if err != nil {
		return err
	}
	to := hashTableOf(h.p.sh, h.Hasher(), (*hashRoot)(p))
	if err = fill(&to); err == nil {
		err = h.Plant(TypeHash, EncHashtable, ref)
	}
	if err != nil {
		h.p.sh.buryRootLocked(deadRoot{typ: TypeHash, root: ref})
	}
	return err
}

// putInTable is Put for a hash that is a table. value may lie in the field.
func (h *Hash) putInTable(field, value []byte, expireAt int64) (added bool, err error) {
	h.Changing()
	x := h.table()
	pos, had := x.fields.Find(field), int64(0)
	if pos.Ref != 0 {
		had = x.fields.Rec(pos.Ref).ExpireAt()
	}
	added = pos.Ref == 0 || h.hidden(had)
	if expireAt == KeepTTL {
		expireAt = had
		if added {
			expireAt = 0
		}
	}
	if added && pos.Ref != 0 {
		h.tellExpired(field)
	}
	if err := x.put(pos, field, value, expireAt); err != nil {
		return false, err
	}
	if expireAt != 0 && (had == 0 || expireAt < had) {
		h.a.fieldExpiryChangedLocked(&h.p)
	}
	return added, nil
}
