package engine

import (
	"encoding/binary"

	"github.com/redwingdb/redwing/internal/engine/arena"
	"github.com/redwingdb/redwing/internal/engine/bulk"
	"github.com/redwingdb/redwing/internal/engine/table"
	"github.com/redwingdb/redwing/internal/slots"
)

// piece is a run of raw records, copied under the lock of their shard:
//
//	| db u32 | slot u16 | 0 u16 | record length u64 | record, padded | ...
//
// A record with FlagRoot is followed by the parts of its value:
//
//	| bytes of all parts u64 | elements u64 | { length u64 | part, padded } ...
//
// or, the highest bit of the bytes saying so, by none: then the root is pinned, and the
// parts are read through the pin. Roots are in the order of their records. A piece of the
// parts of a pinned collection holds nothing but { length u64 | part, padded } ...
//
// A value or part in a span is not copied but pinned, the highest bit of a part's length
// saying so; pins are in the order of what they stand for.
type piece struct {
	buf    []byte
	pins   []pin
	roots  []*rootPin
	borrow bool // spans are not pinned: the piece is used under the lock alone

	// Of a piece in a queue; guarded by that.
	sealed      bool  // it was given to be spilled: nothing is added any more
	taken       bool  // it is in the queue no more
	at, spilled int64 // where its bytes lie in the file, and how many; 0: in buf
}

// cost is what the piece counts for in a queue.
func (p *piece) cost() int64 { return int64(len(p.buf)) + rootPinBytes*int64(len(p.roots)) }

type pin struct {
	sh   *shard // nil: nothing is to be unpinned
	ref  arena.Ref
	data []byte // readable without the lock while pinned
}

const entryHeader = 16

// addChain copies a chain. REQUIRES: the lock of w's shard.
func (p *piece) addChain(w *walk, local uint32, arr arena.Ref, i uint32) {
	slot := w.slot(local)
	table.EachRef(w.sh.arena, arr, i, func(ref arena.Ref) bool {
		p.addRecord(w.snap, w.sh, w.db, slot, table.RecAt(w.sh.arena, ref))
		return true
	})
}

// addRecord copies a record, with its value; one that is long is pinned for s, if that is
// not nil. REQUIRES: the lock of sh.
func (p *piece) addRecord(s *Snapshot, sh *shard, db int, slot slots.Slot, r table.Rec) {
	raw := r.Raw()
	p.buf = binary.LittleEndian.AppendUint32(p.buf, uint32(db))
	p.buf = binary.LittleEndian.AppendUint32(p.buf, uint32(slot))
	p.buf = binary.LittleEndian.AppendUint64(p.buf, uint64(len(raw)))
	p.append(raw)
	switch {
	case r.Flags()&table.FlagSpan != 0:
		span, n := r.Span()
		p.pin(sh, span, n)
	case r.Flags()&table.FlagRoot != 0:
		begin := len(p.buf)
		ops := opsOf(typeOf(r))
		if s != nil && !ops.brief(sh, r.Root()) {
			p.roots = append(p.roots, sh.pinRootLocked(s, r))
			p.buf = binary.LittleEndian.AppendUint64(p.buf, partPinned)
			p.buf = binary.LittleEndian.AppendUint64(p.buf, uint64(p.roots[len(p.roots)-1].count))
			return
		}
		p.buf = binary.LittleEndian.AppendUint64(p.buf, 0)
		p.buf = binary.LittleEndian.AppendUint64(p.buf, uint64(ops.len(sh, r.Root())))
		ops.parts(sh, r.Root(), p)
		binary.LittleEndian.PutUint64(p.buf[begin:], uint64(len(p.buf)-begin-partsHeader))
	}
}

// padded is the length at which n bytes lie in a piece: up to the next multiple of 8, at
// least one byte behind them, so that the address of an empty value at the end of a record
// still is one of the piece.
func padded[N int | uint64](n N) N { return (n + 8) &^ 7 }

