package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/resp"
)

// serveTCP serves h on a loopback port until the test ends, and sees that nothing is
// left running then.
func serveTCP(t testing.TB, h *harness) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serve(t, h, ln)
	return ln.Addr().String()
}

func serve(t testing.TB, h *harness, ln net.Listener) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	done := make(chan error, 1)
	go func() { done <- h.srv.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := h.srv.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
		goleak.VerifyNone(t, before)
	})
}

// wire is a client's end of a connection.
type wire struct {
	t testing.TB
	net.Conn
	r *bufio.Reader
}

func dial(t testing.TB, addr string) *wire {
	t.Helper()
	network := "tcp"
	if strings.HasPrefix(addr, "/") {
		network = "unix"
	}
	nc, err := net.Dial(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	return wrap(t, nc)
}

func wrap(t testing.TB, nc net.Conn) *wire {
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(20 * time.Second))
	return &wire{t, nc, bufio.NewReader(nc)}
}

func (w *wire) send(s string) {
	w.t.Helper()
	if _, err := io.WriteString(w, s); err != nil {
		w.t.Fatal(err)
	}
}

func (w *wire) line() string {
	w.t.Helper()
	s, err := w.r.ReadString('\n')
	if err != nil {
		w.t.Fatalf("after %q: %v", s, err)
	}
	return strings.TrimSuffix(s, "\r\n")
}

func (w *wire) want(lines ...string) {
	w.t.Helper()
	for _, want := range lines {
		if got := w.line(); got != want {
			w.t.Fatalf("got %q, want %q", got, want)
		}
	}
}

// wantEnd says that the server closes the connection without another byte.
func (w *wire) wantEnd() {
	w.t.Helper()
	if b, err := w.r.ReadByte(); err == nil {
		w.t.Fatalf("got %q, want the end", b)
	} else if ne, ok := err.(net.Error); ok && ne.Timeout() {
		w.t.Fatal("the connection was not closed")
	}
}

func TestServe(t *testing.T) {
	h := newHarness(t, nil)
	addr := serveTCP(t, h)
	w := dial(t, addr)
	w.send("set a 1\r\nget a\r\n*1\r\n$4\r\nPI")
	w.want("+OK", "$1", "1")
	w.send("NG\r\nslow a\r\nget a\r\noffloop\r\n")
	w.want("+PONG", "+SLOW", "$4", "slow", "+OFF")
	w.send("quit\r\n")
	w.want("+OK")
	w.wantEnd()
	w = dial(t, addr)
	w.send("*1\r\n$-5\r\n")
	w.want("-ERR Protocol error: invalid bulk length")
	w.wantEnd()
}

func TestServeUnixAndPlainConn(t *testing.T) {
	h := newHarness(t, nil)
	path := filepath.Join(t.TempDir(), "s")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	serve(t, h, ln)
	w := dial(t, path)
	w.send("client info\r\n")
	w.line()
	if got := w.line(); !strings.Contains(got, " addr="+path+":0 laddr="+path+":0 ") || !strings.Contains(got, " flags=U ") {
		t.Errorf("client info: %q", got)
	}
	w.line()
	// A connection without a descriptor, as TLS has it.
	ours, theirs := net.Pipe()
	h.srv.serveConn(theirs)
	w = wrap(t, ours)
	w.send("set a 1\r\nget a\r\n")
	w.want("+OK", "$1", "1")
	w.send("client kill type normal\r\n")
	w.want(":1")
}

// A client that writes its whole pipeline before it reads is served.
func TestWritesBeforeReading(t *testing.T) {
	h := newHarness(t, nil)
	w := dial(t, serveTCP(t, h))
	value := strings.Repeat("v", 100_000)
	w.send(string(request("set", "big", value)))
	w.want("+OK")
	const n = 400 // 40 MB of replies
	w.send(strings.Repeat(string(request("get", "big")), n))
	w.send("ping\r\n")
	for range n {
		w.want("$100000", value)
	}
	w.want("+PONG")
}

func TestHalfClose(t *testing.T) {
	h := newHarness(t, nil)
	addr := serveTCP(t, h)
	w := dial(t, addr)
	w.send("set a 1\r\nslow a\r\nget a\r\n")
	w.Conn.(*net.TCPConn).CloseWrite()
	w.want("+OK", "+SLOW", "$4", "slow")
	w.wantEnd()
}

func TestTurnedAway(t *testing.T) {
	h := newHarness(t, nil)
	h.srv.Settings().MaxClients.Store(2)
	addr := serveTCP(t, h)
	a, b := dial(t, addr), dial(t, addr)
	for _, w := range []*wire{a, b} {
		w.send("ping\r\n")
		w.want("+PONG")
	}
	c := dial(t, addr)
	c.want("-ERR max number of clients reached")
	c.wantEnd()
	a.Close()
	for h.srv.count.Load() > 1 {
		time.Sleep(time.Millisecond)
	}
	c = dial(t, addr)
	c.send("ping\r\n")
	c.want("+PONG")

	ours, theirs := net.Pipe() // not of the loopback
	h.srv.Settings().MaxClients.Store(100)
	accepted := make(chan struct{})
	go func() {
		h.srv.accept(theirs)
		close(accepted)
	}()
	defer func() { <-accepted }()
	w := wrap(t, ours)
	if got := w.line(); !strings.HasPrefix(got, "-DENIED Redis is running in protected mode") {
		t.Errorf("got %q", got)
	}
}

func TestIdleTimeout(t *testing.T) {
	h := newHarness(t, nil)
	h.srv.Settings().TimeoutSecs.Store(1)
	w := dial(t, serveTCP(t, h))
	w.send("ping\r\n")
	w.want("+PONG")
	w.wantEnd()
}

