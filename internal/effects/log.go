package effects

import (
	"errors"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/redwingdb/redwing/internal/resp"
	"github.com/redwingdb/redwing/internal/slots"
)

// Errors of readers.
var (
	// ErrTrimmed is returned when the log does not hold the wanted offset (any more),
	// or never did.
	ErrTrimmed = errors.New("effects: offset is not in the log")
	// ErrOverrun is returned by a reader that fell behind by more than its limit.
	ErrOverrun = errors.New("effects: reader fell behind its limit")
	// ErrClosed is returned by a reader that was closed.
	ErrClosed = errors.New("effects: reader closed")
)

// noDB as the selected database makes the next entry select its own.
const noDB = -1

// copyPiece bounds one copy: memmove cannot be preempted.
const copyPiece = 64 << 10

// Options are the settings of a Log.
type Options struct {
	// Offset is the replication offset to begin at.
	Offset int64
	// BacklogBytes is how much of the stream is kept behind the readers while the
	// backlog is on (SetBacklog). 0: 1 MiB.
	BacklogBytes int64
}

// Log is the effect log of a node. Its methods may be called from any goroutine;
// REQUIRES notes name the shard locks that make an order right.
type Log struct {
	active  atomic.Bool
	entries atomic.Bool // someone reads entries: marks are kept
	offset  atomic.Int64
	perSlot atomic.Pointer[slotOffsets]
	refused atomic.Int64

	mu struct {
		sync.Mutex
		first, last *segment
		spare       []*segment
		segments    int // linked ones
		orphans     int // unlinked ones that readers still look at

		sealed       bool
		kept         bool // active without readers
		tolerant     bool
		db           int // database that the stream has selected, noDB: none
		backlogOn    bool
		backlogBytes int64
		readers      []*Reader
		slotReaders  []*SlotReader
		sleepers     int
		scratch      []byte
	}
}

// slotOffsets holds the newest offset of each slot. A slot's word is guarded by the
// lock of its shard, all (the newest keyless entry) by the locks of all shards.
type slotOffsets struct {
	of  [slots.Count]int64
	all int64
}

// NewLog returns an empty log that nobody reads.
func NewLog(o Options) *Log {
	l := &Log{}
	l.offset.Store(o.Offset)
	l.mu.db = noDB
	if l.mu.backlogBytes = o.BacklogBytes; l.mu.backlogBytes <= 0 {
		l.mu.backlogBytes = 1 << 20
	}
	return l
}

// Active reports whether anyone reads the log or the backlog is on; only then
// commands need to stage effects. It is one atomic load. REQUIRES: the shards of the
// command locked before the call, since readers are made under them.
func (l *Log) Active() bool { return l.active.Load() }

// Offset returns the offset behind the newest byte.
func (l *Log) Offset() int64 { return l.offset.Load() }

// Append writes b as one contiguous block and returns the offset behind it. It
// inserts SELECT where the database changes and puts MULTI and EXEC around several
// entries. REQUIRES: the shards of b's entries locked (all of them for a keyless one).
func (l *Log) Append(b *Block) int64 {
	if len(b.Entries) == 0 || !l.active.Load() {
		return l.offset.Load()
	}
	l.mu.Lock()
	if l.mu.sealed {
		return l.refuseAndUnlock()
	}
	l.selectLocked(b.Entries[0].DB)
	last := len(b.Entries) - 1
	if last > 0 {
		l.writeLocked(multiBytes)
	}
	for i := range b.Entries {
		e := &b.Entries[i]
		l.selectLocked(e.DB)
		l.entryLocked(b.Buf[e.Start:e.End], e, i == last)
	}
	if last > 0 {
		l.writeLocked(execBytes)
	}
	return l.publishAndUnlock(b.Entries)
}

var (
	multiBytes = []byte("*1\r\n$5\r\nMULTI\r\n")
	execBytes  = []byte("*1\r\n$4\r\nEXEC\r\n")
)

// AppendEntry writes one request as a change of slot in database db and returns the
// offset behind it. It is for what the engine changes on its own account. REQUIRES:
// the slot's shard locked.
func (l *Log) AppendEntry(slot slots.Slot, db int, args ...[]byte) int64 {
	if !l.active.Load() {
		return l.offset.Load()
	}
	l.mu.Lock()
	if l.mu.sealed {
		return l.refuseAndUnlock()
	}
	l.selectLocked(db)
	l.mu.scratch = resp.AppendCommand(l.mu.scratch[:0], args...)
	e := [1]Entry{{Slot: slot, DB: db}}
	l.entryLocked(l.mu.scratch, &e[0], true)
	return l.publishAndUnlock(e[:])
}

