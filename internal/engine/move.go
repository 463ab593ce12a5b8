package engine

import (
	"github.com/redwingdb/redwing/internal/engine/arena"
	"github.com/redwingdb/redwing/internal/engine/bulk"
	"github.com/redwingdb/redwing/internal/engine/table"
	"github.com/redwingdb/redwing/internal/slots"
)

// Rename makes dst what src is, expiry included, replacing what was there. A src that
// does not exist is left alone. On error nothing has changed. A value outside its record
// is copied only if the slots lie in different shards.
func (a *Access) Rename(ss slots.Slot, src []byte, ds slots.Slot, dst []byte) error {
	if ss == ds && string(src) == string(dst) {
		return nil
	}
	return a.transfer(ss, src, int(a.db), ds, dst, true)
}

// Move makes key of database dstDB what key of this one is, which goes, as with Rename.
func (a *Access) Move(s slots.Slot, key []byte, dstDB int) error {
	if dstDB == int(a.db) {
		return nil
	}
	return a.transfer(s, key, dstDB, s, key, true)
}

// Copy makes dst of database dstDB a copy of src, expiry included, replacing what was
// there. A src that does not exist is left alone. On error nothing has changed.
func (a *Access) Copy(ss slots.Slot, src []byte, dstDB int, ds slots.Slot, dst []byte) error {
	if dstDB == int(a.db) && ss == ds && string(src) == string(dst) {
		return nil
	}
	return a.transfer(ss, src, dstDB, ds, dst, false)
}

// transfer is Rename, Move and Copy. src and dst are different keys.
func (a *Access) transfer(ss slots.Slot, src []byte, dstDB int, ds slots.Slot, dst []byte, takeAway bool) error {
	b := *a
	b.db = int32(dstDB)
	var to, from spot
	if !b.lookLocked(&to, ds, dst) && to.sp == nil {
		to.sp = a.k.spaceLocked(to.sh, dstDB)
		to.t = a.k.tableLocked(to.sh, to.sp, to.local)
	}
	if !a.lookLocked(&from, ss, src) {
		return nil
	}
	sameArena := takeAway && from.sh == to.sh
	ref, err := a.k.duplicate(&from, to.sh, dst, sameArena)
	if err != nil {
		return ErrNoSpace
	}
	if !takeAway { // a copy is a new key
		table.RecAt(to.sh.arena, ref).SetLRU(a.freshField())
	}
	shared := sameArena && from.rec.Flags()&(table.FlagSpan|table.FlagRoot) != 0
	if err := b.putLocked(&to, ref); err != nil {
		if shared {
			to.sh.arena.Free(ref)
		} else {
			to.sh.freeRecordLocked(ref)
		}
		return err
	}
	if !takeAway {
		return nil
	}
	a.seekLocked(&from, ss, src)
	if shared {
		from.removeKeepingValueLocked()
	} else {
		from.removeLocked()
	}
	return nil
}

// duplicate returns a record in sh with the value and expiry of that at from and another
// key. With share it takes over a value's span or root instead of copying it.
func (k *Keyspace) duplicate(from *spot, sh *shard, key []byte, share bool) (arena.Ref, error) {
	r := from.rec
	l := table.Layout{Kind: r.Kind(), Flags: r.Flags() & table.FlagExpiry, KeyLen: len(key), ValueLen: len(r.Value())}
	v := r.Value()
	var ref arena.Ref
	var err error
	switch {
	case r.Flags()&table.FlagRoot != 0:
		l.Flags |= table.FlagRoot
		ref, err = k.duplicateRoot(from, sh, l, key, share)
	case r.Flags()&table.FlagSpan == 0:
		ref, err = sh.newRecord(l, r.LRU(), key, v)
	case share:
		span, n := r.Span()
		ref, err = sh.newSpanRecord(l, r.LRU(), key, span, n)
	default:
		v = Record{r, from.sh.arena}.raw()
		var span arena.Ref
		if span, err = sh.arena.AllocSpan(int64(len(v)), spanReserve); err != nil {
			return 0, err
		}
		if ref, err = sh.newSpanRecord(l, r.LRU(), key, span, len(v)); err != nil {
			sh.arena.Free(span)
			return 0, err
		}
		bulk.Copy(sh.arena.Bytes(span, len(v)), v)
	}
	if err == nil && l.Flags&table.FlagExpiry != 0 {
		table.RecAt(sh.arena, ref).SetExpireAt(r.ExpireAt())
	}
	return ref, err
}

// removeKeepingValueLocked deletes the key at p, whose value's span or root has another
// owner now.
func (p *spot) removeKeepingValueLocked() {
	wasVolatile := p.rec.Flags()&table.FlagExpiry != 0
	ref := p.pos.Ref
	p.t.Delete(p.pos)
	p.sh.arena.Free(ref)
	p.sp.removedLocked(p.local, wasVolatile)
	p.pos = table.Pos{}
}
