package engine

import (
	"encoding/binary"
	"unsafe"

	"github.com/redwingdb/redwing/internal/engine/arena"
	"github.com/redwingdb/redwing/internal/engine/bulk"
	"github.com/redwingdb/redwing/internal/engine/table"
	"github.com/redwingdb/redwing/internal/slots"
)

// maxString is the longest string, in bytes: what the length field of a span reaches.
const maxString = 1<<32 - 1

// spanReserve is how far a string's span reserves addresses for growing, at most: the
// default of proto-max-bulk-len.
const spanReserve = 512 << 20

// SetString sets key to the string val, replacing a value of any type. expireAt is Unix
// milliseconds, 0 for none, KeepTTL to keep what the key has. A val that is the decimal
// form of an int64 is kept as an integer. val may lie in a record of this keyspace.
func (a *Access) SetString(s slots.Slot, key, val []byte, expireAt int64) error {
	if v, ok := parseInt(val); ok {
		return a.SetInt(s, key, v, expireAt)
	}
	enc := EncRaw
	if len(val) <= embstrMax {
		enc = EncEmbstr
	}
	return a.set(s, key, kindOf(TypeString, enc), val, expireAt)
}

// SetInt sets key to the integer v; the rest is as with SetString.
func (a *Access) SetInt(s slots.Slot, key []byte, v, expireAt int64) error {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(v))
	return a.set(s, key, kindOf(TypeString, EncInt), b[:], expireAt)
}

// SetRaw is SetString without integers, and always of encoding raw.
func (a *Access) SetRaw(s slots.Slot, key, val []byte, expireAt int64) error {
	return a.set(s, key, kindOf(TypeString, EncRaw), val, expireAt)
}

func (a *Access) set(s slots.Slot, key []byte, kind byte, val []byte, expireAt int64) error {
	if len(val) > maxString {
		return ErrNoSpace
	}
	var p spot
	live := a.lookLocked(&p, s, key)
	if expireAt == KeepTTL {
		expireAt = 0
		if live { // one that is hidden, not deleted (ModeReplica), loses its expiry with its value
			expireAt = p.rec.ExpireAt()
		}
	}
	return a.storeLocked(&p, key, table.Layout{Kind: kind, KeyLen: len(key), ValueLen: len(val)}, val, expireAt)
}

// storeLocked makes val, of layout l but for the expiry, the value of key, which p is the
// spot of. On error nothing has changed.
func (a *Access) storeLocked(p *spot, key []byte, l table.Layout, val []byte, expireAt int64) error {
	if p.sp == nil {
		p.sp = a.k.spaceLocked(p.sh, int(a.db))
		p.t = a.k.tableLocked(p.sh, p.sp, p.local)
	}
	if expireAt != 0 {
		l.Flags |= table.FlagExpiry
	}
	if p.found() && p.rec.Flags()&table.FlagRoot == 0 && l.Inline() && arena.Fits(p.rec.Size(), l.Size()) &&
		!within(val, p.rec.Raw()) {
		return a.setInPlaceLocked(p, l, key, val, expireAt)
	}
	ref, err := p.sh.newRecord(l, a.fieldAt(p), key, val)
	if err != nil {
		return ErrNoSpace
	}
	rec := table.RecAt(p.sh.arena, ref)
	if expireAt != 0 {
		rec.SetExpireAt(expireAt)
	}
	if err := a.putLocked(p, ref); err != nil {
		p.sh.freeBlocks(ref)
		return err
	}
	return nil
}

// setInPlaceLocked writes the record at p anew in the block that it has.
func (a *Access) setInPlaceLocked(p *spot, l table.Layout, key, val []byte, expireAt int64) error {
	p.t.Touch(p.pos)
	oldFlags, oldAt := p.rec.Flags(), p.rec.ExpireAt()
	var span arena.Ref
	if oldFlags&table.FlagSpan != 0 {
		span, _ = p.rec.Span()
	}
	l.Flags |= oldFlags & table.FlagInWheel
	p.rec.Init(l, a.fieldAt(p), key)
	if expireAt != 0 {
		p.rec.SetExpireAt(expireAt)
	}
	copy(p.rec.Value(), val)
	if span != 0 {
		p.sh.arena.Free(span)
	}
	a.expiryChangedLocked(p, oldAt)
	return nil
}

