package transfer

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"syscall"
	"time"

	"github.com/redwingdb/redwing/internal/resp"
)

// Endpoint is a server and how to log in there.
type Endpoint struct {
	Addr           string // host:port
	User, Password string // no password: no AUTH
	// TLS is how to speak TLS; nil: not at all. Without a ServerName the host of Addr is it.
	TLS *tls.Config
	// Timeout bounds dialling, each write, and the silence of the server. 0: a minute.
	Timeout time.Duration
}

func (e Endpoint) timeout() time.Duration {
	if e.Timeout <= 0 {
		return time.Minute
	}
	return e.Timeout
}

// Conn is a connection of one goroutine at a time; reading and writing may be two.
type Conn struct {
	ep   Endpoint
	conn net.Conn
	in   *bufio.Reader
	out  []byte
	stop func() bool
}

// readBuffer is the size of a connection's read buffer; an end mark must fit in.
const readBuffer = 64 << 10

// Dial connects and logs in. The connection is closed when ctx ends.
func Dial(ctx context.Context, ep Endpoint) (*Conn, error) {
	d := net.Dialer{Timeout: min(ep.timeout(), 5*time.Second)}
	nc, err := d.DialContext(ctx, "tcp", ep.Addr)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be reached: %w", ep.Addr, rootCause(err))
	}
	if ep.TLS != nil {
		if nc, err = greet(ctx, nc, ep); err != nil {
			return nil, fmt.Errorf("%s: TLS: %w", ep.Addr, err)
		}
	}
	c := &Conn{ep: ep, conn: nc, in: bufio.NewReaderSize(nc, readBuffer)}
	c.stop = context.AfterFunc(ctx, func() { _ = nc.Close() }) // wakes whoever waits
	if ep.Password != "" {
		auth := []string{"AUTH", ep.Password}
		if ep.User != "" {
			auth = []string{"AUTH", ep.User, ep.Password}
		}
		if _, err := c.Do(auth...); err != nil {
			c.Close()
			return nil, err
		}
	}
	return c, nil
}

// greet does the TLS handshake. It closes nc if that fails.
func greet(ctx context.Context, nc net.Conn, ep Endpoint) (net.Conn, error) {
	cfg := ep.TLS
	if cfg.ServerName == "" {
		host, _, err := net.SplitHostPort(ep.Addr)
		if err != nil {
			_ = nc.Close()
			return nil, err
		}
		cfg = cfg.Clone()
		cfg.ServerName = host
	}
	ctx, cancel := context.WithTimeout(ctx, ep.timeout())
	defer cancel()
	t := tls.Client(nc, cfg)
	if err := t.HandshakeContext(ctx); err != nil {
		_ = nc.Close()
		return nil, err
	}
	return t, nil
}

// rootCause strips the address, which the caller names.
func rootCause(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}

// Close closes the connection.
func (c *Conn) Close() {
	c.stop()
	_ = c.conn.Close() // nothing is lost: what matters has been acknowledged
}

// Addr returns the server's address.
func (c *Conn) Addr() string { return c.ep.Addr }

// Do sends a request and returns the reply. An error that the server answers is returned
// as *ReplyError.
func (c *Conn) Do(args ...string) (Reply, error) {
	if err := c.Send(args...); err != nil {
		return Reply{}, err
	}
	r, err := c.Reply()
	if err != nil {
		return r, err
	}
	if r.Kind == '-' {
		return r, &ReplyError{Addr: c.ep.Addr, Command: args[0], Text: string(r.Text)}
	}
	return r, nil
}

// ReplyError is an error that a server has answered.
type ReplyError struct{ Addr, Command, Text string }

func (e *ReplyError) Error() string { return e.Addr + ": " + e.Command + ": " + e.Text }

// Send sends a request.
func (c *Conn) Send(args ...string) error {
	b := make([][]byte, len(args))
	for i, a := range args {
		b[i] = []byte(a)
	}
	c.out = resp.AppendCommand(c.out[:0], b...)
	return c.write(c.out)
}

func (c *Conn) write(b []byte) error {
	if err := c.conn.SetWriteDeadline(time.Now().Add(c.ep.timeout())); err != nil {
		return c.explain(err)
	}
	_, err := c.conn.Write(b)
	return c.explain(err)
}

// Reply reads a reply.
func (c *Conn) Reply() (Reply, error) {
	if err := c.conn.SetReadDeadline(time.Now().Add(c.ep.timeout())); err != nil {
		return Reply{}, c.explain(err)
	}
	r, err := readReply(c.in)
	return r, c.explain(err)
}

