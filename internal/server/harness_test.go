package server

import (
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/effects"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/resp"
)

// testCommands are a few commands over the real engine, enough to drive a session.
func testCommands() []command.Spec {
	return []command.Spec{
		{Name: "get", Arity: 2, Flags: command.ReadOnly | command.Fast, Keys: command.Key(command.KeyRO | command.KeyAccess),
			Run: func(c *command.Ctx) error {
				r, ok := c.Read(1)
				if !ok {
					c.Out.Null()
					return nil
				}
				var scratch [32]byte
				c.Out.Bulk(r.Bytes(scratch[:0]))
				return nil
			}},
		{Name: "set", Arity: -3, Flags: command.Write | command.DenyOOM, Keys: command.Key(command.KeyOW | command.KeyUpdate),
			Run: func(c *command.Ctx) error {
				if err := c.DB.SetString(c.Slot(1), c.Args[1], c.Args[2], 0); err != nil {
					return err
				}
				c.Changed(1)
				c.Out.OK()
				return nil
			}},
		{Name: "del", Arity: -2, Flags: command.Write, Keys: command.KeysTo(-1, 1, command.KeyRM|command.KeyDelete),
			Run: func(c *command.Ctx) error {
				n := 0
				for i := 1; i < len(c.Args); i++ {
					if c.DB.Delete(c.Slot(i), c.Args[i]) {
						n++
					}
				}
				c.Changed(n)
				c.Out.Int(int64(n))
				return nil
			}},
		{Name: "mget", Arity: -2, Flags: command.ReadOnly | command.Fast, Keys: command.KeysTo(-1, 1, command.KeyRO|command.KeyAccess),
			Run: func(c *command.Ctx) error {
				c.Out.Array(len(c.Args) - 1)
				for i := 1; i < len(c.Args); i++ {
					if r, ok := c.Read(i); ok {
						c.Out.Bulk(r.Bytes(nil))
					} else {
						c.Out.Null()
					}
				}
				return nil
			}},
		{Name: "incr", Arity: 2, Flags: command.Write | command.DenyOOM | command.Fast, Keys: command.Key(command.KeyRW | command.KeyAccess | command.KeyUpdate),
			Run: func(c *command.Ctx) error {
				var v int64
				if r, ok := c.DB.Find(c.Slot(1), c.Args[1]); ok {
					v, _ = r.Int()
				}
				if err := c.DB.SetInt(c.Slot(1), c.Args[1], v+1, engine.KeepTTL); err != nil {
					return err
				}
				c.Changed(1)
				c.Out.Int(v + 1)
				return nil
			}},
		{Name: "expire", Arity: 3, Flags: command.Write | command.Fast, Keys: command.Key(command.KeyRW | command.KeyUpdate),
			Run: func(c *command.Ctx) error {
				v, _ := command.ParseInt(c.Args[2])
				c.DB.SetExpireAt(c.Slot(1), c.Args[1], c.Now()+v)
				c.Out.Int(1)
				return nil
			}},
		{Name: "flushall", Arity: -1, Flags: command.Write, Shards: command.ShardsAll,
			Run: func(c *command.Ctx) error {
				c.Keyspace.FlushAll()
				c.Changed(1)
				c.Out.OK()
				return nil
			}},
		// slow asks for ownership; slowset writes twice as much.
		{Name: "slow", Arity: 2, Flags: command.Write, Keys: command.Key(command.KeyRW | command.KeyUpdate),
			Run: func(c *command.Ctx) error {
				if !c.Owner {
					return command.ErrSlow
				}
				if err := c.DB.SetString(c.Slot(1), c.Args[1], []byte("slow"), 0); err != nil {
					return err
				}
				c.Changed(1)
				c.Out.Simple("SLOW")
				return nil
			}},
		{Name: "offloop", Arity: -1, Flags: command.OffLoop, Shards: command.ShardsNone,
			Run: func(c *command.Ctx) error { c.Out.Simple("OFF"); return nil }},
		{Name: "plainonly", Arity: 1, Flags: command.OnlyPlain, Shards: command.ShardsNone,
			Run: func(c *command.Ctx) error { c.Out.OK(); return nil }},
		{Name: "debug", Arity: -2, Flags: command.Protected, Shards: command.ShardsNone,
			Run: func(c *command.Ctx) error { c.Out.OK(); return nil }},
	}
}

