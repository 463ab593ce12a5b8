package engine

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// queue is what writers have handed over to a snapshot and its user has not taken: whole
// chains of tables, and in the runs of pinned collections chains of theirs. No writer ever
// waits for it. Order: shard lock -> queue -> pressure.
//
//	bytes   0 .......... half of the bound .......... the bound ........ the hard bound
//	              |               |                        |                    |
//	         nothing is    Delay: writers are asked    by 5 ms each         the snapshot
//	         done          to wait, 1 ms each ...                           is given up
//	                       Spill: pieces go to the file, and writers wait for it likewise
//
// Without Delay and Spill the bound is the hard bound. Once the file is full it is too.
type queue struct {
	bound, hard int64
	delay       bool
	pressure    *pressure
	spill       *spill // nil: nothing is spilled
	mu          struct {
		sync.Mutex
		pieces []*piece
		bytes  int64 // of pieces and runs, and of notes of pins; not of what was spilled
		millis int   // what pressure was told last
		failed error // why the snapshot is of no use any more
		closed bool
		loose  []*piece // with spill: pieces that lie in memory, and some that do no more
		full   bool     // the file is
	}
}

// init makes the queue ready for a snapshot of k, which is closed at the end.
func (q *queue) init(k *Keyspace, o *SnapshotOptions) {
	if q.bound = o.QueueBytes; q.bound == 0 {
		q.bound = queueBytes
	}
	q.hard, q.pressure = q.bound, &k.pressure
	switch {
	case o.Spill != nil:
		q.hard = 2 * q.bound // pieces that are being written count still
		q.spill = &spill{q: q, file: o.Spill, most: o.SpillBytes, signal: make(chan struct{}, 1), done: make(chan struct{})}
		go q.spill.run()
	case o.Delay:
		q.delay = true
		q.hard += k.UsedMemory() / 20
	}
}

// handOver has add put something at the end of a list of pieces, the queue's own or a
// run, before it changes.
func (q *queue) handOver(list *[]*piece, add func(p *piece)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.mu.failed != nil {
		return
	}
	p := q.tailLocked(list)
	before := p.cost()
	add(p)
	q.addLocked(p.cost() - before)
}

// tailLocked returns the piece of a list to add to.
func (q *queue) tailLocked(list *[]*piece) *piece {
	if n := len(*list); n > 0 && len((*list)[n-1].buf) < pieceBytes && !(*list)[n-1].sealed {
		return (*list)[n-1]
	}
	p := &piece{buf: make([]byte, 0, 4<<10)}
	*list = append(*list, p)
	if q.spill != nil {
		q.looseLocked(p)
	}
	return p
}

// note counts bytes that are kept for a pin elsewhere.
func (q *queue) note(r *rootPin, bytes int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	r.noted += bytes
	q.addLocked(bytes)
}

// addLocked counts bytes more, or fewer, and does what the bounds demand.
func (q *queue) addLocked(bytes int64) {
	q.mu.bytes += bytes
	hard := q.hard
	if q.mu.full {
		hard = q.bound
	}
	if q.mu.bytes > hard && q.mu.failed == nil {
		q.mu.failed = ErrSnapshotOverrun
	}
	over := q.mu.bytes - q.bound/2
	if over > 0 && q.spill != nil {
		q.spill.wake()
	}
	millis := 0
	if over > 0 && q.mu.failed == nil && !q.mu.closed && (q.delay || q.spill != nil && !q.mu.full) {
		millis = int(min(1+over*maxDelayMillis/(q.bound/2+1), maxDelayMillis))
	}
	if millis != q.mu.millis {
		q.mu.millis = millis
		q.pressure.set(q, millis)
	}
}

// take returns the oldest piece, or nil. One that comes with an error has pins still.
func (q *queue) take() (*piece, error) { return q.takeFrom(&q.mu.pieces) }

// takeOfRun is take for the run of a pin.
func (q *queue) takeOfRun(r *rootPin) (*piece, error) { return q.takeFrom(&r.run) }

func (q *queue) takeFrom(list *[]*piece) (*piece, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.mu.failed != nil {
		return nil, q.mu.failed
	}
	if len(*list) == 0 {
		return nil, nil
	}
	p := (*list)[0]
	(*list)[0] = nil
	*list = (*list)[1:]
	q.goneLocked(p)
	if p.spilled == 0 {
		return p, nil
	}
	q.mu.Unlock()
	err := q.spill.load(p)
	q.mu.Lock()
	return p, err
}

// goneLocked counts a piece that is in no list any more.
func (q *queue) goneLocked(p *piece) {
	p.taken = true
	q.addLocked(-p.cost())
}

// takeRun returns what is left of the run of a pin that is done with.
func (q *queue) takeRun(r *rootPin) (run []*piece) {
	q.mu.Lock()
	defer q.mu.Unlock()
	run, r.run = r.run, nil
	for _, p := range run {
		q.goneLocked(p)
	}
	q.addLocked(-r.noted)
	r.noted = 0
	return run
}