// AppendControl writes a request that changes no data (PING, REPLCONF GETACK) and
// returns the offset behind it. It lands between blocks, never within one.
func (l *Log) AppendControl(args ...[]byte) int64 {
	if !l.active.Load() {
		return l.offset.Load()
	}
	l.mu.Lock()
	if l.mu.sealed { // a question or a sign of life of a primary that was: no harm
		defer l.mu.Unlock()
		return l.offset.Load()
	}
	l.mu.scratch = resp.AppendCommand(l.mu.scratch[:0], args...)
	l.writeLocked(l.mu.scratch)
	return l.publishAndUnlock(nil)
}

// AppendRaw writes a piece of another node's stream verbatim, so that offsets stay
// those of the other node. b.Entries say which parts of b.Buf change which slots; they
// may be missing where nobody reads entries (Entries returns false). The next Append
// selects its database anew. REQUIRES: the shards of b's entries locked.
func (l *Log) AppendRaw(b *Block) int64 {
	l.mu.Lock()
	if !l.active.Load() {
		// The offset moves on all the same: it says how far this copy has come.
		return l.skipAndUnlock(len(b.Buf))
	}
	l.mu.db = noDB
	at := 0
	for i := range b.Entries {
		e := &b.Entries[i]
		l.writeLocked(b.Buf[at:e.Start])
		l.entryLocked(b.Buf[e.Start:e.End], e, i == len(b.Entries)-1)
		at = e.End
	}
	l.writeLocked(b.Buf[at:])
	return l.publishAndUnlock(b.Entries)
}

// Seal makes the log that of a copy: only AppendRaw writes to it, so that its offsets
// stay those of the primary. An effect of this node's own is left out and counted.
func (l *Log) Seal(on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.sealed = on
	l.refused.Store(0)
}

// Refused returns how many effects were left out since Seal: the data of this node
// have changed by more than the primary's stream.
func (l *Log) Refused() int64 { return l.refused.Load() }

// Tolerate says whether a copy may have writes of its own, which are left out of the log
// without being counted (replica-read-only no).
func (l *Log) Tolerate(on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.tolerant = on
}

func (l *Log) refuseAndUnlock() int64 {
	if !l.mu.tolerant {
		l.refused.Add(1)
	}
	l.mu.Unlock()
	return l.offset.Load()
}

// Entries reports whether marks of entries or offsets of slots are wanted.
func (l *Log) Entries() bool { return l.entries.Load() || l.perSlot.Load() != nil }

// Cut returns the offset of this instant and makes the next entry select its
// database, so that a reader may begin here. REQUIRES: the shards of the snapshot
// locked (it is called in engine's AtCut).
func (l *Log) Cut() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.db = noDB
	return l.offset.Load()
}

// Reset forgets everything and begins anew at offset: this node has taken over the
// state of another one. Readers get ErrTrimmed.
func (l *Log) Reset(offset int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.mu.readers) > 0 {
		l.dropLocked(l.mu.readers[0], ErrTrimmed)
	}
	for len(l.mu.slotReaders) > 0 {
		l.dropSlotLocked(l.mu.slotReaders[0], ErrTrimmed)
	}
	for l.mu.first != nil {
		l.unlinkFirstLocked()
	}
	l.offset.Store(offset)
	l.mu.db = noDB
	if t := l.perSlot.Load(); t != nil {
		l.perSlot.Store(&slotOffsets{all: offset})
	}
	l.settleLocked()
}

// SetBacklog turns the backlog on or off; bytes > 0 changes its size. While it is on
// every effect is kept until bytes newer ones have come, so that a reader can come
// back. REQUIRES: all shards locked where that makes the log active (engine's AtCut).
func (l *Log) SetBacklog(on bool, bytes int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.backlogOn = on
	if bytes > 0 {
		l.mu.backlogBytes = bytes
	}
	l.settleLocked()
}

