package transfer

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// SyncOptions say what is wanted of a server.
type SyncOptions struct {
	// RDBOnly asks for no stream behind the RDB.
	RDBOnly bool
	// ReplID and Offset are the history that is here, and how far: the server is asked to go
	// on behind it. "": for all of its data.
	ReplID string
	Offset int64
}

// Source is a server's data as its replicas get them: one RDB, then the stream from there;
// or the stream alone.
type Source struct {
	c *Conn
	// ReplID names the history that the stream belongs to, Offset is where it begins.
	ReplID string
	Offset int64
	// Continued: no RDB comes, the stream goes on from SyncOptions.Offset.
	Continued bool
	// Size is the length of the RDB, -1: not told.
	Size int64

	rdb   io.Reader
	out   sync.Mutex
	got   atomic.Int64  // offset up to which the stream was received
	acked chan struct{} // has room for one: the source is to be told how far that is
}

// maxLine is the longest line of a handshake.
const maxLine = 4 << 10

// Sync connects to a server as a replica and returns when its RDB, or its stream, begins.
func Sync(ctx context.Context, ep Endpoint, o SyncOptions) (*Source, error) {
	c, err := Dial(ctx, ep)
	if err != nil {
		return nil, err
	}
	s := &Source{c: c, Size: -1, acked: make(chan struct{}, 1)}
	if err := s.handshake(o); err != nil {
		c.Close()
		return nil, err
	}
	return s, nil
}

func (s *Source) handshake(o SyncOptions) error {
	// Words that a server does not know here it ignores; rdb12 is Redwing's.
	if _, err := s.c.Do("REPLCONF", "capa", "eof", "capa", "psync2", "capa", "rdb12"); err != nil {
		return err
	}
	if o.RDBOnly {
		if _, err := s.c.Do("REPLCONF", "rdb-only", "1"); err != nil {
			return err
		}
	}
	id, from := "?", int64(-1)
	if o.ReplID != "" {
		id, from = o.ReplID, o.Offset+1 // the first byte that is not here
	}
	if err := s.c.Send("PSYNC", id, strconv.FormatInt(from, 10)); err != nil {
		return err
	}
	line, err := s.line()
	if err != nil {
		return err
	}
	words := strings.Fields(line)
	switch {
	case line[0] == '-':
		return &ReplyError{Addr: s.c.Addr(), Command: "PSYNC", Text: line[1:]}
	case o.ReplID != "" && words[0] == "+CONTINUE":
		s.Continued, s.ReplID, s.Offset = true, o.ReplID, o.Offset
		if len(words) > 1 {
			s.ReplID = words[1] // the history has got another name
		}
		s.got.Store(s.Offset)
		return nil
	case len(words) != 3 || words[0] != "+FULLRESYNC":
		return fmt.Errorf("%s: PSYNC is answered by %.200q: %w", s.c.Addr(), line, ErrRefused)
	}
	s.ReplID = words[1]
	if s.Offset, err = strconv.ParseInt(words[2], 10, 64); err != nil || s.Offset < 0 {
		return fmt.Errorf("%s: PSYNC is answered by %.200q: %w", s.c.Addr(), line, ErrRefused)
	}
	s.got.Store(s.Offset)
	return s.announcement()
}

// announcement reads the line before the RDB: its length, or the mark that will end it.
func (s *Source) announcement() error {
	line, err := s.line()
	if err != nil {
		return err
	}
	if mark, ok := strings.CutPrefix(line, "$EOF:"); ok && len(mark) == markBytes {
		s.rdb = &markedReader{in: s.c.in, mark: []byte(mark)}
		return nil
	}
	n, err := strconv.ParseInt(strings.TrimPrefix(line, "$"), 10, 64)
	if err != nil || n < 0 || line[0] != '$' {
		return fmt.Errorf("%s: an RDB is announced by %.200q", s.c.Addr(), line)
	}
	s.Size = n
	s.rdb = &sizedReader{in: s.c.in, left: n}
	return nil
}

// line reads a line, past empty ones: a server that prepares an RDB sends them as a sign
// of life.
func (s *Source) line() (string, error) {
	for {
		if err := s.c.conn.SetReadDeadline(time.Now().Add(s.c.ep.timeout())); err != nil {
			return "", s.c.explain(err)
		}
		b, err := s.c.in.ReadSlice('\n')
		if err != nil {
			return "", s.c.explain(err)
		}
		if len(b) > maxLine {
			return "", fmt.Errorf("%s: over-long line", s.c.Addr())
		}
		if t := strings.TrimRight(string(b), "\r\n"); t != "" {
			return t, nil
		}
	}
}

