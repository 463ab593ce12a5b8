package effects

import "context"

// Reader reads the stream byte by byte from an offset on. It has one user at a time;
// only Lag, Lost and Stop may be called by others, and Close where nobody uses it.
type Reader struct {
	log  *Log
	wake chan struct{}

	// Guarded by the log's mutex.
	seg        *segment
	pos        int64 // everything before it was taken
	given      int   // bytes of seg that the user looks at, from pos
	limitBytes int64
	sleeping   bool
	wakeAt     int64 // asleep until the log is that long
	dropped    bool  // no longer in the log's list: holds nothing back
	err        error
}

// NewReader returns a reader of the stream from offset from on. Falling more than
// limitBytes behind (0: no limit) it is dropped: Next returns ErrOverrun. REQUIRES:
// the shards locked where that makes the log active (engine's AtCut).
func (l *Log) NewReader(from, limitBytes int64) (*Reader, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	end := l.offset.Load()
	if l.mu.last == nil && from == end {
		l.addSegmentLocked()
	}
	s := l.mu.first
	if s == nil || from < s.base || from > end {
		return nil, ErrTrimmed
	}
	for s.end() < from {
		s = s.next
	}
	s.refs++
	s.holds++
	r := &Reader{log: l, wake: make(chan struct{}, 1), seg: s, pos: from, limitBytes: limitBytes}
	l.mu.readers = append(l.mu.readers, r)
	l.settleLocked()
	return r, nil
}

// Next returns the next bytes of the stream, waiting until there are some. They lie
// in the log and are valid until the next call of Next or Close.
func (r *Reader) Next(ctx context.Context) ([]byte, error) {
	for {
		b, err := r.tryNext()
		if b != nil || err != nil {
			return b, err
		}
		select {
		case <-r.wake:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Poll is Next without the wait: it returns nothing where there is nothing, and Woken then
// receives once when more has come or the reader has been dropped.
func (r *Reader) Poll() ([]byte, error) { return r.tryNext() }

// Await has Woken receive once when the log has come to offset, or the reader has been
// dropped; it returns false if that is so already. The next Poll ends it.
func (r *Reader) Await(offset int64) (waiting bool) {
	l := r.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.err != nil || l.offset.Load() >= offset {
		return false
	}
	r.sleepLocked(offset)
	return true
}

// sleepLocked has the reader woken when the log has come to offset. REQUIRES: log.mu held.
func (r *Reader) sleepLocked(offset int64) {
	r.wakeAt = offset
	if r.sleeping {
		return
	}
	r.sleeping = true
	r.log.mu.sleepers++
	select {
	case <-r.wake: // a token left by a wait that ended otherwise
	default:
	}
}

// Woken is what to wait on behind a Poll that has returned nothing, or an Await.
func (r *Reader) Woken() <-chan struct{} { return r.wake }

// tryNext returns what is there; with nothing it has put the reader to sleep.
func (r *Reader) tryNext() ([]byte, error) {
	l := r.log
	l.mu.Lock()
	defer l.mu.Unlock()
	r.pos += int64(r.given)
	r.given = 0
	if r.err != nil {
		return nil, r.err
	}
	if r.seg.next != nil && r.pos == r.seg.end() {
		old := r.seg
		r.seg = old.next
		r.seg.refs++
		r.seg.holds++
		old.holds--
		l.unrefLocked(old)
		l.trimLocked()
	}
	if at := int(r.pos - r.seg.base); at < r.seg.n {
		r.given = r.seg.n - at
		return r.seg.buf[at:r.seg.n:r.seg.n], nil
	}
	r.sleepLocked(0)
	return nil, nil
}

// Offset returns the offset behind the bytes that Next returned last.
func (r *Reader) Offset() int64 {
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	return r.pos + int64(r.given)
}

// Lag returns how many bytes of the stream the user has not yet done with.
func (r *Reader) Lag() int64 {
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	return max(0, r.log.offset.Load()-r.pos)
}

// Lost reports whether the reader fell behind its limit: Next returns ErrOverrun from then
// on, but its user may be held up elsewhere.
func (r *Reader) Lost() bool {
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	return r.err == ErrOverrun
}

// Stop has the reader hold nothing back any more; a waiting Next returns ErrClosed. What its
// user looks at stays until Close.
func (r *Reader) Stop() {
	l := r.log
	l.mu.Lock()
	defer l.mu.Unlock()
	r.stopLocked()
}

func (r *Reader) stopLocked() {
	if !r.dropped {
		r.log.dropLocked(r, ErrClosed)
	}
	r.err = ErrClosed
}

// Close is Stop, and ends the look at what Next has returned. It may be called twice.
func (r *Reader) Close() {
	l := r.log
	l.mu.Lock()
	defer l.mu.Unlock()
	r.stopLocked()
	if r.seg != nil {
		l.unrefLocked(r.seg)
		r.seg = nil
	}
	l.settleLocked()
}

// dropLocked takes r off the log: it holds nothing back any more, though the bytes
// that its user looks at stay until Close.
func (l *Log) dropLocked(r *Reader, why error) {
	for i, other := range l.mu.readers {
		if other == r {
			l.mu.readers = append(l.mu.readers[:i], l.mu.readers[i+1:]...)
			break
		}
	}
	r.dropped = true
	r.err = why
	r.seg.holds--
	if r.sleeping {
		r.sleeping = false
		l.mu.sleepers--
		r.wake <- struct{}{}
	}
	l.settleLocked()
}
