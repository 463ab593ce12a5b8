package aof

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/redwingdb/redwing/internal/effects"
	"github.com/redwingdb/redwing/internal/resp"
)

const (
	// flushBytes are written at once; checkBytes is how far two checks are apart at most.
	flushBytes = 256 << 10
	checkBytes = 256 << 10
	// minPace is how long a goroutine that need not sync, or in whose place others do, lets
	// effects gather: each wake costs more than what it writes. It wakes less and less often,
	// down to maxPace, while it finds that others have seen to it.
	minPace = time.Millisecond
	maxPace = 16 * time.Millisecond
	// syncEvery is the period of everysec; longFsync is what counts as a delay.
	syncEvery = time.Second
	longFsync = 2 * time.Second
	// maxPing is the longest PING that is looked into for a mark.
	maxPing = 4 << 10
)

// writer copies the effect log to an increment. A goroutine of its own does so, or who
// wants to know it done (AOF.Commit): one at a time, who holds the turn.
type writer struct {
	a    *AOF
	kick chan struct{} // holds one
	done chan struct{} // closed when the goroutine has ended

	busy   sync.Mutex    // the turn; guards all but what says otherwise
	wanted atomic.Bool   // somebody came while another one had the turn
	led    atomic.Bool   // somebody has taken the goroutine's place since it was woken
	quick  atomic.Bool   // an fsync takes less than handing over; set by who has the turn
	over   bool          // nothing is written any more
	pace   time.Duration // the goroutine's own

	reader *effects.Reader
	file   *appendFile

	at      int64 // log offset behind what has been taken
	blockAt int64 // log offset behind the last whole block taken
	split   splitter
	seen    bool // the verb of the present request has been acted on
	skip    bool // the present request is not written
	from    int  // where the present request begins in file.buf
	inTx    bool
	db      int // database that the stream has selected, -1: not known yet
	mark    string

	group     group
	stamp     int64 // Unix seconds of the last #TS: line
	checkedAt int64 // position of the last check
	syncedAt  int64 // clock.Mono of the last fsync
	policy    Policy

	mu struct { // guarded by AOF.mu
		provisional bool // the base is not there yet: nothing is durable
		stopping    bool
		until       int64 // log offset to stop at
		why         error // it has ended
	}
}

func newWriter(a *AOF, file *appendFile, reader *effects.Reader, at int64, s Stream) *writer {
	w := &writer{
		a: a, reader: reader, file: file, at: at, blockAt: at, db: s.DB, mark: s.Mark,
		kick: make(chan struct{}, 1), done: make(chan struct{}), pace: minPace,
	}
	w.syncedAt = a.o.Clock.Mono()
	w.policy = a.o.Policy()
	return w
}

// kickNow ends a wait of the goroutine.
func (w *writer) kickNow() {
	select {
	case w.kick <- struct{}{}:
	default:
	}
}

// run writes until it is stopped or cannot go on.
func (w *writer) run() {
	defer close(w.done)
	for {
		w.busy.Lock()
		more := w.round(true)
		over, due := w.over, w.syncDue()
		w.busy.Unlock()
		switch {
		case over:
			return
		case !more && !w.wanted.Swap(false):
			w.wait(due)
		}
	}
}

// lead is a round in the goroutine's place, unless another one has the turn: the goroutine
// does it then.
func (w *writer) lead() {
	w.wanted.Store(true)
	if !w.busy.TryLock() {
		return // whoever has the turn sees that it is wanted
	}
	w.wanted.Store(false)
	more := w.turning()
	if !more {
		w.led.Store(true)
		more = w.round(false)
	}
	more = more || w.over
	w.busy.Unlock()
	if more || w.wanted.Load() {
		w.kickNow()
	}
}

// turning reports whether the writer is to turn to a new file, or to stop: that takes long.
func (w *writer) turning() bool {
	w.a.mu.Lock()
	defer w.a.mu.Unlock()
	return w.a.mu.turn != nil || w.mu.stopping
}

