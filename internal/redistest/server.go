// Package redistest starts Debian's redis-server for tests that compare with it or
// talk to it, and has a client that gives replies as plain text. Only tests and helpers
// of tests import it.
package redistest

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// Lookup returns the path of a program of the Debian package redis-server or
// redis-tools; it fails the test where that is missing.
func Lookup(t testing.TB, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Fatalf("%s is needed: install the Debian packages redis-server and redis-tools (%v)", program, err)
	}
	return path
}

// Server is a running redis-server.
type Server struct {
	Host string
	Port int
	Dir  string

	t    testing.TB
	args []string
}

// Start starts a redis-server in a directory of its own, with the given directives
// ("--name", "value", ...) and without save points. It ends with the test.
func Start(t testing.TB, directives ...string) *Server {
	t.Helper()
	return StartIn(t, t.TempDir(), directives...)
}

// StartIn is Start in a given directory.
func StartIn(t testing.TB, dir string, directives ...string) *Server {
	t.Helper()
	// The port may be taken between its choice and its use: try a few.
	var output string
	for range 5 {
		s := &Server{Host: "127.0.0.1", Port: freePort(t), Dir: dir, t: t}
		args := append([]string{"--port", strconv.Itoa(s.Port), "--bind", s.Host,
			"--logfile", filepath.Join(dir, "redis.log"), "--repl-diskless-sync-delay", "0"}, directives...)
		var ok bool
		if output, ok = run(t, dir, "tcp", s.Addr(), args); ok {
			s.args = args
			return s
		}
	}
	t.Fatalf("redis-server does not start: %s", output)
	return nil
}

// Restart ends the server by SHUTDOWN with the given words (SAVE, NOSAVE) and starts it
// again at the same port.
func (s *Server) Restart(shutdown ...string) {
	s.t.Helper()
	c := s.Dial()
	defer c.Close()
	if text, err := c.TryDo(append([]string{"SHUTDOWN"}, shutdown...)...); err == nil {
		s.t.Fatalf("SHUTDOWN is answered by %s", text)
	}
	// The port is free when the process has ended, which is soon after the connection.
	for range 50 {
		if _, ok := run(s.t, s.Dir, "tcp", s.Addr(), s.args); ok {
			return
		}
	}
	s.t.Fatal("redis-server does not start again")
}

// StartAtSocket starts a redis-server that listens at a unix socket alone, and returns
// the socket's path. The rest is as with Start.
func StartAtSocket(t testing.TB, directives ...string) (socket string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "rw") // t.TempDir may be too long for a socket's name
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket = filepath.Join(dir, "s")
	output, ok := run(t, dir, "unix", socket, append([]string{"--port", "0", "--unixsocket", socket}, directives...))
	if !ok {
		t.Fatalf("redis-server does not start: %s", output)
	}
	return socket
}

// run starts a redis-server that ends with the test. ok is false, and the process has
// ended, if it does not answer at addr; output is then what it said.
func run(t testing.TB, dir, network, addr string, args []string) (output string, ok bool) {
	t.Helper()
	cmd := exec.Command(Lookup(t, "redis-server"), append([]string{"--save", "", "--dir", dir}, args...)...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }() // its exit code says nothing after a kill
	end := func() {
		_ = cmd.Process.Kill()
		<-ended
	}
	if !awaitUp(network, addr, ended) {
		end()
		return said.String(), false
	}
	t.Cleanup(end)
	return "", true
}

// freePort finds a free port below the range that the system gives to clients: a
// client that dials a free port of that range may be connected to itself.
func freePort(t testing.TB) int {
	t.Helper()
	for range 100 {
		port := 20000 + rand.IntN(12000)
		ln, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			_ = ln.Close()
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}

// awaitUp waits until a server answers at addr; false if ended is closed first.
func awaitUp(network, addr string, ended <-chan struct{}) bool {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(10 * time.Second)
	for {
		if c, err := net.Dial(network, addr); err == nil {
			_ = c.SetDeadline(time.Now().Add(time.Second))
			_, _ = c.Write([]byte("PING\r\n"))
			var reply [64]byte
			n, _ := c.Read(reply[:])
			_ = c.Close()
			if bytes.HasPrefix(reply[:n], []byte("+PONG")) || bytes.HasPrefix(reply[:n], []byte("-NOAUTH")) || bytes.HasPrefix(reply[:n], []byte("-MASTERDOWN")) {
				return true
			}
		}
		select {
		case <-ended:
			return false
		case <-deadline:
			return false
		case <-tick.C:
		}
	}
}

// Addr returns host:port.
func (s *Server) Addr() string { return net.JoinHostPort(s.Host, strconv.Itoa(s.Port)) }

// Do sends one request on a connection of its own and returns the reply in plain
// text: bulk strings and statuses as they are, errors with their '-', an array as its
// elements with newlines between, a null as "(nil)".
func (s *Server) Do(args ...string) string {
	s.t.Helper()
	c := s.Dial()
	defer c.Close()
	return c.Do(args...)
}

// Conn is a client connection.
type Conn struct {
	net.Conn
	r *bufio.Reader
	t testing.TB
}

// Dial connects to the server.
func (s *Server) Dial() *Conn {
	s.t.Helper()
	return Dial(s.t, s.Addr())
}

// Dial connects to any server that speaks RESP.
func Dial(t testing.TB, addr string) *Conn {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return &Conn{c, bufio.NewReader(c), t}
}

// Send sends a request.
func (c *Conn) Send(args ...string) {
	c.t.Helper()
	var b bytes.Buffer
	fmt.Fprintf(&b, "*%d\r\n", len(args))
	for _, a := range args {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(a), a)
	}
	if _, err := c.Write(b.Bytes()); err != nil {
		c.t.Fatal(err)
	}
}

// Do sends a request and returns the reply.
func (c *Conn) Do(args ...string) string {
	c.t.Helper()
	c.Send(args...)
	return c.Reply()
}

// TryDo is Do for a server that may be gone: it returns the error of the connection.
func (c *Conn) TryDo(args ...string) (string, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "*%d\r\n", len(args))
	for _, a := range args {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(a), a)
	}
	if _, err := c.Write(b.Bytes()); err != nil {
		return "", err
	}
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
	return c.reply()
}

// Reply reads a reply.
func (c *Conn) Reply() string {
	c.t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
	s, err := c.reply()
	if err != nil {
		c.t.Fatalf("no reply: %v", err)
	}
	return s
}

func (c *Conn) reply() (string, error) {
	line, err := c.r.ReadString('\n')
	if err != nil {
		return "", err
	}
	if len(line) < 3 {
		return "", fmt.Errorf("reply line %q", line)
	}
	kind, text := line[0], line[1:len(line)-2]
	switch kind {
	case '-':
		return "-" + text, nil
	case '$':
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return "(nil)", err
		}
		b := make([]byte, n+2)
		_, err = io.ReadFull(c.r, b)
		return string(b[:n]), err
	case '*':
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return "(nil)", err
		}
		var b bytes.Buffer
		for i := range n {
			if i > 0 {
				b.WriteByte('\n')
			}
			e, err := c.reply()
			if err != nil {
				return "", err
			}
			b.WriteString(e)
		}
		return b.String(), nil
	}
	return text, nil
}

// Log returns what the server has logged.
func (s *Server) Log() string {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.Dir, "redis.log"))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}
