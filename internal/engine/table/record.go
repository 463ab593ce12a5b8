package table

import (
	"bytes"
	"encoding/binary"
	"unsafe"

	"github.com/redwingdb/redwing/internal/engine/arena"
	"github.com/redwingdb/redwing/internal/engine/bulk"
)

// Flags of a record, its byte 1.
const (
	FlagExpiry  = 1 << iota // the 8-byte expiry is there
	FlagInWheel             // the expiry wheel has an entry that will look at this key
	FlagLongKey             // the key length is the 4-byte field, not byte 5
	FlagSpan                // the value is a span: its ref and length stand for it
	FlagRoot                // the value is the ref of a root block, which owns further blocks
)

const (
	headerBytes  = 8
	expiryBytes  = 8
	longKeyBytes = 4
	spanBytes    = 8 // ref and length
	// RootBytes is the length of the value of a record with FlagRoot: the ref of the
	// root block and four bytes of zero.
	RootBytes     = 8
	shortKeyMax   = 255
	lruMask       = 1<<24 - 1
	offFlags      = 1
	offLRU        = 2
	offKeyLen     = 5
	offValueLen   = 6
	valueLenLimit = 1 << 16
)

// Rec is a record at its address: a header, an optional expiry, the key and the value
// (docs/format/record.md has it byte by byte). It is good until its block is freed.
//
//	0     1      2    3    4    5       6        8          8|16        key      value
//	| t/e | flags | lru24      | keylen | vallen | [expiry] | [keylen32] | key ... | value ... |
type Rec struct{ p unsafe.Pointer }

// RecAt returns the record in block ref of a.
func RecAt(a *arena.Arena, ref arena.Ref) Rec { return Rec{a.At(ref)} }

// Layout is what decides the length of a record.
type Layout struct {
	Kind     byte // type in the low, encoding in the high half
	Flags    byte // FlagExpiry, FlagInWheel, FlagSpan and FlagRoot; FlagLongKey is derived
	KeyLen   int
	ValueLen int // bytes of the value in the record; ignored with FlagSpan
}

// Size returns the bytes of a record of layout l.
func (l Layout) Size() int {
	n := headerBytes + l.KeyLen + l.ValueLen
	if l.Flags&FlagSpan != 0 {
		n += spanBytes - l.ValueLen
	}
	if l.Flags&FlagExpiry != 0 {
		n += expiryBytes
	}
	if l.KeyLen > shortKeyMax {
		n += longKeyBytes
	}
	return n
}

// Inline reports whether the value of l lies in the record, not in a span of its own. A
// value that is no longer than what would stand for a span always does, however long the
// key is.
func (l Layout) Inline() bool {
	l.Flags &^= FlagSpan
	return l.ValueLen <= spanBytes || l.ValueLen < valueLenLimit && l.Size() <= arena.MaxBlock
}

// Init writes the header of a new record of layout l, with LRU clock lru, and its key.
// Expiry and value are left to the caller.
func (r Rec) Init(l Layout, lru uint32, key []byte) {
	flags, short, valueLen := l.Flags, len(key), l.ValueLen
	if flags&FlagSpan != 0 {
		valueLen = 0
	}
	if len(key) > shortKeyMax {
		flags, short = flags|FlagLongKey, 0
	} else {
		flags &^= FlagLongKey
	}
	*(*uint64)(r.p) = uint64(l.Kind) | uint64(flags)<<(8*offFlags) | uint64(lru&lruMask)<<(8*offLRU) |
		uint64(short)<<(8*offKeyLen) | uint64(valueLen)<<(8*offValueLen)
	if flags&FlagLongKey != 0 {
		*(*uint32)(unsafe.Add(r.p, r.keyOffset()-longKeyBytes)) = uint32(len(key))
	}
	bulk.Copy(r.Key(), key)
}

func (r Rec) header() uint64 { return *(*uint64)(r.p) }

func (r Rec) byteAt(off uintptr) *byte { return (*byte)(unsafe.Add(r.p, off)) }

// Kind returns the type (low half) and encoding (high half).
func (r Rec) Kind() byte { return *(*byte)(r.p) }

// SetKind changes type and encoding.
func (r Rec) SetKind(k byte) { *(*byte)(r.p) = k }

// Flags returns the flags.
func (r Rec) Flags() byte { return *r.byteAt(offFlags) }

// SetInWheel changes FlagInWheel.
func (r Rec) SetInWheel(on bool) {
	if on {
		*r.byteAt(offFlags) |= FlagInWheel
	} else {
		*r.byteAt(offFlags) &^= FlagInWheel
	}
}

// LRU returns the 24-bit access clock.
func (r Rec) LRU() uint32 { return uint32(r.header()>>(8*offLRU)) & lruMask }