func TestBlockedClientsGo(t *testing.T) {
	entered := make(chan func(), 1)
	left := make(chan struct{}, 1)
	block := command.Spec{Name: "block", Arity: 1, Flags: command.Blocking, Shards: command.ShardsNone, Run: func(c *command.Ctx) error {
		woken := false
		wake := c.Client.Block(time.Time{}, func(out *resp.Writer, _ bool) bool {
			if woken {
				out.Simple("WOKEN")
			}
			return woken
		}, func() { left <- struct{}{} })
		entered <- func() {
			woken = true
			wake()
		}
		return nil
	}}
	h := newHarness(t, nil, block)
	addr := serveTCP(t, h)
	w := dial(t, addr)
	w.send("block\r\nping\r\n")
	(<-entered)()
	w.want("+WOKEN", "+PONG")
	<-left
	// The end of a blocked client is seen at once.
	w.send("block\r\nping\r\n")
	<-entered
	w.Close()
	<-left
	// A blocked client that is killed.
	w = dial(t, addr)
	w.send("block\r\n")
	<-entered
	k := dial(t, addr)
	k.send("client kill type normal\r\n")
	k.want(":1")
	w.wantEnd()
	<-left
}

// TestShutdownEndsHijacked: a command that reads its socket for ever does not hold
// Shutdown up.
func TestShutdownEndsHijacked(t *testing.T) {
	ended := make(chan struct{})
	h := newHarness(t, nil, command.Spec{Name: "take", Arity: 1, Shards: command.ShardsNone, Run: func(c *command.Ctx) error {
		c.Client.Hijack(func(conn net.Conn, _ []byte) {
			io.WriteString(conn, "+TAKEN\r\n")
			io.Copy(io.Discard, conn)
			conn.Close()
			close(ended)
		})
		return nil
	}})
	w := dial(t, serveTCP(t, h))
	w.send("take\r\n")
	w.want("+TAKEN")
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := h.srv.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	<-ended
	w.wantEnd()
}

func TestHijack(t *testing.T) {
	take := command.Spec{Name: "take", Arity: 1, Flags: command.NoMulti, Shards: command.ShardsNone, Run: func(c *command.Ctx) error {
		c.Client.Hijack(func(conn net.Conn, unread []byte) {
			defer conn.Close()
			fmt.Fprintf(conn, "mine:%q\r\n", unread)
			io.Copy(conn, conn)
		})
		c.Out.Simple("TAKEN")
		return nil
	}}
	late := take
	late.Name, late.Flags = "takelate", command.NoMulti|command.OffLoop
	h := newHarness(t, nil, take, late)
	addr := serveTCP(t, h)
	for _, name := range []string{"take", "takelate"} {
		w := dial(t, addr)
		w.send("ping\r\n" + name + "\r\nrest")
		w.want("+PONG", "+TAKEN", `mine:"rest"`)
		w.send("echoed\r\n")
		w.want("echoed")
		w.Close()
	}
	if err := waitFor(func() bool { return h.srv.Clients() == 0 }); err != nil {
		t.Error(err)
	}
}

func waitFor(ok func() bool) error {
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if ok() {
			return nil
		}
	}
	return errors.New("waited in vain")
}

// Many clients at once, with owners, transactions and kills among them.
func TestManyClients(t *testing.T) {
	h := newHarness(t, nil)
	h.log.SetBacklog(true, 1<<20)
	addr := serveTCP(t, h)
	var group sync.WaitGroup
	const clients, each = 8, 100
	for i := range clients {
		w := dial(t, addr)
		group.Go(func() {
			for j := range each {
				w.send("incr n\r\nmulti\r\nincr n\r\nincr m\r\nexec\r\n")
				w.line()
				w.want("+OK", "+QUEUED", "+QUEUED", "*2")
				w.line()
				w.line()
				switch {
				case j%10 == i:
					w.send("slow s\r\nmget s n m\r\n")
					w.want("+SLOW", "*3", "$4", "slow")
					for range 4 {
						w.line()
					}
				case j%10 == 9:
					w.send("client list\r\n")
					w.line()
					for w.line() != "" {
					}
				}
			}
		})
	}
	group.Wait()
	w := dial(t, addr)
	w.send("get n\r\n")
	w.want("$4", fmt.Sprint(2*clients*each))
	incrs := func() (n int64) {
		h.srv.EachSpec(func(spec *command.Spec, calls, nanos int64) {
			if spec.Name == "incr" {
				n = calls
			}
		})
		return n
	}
	total := h.srv.Totals(nil)
	if err := waitFor(func() bool { // a connection that is busy is left out
		total = h.srv.Totals(nil)
		return incrs() == 3*clients*each
	}); err != nil {
		t.Errorf("incr counted %d times, want %d", incrs(), 3*clients*each)
	}
	if total.Clients != clients+1 || total.Commands < 5*clients*each || total.NetInBytes == 0 || total.NetOutBytes == 0 {
		t.Errorf("totals %+v", total)
	}
}

// A client that does not take its replies is bounded.
func TestOutputLimit(t *testing.T) {
	h := newHarness(t, nil)
	h.srv.Settings().OutputHard.Store(1 << 20)
	w := dial(t, serveTCP(t, h))
	w.send(string(request("set", "big", strings.Repeat("v", 100_000))))
	w.want("+OK")
	go io.WriteString(w, strings.Repeat(string(request("get", "big")), 2000))
	if err := waitFor(func() bool { return h.srv.Clients() == 0 }); err != nil {
		t.Error("still connected")
	}
}
