package commandtest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/redistest"
	"github.com/redwingdb/redwing/internal/resp"
)

// Redis is a connection to a server, in most tests a real redis-server that ends with
// its test. It belongs to one goroutine.
type Redis struct {
	t      testing.TB
	socket string
	conn   net.Conn
	in     *bufio.Reader
}

// replyWait bounds how long a reply may take.
const replyWait = 20 * time.Second

// Dial returns a connection to the server at a unix socket.
func Dial(t testing.TB, socket string) *Redis {
	t.Helper()
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &Redis{t, socket, conn, bufio.NewReader(conn)}
}

// Again returns another connection to the same server.
func (r *Redis) Again() *Redis {
	r.t.Helper()
	return Dial(r.t, r.socket)
}

// StartRedis starts a redis-server on a socket of its own, without persistence, and
// returns a connection to it.
func StartRedis(t testing.TB, args ...string) *Redis {
	t.Helper()
	return Dial(t, redistest.StartAtSocket(t, args...))
}

// Do sends a request and returns the bytes of its reply.
func (r *Redis) Do(words ...string) []byte {
	r.t.Helper()
	r.Send(resp.AppendCommand(nil, Args(words...)...))
	raw, err := r.Receive()
	if err != nil {
		r.t.Fatalf("%q: %v", words, err)
	}
	return raw
}

// Send writes b as it stands.
func (r *Redis) Send(b []byte) {
	r.t.Helper()
	r.conn.SetDeadline(time.Now().Add(replyWait))
	if _, err := r.conn.Write(b); err != nil {
		r.t.Fatal(err)
	}
}

// Receive returns the bytes of the next reply, io.EOF once the server has closed.
func (r *Redis) Receive() ([]byte, error) {
	_, raw, err := ReadReply(r.in)
	return raw, err
}

// Exchange sends b over a connection of its own, closes it for writing and returns all
// that comes back until the server closes it too.
func (r *Redis) Exchange(b []byte) []byte {
	r.t.Helper()
	conn, err := net.Dial("unix", r.socket)
	if err != nil {
		r.t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(replyWait))
	if _, err := conn.Write(b); err == nil { // a server that has closed already has still answered
		conn.(*net.UnixConn).CloseWrite()
	}
	got, err := io.ReadAll(conn)
	if err != nil && !errors.Is(err, syscall.ECONNRESET) {
		r.t.Fatalf("%.200q: %v", b, err)
	}
	return got
}

// Ask is Do with the reply parsed; an error reply fails the test.
func (r *Redis) Ask(words ...string) Reply {
	r.t.Helper()
	v, err := Parse(r.Do(words...))
	if err == nil && v.Kind == '-' {
		err = fmt.Errorf("replied %s", v.Text)
	}
	if err != nil {
		r.t.Fatalf("%q: %v", words, err)
	}
	return v
}