// RDB returns the RDB, which ends with io.EOF.
func (s *Source) RDB() io.Reader { return &timedReader{s: s, r: s.rdb} }

// timedReader reads with the silence of the server bounded.
type timedReader struct {
	s *Source
	r io.Reader
}

func (t *timedReader) Read(b []byte) (int, error) {
	c := t.s.c
	if err := c.conn.SetReadDeadline(time.Now().Add(c.ep.timeout())); err != nil {
		return 0, c.explain(err)
	}
	n, err := t.r.Read(b)
	if err != nil && !errors.Is(err, errEnd) {
		return n, c.explain(err)
	}
	if err != nil {
		err = io.EOF
	}
	return n, err
}

// errEnd is the end of an RDB, which is not that of its connection.
var errEnd = errors.New("end of the RDB")

// sizedReader reads a number of bytes.
type sizedReader struct {
	in   *bufio.Reader
	left int64
}

func (r *sizedReader) Read(b []byte) (int, error) {
	if r.left == 0 {
		return 0, errEnd
	}
	n, err := r.in.Read(b[:min(int64(len(b)), r.left)])
	r.left -= int64(n)
	return n, err
}

// markBytes is how long the mark at the end of an RDB of unknown length is.
const markBytes = 40

// markedReader reads up to a mark of random digits, and takes that too. Nothing behind it
// is touched.
type markedReader struct {
	in   *bufio.Reader
	mark []byte
	end  bool
}

func (r *markedReader) Read(b []byte) (int, error) {
	if r.end {
		return 0, errEnd
	}
	if len(b) == 0 {
		return 0, nil
	}
	// As long as the mark may have begun, at least its length must be there.
	if _, err := r.in.Peek(markBytes); err != nil {
		return 0, err
	}
	window, _ := r.in.Peek(r.in.Buffered()) // what is buffered can be had
	at := bytes.Index(window, r.mark)
	if at == 0 {
		_, _ = r.in.Discard(markBytes)
		r.end = true
		return 0, errEnd
	}
	if at < 0 {
		at = len(window) - markBytes + 1 // the rest may be the mark's beginning
	}
	n := copy(b, window[:at])
	_, _ = r.in.Discard(n)
	return n, nil
}

// pulsePeriod is how often the source is told that this replica lives.
const pulsePeriod = time.Second

// Receive takes all that the source sends: the RDB, if one comes, into rdb, which is closed
// behind it, then the stream into stream, until the connection ends or ctx does. It keeps
// telling the source how far it has come.
func (s *Source) Receive(ctx context.Context, rdb, stream *Spool) error {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.pulse(ctx)
	}()
	defer func() { cancel(); <-done }()
	if !s.Continued {
		if _, err := io.Copy(rdb, s.RDB()); err != nil {
			return err
		}
		rdb.CloseWrite(nil)
	}
	s.Acknowledge() // the stream begins when the source knows that the RDB is here
	buf := make([]byte, readBuffer)
	for {
		if err := s.c.conn.SetReadDeadline(time.Now().Add(s.c.ep.timeout())); err != nil {
			return s.c.explain(err)
		}
		n, err := s.c.in.Read(buf)
		if n > 0 {
			if _, werr := stream.Write(buf[:n]); werr != nil {
				return werr
			}
			s.got.Add(int64(n))
		}
		if err != nil {
			return s.c.explain(err)
		}
	}
}

// Received returns the offset up to which the stream was received.
func (s *Source) Received() int64 { return s.got.Load() }

// pulse sends newlines while the RDB comes, acknowledgements from then on. What is
// acknowledged is what was received: it is this process that would lose it.
func (s *Source) pulse(ctx context.Context) {
	tick := time.NewTicker(pulsePeriod)
	defer tick.Stop()
	streaming := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.acked:
			streaming = true
		case <-tick.C:
		}
		if s.tell(streaming) != nil {
			return // the reading side meets the same end
		}
	}
}

func (s *Source) tell(streaming bool) error {
	s.out.Lock()
	defer s.out.Unlock()
	if !streaming {
		return s.c.write([]byte("\n"))
	}
	return s.c.Send("REPLCONF", "ACK", strconv.FormatInt(s.got.Load(), 10))
}

// Acknowledge tells the source at once how far the stream was received.
func (s *Source) Acknowledge() {
	select {
	case s.acked <- struct{}{}:
	default: // it is being told
	}
}

// Close ends the connection.
func (s *Source) Close() { s.c.Close() }
