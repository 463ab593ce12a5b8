package engine

import (
	"unsafe"

	"github.com/redwingdb/redwing/internal/engine/listpack"
	"github.com/redwingdb/redwing/internal/engine/table"
	"github.com/redwingdb/redwing/internal/engine/zset"
	"github.com/redwingdb/redwing/internal/slots"
)

// Hash is a key that holds a hash, or will. Its fields lie in one listpack, each followed
// by its value (and its expiry, once a field has one), until they are too many or one is
// too long; then in a table of elements.
//
//	absent --Put--> listpack --first expiry--> listpackex        any --last field goes--> absent
//	listpack, listpackex --Limits exceeded--> hashtable
//
// A field that has expired is hidden; Len alone counts it until it is deleted.
type Hash struct {
	Value
	scratch [intDigits]byte
}

// hashRoot is the root of a hash that is a table.
type hashRoot struct {
	fields   table.Header
	expiring zset.Header // the fields that have an expiry, by (expiry, field)
}

const hashRootBytes = int(unsafe.Sizeof(hashRoot{}))

// Open opens the hash at key and reports whether it is there; ErrWrongType if the key
// holds something else.
func (h *Hash) Open(a *Access, s slots.Slot, key []byte) (found bool, err error) {
	return h.open(a, s, key, TypeHash)
}

func (h *Hash) root() *hashRoot { return (*hashRoot)(h.Root()) }

func (h *Hash) table() hashTable { return hashTableOf(h.p.sh, h.Hasher(), h.root()) }

func (h *Hash) fields() Elements { return h.Elements(&h.root().fields) }

func (h *Hash) expiring() zset.Tree { return zset.Tree{A: h.Arena(), H: &h.root().expiring} }

// stride returns how many entries of a listpack a field takes.
func (h *Hash) stride() int {
	if h.Encoding() == EncListpackEx {
		return 3
	}
	return 2
}

// Len returns the number of fields, hidden ones included.
func (h *Hash) Len() int {
	switch {
	case !h.Exists():
		return 0
	case h.Rooted():
		return h.root().fields.Len()
	}
	return listpack.Len(h.Packed()) / h.stride()
}

// Live returns the number of fields without the hidden ones.
func (h *Hash) Live() int {
	if !h.Exists() {
		return 0
	}
	return h.Len() - h.expired()
}

// Bytes returns the bytes of a packed hash, and of a big one an estimate of no more than
// what its fields need: what a reply with all of it may cost.
func (h *Hash) Bytes() int {
	if !h.Exists() {
		return 0
	}
	if h.Rooted() {
		return h.Len() * leastElementBytes
	}
	return len(h.Packed())
}

// leastElementBytes is about what the shortest element costs.
const leastElementBytes = 16

// Get returns the value of a field and its expiry in Unix milliseconds, 0 for none. The
// value is good until the next call of a method of h.
func (h *Hash) Get(field []byte) (value []byte, expireAt int64, ok bool) {
	if !h.Exists() {
		return nil, 0, false
	}
	if h.Rooted() {
		e := h.fields()
		pos := e.Find(field)
		if pos.Ref == 0 {
			return nil, 0, false
		}
		r := e.Rec(pos.Ref)
		if expireAt = r.ExpireAt(); h.hidden(expireAt) {
			return nil, 0, false
		}
		return e.ValueOf(r), expireAt, true
	}
	lp, stride := h.Packed(), h.stride()
	off := listpack.Find(lp, listpack.First(lp), field, stride-1)
	if off < 0 {
		return nil, 0, false
	}
	if stride == 3 {
		if expireAt = expiryAt(lp, off); h.hidden(expireAt) {
			return nil, 0, false
		}
	}
	return listpack.Get(lp, listpack.Next(lp, off), h.scratch[:0]), expireAt, true
}

