package replication

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/redwingdb/redwing/internal/resp"
)

// Target is the server to follow.
type Target struct {
	Host string
	Port int
	// Mark is what the server must prove to be before this node gives up its own data.
	// The zero Mark demands nothing.
	Mark Mark
}

// sameServer reports whether o names the same process.
func (t Target) sameServer(o Target) bool {
	return t.Host == o.Host && t.Port == o.Port && t.Mark.sameShard(o.Mark) && t.Mark.Run == o.Mark.Run
}

// Bounds of a link.
const (
	retryFirst  = 100 * time.Millisecond // after the first retry, which is immediate
	retryMost   = time.Second
	dialTimeout = 5 * time.Second
	maxLine     = 4 << 10 // longest line of a handshake
)

// link follows one target: connection after connection, until it is cancelled.
//
//	dial --> handshake --> PSYNC --+CONTINUE--------------> stream
//	 ^                         '---+FULLRESYNC--> load RDB ----^
//	 '----- pause, at most 1 s <---- any error ----------------'
type link struct {
	r      *Replication
	ctx    context.Context
	cancel context.CancelFunc
	prev   <-chan struct{} // the link before has ended
	done   chan struct{}

	// conn is the connection in use, nil: none.
	conn      atomic.Pointer[linkConn]
	connected atomic.Bool
	inSync    atomic.Bool // a full sync is running
	loaded    atomic.Int64
	total     atomic.Int64 // bytes of the RDB, 0 if not told
	loadAt    atomic.Int64 // Unix seconds when its keys began to come
	usedMem   atomic.Int64 // bytes that it says the primary uses
	lastIO    atomic.Int64 // clock.Mono, 0: never
	downSince atomic.Int64 // clock.Mono since the link is down
}

// startLinkLocked begins to follow r.mu.target. REQUIRES: r.mu held, no link.
func (r *Replication) startLinkLocked() {
	l := &link{r: r, prev: r.mu.lastLink, done: make(chan struct{})}
	l.ctx, l.cancel = context.WithCancel(r.ctx)
	l.downSince.Store(r.mono())
	r.mu.link, r.mu.lastLink = l, l.done
	r.wg.Add(1)
	go func() {
		defer r.wg.Done()
		defer close(l.done)
		l.run()
	}()
}

// stopLinkLocked ends the link without waiting. REQUIRES: r.mu held.
func (r *Replication) stopLinkLocked() {
	if r.mu.link != nil {
		r.mu.link.cancel()
		r.mu.link = nil
	}
	r.linkUp.Store(false)
}

func (l *link) run() {
	if l.prev != nil {
		<-l.prev
	}
	log := l.r.log
	for failures := 0; l.ctx.Err() == nil; failures++ {
		if pause := retryPause(failures); pause > 0 {
			select {
			case <-l.ctx.Done():
				return
			case <-l.r.o.Clock.After(pause):
			}
		}
		began := l.r.mono()
		linked, err := l.session()
		l.setUp(false)
		l.connected.Store(false)
		if l.ctx.Err() != nil {
			return
		}
		if linked && since(l.r.mono(), began) > retryMost {
			failures = -1 // come back at once
		}
		log.Warn("link to primary ended", zap.Error(err))
	}
}

// retryPause is how long to wait before another try: not at all after the first
// failure, then longer and longer.
func retryPause(failures int) time.Duration {
	if failures < 2 {
		return 0
	}
	return min(retryMost, retryFirst<<min(failures-2, 10))
}

// setUp says whether the link is in sync, unless another link has taken over.
func (l *link) setUp(up bool) {
	r := l.r
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.link != l {
		return
	}
	if r.linkUp.Swap(up) && !up {
		l.downSince.Store(r.mono())
	}
}

