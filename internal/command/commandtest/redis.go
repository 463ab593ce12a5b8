package commandtest

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/resp"
)

// Redis is a real redis-server that ends with its test, and a connection to it. It
// belongs to one goroutine.
type Redis struct {
	t    testing.TB
	conn net.Conn
	in   *bufio.Reader
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
			return &Redis{t, conn, bufio.NewReader(conn)}
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
	if _, err := r.conn.Write(resp.AppendCommand(nil, Args(words...)...)); err != nil {
		r.t.Fatalf("redis-server, %q: %v", words, err)
	}
	_, raw, err := ReadReply(r.in)
	if err != nil {
		r.t.Fatalf("redis-server, %q: %v", words, err)
	}
	return raw
}

// Ask is Do with the reply parsed; an error reply fails the test.
func (r *Redis) Ask(words ...string) Reply {
	r.t.Helper()
	v, err := Parse(r.Do(words...))
	if err == nil && v.Kind == '-' {
		err = fmt.Errorf("replied %s", v.Text)
	}
	if err != nil {
		r.t.Fatalf("redis-server, %q: %v", words, err)
	}
	return v
}