func (c *Conn) explain(err error) error {
	var timeout net.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%s has closed the connection: %w", c.ep.Addr, io.ErrUnexpectedEOF)
	case errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Errorf("%s: %w: silent for %v", c.ep.Addr, ErrStalled, c.ep.timeout())
	}
	return fmt.Errorf("%s: %w", c.ep.Addr, rootCause(err))
}

// Broken reports whether err is that of a connection, not an answer.
func Broken(err error) bool {
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNREFUSED)
}

// Reply is a reply in RESP2.
type Reply struct {
	Kind  byte // '+', '-', ':', '$' or '*'
	Text  []byte
	Int   int64
	Null  bool
	Elems []Reply
}

// String returns the text of a reply, the number of an integer.
func (r Reply) String() string {
	if r.Kind == ':' {
		return strconv.FormatInt(r.Int, 10)
	}
	return string(r.Text)
}

// Bounds of replies.
const (
	maxReplyBulk  = 4 << 30
	maxReplyElems = 64 << 20
	maxReplyDepth = 16
	// replyStep is how much memory a length alone takes.
	replyStep = 1 << 20
)

var errReply = errors.New("the reply is no RESP")

func readReply(in *bufio.Reader) (Reply, error) { return readNested(in, 0) }

func readNested(in *bufio.Reader, depth int) (r Reply, err error) {
	line, err := in.ReadSlice('\n')
	if err != nil {
		if errors.Is(err, bufio.ErrBufferFull) {
			err = errReply
		}
		return r, err
	}
	if len(line) < 3 || line[len(line)-2] != '\r' || depth > maxReplyDepth {
		return r, errReply
	}
	r.Kind = line[0]
	text := line[1 : len(line)-2]
	switch r.Kind {
	case '+', '-':
		r.Text = append([]byte(nil), text...)
		return r, nil
	case ':', '$', '*':
		if r.Int, err = strconv.ParseInt(string(text), 10, 64); err != nil {
			return r, errReply
		}
	default:
		return r, errReply
	}
	n := r.Int
	switch {
	case r.Kind == ':':
		return r, nil
	case n < 0:
		r.Null = true
		return r, nil
	case r.Kind == '$':
		if n > maxReplyBulk {
			return r, errReply
		}
		r.Text, err = readBulk(in, n)
		return r, err
	case n > maxReplyElems:
		return r, errReply
	}
	r.Elems = make([]Reply, 0, min(n, 1024))
	for range n {
		e, err := readNested(in, depth+1)
		if err != nil {
			return r, err
		}
		r.Elems = append(r.Elems, e)
	}
	return r, nil
}

// readBulk reads n bytes and the line end behind them; memory is taken as they come.
func readBulk(in *bufio.Reader, n int64) ([]byte, error) {
	b := make([]byte, 0, min(n, replyStep))
	for int64(len(b)) < n {
		step := int(min(n-int64(len(b)), max(replyStep, int64(len(b)))))
		at := len(b)
		b = append(b, make([]byte, step)...)
		if _, err := io.ReadFull(in, b[at:]); err != nil {
			return nil, err
		}
	}
	var end [2]byte
	if _, err := io.ReadFull(in, end[:]); err != nil {
		return nil, err
	}
	if end != [2]byte{'\r', '\n'} {
		return nil, errReply
	}
	return b, nil
}

// pipeline sends n requests at once and returns their replies; an error among them is
// returned as such.
func (c *Conn) pipeline(n int, request func(i int) []string) ([]Reply, error) {
	replies, err := c.pipelined(n, request)
	for i, r := range replies {
		if r.Kind == '-' {
			return nil, &ReplyError{Addr: c.ep.Addr, Command: request(i)[0], Text: string(r.Text)}
		}
	}
	return replies, err
}

// pipelined is pipeline with errors among the replies.
func (c *Conn) pipelined(n int, request func(i int) []string) ([]Reply, error) {
	var out []byte
	for i := range n {
		words := request(i)
		args := make([][]byte, len(words))
		for k, w := range words {
			args[k] = []byte(w)
		}
		out = resp.AppendCommand(out, args...)
	}
	if n == 0 {
		return nil, nil
	}
	if err := c.write(out); err != nil {
		return nil, err
	}
	replies := make([]Reply, n)
	for i := range replies {
		var err error
		if replies[i], err = c.Reply(); err != nil {
			return nil, err
		}
	}
	return replies, nil
}
