package bus

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/redwingdb/redwing/internal/clock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const cluster = "c1"

// table is a Resolver over a map.
type table struct {
	sync.Mutex
	addr map[string]string
}

func (t *table) Resolve(node string) (string, bool) {
	t.Lock()
	defer t.Unlock()
	a, ok := t.addr[node]
	return a, ok
}

func (t *table) set(node, addr string) {
	t.Lock()
	defer t.Unlock()
	if t.addr == nil {
		t.addr = map[string]string{}
	}
	t.addr[node] = addr
}

// start runs a bus on an ephemeral port (or addr) and closes it at the test's end.
func start(t *testing.T, res *table, id Identity, secret string, addr ...string) *Bus {
	t.Helper()
	at := "127.0.0.1:0"
	if len(addr) > 0 {
		at = addr[0]
	}
	ln, err := net.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	b, err := New(Options{Listener: ln, Secret: []byte(secret), HandshakeTimeout: 300 * time.Millisecond, PingEvery: 20 * time.Millisecond, SilentAfter: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if id.Run == "" {
		id.Run = "run-" + id.Node
	}
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	id.Addr = ":" + port
	b.SetIdentity(id)
	b.SetResolver(res)
	res.set(id.Node, ln.Addr().String())
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.Run(context.Background())
	}()
	t.Cleanup(func() {
		b.Close()
		<-done
	})
	return b
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for !cond() {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

func member(node string) Identity { return Identity{Node: node, Cluster: cluster, Generation: 1} }

func TestCall(t *testing.T) {
	for _, secret := range []string{"", "sesame"} {
		res := &table{}
		a, b := start(t, res, member("a"), secret), start(t, res, member("b"), secret)
		b.HandleRPC(40, func(from Peer, req []byte) ([]byte, error) {
			return fmt.Appendf(nil, "%s/%s:%s", from.Node, from.Run, req), nil
		})
		b.HandleRPC(41, func(Peer, []byte) ([]byte, error) { return nil, errors.New("no luck") })
		ctx := within(t, 5*time.Second)
		got, err := a.Call(ctx, "b", 40, []byte("hi"))
		if err != nil || string(got) != "a/run-a:hi" {
			t.Fatalf("got %q, %v", got, err)
		}
		var remote *RemoteError
		if _, err := a.Call(ctx, "b", 41, nil); !errors.As(err, &remote) || remote.Text != "no luck" {
			t.Fatalf("got %v", err)
		}
		if _, err := a.Call(ctx, "b", 42, nil); !errors.Is(err, ErrNoHandler) {
			t.Fatalf("got %v", err)
		}
		if _, err := a.Call(ctx, "nobody", 42, nil); !errors.Is(err, ErrUnknownNode) {
			t.Fatalf("got %v", err)
		}
	}
}

func TestCallsOfManyShareOneConnection(t *testing.T) {
	res := &table{}
	a, b := start(t, res, member("a"), ""), start(t, res, member("b"), "")
	b.HandleRPC(40, func(_ Peer, req []byte) ([]byte, error) { return req, nil })
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			for j := range 50 {
				want := bytes.Repeat([]byte{byte(i), byte(j)}, 1+i*j)
				got, err := a.Call(within(t, 5*time.Second), "b", 40, want)
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("call %d/%d: %d bytes, %v", i, j, len(got), err)
					return
				}
			}
		})
	}
	wg.Wait()
	if n := b.accepted.Load(); n != 1 {
		t.Fatalf("%d connections", n)
	}
}

func TestLargePayload(t *testing.T) {
	res := &table{}
	a, b := start(t, res, member("a"), ""), start(t, res, member("b"), "")
	b.HandleRPC(40, func(_ Peer, req []byte) ([]byte, error) { return req, nil })
	big := make([]byte, 1<<20)
	rand.Read(big)
	got, err := a.Call(within(t, 10*time.Second), "b", 40, big)
	if err != nil || !bytes.Equal(got, big) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	if _, err := a.Call(within(t, time.Second), "b", 40, make([]byte, MaxPayload+1)); err == nil {
		t.Fatal("an over-long request was sent")
	}
}

func TestStream(t *testing.T) {
	res := &table{}
	a, b := start(t, res, member("a"), "s"), start(t, res, member("b"), "s")
	b.Handle(ProtoMove, func(c net.Conn, p Peer) {
		defer c.Close()
		io.Copy(c, c)
	})
	c, err := a.Dial(within(t, 5*time.Second), ProtoMove, "b")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if p, ok := PeerOf(c); !ok || p.Node != "b" || p.Run != "run-b" {
		t.Fatalf("peer %+v", p)
	}
	fmt.Fprint(c, "over and back")
	got := make([]byte, 13)
	if _, err := io.ReadFull(c, got); err != nil || string(got) != "over and back" {
		t.Fatalf("%q %v", got, err)
	}
}