// KeepActive has effects counted, though not kept, where nobody reads them: replies may
// wait for offsets that no reader is to come to. REQUIRES: all shards locked where that
// makes the log active (engine's AtCut).
func (l *Log) KeepActive(on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.kept = on
	l.settleLocked()
}

// Backlog describes what the log holds.
type Backlog struct {
	On    bool
	Size  int64 // the wanted size in bytes
	First int64 // the oldest offset a reader may begin at
	Bytes int64 // how much is held behind First
}

// Backlog returns what the log holds.
func (l *Log) Backlog() Backlog {
	l.mu.Lock()
	defer l.mu.Unlock()
	end := l.offset.Load()
	b := Backlog{On: l.mu.backlogOn, Size: l.mu.backlogBytes, First: end}
	if l.mu.first != nil {
		b.First = l.mu.first.base
	}
	b.Bytes = end - b.First
	return b
}

// MemoryBytes returns the bytes of the log's segments.
func (l *Log) MemoryBytes() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return int64(l.mu.segments+l.mu.orphans+len(l.mu.spare)) * segmentBytes
}

// TrackSlots makes the log remember the newest offset of each slot, from now on:
// every slot begins at the present offset. REQUIRES: all shards locked.
func (l *Log) TrackSlots() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.perSlot.Load() == nil {
		l.perSlot.Store(&slotOffsets{all: l.offset.Load()})
	}
}

// SlotOffset returns the offset behind the newest effect of slot, 0 if slots are not
// tracked. REQUIRES: the slot's shard locked.
func (l *Log) SlotOffset(slot slots.Slot) int64 {
	t := l.perSlot.Load()
	if t == nil {
		return 0
	}
	return max(t.of[slot], t.all)
}

// Close gives the memory back. Readers get ErrClosed; nothing may append any more.
func (l *Log) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.mu.readers) > 0 {
		l.dropLocked(l.mu.readers[0], ErrClosed)
	}
	for len(l.mu.slotReaders) > 0 {
		l.dropSlotLocked(l.mu.slotReaders[0], ErrClosed)
	}
	l.mu.backlogOn = false
	l.settleLocked()
}

// selectLocked writes SELECT if the stream is in another database.
func (l *Log) selectLocked(db int) {
	if db == l.mu.db {
		return
	}
	l.mu.db = db
	var digits, line [32]byte
	d := strconv.AppendInt(digits[:0], int64(db), 10)
	b := append(line[:0], "*2\r\n$6\r\nSELECT\r\n$"...)
	b = strconv.AppendInt(b, int64(len(d)), 10)
	l.writeLocked(append(b, '\r', '\n'))
	l.writeLocked(append(append(line[:0], d...), '\r', '\n'))
}

// entryLocked writes the bytes of e and its mark.
func (l *Log) entryLocked(b []byte, e *Entry, last bool) {
	if l.entries.Load() {
		l.markLocked(len(b), e, last)
	}
	l.writeLocked(b)
}

func (l *Log) markLocked(n int, e *Entry, last bool) {
	s := l.roomLocked()
	m := mark{at: uint32(s.n), n: uint32(n), slot: uint16(e.Slot), db: uint16(e.DB)}
	if last {
		m.flags |= markLast
	}
	if e.Keyless {
		m.flags |= markKeyless
	}
	s.marks = append(s.marks, m)
	for _, r := range l.mu.slotReaders {
		if e.Keyless || r.set.Has(e.Slot) {
			r.lagBytes += int64(n)
		}
	}
}

// writeLocked copies b behind the stream. It is not published yet.
func (l *Log) writeLocked(b []byte) {
	for len(b) > 0 {
		s := l.roomLocked()
		n := copy(s.buf[s.n:], b[:min(len(b), copyPiece)])
		s.n += n
		b = b[n:]
	}
}

// roomLocked returns the last segment, a new one if that is full.
func (l *Log) roomLocked() *segment {
	if s := l.mu.last; s != nil && s.n < segmentBytes {
		return s
	}
	return l.addSegmentLocked()
}

// publishAndUnlock makes what was written visible, and wakes readers that sleep.
func (l *Log) publishAndUnlock(entries []Entry) int64 {
	end := l.mu.last.end()
	l.offset.Store(end)
	if t := l.perSlot.Load(); t != nil {
		for i := range entries {
			if entries[i].Keyless {
				t.all = end
			} else {
				t.of[entries[i].Slot] = end
			}
		}
	}
	if l.mu.sleepers > 0 {
		l.wakeLocked()
	}
	l.mu.Unlock()
	return end
}

