package effects

import (
	"context"

	"github.com/redwingdb/redwing/internal/slots"
)

// SlotReader reads the entries of a set of slots, block by block. Like Reader it has
// one user at a time; Lag and Close may be called by others.
type SlotReader struct {
	log  *Log
	set  slots.Set
	wake chan struct{}

	// Guarded by the log's mutex.
	seg        *segment
	next       int // index of the next mark of seg
	lagBytes   int64
	limitBytes int64
	sleeping   bool
	dropped    bool
	err        error
}

// NewSlotReader returns a reader of the entries of set from now on. Having more than
// limitBytes (0: no limit) of them before it, it is dropped with ErrOverrun. Keyless
// entries are given to every slot reader. REQUIRES: the shards of set locked
// (engine's AtCut).
func (l *Log) NewSlotReader(set *slots.Set, limitBytes int64) *SlotReader {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.last == nil {
		l.addSegmentLocked()
	}
	s := l.mu.last
	s.refs++
	s.holds++
	r := &SlotReader{log: l, set: *set, wake: make(chan struct{}, 1), seg: s, next: len(s.marks), limitBytes: limitBytes}
	l.mu.slotReaders = append(l.mu.slotReaders, r)
	l.settleLocked()
	return r
}

// Next fills b with the entries of the next block that touches the reader's slots,
// waiting for one, and returns the offset behind the last of them. Several entries
// belong together: they must be applied as one transaction. The bytes are copied.
func (r *SlotReader) Next(ctx context.Context, b *Block) (end int64, err error) {
	for {
		end, err = r.TryNext(b)
		if err != nil || !b.Empty() {
			return end, err
		}
		select {
		case <-r.wake:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// scanPiece bounds how many marks are looked at under one hold of the log's mutex.
const scanPiece = 2048

// TryNext is Next without waiting: b is empty when nothing is there. Wake tells
// when to come again.
func (r *SlotReader) TryNext(b *Block) (end int64, err error) {
	b.Reset()
	for {
		end, more, err := r.scan(b)
		if !more || err != nil {
			return end, err
		}
	}
}

// scan looks at the next marks; more is set while it has found neither the end of a
// block that matters nor the end of the log.
func (r *SlotReader) scan(b *Block) (end int64, more bool, err error) {
	l := r.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.err != nil {
		return 0, false, r.err
	}
	for looked := 0; looked < scanPiece || !b.Empty(); looked++ {
		for r.next == len(r.seg.marks) {
			if r.seg.next == nil {
				// The marks of a block are written under one hold of the mutex, so a
				// block is whole or absent, and b is empty here.
				r.sleepLocked()
				return 0, false, nil
			}
			r.advanceLocked()
		}
		m := r.seg.marks[r.next]
		r.next++
		if m.flags&markKeyless != 0 || r.set.Has(slots.Slot(m.slot)) {
			start := len(b.Buf)
			b.Buf = r.appendLocked(b.Buf, m)
			b.Entries = append(b.Entries, Entry{
				Slot: slots.Slot(m.slot), Keyless: m.flags&markKeyless != 0, DB: int(m.db),
				Start: start, End: len(b.Buf),
			})
			r.lagBytes -= int64(m.n)
			end = r.seg.base + int64(m.at) + int64(m.n)
		}
		if m.flags&markLast != 0 && !b.Empty() {
			return end, false, nil
		}
	}
	return 0, true, nil
}

// Wake receives once after a TryNext that found nothing, when there may be more.
func (r *SlotReader) Wake() <-chan struct{} { return r.wake }

func (r *SlotReader) sleepLocked() {
	if r.sleeping {
		return
	}
	r.sleeping = true
	r.log.mu.sleepers++
	select {
	case <-r.wake:
	default:
	}
}

func (r *SlotReader) advanceLocked() {
	old := r.seg
	r.seg, r.next = old.next, 0
	r.seg.refs++
	r.seg.holds++
	old.holds--
	r.log.unrefLocked(old)
	r.log.trimLocked()
}

// appendLocked copies the bytes of an entry that begins in r.seg.
func (r *SlotReader) appendLocked(dst []byte, m mark) []byte {
	s, at, n := r.seg, int(m.at), int(m.n)
	for {
		piece := min(n, s.n-at)
		dst = append(dst, s.buf[at:at+piece]...)
		if n -= piece; n == 0 {
			return dst
		}
		s, at = s.next, 0
	}
}

// Lag returns how many bytes of entries the reader has before it.
func (r *SlotReader) Lag() int64 {
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	return r.lagBytes
}

// Close ends the reader; a waiting Next returns ErrClosed. It may be called twice.
func (r *SlotReader) Close() {
	l := r.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if !r.dropped {
		l.dropSlotLocked(r, ErrClosed)
	}
	r.err = ErrClosed
	l.settleLocked()
}

// dropSlotLocked takes r off the log. Its entries were copied, so nothing stays.
func (l *Log) dropSlotLocked(r *SlotReader, why error) {
	for i, other := range l.mu.slotReaders {
		if other == r {
			l.mu.slotReaders = append(l.mu.slotReaders[:i], l.mu.slotReaders[i+1:]...)
			break
		}
	}
	r.dropped = true
	r.err = why
	r.seg.holds--
	l.unrefLocked(r.seg)
	r.seg = nil
	if r.sleeping {
		r.sleeping = false
		l.mu.sleepers--
		r.wake <- struct{}{}
	}
	l.settleLocked()
}