// round takes what the log has, writes it, and syncs it if that is due. own tells that it
// is the goroutine's. More may have come meanwhile. REQUIRES: the turn.
func (w *writer) round(own bool) (more bool) {
	for !w.over {
		b, t, stop, err := w.poll()
		if err != nil {
			w.over = true
			w.lost(err)
			return false
		}
		if err = w.takeTo(b, t); err == nil {
			if len(b) > 0 && len(w.file.buf) < flushBytes && !stop {
				continue // gather what there is
			}
			if own && !stop && w.gather() {
				continue
			}
			err = w.settle(own, stop)
		}
		switch {
		case err != nil:
			w.over = true
			w.fail(err)
		case stop:
			w.over = true
			w.end()
		default:
			return len(b) > 0
		}
	}
	return false
}

// poll returns what the log has, nothing if the writer has all of it, and the turn that is
// due within it or behind it: a turn that is asked for later lies behind these bytes.
func (w *writer) poll() (b []byte, t *turn, stop bool, err error) {
	a := w.a
	a.mu.Lock()
	defer a.mu.Unlock()
	if b, err = w.reader.Poll(); err != nil {
		return nil, nil, false, err
	}
	stop = w.mu.stopping && w.at+int64(len(b)) >= w.mu.until
	return b, a.mu.turn, stop, nil
}

// takeTo takes b, turning to a new file where t says.
func (w *writer) takeTo(b []byte, t *turn) error {
	if t != nil && w.at+int64(len(b)) >= t.offset {
		n := t.offset - w.at
		if err := w.take(b[:n]); err != nil {
			return err
		}
		if err := w.turn(t); err != nil {
			return err
		}
		b = b[n:]
	}
	return w.take(b)
}

// take copies the requests of b that belong into the file.
func (w *writer) take(b []byte) error {
	f := w.file
	if len(b) > 0 && !w.split.midway() && !w.inTx {
		w.timestamp()
	}
	for len(b) > 0 {
		if !w.split.midway() {
			w.from, w.seen, w.skip = len(f.buf), false, false
		}
		n, whole, err := w.split.next(b)
		if err != nil {
			return fmt.Errorf("at offset %d: %w", w.at, err)
		}
		if !w.skip {
			f.buf = append(f.buf, b[:n]...)
		}
		w.at += int64(n)
		b = b[n:]
		if err := w.act(); err != nil {
			return err
		}
		if whole {
			w.endRequest()
		}
		if len(f.buf) >= flushBytes && (whole || w.split.verb == verbEffect) {
			if err := f.flush(); err != nil {
				return err
			}
			w.from = 0
		}
	}
	return nil
}

// act does what the verb of the present request asks for once it is known.
func (w *writer) act() error {
	if w.seen || w.split.verb == verbUnknown {
		return nil
	}
	w.seen = true
	f := w.file
	switch w.split.verb {
	case verbDrop:
		f.buf, w.skip = f.buf[:w.from], true
	case verbEffect, verbMulti:
		if f.selected {
			return nil
		}
		// A replica's stream does not select its database again for our new file.
		if w.db < 0 {
			return fmt.Errorf("at offset %d: an effect before any SELECT: %w", w.at, errStream)
		}
		f.selectDB(w.from, w.db)
	}
	return nil
}

// endRequest is called behind the last byte of a request.
func (w *writer) endRequest() {
	f := w.file
	kept := true
	switch w.split.verb {
	case verbSelect:
		if args := w.words(); len(args) == 2 {
			if db, err := strconv.Atoi(string(args[1])); err == nil {
				w.db, f.selected = db, true
			}
		}
	case verbMulti:
		w.inTx = true
	case verbExec:
		w.inTx = false
	case verbPing:
		mark := ""
		if args := w.words(); len(args) == 2 {
			mark = string(args[1])
		}
		f.buf, kept = f.buf[:w.from], false
		if mark != "" && mark != w.mark && !w.inTx {
			w.mark = mark
			f.mark(mark)
		}
	case verbDrop:
		kept = false
	}
	if kept {
		f.checked = false
	}
	if w.inTx {
		return
	}
	w.blockAt = w.at
	f.blockEnd()
	if f.end()-w.checkedAt >= checkBytes {
		w.check()
	}
}