// harness is a server without sockets.
type harness struct {
	t   testing.TB
	srv *Server
	ks  *engine.Keyspace
	log *effects.Log
}

// testLoops is how many event loops the servers of tests have.
var testLoops = 1

func newHarness(t testing.TB, change func(*Options), more ...command.Spec) *harness {
	t.Helper()
	table, err := command.NewTable(Specs(), testCommands(), more)
	if err != nil {
		t.Fatal(err)
	}
	dbs := 16
	ks, err := engine.New(engine.Options{Databases: dbs, Shards: 4, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ks.Close)
	o := Options{Table: table, Keyspace: ks, Log: effects.NewLog(effects.Options{}), Loops: testLoops}
	if change != nil {
		change(&o)
	}
	srv, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return &harness{t: t, srv: srv, ks: ks, log: o.Log}
}

// fakeConn is a driver without a socket. Its mutex makes the owner.
type fakeConn struct {
	mu     sync.Mutex
	posted chan struct{}
	alarm  time.Time
	gone   bool
	s      *Session
}

func (f *fakeConn) Post() {
	select {
	case f.posted <- struct{}{}:
	default:
	}
}

func (f *fakeConn) Do(fn func()) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.gone {
		return false
	}
	fn()
	select {
	case f.posted <- struct{}{}:
	default:
	}
	return true
}
func (f *fakeConn) TryDo(fn func()) bool {
	if !f.mu.TryLock() {
		return false
	}
	defer f.mu.Unlock()
	fn()
	return true
}
func (f *fakeConn) Flush()               {}
func (f *fakeConn) Alarm(at time.Time)   { f.alarm = at }
func (f *fakeConn) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 5} }
func (f *fakeConn) LocalAddr() net.Addr  { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 6} }
func (f *fakeConn) FD() int              { return 7 }

// client is a session and the bytes that it has sent.
type client struct {
	t testing.TB
	f *fakeConn
	s *Session
}

func (h *harness) client() *client {
	f := &fakeConn{posted: make(chan struct{}, 1)}
	f.mu.Lock()
	f.s = h.srv.newSession(f)
	f.mu.Unlock()
	return &client{h.t, f, f.s}
}

// feed gives bytes to the session without waiting for anything.
func (c *client) feed(b string) {
	c.f.mu.Lock()
	defer c.f.mu.Unlock()
	c.s.Feed([]byte(b))
	c.s.Sendable() // as a driver asks behind every call
}

// sent takes what may be sent.
func (c *client) sent() string {
	c.f.mu.Lock()
	defer c.f.mu.Unlock()
	b := string(c.s.Sendable())
	c.s.Sent(len(b))
	return b
}

// wake lets the owner handle a post, waiting for one.
func (c *client) wake() {
	c.t.Helper()
	select {
	case <-c.f.posted:
	case <-time.After(10 * time.Second):
		c.t.Fatal("nothing was posted")
	}
	c.f.mu.Lock()
	defer c.f.mu.Unlock()
	c.s.Wake()
	c.s.Sendable()
}

// settle waits until the session waits for nothing.
func (c *client) settle() {
	c.t.Helper()
	for range 1000 {
		c.f.mu.Lock()
		idle := c.s.wait == ready
		c.f.mu.Unlock()
		if idle {
			return
		}
		c.wake()
	}
	c.t.Fatal("session never came to rest")
}

// do sends inline commands, one a line, and compares all replies; in want lines are
// separated by '|'.
func (c *client) do(in, want string) {
	c.t.Helper()
	c.feed(strings.ReplaceAll(in, "|", "\r\n") + "\r\n")
	c.settle()
	c.expect(want)
}

func (c *client) expect(want string) {
	c.t.Helper()
	got := strings.TrimSuffix(strings.ReplaceAll(c.sent(), "\r\n", "|"), "|")
	if got != want {
		c.t.Errorf("got  %q\nwant %q", got, want)
	}
}

func (c *client) close() {
	c.f.mu.Lock()
	defer c.f.mu.Unlock()
	c.f.gone = true
	c.s.Close()
}

func request(args ...string) []byte {
	var b [][]byte
	for _, a := range args {
		b = append(b, []byte(a))
	}
	return resp.AppendCommand(nil, b...)
}
