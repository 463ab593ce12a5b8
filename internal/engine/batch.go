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
//	| db u32 | slot u16 | 0 u16 | record length u64 | record, padded to 8 bytes | ...
//
// A value in a span is not copied but pinned; pins are in the order of their records.
type piece struct {
	buf  []byte
	pins []pin
}

type pin struct {
	sh   *shard
	ref  arena.Ref
	data []byte // readable without the lock while pinned
}

const entryHeader = 16

// addChain copies a chain. REQUIRES: the lock of w's shard.
func (p *piece) addChain(w *walk, local uint32, arr arena.Ref, i uint32) {
	slot := w.slot(local)
	table.EachRef(w.sh.arena, arr, i, func(ref arena.Ref) bool {
		r := table.RecAt(w.sh.arena, ref)
		raw := r.Raw()
		p.buf = binary.LittleEndian.AppendUint32(p.buf, uint32(w.db))
		p.buf = binary.LittleEndian.AppendUint32(p.buf, uint32(slot))
		p.buf = binary.LittleEndian.AppendUint64(p.buf, uint64(len(raw)))
		p.buf = bulk.Append(p.buf, raw)
		var pad [8]byte
		p.buf = append(p.buf, pad[:-len(raw)&7]...)
		if r.Flags()&table.FlagSpan != 0 {
			span, n := r.Span()
			w.sh.arena.Pin(span)
			p.pins = append(p.pins, pin{w.sh, span, w.sh.arena.Bytes(span, n)})
		}
		return true
	})
}

// Entry is a key as it was at the cut. Its slices are good while its batch is.
type Entry struct {
	DB       int
	Slot     slots.Slot
	Key      []byte
	ExpireAt int64 // Unix milliseconds, 0: none; may be past
	Type     Type
	Encoding Encoding
	Value    []byte // of a string: its bytes, integers formatted
	LRU      uint32 // the access clock, 24 bits
}

// Idle returns the milliseconds since the key was accessed, to the second.
func (e *Entry) Idle(nowMillis int64) int64 { return idleMillis(e.LRU, nowMillis) }

// Batch holds the entries of one Next. The zero value is ready.
type Batch struct{ piece *piece }

// Each calls f with every entry until f returns an error, which it returns.
func (b *Batch) Each(f func(Entry) error) error {
	if b.piece == nil {
		return nil
	}
	var digits [intDigits]byte
	pins := b.piece.pins
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
		if rec.Flags()&table.FlagSpan != 0 {
			e.Value, pins = pins[0].data, pins[1:]
		} else {
			e.Value = r.Bytes(digits[:0])
		}
		if err := f(e); err != nil {
			return err
		}
		buf = buf[entryHeader+(n+7)&^7:]
	}
	return nil
}