// putLocked makes ref, a new record of the key that p is the spot of, the key's record.
// On error, possible only if the key is not there, nothing has changed and ref is still
// the caller's. REQUIRES: p.sp is not nil.
func (a *Access) putLocked(p *spot, ref arena.Ref) error {
	rec := table.RecAt(p.sh.arena, ref)
	if !p.found() {
		rec.SetInWheel(false)
		pos, err := p.t.Insert(p.hash, ref)
		if err != nil {
			return ErrNoSpace
		}
		p.pos, p.rec = pos, rec
		p.sp.addedLocked(p.local)
		a.expiryChangedLocked(p, 0)
		a.fieldExpiryChangedLocked(p)
		if a.news != nil {
			a.news(int(a.db), rec.Key())
		}
		return nil
	}
	p.t.Touch(p.pos)
	old, oldAt := p.pos.Ref, p.rec.ExpireAt()
	rec.SetInWheel(p.rec.Flags()&table.FlagInWheel != 0)
	p.t.Replace(p.pos, ref)
	p.pos.Ref, p.rec = ref, rec
	p.sh.freeRecordLocked(old)
	a.expiryChangedLocked(p, oldAt)
	a.fieldExpiryChangedLocked(p)
	return nil
}

// newRecord returns a record of layout l, its value in the record or in a span of its
// own. The expiry is left to the caller.
func (sh *shard) newRecord(l table.Layout, lru uint32, key, val []byte) (arena.Ref, error) {
	if l.Inline() {
		ref, err := sh.arena.Alloc(l.Size())
		if err != nil {
			return 0, err
		}
		rec := table.RecAt(sh.arena, ref)
		rec.Init(l, lru, key)
		copy(rec.Value(), val)
		return ref, nil
	}
	span, err := sh.arena.AllocSpan(int64(len(val)), spanReserve)
	if err != nil {
		return 0, err
	}
	ref, err := sh.newSpanRecord(l, lru, key, span, len(val))
	if err != nil {
		sh.arena.Free(span)
		return 0, err
	}
	bulk.Copy(sh.arena.Bytes(span, len(val)), val)
	return ref, nil
}

func (sh *shard) newSpanRecord(l table.Layout, lru uint32, key []byte, span arena.Ref, n int) (arena.Ref, error) {
	l.Flags |= table.FlagSpan
	ref, err := sh.arena.Alloc(l.Size())
	if err != nil {
		return 0, err
	}
	rec := table.RecAt(sh.arena, ref)
	rec.Init(l, lru, key)
	rec.SetSpan(span, n)
	return ref, nil
}

// AppendString appends suffix to the string of key, or sets it if there is none, and
// returns the new length. The value there must be a string. suffix must not lie in it.
func (a *Access) AppendString(s slots.Slot, key, suffix []byte) (int, error) {
	var p spot
	if !a.lookLocked(&p, s, key) {
		return len(suffix), a.SetString(s, key, suffix, 0)
	}
	old := Record{p.rec, p.sh.arena}.Len()
	v, err := a.editLocked(&p, old+len(suffix))
	if err != nil {
		return old, err
	}
	bulk.Copy(v[old:], suffix)
	return len(v), nil
}

// SetRange writes val at offset off of the string of key, padded with zeros up to off,
// and returns the new length. The value there must be a string; val must not lie in it.
// An empty val changes nothing.
func (a *Access) SetRange(s slots.Slot, key []byte, off int, val []byte) (int, error) {
	var p spot
	found := a.lookLocked(&p, s, key)
	old := 0
	if found {
		old = Record{p.rec, p.sh.arena}.Len()
	}
	if len(val) == 0 {
		return old, nil
	}
	if !found {
		if err := a.SetRaw(s, key, nil, 0); err != nil {
			return 0, err
		}
		a.seekLocked(&p, s, key)
	}
	v, err := a.editLocked(&p, max(old, off+len(val)))
	if err != nil {
		if !found {
			p.removeLocked()
		}
		return old, err
	}
	if off > old {
		bulk.Clear(v[old:off])
	}
	bulk.Copy(v[off:], val)
	return len(v), nil
}

// editLocked makes the string at p raw and n bytes long and returns it to be changed in
// place. Bytes past the old length are undefined.
func (a *Access) editLocked(p *spot, n int) ([]byte, error) {
	return a.resizeLocked(p, kindOf(TypeString, EncRaw), n)
}

