package engine

import (
	"errors"
	"unsafe"

	"github.com/redwingdb/redwing/internal/engine/arena"
	"github.com/redwingdb/redwing/internal/engine/listpack"
	"github.com/redwingdb/redwing/internal/engine/table"
	"github.com/redwingdb/redwing/internal/slots"
)

// ErrWrongType is returned when the value of a key is of another type than was asked for.
var ErrWrongType = errors.New("engine: value of another type")

// Value is the value of one key, open under the lock of its shard. It is what the handles
// of the types are made of, lies on its user's stack, and stays good through the changes
// that are made by it; any other change of the shard ends it.
//
//	absent --Create--> packed --Resize, SetPacked--> packed --Plant--> rooted
//	absent --Plant--> rooted --SetPacked--> packed        packed, rooted --Remove--> absent
type Value struct {
	a    *Access
	key  []byte
	p    spot
	live bool
}

// Open finds key and reports whether it is there. It sets the access clock. key is kept
// as long as v.
func (v *Value) Open(a *Access, s slots.Slot, key []byte) bool {
	v.a, v.key = a, key
	if v.live = a.lookLocked(&v.p, s, key); v.live {
		a.touch(v.p.sh, v.p.rec)
	}
	return v.live
}

// open is Open for a key of one type.
func (v *Value) open(a *Access, s slots.Slot, key []byte, t Type) (found bool, err error) {
	if !v.Open(a, s, key) {
		return false, nil
	}
	if v.Type() != t {
		return false, ErrWrongType
	}
	return true, nil
}

// Exists reports whether the key is there.
func (v *Value) Exists() bool { return v.live }

// Type returns the type of the value. REQUIRES: Exists.
func (v *Value) Type() Type { return typeOf(v.p.rec) }

// Encoding returns how the value is kept. REQUIRES: Exists.
func (v *Value) Encoding() Encoding { return Encoding(v.p.rec.Kind() >> 4) }

// ExpireAt returns the expiry in Unix milliseconds, 0 for none. REQUIRES: Exists.
func (v *Value) ExpireAt() int64 { return v.p.rec.ExpireAt() }

// Rooted reports whether the value lies behind a root. REQUIRES: Exists.
func (v *Value) Rooted() bool { return v.p.rec.Flags()&table.FlagRoot != 0 }

// Record returns the record of the key. REQUIRES: Exists.
func (v *Value) Record() Record { return Record{v.p.rec, v.p.sh.arena} }

// Packed returns the bytes of a packed value, in place: good until the next change.
// REQUIRES: Exists and not Rooted.
func (v *Value) Packed() []byte { return Record{v.p.rec, v.p.sh.arena}.raw() }

// Create makes the key, without an expiry and with the given packed value, which must
// not lie in this keyspace. REQUIRES: not Exists.
func (v *Value) Create(t Type, e Encoding, packed []byte) error { return v.store(t, e, packed, 0) }

// SetPacked replaces the value, of whatever form, by a packed one; expiry is kept. packed
// must not lie in the value. REQUIRES: Exists.
func (v *Value) SetPacked(e Encoding, packed []byte) error {
	return v.store(v.Type(), e, packed, v.ExpireAt())
}

func (v *Value) store(t Type, e Encoding, packed []byte, expireAt int64) error {
	if len(packed) > maxString {
		return ErrNoSpace
	}
	l := table.Layout{Kind: kindOf(t, e), KeyLen: len(v.key), ValueLen: len(packed)}
	if err := v.a.storeLocked(&v.p, v.key, l, packed, expireAt); err != nil {
		return err
	}
	v.live = true
	return nil
}

// Resize makes the packed value n bytes long, its beginning as it was, and returns it to
// be changed in place. Bytes past the old length are undefined. On error nothing has
// changed. REQUIRES: Exists and not Rooted.
func (v *Value) Resize(n int) ([]byte, error) {
	return v.a.resizeLocked(&v.p, v.p.rec.Kind(), n)
}

// Edit makes a planned change of a packed listpack. On error nothing has changed.
// REQUIRES: Exists and not Rooted.
func (v *Value) Edit(e *listpack.Edit) error {
	if e.Delta() > 0 {
		lp, err := v.Resize(e.Len())
		if err != nil {
			return err
		}
		e.Apply(lp)
		return nil
	}
	// Resize to the present length makes the bytes this value's own where they are pinned.
	lp, err := v.Resize(len(v.Packed()))
	if err != nil {
		return err
	}
	e.Apply(lp)
	if e.Delta() < 0 {
		_, err = v.Resize(e.Len())
	}
	return err
}

// SetEncoding changes what the encoding of the value is called. REQUIRES: Exists.
func (v *Value) SetEncoding(e Encoding) {
	v.Changing()
	v.p.rec.SetKind(kindOf(v.Type(), e))
}

// NewRoot returns a cleared block of size bytes, aligned to 8, in the shard of the key.
// It is the caller's until it is planted.
func (v *Value) NewRoot(size int) (arena.Ref, unsafe.Pointer, error) {
	ref, err := v.p.sh.arena.Alloc(size)
	if err != nil {
		return 0, nil, ErrNoSpace
	}
	clear(v.p.sh.arena.Bytes(ref, size))
	return ref, v.p.sh.arena.At(ref), nil
}

// Plant makes root the value of the key, which is made if it is not there; what it had
// is freed, its expiry kept. On error nothing has changed and root is still the caller's.
func (v *Value) Plant(t Type, e Encoding, root arena.Ref) error {
	p := &v.p
	l := table.Layout{Kind: kindOf(t, e), KeyLen: len(v.key)}
	at := int64(0)
	if v.live {
		at = p.rec.ExpireAt()
	}
	if at != 0 {
		l.Flags |= table.FlagExpiry
	}
	if p.sp == nil {
		p.sp = v.a.k.spaceLocked(p.sh, int(v.a.db))
		p.t = v.a.k.tableLocked(p.sh, p.sp, p.local)
	}
	ref, err := p.sh.newRootRecord(l, v.a.fieldAt(p), v.key, root)
	if err != nil {
		return ErrNoSpace
	}
	if at != 0 {
		table.RecAt(p.sh.arena, ref).SetExpireAt(at)
	}
	if err := v.a.putLocked(p, ref); err != nil {
		p.sh.freeBlocks(ref)
		return err
	}
	v.live = true
	return nil
}

// Root returns the root block. REQUIRES: Rooted.
func (v *Value) Root() unsafe.Pointer { return v.p.sh.arena.At(v.p.rec.Root()) }

// RootRef returns the ref of the root block. REQUIRES: Rooted.
func (v *Value) RootRef() arena.Ref { return v.p.rec.Root() }

// Changing must be called before anything behind the root, or a packed value of unchanged
// length, is changed in place: snapshots take it as it was. REQUIRES: Exists.
func (v *Value) Changing() { v.p.t.Touch(v.p.pos) }

// Remove deletes the key. What a big value has beyond its first blocks is freed in steps
// behind the commands. REQUIRES: Exists.
func (v *Value) Remove() {
	v.p.removeLocked()
	v.live = false
}

// Arena returns the arena that the value lies in.
func (v *Value) Arena() *arena.Arena { return v.p.sh.arena }

// Hasher returns the hash of keys and elements.
func (v *Value) Hasher() *table.Hasher { return &v.a.k.hash }

// Limits returns the bounds of the compact encodings.
func (v *Value) Limits() *Limits { return v.a.k.Limits() }
