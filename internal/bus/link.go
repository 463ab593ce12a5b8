package bus

import (
	"bufio"
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/redwingdb/redwing/internal/clock"
)

const (
	// keepAfterCall is how long a connection is kept, and dialled again, after a call.
	keepAfterCall = 10 * time.Second
	// redialMin and redialMax bound the pause between attempts to connect.
	redialMin = 10 * time.Millisecond
	redialMax = 200 * time.Millisecond
)

// link is the kept outgoing connection for calls to one node.
//
//	Idle --call or Keep--> Dial --handshake--> Up --reset, silence--> Dial
//	  ^---- no interest ----'  ^---- error ----'
//
// One goroutine owns the transitions; callers see `up`, or the error of the newest
// attempt to connect.
type link struct {
	bus  *Bus
	peer *peer
	kick chan struct{} // capacity 1: somebody wants the connection now
	used atomic.Int64  // clock.Mono of the last call
	kept atomic.Bool   // Keep names this node

	mu struct {
		sync.Mutex
		up      *session
		attempt chan struct{} // closed when the attempt under way has ended
		err     error         // of the newest attempt
		ended   bool          // the goroutine has gone
	}
}

// session is one connected life of a link.
type session struct {
	conn *conn
	out  chan frame
	done chan struct{} // closed when the connection is over
	ids  atomic.Uint64
	mu   struct {
		sync.Mutex
		over    bool
		pending map[uint64]chan frame
	}
}

// Keep names the nodes to which connections for calls are kept even without calls, so
// that LastHeard and Refused of them are current; it replaces the set named before.
func (b *Bus) Keep(nodes []string) {
	want := make(map[string]bool, len(nodes))
	self := b.Identity().Node
	for _, n := range nodes {
		if n != self {
			want[n] = true
		}
	}
	b.mu.Lock()
	var all []*peer
	for _, p := range b.mu.peers {
		all = append(all, p)
	}
	b.mu.Unlock()
	for _, p := range all {
		p.mu.Lock()
		l := p.mu.link
		p.mu.Unlock()
		if l != nil && !want[p.node] {
			l.kept.Store(false)
		}
	}
	for n := range want {
		if l := b.link(n); !l.kept.Swap(true) {
			l.wake()
		}
	}
}

// link returns the running link to a node, started if need be; ended when closed.
func (b *Bus) link(node string) *link {
	p := b.peer(node)
	p.mu.Lock()
	l := p.mu.link
	if l != nil {
		p.mu.Unlock()
		return l
	}
	l = &link{bus: b, peer: p, kick: make(chan struct{}, 1)}
	l.mu.attempt = make(chan struct{})
	p.mu.link = l
	p.mu.Unlock()
	if !b.spawn(l.run) { // takes b.mu, which comes before a peer's lock
		l.end()
	}
	return l
}

func (l *link) wake() {
	select {
	case l.kick <- struct{}{}:
	default:
	}
}

func (l *link) wanted() bool {
	return l.kept.Load() || clock.Mono()-l.used.Load() < int64(keepAfterCall)
}

func (l *link) end() {
	l.mu.Lock()
	l.mu.ended = true
	l.mu.err = ErrClosed
	close(l.mu.attempt)
	l.mu.Unlock()
}