// words returns the words of the present request, none if it is long.
func (w *writer) words() [][]byte {
	b := w.file.buf[w.from:]
	if len(b) > maxPing {
		return nil
	}
	var p resp.Parser
	args, _, _ := p.Next(b) // what is no request is refused when it is loaded
	return args
}

// timestamp adds a #TS: line where a second has begun.
func (w *writer) timestamp() {
	if !w.a.o.Timestamps() {
		return
	}
	if now := w.a.o.Clock.Now().Unix(); now != w.stamp {
		w.stamp = now
		w.file.annotate(appendTimestamp(nil, now))
	}
}

func (w *writer) check() {
	if !w.file.checked {
		w.file.check(w.at)
	}
	w.checkedAt = w.file.end()
}

// gather lets those who were answered by the last sync come back before the next one: it
// returns true if it has waited for them, once for each sync.
func (w *writer) gather() bool {
	if w.a.o.Policy() != Always || w.quick.Load() || w.at == w.group.syncedAt {
		return false
	}
	want, limit := w.group.wait(w.at)
	if limit == 0 || !w.reader.Await(want) {
		return false
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-w.reader.Woken():
		w.group.met(true)
	case <-timer.C:
		w.group.met(false)
	case <-w.kick:
	}
	return true
}

// settle writes what has been gathered, and syncs it where the policy says so, or final.
// The sync of everysec is the goroutine's own: nobody waits for it.
func (w *writer) settle(own, final bool) error {
	a, f := w.a, w.file
	if !w.split.midway() && !w.inTx {
		w.check()
	}
	a.buffer.Store(int64(len(f.buf)))
	if err := f.flush(); err != nil {
		return err
	}
	a.buffer.Store(0)
	w.wrote()
	policy, was := a.o.Policy(), w.policy
	due := policy == Always || was == Always || // who waited for an fsync still does
		policy == EverySecond && own && a.o.Clock.Mono()-w.syncedAt >= int64(syncEvery)
	switch {
	case final:
	case !due:
		return nil
	case a.o.NoSyncOnRewrite() && (a.busy.Load() || a.o.Saving()):
		// Nobody waits for the disk meanwhile.
		w.policy = policy
		w.durable(false)
		return nil
	}
	if err := w.sync(); err != nil {
		return err
	}
	w.policy = policy
	w.durable(true)
	return nil
}

// wrote says how far the file is, and lets writers go on that waited for it.
func (w *writer) wrote() {
	a := w.a
	a.written.Store(w.at)
	a.current.Store(w.file.size)
	if a.behind.Load() && a.o.Log.Offset()-w.at <= a.o.LagBytes/2 {
		a.mu.Lock()
		a.wakeWaitersLocked()
		a.mu.Unlock()
	}
}

func (w *writer) sync() error {
	a := w.a
	before := a.o.Clock.Mono()
	a.fsyncs.Store(true)
	err := w.file.sync()
	a.fsyncs.Store(false)
	w.syncedAt = a.o.Clock.Mono()
	w.group.synced(w.at, a.o.Log.Offset(), w.syncedAt-before)
	w.quick.Store(w.group.quick())
	if w.syncedAt-before > int64(longFsync) {
		a.delayed.Add(1)
	}
	return err
}