// times returns the seconds since the last byte and since the link is down; -1 for
// what does not apply.
func (l *link) times(now int64) (lastIO, down int64) {
	lastIO, down = -1, -1
	if at := l.lastIO.Load(); at != 0 {
		lastIO = int64(since(now, at) / time.Second)
	}
	if !l.r.linkUp.Load() {
		down = int64(since(now, l.downSince.Load()) / time.Second)
	}
	return lastIO, down
}

// session is one connection to the primary, from dialing to its end.
type session struct {
	l    *link
	r    *Replication
	conn net.Conn
	in   *bufio.Reader
	mark Mark // what the primary must be

	out struct {
		sync.Mutex
		buf []byte
	}
}

// session connects, synchronises and applies the stream. linked is set if that far
// it came.
func (l *link) session() (linked bool, err error) {
	r := l.r
	set := r.settings()
	r.mu.Lock()
	target := r.mu.target
	r.mu.Unlock()
	if target == nil {
		return false, context.Canceled
	}
	dialCtx, cancel := context.WithTimeout(l.ctx, min(dialTimeout, set.Timeout))
	defer cancel()
	conn, err := r.o.Dial(dialCtx, target.addr())
	if err != nil {
		return false, err
	}
	defer conn.Close()
	stop := context.AfterFunc(l.ctx, func() { _ = conn.Close() }) // wakes whoever reads
	defer stop()
	l.conn.Store(&linkConn{conn, r.o.newClientID(), r.mono()})
	defer l.conn.Store(nil)
	l.connected.Store(true)
	s := &session{l: l, r: r, conn: conn, mark: target.Mark}
	s.in = bufio.NewReaderSize(&timedReader{l: l, conn: conn, timeout: set.Timeout}, 64<<10)
	if err := s.greet(set); err != nil {
		return false, err
	}
	if err := s.sync(); err != nil {
		return false, err
	}
	return true, s.stream()
}

// timedReader reads from a connection and gives up after a silence.
type timedReader struct {
	l       *link
	conn    net.Conn
	timeout time.Duration
}

func (t *timedReader) Read(b []byte) (int, error) {
	if err := t.conn.SetReadDeadline(time.Now().Add(t.timeout)); err != nil {
		return 0, err
	}
	n, err := t.conn.Read(b)
	if n > 0 {
		now := t.l.r.mono()
		t.l.lastIO.Store(now)
		if t.l.r.linkUp.Load() {
			t.l.r.streamIO.Store(now)
		}
		if t.l.inSync.Load() {
			t.l.loaded.Add(int64(n))
		}
	}
	return n, err
}

// send writes a request to the primary.
func (s *session) send(args ...string) error {
	s.out.Lock()
	defer s.out.Unlock()
	b := make([][]byte, len(args))
	for i, a := range args {
		b[i] = []byte(a)
	}
	s.out.buf = resp.AppendCommand(s.out.buf[:0], b...)
	return s.writeLocked(s.out.buf)
}

func (s *session) writeLocked(b []byte) error {
	if err := s.conn.SetWriteDeadline(time.Now().Add(s.r.settings().Timeout)); err != nil {
		return err
	}
	_, err := s.conn.Write(b)
	return err
}

// line reads a line of a reply, past empty lines: a primary that prepares something
// sends them as a sign of life.
func (s *session) line() (string, error) {
	for {
		b, err := s.in.ReadSlice('\n')
		if err != nil {
			return "", err
		}
		if len(b) > maxLine {
			return "", errors.New("replication: over-long line from the primary")
		}
		if t := strings.TrimRight(string(b), "\r\n"); t != "" {
			return t, nil
		}
	}
}