// TestMismatch: what does not belong is refused, closed and counted by reason.
func TestMismatch(t *testing.T) {
	res := &table{}
	b := start(t, res, member("b"), "s")
	cases := []struct {
		name   string
		id     Identity
		secret string
		proto  Protocol
		to     string
		want   Reason
	}{
		{"foreign cluster", Identity{Node: "x", Cluster: "c2", Generation: 1}, "s", ProtoRPC, "b", DropCluster},
		{"older generation", Identity{Node: "x", Cluster: cluster, Generation: 0}, "s", ProtoRPC, "b", DropGeneration},
		{"newer generation", Identity{Node: "x", Cluster: cluster, Generation: 2}, "s", ProtoRPC, "b", DropGeneration},
		{"another node", member("x"), "s", ProtoRPC, "z", DropNode},
		{"our own id", member("b2"), "s", ProtoRPC, "b", DropNode},
		{"no secret", member("x"), "", ProtoRPC, "b", DropAuth},
		{"wrong secret", member("x"), "t", ProtoRPC, "b", DropAuth},
		{"nobody handles it", member("x"), "s", ProtoMove, "b", DropProtocol},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			res2 := &table{}
			a := start(t, res2, tc.id, tc.secret)
			if tc.name == "our own id" {
				a.SetIdentity(Identity{Node: "b", Run: "other", Cluster: cluster, Generation: 1})
			}
			res2.set(tc.to, b.Addr().String())
			before := b.DroppedBy(tc.want) + a.DroppedBy(tc.want)
			c, err := a.Dial(within(t, 5*time.Second), tc.proto, tc.to)
			if err == nil {
				c.Close()
				t.Fatal("connected")
			}
			eventually(t, "counted", func() bool { return b.DroppedBy(tc.want)+a.DroppedBy(tc.want) > before })
			var refused *RefusedError
			if tc.name != "wrong secret" && (!errors.As(err, &refused) || refused.Reason != tc.want) {
				t.Fatalf("got %v", err)
			}
		})
	}
}