// skipAndUnlock moves the offset of a log that keeps nothing.
func (l *Log) skipAndUnlock(n int) int64 {
	for l.mu.first != nil {
		l.unlinkFirstLocked() // left by a reader that was dropped within an append
	}
	end := l.offset.Add(int64(n))
	l.mu.Unlock()
	return end
}

func (l *Log) wakeLocked() {
	end := l.offset.Load()
	for _, r := range l.mu.readers {
		if r.sleeping && r.wakeAt <= end {
			r.sleeping = false
			l.mu.sleepers--
			r.wake <- struct{}{} // room: one token for each time sleeping was set
		}
	}
	for _, r := range l.mu.slotReaders {
		if r.sleeping {
			r.sleeping = false
			l.mu.sleepers--
			r.wake <- struct{}{}
		}
	}
}

// addSegmentLocked links a new segment, having dropped readers that are too far
// behind and segments that nobody needs. So what the log holds is bounded by the
// backlog or the largest limit of a reader, plus the block being written.
func (l *Log) addSegmentLocked() *segment {
	base := l.offset.Load()
	if l.mu.last != nil {
		base = l.mu.last.end()
	}
	for i := 0; i < len(l.mu.readers); {
		r := l.mu.readers[i]
		if r.limitBytes > 0 && base-r.pos > r.limitBytes {
			l.dropLocked(r, ErrOverrun)
			continue
		}
		i++
	}
	for i := 0; i < len(l.mu.slotReaders); {
		r := l.mu.slotReaders[i]
		if r.limitBytes > 0 && r.lagBytes > r.limitBytes {
			l.dropSlotLocked(r, ErrOverrun)
			continue
		}
		i++
	}
	var s *segment
	if n := len(l.mu.spare); n > 0 {
		s, l.mu.spare = l.mu.spare[n-1], l.mu.spare[:n-1]
	} else {
		s = &segment{}
		s.buf, s.mapped = newSegmentBuf()
	}
	s.base = base
	if l.mu.last == nil {
		l.mu.first = s
	} else {
		l.mu.last.next = s
	}
	l.mu.last = s
	l.mu.segments++
	l.trimLocked()
	return s
}

// trimLocked unlinks the oldest segments that neither backlog nor reader needs.
func (l *Log) trimLocked() {
	keep := l.offset.Load()
	if l.mu.backlogOn {
		keep -= l.mu.backlogBytes
	}
	for s := l.mu.first; s != nil && s != l.mu.last && s.holds == 0 && s.end() <= keep; s = l.mu.first {
		l.unlinkFirstLocked()
	}
}

// settleLocked is called when readers or the backlog have changed.
func (l *Log) settleLocked() {
	active := l.mu.kept || l.mu.backlogOn || len(l.mu.readers) > 0 || len(l.mu.slotReaders) > 0
	l.active.Store(active)
	l.entries.Store(len(l.mu.slotReaders) > 0)
	if !active {
		for l.mu.first != nil {
			l.unlinkFirstLocked()
		}
		for _, s := range l.mu.spare {
			freeSegment(s)
		}
		l.mu.spare = nil
		return
	}
	l.trimLocked()
	if l.mu.last == nil {
		l.addSegmentLocked()
	}
}

func (l *Log) unlinkFirstLocked() {
	s := l.mu.first
	if l.mu.first = s.next; l.mu.first == nil {
		l.mu.last = nil
	}
	l.mu.segments--
	s.unlinked = true
	if s.refs == 0 {
		l.recycleLocked(s)
		return
	}
	l.mu.orphans++
}

// unrefLocked ends a reader's look at s.
func (l *Log) unrefLocked(s *segment) {
	if s.refs--; s.refs == 0 && s.unlinked {
		l.mu.orphans--
		l.recycleLocked(s)
	}
}

func (l *Log) recycleLocked(s *segment) {
	if len(l.mu.spare) >= spareSegments || !l.active.Load() {
		freeSegment(s)
		return
	}
	*s = segment{buf: s.buf, mapped: s.mapped, marks: s.marks[:0]}
	l.mu.spare = append(l.mu.spare, s)
}

func freeSegment(s *segment) {
	freeSegmentBuf(s.buf, s.mapped)
	s.buf = nil
}