// durable tells that all whole blocks taken so far are on disk, or as good as that.
func (w *writer) durable(synced bool) {
	a := w.a
	a.mu.Lock()
	defer a.mu.Unlock()
	if synced {
		a.synced.Store(w.blockAt)
		a.tellLocked()
	}
	if !w.mu.provisional {
		a.o.Synced(w.blockAt)
	}
}

// syncDue receives when the next fsync of everysec is due; nil: none is. REQUIRES: the
// turn.
func (w *writer) syncDue() <-chan time.Time {
	if w.over || w.a.o.Policy() != EverySecond || w.file.synced == w.file.size {
		return nil
	}
	left := w.syncedAt + int64(syncEvery) - w.a.o.Clock.Mono()
	return w.a.o.Clock.After(time.Duration(max(left, 0)))
}

// wait waits for more to write, or until due.
func (w *writer) wait(due <-chan time.Time) {
	for {
		select {
		case <-w.reader.Woken():
		case <-due:
			return
		case <-w.kick:
			return
		}
		if w.a.o.Policy() == Always && !w.quick.Load() {
			return
		}
		w.led.Store(false)
		select {
		case <-w.a.o.Clock.After(w.pace):
		case <-w.kick:
			return
		}
		if !w.led.Load() {
			w.pace = minPace
			return // nobody else has seen to it
		}
		if w.pace = min(2*w.pace, maxPace); w.a.o.Policy() != Always {
			return // but for the fsync
		}
	}
}

// turn finishes the increment at t's offset and begins the next one. An error that the old
// file does not suffer from goes to who asked alone.
func (w *writer) turn(t *turn) error {
	a := w.a
	if err := w.settle(true, true); err != nil {
		return err
	}
	next, err := a.addIncr(w.at, w.mark)
	a.mu.Lock()
	a.mu.turn = nil
	a.mu.Unlock()
	if errors.Is(err, errManifest) {
		t.done <- err
		return err
	}
	if err == nil {
		_ = w.file.f.Close() // it has been synced
		w.file, w.checkedAt, w.from = next, next.end(), 0
		a.current.Store(next.size)
	}
	t.done <- err
	return nil
}

// end closes the file of a writer that was told to stop.
func (w *writer) end() {
	a := w.a
	a.mu.Lock()
	defer a.mu.Unlock()
	w.leaveLocked(ErrClosed)
	_ = w.file.f.Close() // it has been synced
}

// fail ends a writer whose file cannot be written or synced.
func (w *writer) fail(err error) {
	a := w.a
	a.log.Error("append-only file not written", zap.String("file", w.file.f.Name()), zap.Int64("offset", w.at), zap.Error(err))
	a.mu.Lock()
	defer a.mu.Unlock()
	if !w.mu.provisional || w.mu.stopping {
		a.failure.Store(&err)
	}
	w.leaveLocked(err)
	_ = w.file.f.Close() // it has failed already
	if !w.mu.stopping {
		a.setStateLocked(Broken)
	}
}

// lost ends a writer that the log has dropped.
func (w *writer) lost(err error) {
	if !errors.Is(err, effects.ErrTrimmed) {
		w.fail(err)
		return
	}
	// Other data have come in the place of these; what was written stays what it is.
	a := w.a
	a.log.Info("the data set was replaced: a new append-only file is due", zap.Int64("offset", w.at))
	w.file.buf = w.file.buf[:0]
	_ = w.file.f.Close() // it is not written to again
	a.mu.Lock()
	defer a.mu.Unlock()
	w.leaveLocked(err)
	if !w.mu.stopping {
		a.setStateLocked(Broken)
	}
}

// leaveLocked takes the writer off. REQUIRES: a.mu held.
func (w *writer) leaveLocked(why error) {
	a := w.a
	w.mu.why = why
	w.reader.Close()
	if t := a.mu.turn; t != nil {
		a.mu.turn = nil
		t.done <- why
	}
	a.writer.CompareAndSwap(w, nil)
	a.written.Store(math.MaxInt64)
	a.wakeWaitersLocked()
}