// append appends b, padded.
func (p *piece) append(b []byte) {
	p.buf = bulk.Append(p.buf, b)
	var pad [8]byte
	p.buf = append(p.buf, pad[:padded(len(b))-len(b)]...)
}

func (p *piece) pin(sh *shard, span arena.Ref, n int) {
	if p.borrow {
		p.pins = append(p.pins, pin{data: sh.arena.Bytes(span, n)})
		return
	}
	sh.arena.Pin(span)
	p.pins = append(p.pins, pin{sh, span, sh.arena.Bytes(span, n)})
}

// Entry is a key as it was at the cut. Its slices are good while its batch is.
//
// The elements of a rooted value of a snapshot can be gone through once, in the call that
// the entry is given to: a big one is read meanwhile, and an Each method returns the error
// of that, ErrSnapshotOverrun.
type Entry struct {
	DB       int
	Slot     slots.Slot
	Key      []byte
	ExpireAt int64 // Unix milliseconds, 0: none; may be past
	Type     Type
	Encoding Encoding
	Value    []byte // of a string its bytes, integers formatted; the packed form of a small collection
	LRU      uint32 // the access clock, 24 bits

	rooted bool  // Value is nil, what is there are parts
	count  int   // elements, where it is rooted
	parts  Parts // of a rooted value
}

// Rooted reports whether the value is given in parts, not as Value.
func (e *Entry) Rooted() bool { return e.rooted }

// Parts returns the parts of a rooted value, from the first.
func (e *Entry) Parts() Parts { return e.parts }

// Idle returns the milliseconds since the key was accessed, to the second.
func (e *Entry) Idle(nowMillis int64) int64 { return idleMillis(e.LRU, nowMillis) }

// NearestExpiry returns the nearest expiry of a hash's fields in Unix milliseconds, 0 if
// none expires.
func (e *Entry) NearestExpiry() (at int64) {
	if e.parts.from != nil {
		return e.parts.from.near
	}
	_ = e.EachField(func(_, _ []byte, expireAt int64) error { // in memory: it never fails
		if expireAt != 0 && (at == 0 || expireAt < at) {
			at = expireAt
		}
		return nil
	})
	return at
}

// Batch holds the entries of one Next. The zero value is ready.
type Batch struct{ piece *piece }

// Each calls f with every entry until f returns an error, which it returns.
func (b *Batch) Each(f func(Entry) error) error {
	if b.piece == nil {
		return nil
	}
	var digits [intDigits]byte
	pins, roots := b.piece.pins, b.piece.roots
	for buf := b.piece.buf; len(buf) > 0; {
		n := int(binary.LittleEndian.Uint64(buf[8:]))
		rec := table.RecFromRaw(buf[entryHeader : entryHeader+n])
		r := Record{rec: rec}
		e := Entry{
			DB:       int(binary.LittleEndian.Uint32(buf)),
			Slot:     slots.Slot(binary.LittleEndian.Uint32(buf[4:])),
			Key:      rec.Key(),
			ExpireAt: rec.ExpireAt(),
			Type:     r.Type(),
			Encoding: r.Encoding(),
			LRU:      rec.LRU(),
		}
		next := buf[entryHeader+padded(n):]
		switch {
		case rec.Flags()&table.FlagSpan != 0:
			e.Value, pins = pins[0].data, pins[1:]
		case rec.Flags()&table.FlagRoot != 0:
			size := binary.LittleEndian.Uint64(next)
			e.rooted, e.count = true, int(binary.LittleEndian.Uint64(next[8:]))
			if size&partPinned != 0 {
				e.parts.from, roots = roots[0], roots[1:]
				next = next[partsHeader:]
				break
			}
			e.parts = Parts{buf: next[partsHeader : partsHeader+size], pins: pins}
			pins = pins[e.parts.pinned():]
			next = next[partsHeader+size:]
		default:
			e.Value = r.Bytes(digits[:0])
		}
		err := f(e)
		if e.parts.from != nil {
			e.parts.from.release()
		}
		if err != nil {
			return err
		}
		buf = next
	}
	return nil
}
