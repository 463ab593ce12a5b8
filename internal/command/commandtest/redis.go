package commandtest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

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

// startWait bounds how long redis-server may take to answer.
const startWait = 10 * time.Second

// StartRedis starts the redis-server of this machine on a socket of its own, without
// persistence. The test fails where there is none.
func StartRedis(t testing.TB, args ...string) *Redis {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatalf("redis-server, the oracle of this test, is missing: install the Debian package redis-server (%v)", err)
	}
	dir, err := os.MkdirTemp("", "rw") // t.TempDir may be too long for a socket's name
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	cmd := exec.Command(path, append([]string{"--port", "0", "--unixsocket", socket, "--save", "", "--dir", dir}, args...)...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	deadline := time.Now().Add(startWait)
	for {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			t.Cleanup(func() { conn.Close() })
			return &Redis{t, socket, conn, bufio.NewReader(conn)}
		}
		if time.Now().After(deadline) {
			t.Fatalf("redis-server does not answer after %v: %v", startWait, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
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