func TestWrongSecretOfDialler(t *testing.T) {
	// The listener proves itself first, so a dialler with another secret leaves; one
	// that stays and lies is thrown out.
	res := &table{}
	b := start(t, res, member("b"), "s")
	c, err := net.Dial("tcp", b.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	h := hello{proto: ProtoRPC, flags: flagSecret, generation: 1, cluster: cluster, node: "x", run: "r", expect: "b"}
	c.Write(appendMessage(nil, h.append(nil)))
	if _, err := readMessage(c); err != nil {
		t.Fatal(err)
	}
	c.Write(make([]byte, macLen))
	eventually(t, "counted", func() bool { return b.DroppedBy(DropAuth) == 1 })
	if n, err := c.Read(make([]byte, 1)); err == nil {
		t.Fatalf("read %d bytes from a connection that should be closed", n)
	}
}

func TestGarbage(t *testing.T) {
	res := &table{}
	b := start(t, res, member("b"), "")
	b.HandleRPC(40, func(_ Peer, req []byte) ([]byte, error) { return req, nil })
	for _, in := range []string{
		"GET / HTTP/1.1\r\n\r\n", "*1\r\n$4\r\nPING\r\n", strings.Repeat("\x00", 64), "RWBS\x01\xff\xff",
		"RWBS\x01\x00\x00", "RWBS\x01\x00\x03abc", "RCmb\x00\x00\x08\x00",
	} {
		c, err := net.Dial("tcp", b.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		before := b.DroppedBy(DropMalformed)
		io.WriteString(c, in)
		eventually(t, fmt.Sprintf("%q counted", in), func() bool { return b.DroppedBy(DropMalformed) == before+1 })
		c.SetReadDeadline(time.Now().Add(5 * time.Second))
		if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("%q: not closed", in)
		}
		c.Close()
	}
	// Another version has a count of its own; silence ends with the handshake's time.
	for reason, in := range map[Reason]string{DropVersion: "RWBS\x09\x00\x00", DropTimeout: "RWB"} {
		c, err := net.Dial("tcp", b.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		io.WriteString(c, in)
		eventually(t, reason.String(), func() bool { return b.DroppedBy(reason) == 1 })
	}
	// A member that sends a broken frame loses its connection, not more.
	a := start(t, res, member("a"), "")
	c, err := a.Dial(within(t, time.Second), ProtoRPC, "b")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.Write([]byte("\xff\xff\xff\xff\x01\x01ABCDEFGH"))
	eventually(t, "frame counted", func() bool { return b.DroppedBy(DropFrame) == 1 })
	if _, err := a.Call(within(t, 5*time.Second), "b", 40, nil); err != nil {
		t.Fatal(err)
	}
}

func TestOpenCallBetweenStrangers(t *testing.T) {
	res := &table{}
	a := start(t, res, Identity{Node: "a"}, "s")
	b := start(t, res, member("b"), "s")
	b.HandleOpen(3, func(from Peer, req []byte) ([]byte, error) { return append([]byte(from.Node+":"), req...), nil })
	ctx := within(t, 5*time.Second)
	got, who, err := a.CallAddr(ctx, b.Addr().String(), 3, []byte("x"))
	if err != nil || string(got) != "a:x" || who.Node != "b" || who.Cluster != cluster {
		t.Fatalf("%q %+v %v", got, who, err)
	}
	if _, err := a.Dial(ctx, ProtoRPC, "b"); !errors.Is(err, ErrNoCluster) {
		t.Fatalf("got %v", err)
	}
	if _, _, err := a.CallAddr(ctx, b.Addr().String(), 4, nil); !errors.Is(err, ErrNoHandler) {
		t.Fatalf("got %v", err)
	}
}

// TestRefused: a process that goes away is noticed at once, and so is its return.
func TestRefused(t *testing.T) {
	res := &table{}
	a := start(t, res, member("a"), "")
	b := start(t, res, member("b"), "")
	addr := b.Addr().String()
	a.Keep([]string{"b"})
	eventually(t, "heard", func() bool { return a.LastHeard("b") > 0 })
	heard := a.LastHeard("b")
	eventually(t, "pings are answered", func() bool { return a.LastHeard("b") > heard })
	if a.Refused("b") {
		t.Fatal("refused while up")
	}
	died := clock.Mono()
	b.Close()
	eventually(t, "refused", func() bool { return a.Refused("b") })
	t.Logf("refusal noticed after %v", time.Duration(clock.Mono()-died))
	if _, err := a.Call(within(t, time.Second), "b", 40, nil); err == nil {
		t.Fatal("a call to a dead node was answered")
	}

	again := start(t, res, Identity{Node: "b", Run: "second", Cluster: cluster, Generation: 1}, "", addr)
	again.HandleRPC(40, func(Peer, []byte) ([]byte, error) { return nil, nil })
	eventually(t, "back", func() bool { return !a.Refused("b") })
	if run, at := a.Heard("b"); run != "second" || at <= died {
		t.Fatalf("heard %s at %d", run, at)
	}
}

// TestSilence: a connection on which nothing comes is dialled again, and that is no
// refusal.
func TestSilence(t *testing.T) {
	res := &table{}
	a := start(t, res, member("a"), "")
	b := start(t, res, member("b"), "")
	proxy := newProxy(t, b.Addr().String())
	res.set("b", proxy.addr())
	a.Keep([]string{"b"})
	eventually(t, "up", func() bool { return a.LastHeard("b") > 0 })
	proxy.freeze()
	eventually(t, "dialled again", func() bool { return proxy.count() >= 2 })
	if a.Refused("b") {
		t.Fatal("silence taken for a refusal")
	}
	heard := a.LastHeard("b")
	proxy.thaw()
	eventually(t, "heard again", func() bool { return a.LastHeard("b") > heard })
}

// proxy passes bytes on until it is frozen; then it accepts and says nothing.
type proxy struct {
	ln net.Listener
	mu struct {
		sync.Mutex
		frozen   chan struct{} // closed: pass
		accepted int
	}
}

func newProxy(t *testing.T, to string) *proxy {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{ln: ln}
	p.mu.frozen = make(chan struct{})
	close(p.mu.frozen)
	var wg sync.WaitGroup
	var conns sync.Map
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			p.mu.Lock()
			p.mu.accepted++
			p.mu.Unlock()
			d, err := net.Dial("tcp", to)
			if err != nil {
				c.Close()
				continue
			}
			for _, pair := range [][2]net.Conn{{c, d}, {d, c}} {
				conns.Store(pair[0], nil)
				wg.Go(func() {
					defer pair[0].Close()
					defer pair[1].Close()
					buf := make([]byte, 4096)
					for {
						n, err := pair[0].Read(buf)
						if err != nil {
							return
						}
						p.mu.Lock()
						gate := p.mu.frozen
						p.mu.Unlock()
						<-gate
						if _, err := pair[1].Write(buf[:n]); err != nil {
							return
						}
					}
				})
			}
		}
	})
	t.Cleanup(func() {
		ln.Close()
		p.thaw()
		conns.Range(func(c, _ any) bool { c.(net.Conn).Close(); return true })
		wg.Wait()
	})
	return p
}

func (p *proxy) addr() string { return p.ln.Addr().String() }

func (p *proxy) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.accepted
}

func (p *proxy) freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.frozen = make(chan struct{})
}