// run owns the link until the bus closes.
func (l *link) run() {
	defer l.end()
	ctx := l.bus.ctx
	pause := redialMin
	lost := false // the last connection was closed by the other side, not by us
	for {
		if !l.wanted() {
			select {
			case <-ctx.Done():
				return
			case <-l.kick:
				continue
			}
		}
		c, err := l.bus.dial(ctx, ProtoRPC, l.peer.node)
		if ctx.Err() != nil {
			if c != nil {
				c.Close()
			}
			return
		}
		if err != nil {
			if lost && errors.Is(err, syscall.ECONNREFUSED) {
				l.peer.refused.Store(true)
			}
			l.attemptEnded(nil, err)
			// Callers may ask for another attempt, but not more often than redialMin.
			if !sleep(ctx, redialMin) {
				return
			}
			select {
			case <-ctx.Done():
				return
			case <-l.kick:
			case <-time.After(pause - redialMin):
			}
			pause = min(2*pause, redialMax)
			continue
		}
		pause = redialMin
		s := &session{conn: c, out: make(chan frame, outQueue), done: make(chan struct{})}
		s.mu.pending = map[uint64]chan frame{}
		if !l.bus.spawn(func() { l.bus.writeFrames(c, s.out, s.done, l.bus.opt.PingEvery) }) {
			c.Close()
			return
		}
		l.attemptEnded(s, nil)
		lost = l.read(s)
		l.mu.Lock()
		l.mu.up = nil
		l.mu.Unlock()
		s.over()
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// attemptEnded publishes the outcome of an attempt to connect.
func (l *link) attemptEnded(s *session, err error) {
	l.mu.Lock()
	l.mu.up, l.mu.err = s, err
	close(l.mu.attempt)
	l.mu.attempt = make(chan struct{})
	l.mu.Unlock()
}

// read hands answers to their callers until the connection ends; it reports whether the
// other side ended it.
func (l *link) read(s *session) (lost bool) {
	r := bufio.NewReaderSize(&silenceReader{c: s.conn, after: l.bus.opt.SilentAfter, wanted: l.wanted}, 16<<10)
	for {
		f, err := readFrame(r)
		if err != nil {
			if errors.Is(err, errFrame) {
				l.bus.drop(DropFrame)
			}
			return !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, net.ErrClosed)
		}
		switch f.typ {
		case framePong:
		case frameReply, frameError, frameNone, frameBusy:
			s.mu.Lock()
			ch := s.mu.pending[f.id]
			delete(s.mu.pending, f.id)
			s.mu.Unlock()
			if ch != nil {
				ch <- f // capacity 1, and the id was pending once
			}
		default:
			l.bus.drop(DropFrame)
			return false
		}
	}
}

// silenceReader gives each read SilentAfter to bring something, and none when nobody
// wants the connection any more.
type silenceReader struct {
	c      *conn
	after  time.Duration
	wanted func() bool
}

func (r *silenceReader) Read(p []byte) (int, error) {
	if !r.wanted() {
		return 0, os.ErrDeadlineExceeded
	}
	r.c.SetReadDeadline(time.Now().Add(r.after))
	return r.c.Read(p)
}

// over fails what is pending and closes the connection.
func (s *session) over() {
	s.mu.Lock()
	s.mu.over = true
	pending := s.mu.pending
	s.mu.pending = nil
	s.mu.Unlock()
	close(s.done)
	s.conn.Close()
	for _, ch := range pending {
		close(ch)
	}
}

// session waits for a connection: the one there is, or the outcome of one attempt.
func (l *link) session(ctx context.Context) (*session, error) {
	l.used.Store(clock.Mono())
	l.mu.Lock()
	if l.mu.up != nil || l.mu.ended {
		defer l.mu.Unlock()
		if l.mu.ended {
			return nil, ErrClosed
		}
		return l.mu.up, nil
	}
	attempt := l.mu.attempt
	l.mu.Unlock()
	l.wake()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-attempt:
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.up != nil {
		return l.mu.up, nil
	}
	if l.mu.err != nil {
		return nil, l.mu.err
	}
	return nil, ErrLost
}

// Call sends a request to a member and waits for its answer. The connection is kept and
// shared by all callers. After ErrLost or the end of ctx the outcome is unknown.
func (b *Bus) Call(ctx context.Context, node string, kind uint8, req []byte) ([]byte, error) {
	if len(req) > MaxPayload {
		return nil, errFrame
	}
	s, err := b.link(node).session(ctx)
	if err != nil {
		return nil, err
	}
	id := s.ids.Add(1)
	ch := make(chan frame, 1)
	s.mu.Lock()
	if s.mu.over {
		s.mu.Unlock()
		return nil, ErrLost
	}
	s.mu.pending[id] = ch
	s.mu.Unlock()
	select {
	case s.out <- frame{typ: frameRequest, kind: kind, id: id, payload: req}:
	default:
		s.forget(id)
		return nil, ErrBusy
	}
	select {
	case <-ctx.Done():
		s.forget(id)
		return nil, ctx.Err()
	case f, ok := <-ch:
		if !ok {
			return nil, ErrLost
		}
		return answer(f)
	}
}

func (s *session) forget(id uint64) {
	s.mu.Lock()
	delete(s.mu.pending, id)
	s.mu.Unlock()
}

func answer(f frame) ([]byte, error) {
	switch f.typ {
	case frameReply:
		return f.payload, nil
	case frameError:
		return nil, &RemoteError{Text: string(f.payload)}
	case frameBusy:
		return nil, ErrBusy
	}
	return nil, ErrNoHandler
}

// CallAddr makes one ProtoOpen call to whoever listens at addr, member or not, and says
// who answered.
func (b *Bus) CallAddr(ctx context.Context, addr string, kind uint8, req []byte) ([]byte, Peer, error) {
	c, err := b.dialAddr(ctx, ProtoOpen, addr, "")
	if err != nil {
		return nil, Peer{}, err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := c.Write(appendFrame(nil, frame{typ: frameRequest, kind: kind, id: 1, payload: req})); err != nil {
		return nil, c.peer, ctxOr(ctx, err)
	}
	f, err := readFrame(c)
	if err != nil {
		return nil, c.peer, ctxOr(ctx, err)
	}
	p, err := answer(f)
	return p, c.peer, err
}

func ctxOr(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}