// resizeLocked makes the packed value at p one of the given kind and of n bytes, its
// beginning as it was, and returns it to be changed in place. Bytes past the old length
// are undefined. On error nothing has changed.
func (a *Access) resizeLocked(p *spot, kind byte, n int) ([]byte, error) {
	if n > maxString {
		return nil, ErrNoSpace
	}
	p.t.Touch(p.pos)
	flags := p.rec.Flags()
	ar := p.sh.arena
	if flags&table.FlagSpan != 0 && n > arena.MaxBlock/2 {
		span, old := p.rec.Span()
		if !ar.Pinned(span) && int64(n) <= ar.SpanRoom(span) {
			ar.GrowSpan(span, int64(n))
		} else {
			grown, err := ar.AllocSpan(int64(n), spanReserve)
			if err != nil {
				return nil, ErrNoSpace
			}
			bulk.Copy(ar.Bytes(grown, min(old, n)), ar.Bytes(span, min(old, n)))
			ar.Free(span)
			span = grown
		}
		p.rec.SetKind(kind)
		p.rec.SetSpan(span, n)
		p.rec.SetLRU(a.fieldAt(p))
		return ar.Bytes(span, n), nil
	}
	l := table.Layout{Kind: kind, Flags: flags & table.FlagExpiry, KeyLen: len(p.rec.Key()), ValueLen: n}
	_, isInt := Record{p.rec, ar}.Int()
	if !isInt && flags&table.FlagSpan == 0 && l.Inline() && arena.Fits(p.rec.Size(), l.Size()) {
		p.rec.SetKind(kind)
		p.rec.SetValueLen(n)
		p.rec.SetLRU(a.fieldAt(p))
		return p.rec.Value(), nil
	}
	var digits [intDigits]byte
	old := Record{p.rec, ar}.Bytes(digits[:0])
	at := p.rec.ExpireAt()
	ref, err := p.sh.reserveRecord(l, a.fieldAt(p), p.rec.Key(), n)
	if err != nil {
		if n <= len(old) && !isInt {
			return p.shortenLocked(kind, n), nil
		}
		return nil, ErrNoSpace
	}
	rec := table.RecAt(ar, ref)
	if at != 0 {
		rec.SetExpireAt(at)
	}
	v := Record{rec, ar}.raw()
	bulk.Copy(v, old)
	if err := a.putLocked(p, ref); err != nil {
		return nil, err // cannot be: the key is there
	}
	return v, nil
}

// shortenLocked makes the packed value at p shorter in the memory that it has.
// REQUIRES: p.t.Touch(p.pos).
func (p *spot) shortenLocked(kind byte, n int) []byte {
	p.rec.SetKind(kind)
	if p.rec.Flags()&table.FlagSpan == 0 {
		p.rec.SetValueLen(n)
		return p.rec.Value()
	}
	span, _ := p.rec.Span()
	p.sh.arena.GrowSpan(span, int64(n))
	p.rec.SetSpan(span, n)
	return p.sh.arena.Bytes(span, n)
}

// reserveRecord is newRecord with a value of n undefined bytes.
func (sh *shard) reserveRecord(l table.Layout, lru uint32, key []byte, n int) (arena.Ref, error) {
	if l.Inline() {
		return sh.newRecord(l, lru, key, nil)
	}
	span, err := sh.arena.AllocSpan(int64(n), spanReserve)
	if err != nil {
		return 0, err
	}
	ref, err := sh.newSpanRecord(l, lru, key, span, n)
	if err != nil {
		sh.arena.Free(span)
	}
	return ref, err
}

// within reports whether b begins inside block.
func within(b, block []byte) bool {
	p, q := uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(unsafe.Pointer(unsafe.SliceData(block)))
	return p >= q && p < q+uintptr(len(block))
}

// IncrBy adds delta to the integer that key is, in place, and returns the sum. It reports
// false, with nothing changed, if key is not there or not kept as an integer, or if the
// sum overflows; then the caller goes the long way through Find and SetInt.
func (a *Access) IncrBy(s slots.Slot, key []byte, delta int64) (int64, bool) {
	var p spot
	if !a.lookLocked(&p, s, key) {
		return 0, false
	}
	v, ok := Record{p.rec, p.sh.arena}.Int()
	sum := v + delta
	if !ok || (sum > v) != (delta > 0) && delta != 0 {
		return 0, false
	}
	p.t.Touch(p.pos)
	binary.LittleEndian.PutUint64(p.rec.Value(), uint64(sum))
	p.rec.SetLRU(a.fieldAt(&p))
	return sum, true
}
