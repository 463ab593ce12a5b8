package engine

import (
	"github.com/redwingdb/redwing/internal/engine/listpack"
	"github.com/redwingdb/redwing/internal/engine/table"
	"github.com/redwingdb/redwing/internal/engine/zset"
	"github.com/redwingdb/redwing/internal/slots"
)

// Fields of a hash may have an expiry of their own. A listpack with such fields holds
// (field, value, expiry) in order of expiry, those without one (0) last, as Redis 7.4 has
// it; a table has the expiry in the field's record and a tree of (expiry, field). Fields
// that have expired are hidden at once, and deleted by the wheel, in which the key has an
// entry for its nearest expiry, be it the key's own or a field's.

// hasFieldExpiry reports whether r is a hash of which some field may have an expiry.
func hasFieldExpiry(r table.Rec) bool {
	switch r.Kind() {
	case kindOf(TypeHash, EncListpackEx):
		return true
	case kindOf(TypeHash, EncHashtable):
		return true
	}
	return false
}

// nearestField returns the nearest expiry of a field of r, 0 for none.
// REQUIRES: hasFieldExpiry.
func nearestField(sh *shard, r table.Rec) int64 {
	if r.Flags()&table.FlagRoot == 0 {
		lp := Record{r, sh.arena}.raw()
		if listpack.Empty(lp) {
			return 0
		}
		return expiryAt(lp, listpack.First(lp))
	}
	t := zset.Tree{A: sh.arena, H: &(*hashRoot)(sh.arena.At(r.Root())).expiring}
	if t.H.Len() == 0 {
		return 0
	}
	first := t.First()
	return int64(first.Score())
}

// expiryAt returns the expiry of the triple whose field is at off.
func expiryAt(lp []byte, off int) int64 {
	_, at, _ := listpack.Value(lp, listpack.Next(lp, listpack.Next(lp, off)))
	return at
}

// dueAt returns when something of r expires first, 0 for never.
func dueAt(sh *shard, r table.Rec) int64 {
	at := r.ExpireAt()
	if hasFieldExpiry(r) {
		if near := nearestField(sh, r); near != 0 && (at == 0 || near < at) {
			return near
		}
	}
	return at
}

// fieldExpiryChangedLocked gives the hash at p, which is new there or has a nearer expiry
// of a field than before, its entry in the wheel.
func (a *Access) fieldExpiryChangedLocked(p *spot) {
	if !hasFieldExpiry(p.rec) {
		return
	}
	near := nearestField(p.sh, p.rec)
	if near == 0 {
		return
	}
	p.sp.fieldExpiry = true
	a.k.fieldExpires()
	p.sp.enterLocked(p.sh.arena, p.rec, p.local, p.hash, near, a.now)
}

// OnFieldExpiry has f called whenever a hash has come to have a field with an expiry, or one
// that expires sooner, before the effect of that is told to anybody. f runs with the hash's
// shard locked and must not call back. It is set once, before the keyspace is used.
func (k *Keyspace) OnFieldExpiry(f func()) { k.onField = f }

func (k *Keyspace) fieldExpires() {
	if k.onField != nil {
		k.onField()
	}
}

// expireFieldsBatch bounds the fields that one entry of the wheel deletes.
const expireFieldsBatch = 16

// expireFieldsLocked deletes some expired fields of the hash at p, each after the sink
// has heard of it; with the last field the key goes.
func (k *Keyspace) expireFieldsLocked(p *spot, s slots.Slot, db int, now int64) {
	a := Access{k: k, now: now, db: int32(db), mode: ModeApply}
	h := Hash{Value: Value{a: &a, key: p.rec.Key(), p: *p, live: true}}
	for range expireFieldsBatch {
		field, at, ok := h.nearest()
		if !ok || now <= at {
			break
		}
		if k.sink != nil {
			k.sink.Append(s, db, Effect{Kind: EffectDeleteField, Key: h.p.rec.Key(), Field: field})
		}
		k.expiredFields.Add(1)
		h.deleteNearest()
		if !h.live {
			break
		}
	}
	*p = h.p
}

// nearest returns the field that expires first.
func (h *Hash) nearest() (field []byte, at int64, ok bool) {
	if h.Rooted() {
		t := h.expiring()
		if t.H.Len() == 0 {
			return nil, 0, false
		}
		first := t.First()
		e := h.fields()
		return e.Rec(first.Ref()).Key(), int64(first.Score()), true
	}
	lp := h.Packed()
	off := listpack.First(lp)
	at = expiryAt(lp, off)
	return listpack.Get(lp, off, h.scratch[:0]), at, at != 0
}

// deleteNearest deletes the field that nearest returns.
func (h *Hash) deleteNearest() {
	if h.Rooted() {
		h.Changing()
		x := h.table()
		_, ref := x.expiring.DeleteRank(0)
		x.fields.Delete(x.fields.Find(x.fields.Rec(ref).Key()))
	} else {
		lp := h.Packed()
		edit := listpack.Delete(lp, listpack.First(lp), 3)
		_ = h.Edit(&edit) // shortening never fails
	}
	h.removeIfEmpty()
}

// expired returns the number of fields that have expired and are not deleted yet.
func (h *Hash) expired() (n int) {
	if h.a.mode == ModeApply {
		return 0
	}
	if h.Rooted() {
		t := h.expiring()
		if t.H.Len() == 0 {
			return 0
		}
		c := t.SeekScore(float64(h.a.now), false)
		if !c.Valid() {
			return t.H.Len()
		}
		return c.Rank()
	}
	if h.Encoding() != EncListpackEx {
		return 0
	}
	lp := h.Packed()
	for off := listpack.First(lp); off >= 0; n++ {
		at := expiryAt(lp, off)
		if !h.hidden(at) {
			break
		}
		off = listpack.Next(lp, listpack.Next(lp, listpack.Next(lp, off)))
	}
	return n
}

// hidden reports whether a field with that expiry is not there for commands any more.
func (h *Hash) hidden(at int64) bool { return at != 0 && h.a.now > at && h.a.mode != ModeApply }

// tellExpired tells that a field that has expired gives way to a new one of its name.
func (h *Hash) tellExpired(field []byte) {
	sink := h.a.sink
	if sink == nil {
		sink = h.a.k.sink
	}
	h.a.k.expiredFields.Add(1)
	if sink != nil && h.a.mode == ModePrimary {
		slot := h.a.k.slotOf(h.p.sh.index, h.p.local)
		sink.Append(slot, int(h.a.db), Effect{Kind: EffectDeleteField, Key: h.key, Field: field})
	}
}