// SetLRU sets the access clock. It writes only if the clock differs, so that reads of
// a hot key leave its cache line clean.
func (r Rec) SetLRU(lru uint32) {
	h := r.header()
	if uint32(h>>(8*offLRU))&lruMask == lru {
		return
	}
	*(*uint64)(r.p) = h&^(lruMask<<(8*offLRU)) | uint64(lru&lruMask)<<(8*offLRU)
}

// ExpireAt returns the expiry in Unix milliseconds, 0 for none.
func (r Rec) ExpireAt() int64 {
	if r.Flags()&FlagExpiry == 0 {
		return 0
	}
	return *(*int64)(unsafe.Add(r.p, headerBytes))
}

// SetExpireAt changes the expiry of a record that has FlagExpiry.
func (r Rec) SetExpireAt(at int64) { *(*int64)(unsafe.Add(r.p, headerBytes)) = at }

func (r Rec) keyOffset() uintptr {
	off, flags := uintptr(headerBytes), r.Flags()
	if flags&FlagExpiry != 0 {
		off += expiryBytes
	}
	if flags&FlagLongKey != 0 {
		off += longKeyBytes
	}
	return off
}

// Key returns the key, in place.
func (r Rec) Key() []byte {
	h := r.header()
	n, off := int(byte(h>>(8*offKeyLen))), uintptr(headerBytes)
	if h>>(8*offFlags)&FlagExpiry != 0 {
		off += expiryBytes
	}
	if h>>(8*offFlags)&FlagLongKey != 0 {
		n = int(*(*uint32)(unsafe.Add(r.p, off)))
		off += longKeyBytes
	}
	return unsafe.Slice((*byte)(unsafe.Add(r.p, off)), n)
}

// KeyIs reports whether the record's key is key.
func (r Rec) KeyIs(key []byte) bool {
	k := r.Key()
	if len(k) > bulk.Piece {
		return bulk.Equal(k, key)
	}
	return bytes.Equal(k, key)
}

func (r Rec) valueOffset() uintptr {
	return uintptr(unsafe.Pointer(unsafe.SliceData(r.Key()))) - uintptr(r.p) + uintptr(len(r.Key()))
}

// Value returns the value bytes that lie in the record, in place: the value itself, or
// with FlagSpan the 8 bytes that stand for it.
func (r Rec) Value() []byte {
	k := r.Key()
	n := int(*(*uint16)(unsafe.Add(r.p, offValueLen)))
	if r.Flags()&FlagSpan != 0 {
		n = spanBytes
	}
	return unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(k)), len(k))), n)
}

// SetValueLen changes the length of the value in the record; the block must have room.
func (r Rec) SetValueLen(n int) { *(*uint16)(unsafe.Add(r.p, offValueLen)) = uint16(n) }

// Span returns the ref and length of the value's span. REQUIRES: FlagSpan.
func (r Rec) Span() (arena.Ref, int) {
	v := r.Value()
	return arena.Ref(binary.LittleEndian.Uint32(v)), int(binary.LittleEndian.Uint32(v[4:]))
}

// SetSpan changes the ref and length of the value's span. REQUIRES: FlagSpan.
func (r Rec) SetSpan(ref arena.Ref, n int) {
	v := r.Value()
	binary.LittleEndian.PutUint32(v, uint32(ref))
	binary.LittleEndian.PutUint32(v[4:], uint32(n))
}

// Root returns the ref of the value's root block. REQUIRES: FlagRoot.
func (r Rec) Root() arena.Ref { return arena.Ref(binary.LittleEndian.Uint32(r.Value())) }

// SetRoot changes the ref of the value's root block. REQUIRES: FlagRoot.
func (r Rec) SetRoot(ref arena.Ref) { binary.LittleEndian.PutUint64(r.Value(), uint64(ref)) }

// Size returns the bytes of the record.
func (r Rec) Size() int { return int(r.valueOffset()) + len(r.Value()) }

// Raw returns all bytes of the record, in place.
func (r Rec) Raw() []byte { return unsafe.Slice((*byte)(r.p), r.Size()) }

// RecFromRaw returns the record whose bytes, as Raw gave them, begin raw, which must be
// aligned to 8 bytes.
func RecFromRaw(raw []byte) Rec { return Rec{unsafe.Pointer(unsafe.SliceData(raw))} }

// Reshape changes the record to layout l, which differs only in its flags, in place: key
// and value move by the length of the expiry. The block must have room.
func (r Rec) Reshape(l Layout) {
	tail := uintptr(len(r.Key()) + len(r.Value()))
	if r.Flags()&FlagLongKey != 0 {
		tail += longKeyBytes
		l.Flags |= FlagLongKey
	}
	from, to := uintptr(headerBytes), uintptr(headerBytes)
	if r.Flags()&FlagExpiry != 0 {
		from += expiryBytes
	}
	if l.Flags&FlagExpiry != 0 {
		to += expiryBytes
	}
	copy(unsafe.Slice((*byte)(unsafe.Add(r.p, to)), tail), unsafe.Slice((*byte)(unsafe.Add(r.p, from)), tail))
	*r.byteAt(offFlags) = l.Flags
}
