package engine

import (
	"encoding/binary"

	"github.com/redwingdb/redwing/internal/engine/arena"
	"github.com/redwingdb/redwing/internal/engine/table"
	"github.com/redwingdb/redwing/internal/slots"
)

const (
	// partsHeader is what stands before the parts of a value: their bytes, its elements.
	partsHeader = 16
	partPinned  = 1 << 63
)

// addPart adds a part of a rooted value; what it means is the type's affair.
func (p *piece) addPart(b []byte) {
	p.buf = binary.LittleEndian.AppendUint64(p.buf, uint64(len(b)))
	p.append(b)
}

// addSpan adds the first n bytes of a span as a part, pinned instead of copied.
func (p *piece) addSpan(sh *shard, span arena.Ref, n int) {
	p.buf = binary.LittleEndian.AppendUint64(p.buf, partPinned)
	p.pin(sh, span, n)
}

// addElement adds the record of an element as a part, and its value as another one if it
// lies in a span.
func (p *piece) addElement(sh *shard, r table.Rec) {
	p.addPart(r.Raw())
	if r.Flags()&table.FlagSpan != 0 {
		span, n := r.Span()
		p.addSpan(sh, span, n)
	}
}

// addElements adds the records of the chain of bucket i of a table of elements.
func (p *piece) addElements(sh *shard, arr arena.Ref, i uint32) {
	table.EachRef(sh.arena, arr, i, func(ref arena.Ref) bool {
		p.addElement(sh, table.RecAt(sh.arena, ref))
		return true
	})
}

// Parts goes through the parts of a value. They are aligned to 8 bytes, and those of a
// pinned collection good until the next one is asked for.
type Parts struct {
	buf  []byte
	pins []pin
	from *rootPin // not nil: they are read from there
}

// Err returns why Next has returned false too early, nil if it has not.
func (p *Parts) Err() error {
	if p.from != nil {
		return p.from.err
	}
	return nil
}

// Next returns the next part, or false.
func (p *Parts) Next() ([]byte, bool) {
	if p.from != nil {
		return p.from.next()
	}
	if len(p.buf) == 0 {
		return nil, false
	}
	n := binary.LittleEndian.Uint64(p.buf)
	p.buf = p.buf[8:]
	if n&partPinned != 0 {
		data := p.pins[0].data
		p.pins = p.pins[1:]
		return data, true
	}
	part := p.buf[:n:n]
	p.buf = p.buf[padded(n):]
	return part, true
}

// nextElement returns the next element's record and its value.
func (p *Parts) nextElement() (r table.Rec, value []byte, ok bool) {
	raw, ok := p.Next()
	if !ok {
		return table.Rec{}, nil, false
	}
	r = table.RecFromRaw(raw)
	value = r.Value()
	if r.Flags()&table.FlagSpan != 0 {
		value, _ = p.Next()
	}
	return r, value, true
}

// pinned returns the number of parts that are pins.
func (p Parts) pinned() (pins int) {
	for len(p.buf) > 0 {
		n := binary.LittleEndian.Uint64(p.buf)
		p.buf = p.buf[8:]
		if n&partPinned != 0 {
			pins++
			continue
		}
		p.buf = p.buf[padded(n):]
	}
	return pins
}

// Entry gives key as a snapshot of it alone would, in b, or false if it is not there. It
// is good until the slot's shard is unlocked or b is used again. The access clock stays.
func (a *Access) Entry(s slots.Slot, key []byte, b *Batch) (e Entry, ok bool) {
	var p spot
	if !a.lookLocked(&p, s, key) {
		return Entry{}, false
	}
	b.piece = &piece{borrow: true}
	b.piece.addRecord(nil, p.sh, int(a.db), s, p.rec)
	_ = b.Each(func(got Entry) error {
		e = got
		return nil
	})
	return e, true
}

// Len returns the number of elements of a rooted value.
func (e *Entry) Len() int { return e.count }