func (p *proxy) thaw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.mu.frozen:
	default:
		close(p.mu.frozen)
	}
}

// TestIdentityChange: connections of what the node was before are closed.
func TestIdentityChange(t *testing.T) {
	res := &table{}
	a, b := start(t, res, member("a"), ""), start(t, res, member("b"), "")
	b.HandleRPC(40, func(Peer, []byte) ([]byte, error) { return nil, nil })
	if _, err := a.Call(within(t, time.Second), "b", 40, nil); err != nil {
		t.Fatal(err)
	}
	b.SetIdentity(Identity{Node: "b", Run: "run-b", Cluster: "c2", Generation: 1})
	var refused *RefusedError
	eventually(t, "refused", func() bool {
		_, err := a.Call(within(t, time.Second), "b", 40, nil)
		return errors.As(err, &refused) && refused.Reason == DropCluster
	})
	a.SetIdentity(Identity{Node: "a", Run: "run-a", Cluster: "c2", Generation: 1})
	eventually(t, "together again", func() bool {
		_, err := a.Call(within(t, time.Second), "b", 40, nil)
		return err == nil
	})
}

// TestLearnedAddress: a node that came back elsewhere is found by what it announced.
func TestLearnedAddress(t *testing.T) {
	res := &table{}
	a := start(t, res, member("a"), "")
	b := start(t, &table{}, member("b"), "")
	b.HandleRPC(40, func(Peer, []byte) ([]byte, error) { return nil, nil })
	a.HandleRPC(40, func(Peer, []byte) ([]byte, error) { return nil, nil })
	res.set("b", "127.0.0.1:1") // nobody there
	if _, err := a.Call(within(t, time.Second), "b", 40, nil); err == nil {
		t.Fatal("reached")
	}
	b.Learn("a", a.Addr().String())
	if _, err := b.Call(within(t, time.Second), "a", 40, nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, "reached", func() bool {
		_, err := a.Call(within(t, time.Second), "b", 40, nil)
		return err == nil
	})
}

func TestPeerTableIsBounded(t *testing.T) {
	res := &table{}
	b := start(t, res, member("b"), "")
	for i := range maxPeers + 100 {
		b.Learn(fmt.Sprint("n", i), "127.0.0.1:1")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if n := len(b.mu.peers); n > maxPeers {
		t.Fatalf("%d peers", n)
	}
}

func TestCheckExposure(t *testing.T) {
	for host, ok := range map[string]bool{"127.0.0.1": true, "::1": true, "localhost": true, "": false, "0.0.0.0": false, "10.0.0.1": false} {
		if err := CheckExposure(host, nil, nil); (err == nil) != ok {
			t.Errorf("%q: %v", host, err)
		}
		if err := CheckExposure(host, []byte("s"), nil); err != nil {
			t.Errorf("%q with a secret: %v", host, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	h := hello{proto: ProtoRPC, generation: 7, cluster: "c", node: "n", run: "r", expect: "e", addr: ":1"}
	f.Add(h.append(nil))
	w := welcome{generation: 7, cluster: "c", node: "n", run: "r"}
	f.Add(appendString(w.append(nil), "mac"))
	f.Add(appendFrame(nil, frame{typ: frameRequest, kind: 3, id: 9, payload: []byte("x")}))
	f.Fuzz(func(t *testing.T, in []byte) {
		if h, err := parseHello(in); err == nil && !bytes.Equal(h.append(nil), in) {
			t.Fatalf("hello %+v", h)
		}
		if w, err := parseWelcome(in); err == nil && !bytes.Equal(appendString(w.append(nil), string(w.mac)), in) {
			t.Fatalf("welcome %+v", w)
		}
		if fr, err := readFrame(bytes.NewReader(in)); err == nil {
			if out := appendFrame(nil, fr); !bytes.HasPrefix(in, out) {
				t.Fatalf("frame %+v", fr)
			}
		}
		readMessage(bytes.NewReader(in))
	})
}

func BenchmarkCall(b *testing.B) {
	res := &table{}
	var buses [2]*Bus
	for i, n := range []string{"a", "b"} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		x, err := New(Options{Listener: ln})
		if err != nil {
			b.Fatal(err)
		}
		x.SetIdentity(Identity{Node: n, Run: "r", Cluster: cluster})
		x.SetResolver(res)
		res.set(n, ln.Addr().String())
		go x.Run(context.Background())
		defer x.Close()
		buses[i] = x
	}
	buses[1].HandleRPC(40, func(_ Peer, req []byte) ([]byte, error) { return req, nil })
	for b.Loop() {
		if _, err := buses[0].Call(context.Background(), "b", 40, []byte("ping")); err != nil {
			b.Fatal(err)
		}
	}
}