// Delete deletes a field and reports whether it was there; a hidden one is left to the
// wheel, which tells of it. With the last field the key goes.
func (h *Hash) Delete(field []byte) (found bool) {
	if !h.Exists() {
		return false
	}
	if h.Rooted() {
		e := h.fields()
		pos := e.Find(field)
		if pos.Ref == 0 {
			return false
		}
		at := e.Rec(pos.Ref).ExpireAt()
		if h.hidden(at) {
			return false
		}
		h.Changing()
		if at != 0 {
			t := h.expiring()
			t.Delete(float64(at), pos.Ref)
		}
		e.Delete(pos)
		h.removeIfEmpty()
		return true
	}
	lp, stride := h.Packed(), h.stride()
	off := listpack.Find(lp, listpack.First(lp), field, stride-1)
	if off < 0 {
		return false
	}
	if stride == 3 && h.hidden(expiryAt(lp, off)) {
		return false
	}
	edit := listpack.Delete(lp, off, stride)
	_ = h.Edit(&edit) // shortening never fails
	h.removeIfEmpty()
	return true
}

func (h *Hash) removeIfEmpty() {
	if h.Len() == 0 {
		h.Remove()
	}
}

// Each calls f with every field that is not hidden, its value and its expiry, in place,
// until f returns false; in the order of a listpack and in none of a table. f must not
// change the hash.
func (h *Hash) Each(f func(field, value []byte, expireAt int64) bool) {
	if !h.Exists() {
		return
	}
	if h.Rooted() {
		e := h.fields()
		e.Each(func(r table.Rec) bool {
			return h.hidden(r.ExpireAt()) || f(r.Key(), e.ValueOf(r), r.ExpireAt())
		})
		return
	}
	eachField(h.Packed(), h.stride() == 3, &h.p.sh.digits, func(field, value []byte, expireAt int64) bool {
		return h.hidden(expireAt) || f(field, value, expireAt)
	})
}

// pairDigits is where the two integers of a pair are formatted: what is given to a
// callback must not lie on the stack, or it would be allocated.
type pairDigits [2][intDigits]byte

// eachField visits the fields of a listpack.
func eachField(lp []byte, expiring bool, digits *pairDigits, f func(field, value []byte, expireAt int64) bool) {
	for off := listpack.First(lp); off >= 0; off = listpack.Next(lp, off) {
		field := listpack.Get(lp, off, digits[0][:0])
		off = listpack.Next(lp, off)
		value, at := listpack.Get(lp, off, digits[1][:0]), int64(0)
		if expiring {
			off = listpack.Next(lp, off)
			_, at, _ = listpack.Value(lp, off)
		}
		if !f(field, value, at) {
			return
		}
	}
}

// Scan visits the fields of one step of a scan and returns the next cursor, 0 after the
// last. A packed hash is visited in one step. Hidden fields are not visited. visit must
// not change the hash. REQUIRES: Exists.
func (h *Hash) Scan(cursor uint64, visit func(field, value []byte)) (next uint64) {
	if !h.Rooted() {
		h.Each(func(field, value []byte, _ int64) bool {
			visit(field, value)
			return true
		})
		return 0
	}
	e := h.fields()
	return e.Scan(cursor, func(r table.Rec) {
		if !h.hidden(r.ExpireAt()) {
			visit(r.Key(), e.ValueOf(r))
		}
	})
}

// randomFieldTries bounds the draws of Random that hit hidden fields.
const randomFieldTries = 100

// Random returns a field that is not hidden, drawn uniformly, and its value, good until
// the next call of a method of h; false if luck fails among many hidden ones, or there is
// none.
func (h *Hash) Random(rnd func() uint64) (field, value []byte, ok bool) {
	if h.Live() == 0 {
		return nil, nil, false
	}
	if !h.Rooted() {
		// Hidden ones come first.
		lp, stride, hidden := h.Packed(), h.stride(), h.expired()
		i := hidden + int(rnd()%uint64(h.Len()-hidden))
		off := listpack.Seek(lp, i*stride)
		field = listpack.Get(lp, off, h.p.sh.digits[0][:0])
		return field, listpack.Get(lp, listpack.Next(lp, off), h.scratch[:0]), true
	}
	e := h.fields()
	for range randomFieldTries {
		r, ok := e.Random(rnd)
		if ok && !h.hidden(r.ExpireAt()) {
			return r.Key(), e.ValueOf(r), true
		}
	}
	h.Each(func(f, v []byte, _ int64) bool {
		field, value, ok = f, v, true
		return false
	})
	return field, value, ok
}