// greet logs in and says who this node is.
func (s *session) greet(set Settings) error {
	type step struct {
		args []string
		must bool // an error ends the session
	}
	var steps []step
	if set.Password != "" {
		auth := []string{"AUTH", set.Password}
		if set.User != "" {
			auth = []string{"AUTH", set.User, set.Password}
		}
		steps = append(steps, step{auth, true})
	}
	if set.AnnouncePort != 0 {
		steps = append(steps, step{[]string{"REPLCONF", "listening-port", strconv.Itoa(set.AnnouncePort)}, false})
	}
	if set.AnnounceIP != "" {
		steps = append(steps, step{[]string{"REPLCONF", "ip-address", set.AnnounceIP}, false})
	}
	steps = append(steps, step{[]string{"REPLCONF", "capa", "eof", "capa", "psync2", "capa", capaLatest}, false})
	if s.mark != (Mark{}) {
		if s.r.o.Node != nil {
			steps = append(steps, step{[]string{"REPLCONF", "rw-node", s.r.o.Node() + "/" + s.r.o.Run}, false})
		}
		// A server that is not this primary at this term answers an error.
		steps = append(steps, step{[]string{"REPLCONF", "rw-shard", s.mark.String()}, s.r.o.Cluster})
	}
	for _, st := range steps {
		if err := s.send(st.args...); err != nil {
			return err
		}
	}
	for _, st := range steps {
		reply, err := s.line()
		if err != nil {
			return err
		}
		if strings.HasPrefix(reply, "-") && st.must {
			return fmt.Errorf("replication: primary refuses %s: %s", strings.Join(st.args[:2], " "), reply[1:])
		}
	}
	return nil
}

// sync asks for the stream and, where the primary cannot go on from here, loads its
// data set.
func (s *session) sync() error {
	r := s.r
	r.mu.Lock()
	id, next := "?", "-1"
	if r.mu.resume && !r.mu.dirty && r.o.Log.Refused() == 0 {
		id, next = string(r.mu.history.id), strconv.FormatInt(r.o.Log.Offset()+1, 10)
	}
	request := []string{"PSYNC", id, next}
	f := r.asksLocked()
	if f != nil {
		request = append(request, "FAILOVER")
	}
	r.mu.Unlock()
	if err := s.send(request...); err != nil {
		return err
	}
	reply, err := s.line()
	if err != nil {
		return err
	}
	if f != nil {
		r.settleFailover(f, strings.HasPrefix(reply, "+CONTINUE") || strings.HasPrefix(reply, "+FULLRESYNC"))
	}
	words := strings.Fields(reply)
	switch {
	case len(words) == 0:
	case words[0] == "+CONTINUE" && id != "?":
		newID := ID(id)
		if len(words) > 1 && validID(words[1]) {
			newID = ID(words[1])
		}
		return s.goOn(newID)
	case words[0] == "+FULLRESYNC" && len(words) == 3 && validID(words[1]):
		offset, err := strconv.ParseInt(words[2], 10, 64)
		if err != nil || offset < 0 {
			break
		}
		s.l.inSync.Store(true)
		defer s.l.inSync.Store(false)
		if err := s.awaitMayDrop(); err != nil {
			return err
		}
		if err := s.load(ID(words[1]), offset); err != nil {
			return err
		}
		if w := r.hearers.Waits; w != nil {
			w.RetryAll(nil) // what is waited for may have come with the data
		}
		return nil
	}
	return fmt.Errorf("replication: primary answers PSYNC by %q", reply)
}

// goOn takes up the stream where it was left.
func (s *session) goOn(id ID) error {
	r := s.r
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.link != s.l {
		return context.Canceled
	}
	if id != r.mu.history.id {
		r.mu.history.adopt(id, r.o.Log.Offset())
		r.dropReplicasLocked("the history has a new id") // they come back and learn it
	}
	r.o.Log.SetBacklog(true, 0)
	r.linkUpLocked(s.mark.Term)
	r.log.Info("partial resync", zap.Int64("offset", r.o.Log.Offset()))
	return nil
}

// linkUpLocked says that this node is in sync with a primary of the given term.
func (r *Replication) linkUpLocked(term uint64) {
	r.mu.resume = true
	r.mu.linked = max(r.mu.linked, term)
	r.streamIO.Store(r.mono())
	r.linkUp.Store(true)
}