// close returns what is left; nothing is handed over any more.
func (q *queue) close() []*piece {
	q.mu.Lock()
	pieces := q.mu.pieces
	q.mu.pieces, q.mu.closed = nil, true
	if q.mu.failed == nil {
		q.mu.failed = io.ErrClosedPipe
	}
	for _, p := range pieces {
		q.goneLocked(p)
	}
	q.addLocked(0)
	q.mu.Unlock()
	if q.spill != nil {
		q.spill.end()
	}
	return pieces
}

// maxDelayMillis is the longest that a writer is asked to wait.
const maxDelayMillis = 5

// pressure sums up what the queues of all snapshots want of writers.
type pressure struct {
	nanos atomic.Int64
	mu    struct {
		sync.Mutex
		millis map[*queue]int // those that are not 0
	}
}

func (p *pressure) set(q *queue, millis int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.millis == nil {
		p.mu.millis = map[*queue]int{}
	}
	if p.mu.millis[q] = millis; millis == 0 {
		delete(p.mu.millis, q)
	}
	most := 0
	for _, m := range p.mu.millis {
		most = max(most, m)
	}
	p.nanos.Store(int64(most) * int64(time.Millisecond))
}

// WriteDelay returns how long a writer should wait, once, before it locks anything, so that
// the users of snapshots keep up: 0 or 1 to 5 ms. It needs no lock.
func (k *Keyspace) WriteDelay() time.Duration { return time.Duration(k.pressure.nanos.Load()) }

// SpillFile is where a snapshot may put what writers have handed over: a file of nobody
// else, from its beginning. The caller closes it after the snapshot.
type SpillFile interface {
	io.ReaderAt
	io.WriterAt
}

// spill moves pieces of a queue to a file. It has a goroutine, since the one that uses the
// snapshot may be waiting for its sink.
type spill struct {
	q      *queue
	file   SpillFile
	most   int64         // bytes; 0: no limit
	used   int64         // bytes of the file; the goroutine's
	signal chan struct{} // holds one
	done   chan struct{}
}

func (s *spill) wake() {
	select {
	case s.signal <- struct{}{}:
	default:
	}
}

// run spills whenever the queue is more than half full, until the queue is closed.
func (s *spill) run() {
	defer close(s.done)
	for range s.signal {
		for s.one() {
		}
		s.q.mu.Lock()
		closed := s.q.mu.closed
		s.q.mu.Unlock()
		if closed {
			return
		}
	}
}

// end waits until the goroutine has ended. REQUIRES: the queue is closed.
func (s *spill) end() {
	s.wake()
	<-s.done
}

// one spills the piece that was made last, since those made first are taken soonest, and
// reports whether there may be more to do.
func (s *spill) one() bool {
	q := s.q
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.mu.failed != nil || q.mu.full || q.mu.bytes <= q.bound/2 {
		return false
	}
	p := q.looseOneLocked()
	if p == nil {
		return false
	}
	n := int64(len(p.buf))
	if s.most > 0 && s.used+n > s.most {
		q.mu.full = true
		q.addLocked(0)
		return false
	}
	p.sealed = true
	q.mu.Unlock()
	_, err := s.file.WriteAt(p.buf, s.used)
	q.mu.Lock()
	if err != nil {
		q.mu.failed = fmt.Errorf("engine: spill %d bytes of a snapshot: %w", n, err)
		q.addLocked(0)
		return false
	}
	if !p.taken { // else it was read from memory
		p.buf, p.at, p.spilled = nil, s.used, n
		q.addLocked(-n)
	}
	s.used += n
	return true
}

// load reads a piece back.
func (s *spill) load(p *piece) error {
	p.buf = make([]byte, p.spilled)
	if _, err := s.file.ReadAt(p.buf, p.at); err != nil {
		return fmt.Errorf("engine: read back %d bytes of a snapshot: %w", p.spilled, err)
	}
	return nil
}

// looseLocked remembers a new piece.
func (q *queue) looseLocked(p *piece) {
	if n := len(q.mu.loose); n == cap(q.mu.loose) {
		kept := q.mu.loose[:0]
		for _, x := range q.mu.loose {
			if !x.taken {
				kept = append(kept, x)
			}
		}
		clear(q.mu.loose[len(kept):])
		q.mu.loose = kept
	}
	q.mu.loose = append(q.mu.loose, p)
}

// looseOneLocked returns the newest piece that lies in memory, or nil.
func (q *queue) looseOneLocked() *piece {
	for n := len(q.mu.loose); n > 0; n = len(q.mu.loose) {
		p := q.mu.loose[n-1]
		q.mu.loose[n-1] = nil
		q.mu.loose = q.mu.loose[:n-1]
		if !p.taken && len(p.buf) > 0 {
			return p
		}
	}
	return nil
}
