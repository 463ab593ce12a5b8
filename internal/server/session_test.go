package server

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/resp"
)

func TestConnectionCommands(t *testing.T) {
	h := newHarness(t, nil)
	c := h.client()
	for _, step := range []struct{ in, want string }{
		{"ping", "+PONG"},
		{"PING hi", "$2|hi"},
		{"ping a b", "-ERR wrong number of arguments for 'ping' command"},
		{"echo", "-ERR wrong number of arguments for 'echo' command"},
		{"echo x", "$1|x"},
		{"foo a b", "-ERR unknown command 'foo', with args beginning with: 'a' 'b' "},
		{"select x|select 99|select -1|select 99999999999999|select 3", "-ERR value is not an integer or out of range|-ERR DB index is out of range|-ERR DB index is out of range|-ERR value is out of range, value must between -2147483648 and 2147483647|+OK"},
		{"set a 1|select 0|get a|select 3|get a|select 0", "+OK|+OK|$-1|+OK|$1|1|+OK"},
		{"client id", ":1"},
		{"client id x", "-ERR wrong number of arguments for 'client|id' command"},
		{"client foo", "-ERR unknown subcommand 'foo'. Try CLIENT HELP."},
		{`client setname "a b"|client getname|client setname ab|client getname|client setname ""|client getname`,
			"-ERR Client names cannot contain spaces, newlines or special characters.|$-1|+OK|$2|ab|+OK|$-1"},
		{"client setinfo lib-name x|client setinfo lib-ver 1.0|client setinfo foo x|client setinfo lib-name \"a b\"",
			"+OK|+OK|-ERR Unrecognized option 'foo'|-ERR lib-name cannot contain spaces, newlines or special characters."},
		{"client no-evict on|client no-evict x|client no-evict off", "+OK|-ERR syntax error|+OK"},
		{"client reply off|ping|client reply on|client reply skip|ping|ping|client reply x", "+OK|+PONG|-ERR syntax error"},
		{"client reply off|client reply skip|client reply on|ping", "+OK|+PONG"},
		{"readonly|asking|readwrite", strings.Repeat("-ERR This instance has cluster support disabled|", 2) + "-ERR This instance has cluster support disabled"},
		{"auth x|auth default x|auth foo x|auth a b c", "-ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?|+OK|-WRONGPASS invalid username-password pair or user is disabled.|-ERR syntax error"},
		{"hello 4|hello x|hello 2 foo|hello 3 auth a", "-NOPROTO unsupported protocol version|-ERR Protocol version is not an integer or out of range|-ERR Syntax error in HELLO option 'foo'|-ERR Syntax error in HELLO option 'auth'"},
		{"hello 3", "%7|$6|server|$5|redis|$7|version|$5|7.2.4|$5|proto|:3|$2|id|:1|$4|mode|$10|standalone|$4|role|$6|master|$7|modules|*0"},
		{"get nokey|reset|get nokey", "_|+RESET|$-1"},
		{"client kill 1|client kill id 0|client kill type foo|client kill user foo|client kill foo bar|client kill skipme maybe|client kill id 99",
			"-ERR No such client|-ERR client-id should be greater than 0|-ERR Unknown client type 'foo'|-ERR No such user 'foo'|-ERR syntax error|-ERR syntax error|:0"},
		{"client list id x|client list foo|client list type x|client list id 999 0 -1", "-ERR Invalid client ID|-ERR syntax error|-ERR Unknown client type 'x'|$0|"},
		{"debug x", "-ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server."},
		{"offloop|ping", "+OFF|+PONG"},
		{"plainonly", "+OK"},
		{"slow k|get k", "+SLOW|$4|slow"},
		{"quit|ping", "+OK"},
	} {
		c.do(step.in, step.want)
	}
	if !c.s.Ended() {
		t.Error("QUIT does not end the session")
	}
}

func TestClientInfo(t *testing.T) {
	h := newHarness(t, nil)
	c := h.client()
	c.do("client setname me|multi|client info", "+OK|+OK|+QUEUED")
	c.feed("exec\r\n")
	got := c.sent()
	for _, want := range []string{"id=1 addr=127.0.0.1:5 laddr=127.0.0.1:6 fd=7 name=me ", " flags=x db=0 ", " multi=1 ", " cmd=exec ", " user=default redir=-1 resp=2 lib-name= lib-ver=\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in %q", want, got)
		}
	}
	d := h.client()
	c.feed("client list\r\n")
	c.settle()
	if got := c.sent(); strings.Count(got, "id=") != 2 {
		t.Errorf("client list: %q", got)
	}
	c.do("client kill id 2", ":1")
	if !d.s.Ended() {
		t.Error("killed session goes on")
	}
	c.do("client kill skipme no id 1", ":1")
	if !c.s.Ended() {
		t.Error("a session that killed itself goes on")
	}
}

type password string

func (p password) NeedsPassword() bool { return p != "" }
func (p password) Authenticate(user, pw []byte) bool {
	return string(user) == "default" && string(pw) == string(p)
}

func TestAuthentication(t *testing.T) {
	h := newHarness(t, func(o *Options) { o.Auth = password("pw") })
	c := h.client()
	c.do("ping|foo|get a|auth bad|hello 3|hello 3 auth default bad",
		"-NOAUTH Authentication required.|-ERR unknown command 'foo', with args beginning with: |-NOAUTH Authentication required.|"+
			"-WRONGPASS invalid username-password pair or user is disabled.|"+errHelloAuthText+"|-WRONGPASS invalid username-password pair or user is disabled.")
	c.do("exec", "-EXECABORT Transaction discarded because of: NOAUTH Authentication required.")
	c.do("auth pw|ping|reset|ping|hello 2 auth default pw|reset", "+OK|+PONG|+RESET|-NOAUTH Authentication required.|"+
		"*14|$6|server|$5|redis|$7|version|$5|7.2.4|$5|proto|:2|$2|id|:1|$4|mode|$10|standalone|$4|role|$6|master|$7|modules|*0|+RESET")
	c.do("*11", "-ERR Protocol error: unauthenticated multibulk length")
	if !c.s.Ended() {
		t.Error("a protocol error does not end the session")
	}
}

const errHelloAuthText = "-NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time"

func TestPiecesAndPipelines(t *testing.T) {
	h := newHarness(t, nil)
	c := h.client()
	stream := strings.Repeat(string(request("set", "key", strings.Repeat("v", 100)))+string(request("get", "key")), 50)
	want := strings.Repeat("+OK\r\n$100\r\n"+strings.Repeat("v", 100)+"\r\n", 50)
	for _, piece := range []int{1, 7, 1000, len(stream)} {
		got := ""
		for rest := stream; len(rest) > 0; {
			n := min(piece, len(rest))
			c.feed(rest[:n])
			rest = rest[n:]
			got += c.sent()
		}
		if got != want {
			t.Errorf("pieces of %d: wrong replies", piece)
		}
	}
	// A long string in small pieces, and the buffer it needed is given back.
	long := strings.Repeat("x", 3<<20)
	req := string(request("set", "long", long))
	for i := 0; i < len(req); i += 5000 {
		c.feed(req[i:min(i+5000, len(req))])
	}
	c.expect("+OK")
	if len(c.s.in.buf) > 5<<20 {
		t.Errorf("buffer of %d bytes for a request of %d", len(c.s.in.buf), len(req))
	}
	c.feed("ping\r\n")
	if len(c.s.in.buf) > usualRead {
		t.Errorf("buffer of %d bytes kept", len(c.s.in.buf))
	}
}

func TestLimits(t *testing.T) {
	h := newHarness(t, nil)
	h.srv.Settings().MaxBulk.Store(10)
	c := h.client()
	c.do("*2", "")
	c.feed("$3\r\nget\r\n$11\r\n")
	c.expect("-ERR Protocol error: invalid bulk length")

	h.srv.Settings().MaxBulk.Store(resp.DefaultMaxBulk)
	h.srv.Settings().QueryBuffer.Store(50_000)
	c = h.client()
	c.feed("*1\r\n$1000000\r\n" + strings.Repeat("x", 60_000))
	if !c.s.Ended() || c.sent() != "" {
		t.Error("over client-query-buffer-limit, still served")
	}
	c = h.client()
	c.feed("multi\r\n" + strings.Repeat(string(request("set", "k", strings.Repeat("v", 10_000))), 6))
	if !c.s.Ended() {
		t.Error("a queue over client-query-buffer-limit is still served")
	}

	h.srv.Settings().OutputHard.Store(1000)
	c = h.client()
	c.feed(strings.Repeat("ping "+strings.Repeat("x", 400)+"\r\n", 4))
	if !c.s.Ended() {
		t.Error("over client-output-buffer-limit, still served")
	}
}

func TestEOF(t *testing.T) {
	h := newHarness(t, nil)
	c := h.client()
	c.feed("ping\r\nping")
	c.s.EOF()
	if c.s.Ended() {
		t.Error("ended before the reply was sent")
	}
	c.expect("+PONG")
	if !c.s.Ended() {
		t.Error("not ended after EOF and the last reply")
	}
}

func TestParkOnOwner(t *testing.T) {
	h := newHarness(t, nil)
	c := h.client()
	h.ks.Own(h.ks.AllShards())
	c.feed("set a 1\r\nget a\r\n")
	c.expect("")
	c.feed("ping\r\n")
	c.expect("")
	h.ks.Disown(h.ks.AllShards())
	c.settle()
	c.expect("+OK|$1|1|+PONG")

	// A slow command holds its shard; others wait for it, and all is told in order.
	d := h.client()
	c.feed("slow a\r\nping\r\n")
	d.feed("get a\r\nping\r\n")
	c.settle()
	d.settle()
	c.expect("+SLOW|+PONG")
	d.expect("$4|slow|+PONG")

	// EOF while waiting: what was sent is still run.
	h.ks.Own(h.ks.AllShards())
	d.feed("set b 2\r\n")
	d.s.EOF()
	h.ks.Disown(h.ks.AllShards())
	d.settle()
	d.expect("+OK")
	if !d.s.Ended() {
		t.Error("not ended")
	}
}

func TestBlock(t *testing.T) {
	var wake func()
	answer, ended := "", 0
	block := command.Spec{Name: "block", Arity: 2, Flags: command.Blocking, Shards: command.ShardsNone,
		Run: func(c *command.Ctx) error {
			ms, _ := command.ParseInt(c.Args[1])
			var deadline time.Time
			if ms > 0 {
				deadline = time.Now().Add(time.Duration(ms) * time.Millisecond)
			}
			wake = c.Client.Block(deadline, func(out *resp.Writer, timedOut bool) bool {
				switch {
				case answer != "":
					out.Simple(answer)
				case timedOut:
					out.Simple("TIMEOUT")
				default:
					return false
				}
				return true
			}, func() { ended++ })
			return nil
		}}
	h := newHarness(t, nil, block)
	c := h.client()
	c.feed("block 0\r\nping\r\n")
	c.expect("")
	wake()
	c.wake()
	c.expect("")
	answer = "DONE"
	wake()
	c.settle()
	c.expect("+DONE|+PONG")

	answer = ""
	c.feed("block 1\r\nping\r\n")
	if c.f.alarm.IsZero() {
		t.Fatal("no alarm was set")
	}
	for time.Now().Before(c.f.alarm) {
		time.Sleep(time.Until(c.f.alarm))
	}
	c.s.post()
	c.settle()
	c.expect("+TIMEOUT|+PONG")
	if ended != 2 {
		t.Errorf("onEnd ran %d times, want 2", ended)
	}

	// While blocked input is bounded, and EOF ends the session at once.
	c.feed("block 0\r\n")
	c.feed(strings.Repeat("ping\r\n", blockedRead/6+2))
	if c.s.ReadSpace() != nil {
		t.Error("reads on without bound")
	}
	c.s.EOF()
	if !c.s.Ended() || ended != 3 || h.srv.stats.blocked.Load() != 0 {
		t.Errorf("ended %v, onEnd %d, blocked %d", c.s.Ended(), ended, h.srv.stats.blocked.Load())
	}
}

func TestEffectsAndOrder(t *testing.T) {
	h := newHarness(t, nil)
	h.log.SetBacklog(true, 1<<20)
	from := h.log.Offset()
	c := h.client()
	c.do("set a 1|get a|incr a|multi|set b 2|set c 3|exec|select 1|slow d|del x", "+OK|$1|1|:2|+OK|+QUEUED|+QUEUED|*2|+OK|+OK|+OK|+SLOW|:0")
	r, err := h.log.NewReader(from, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, err := r.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var want []byte
	for _, req := range []string{"SELECT 0", "set a 1", "incr a", "MULTI", "set b 2", "set c 3", "EXEC", "SELECT 1", "slow d"} {
		want = append(want, request(strings.Fields(req)...)...)
	}
	if string(got) != string(want) {
		t.Errorf("log holds\n%q, want\n%q", got, want)
	}
	if c.s.LastWrite() != h.log.Offset() {
		t.Errorf("last write %d, log %d", c.s.LastWrite(), h.log.Offset())
	}
}

func TestWithheldReplies(t *testing.T) {
	h := newHarness(t, func(o *Options) {
		o.Settings = NewSettings()
		o.Settings.AwaitDurable.Store(true)
	})
	h.log.SetBacklog(true, 1<<20)
	h.log.TrackSlots()
	c, d := h.client(), h.client()
	c.feed("ping\r\nset a 1\r\nping\r\n")
	first := h.log.Offset()
	c.expect("+PONG")
	d.feed("get other\r\nget a\r\n") // a read waits for the write it saw
	d.expect("$-1")
	c.feed("set a 2\r\nget other\r\n")
	h.srv.SetDurable(first)
	c.wake()
	c.expect("+OK|+PONG")
	d.wake()
	d.expect("$1|1")
	h.srv.SetDurable(h.log.Offset())
	c.wake()
	c.expect("+OK|$-1")

	// So many replies may wait, then execution stops.
	for range withheldMax + 10 {
		c.feed("incr n\r\n")
	}
	if c.s.wait != withheld {
		t.Error("runs on")
	}
	h.srv.SetDurable(h.log.Offset())
	c.wake()
	h.srv.SetDurable(h.log.Offset())
	if got := strings.Count(c.sent(), ":"); got != withheldMax+10 {
		t.Errorf("%d replies", got)
	}
}

// What cannot become durable is answered: a write by an error, a read and what saw no such
// write as they are, in the order of the requests.
func TestUnloggedReplies(t *testing.T) {
	h := newHarness(t, func(o *Options) {
		o.Settings = NewSettings()
		o.Settings.AwaitDurable.Store(true)
	})
	h.log.SetBacklog(true, 1<<20)
	h.log.TrackSlots()
	c, d := h.client(), h.client()
	unlogged := "-" + resp.ErrUnlogged.Error()
	c.feed("set a 1\r\nget a\r\nping\r\nset b 1\r\n")
	d.feed("get a\r\n")
	c.expect("")
	h.srv.LoseDurable()
	c.wake()
	c.expect(unlogged + "|$1|1|+PONG|" + unlogged)
	d.wake()
	d.expect("$1|1")
	// Who has passed its gates before is answered like that, too; reads go on.
	c.do("set a 2|get a", unlogged+"|$1|2")
	// A new file has all of it.
	h.srv.RestartDurable(h.log.Offset())
	d.do("get a", "$1|2")
	c.feed("set a 3\r\n")
	c.expect("")
	h.srv.RestartDurable(h.log.Offset())
	c.wake()
	c.expect("+OK")
}

func TestGatesOfTheLog(t *testing.T) {
	var refuse atomic.Pointer[resp.Error]
	var held []func()
	var hold atomic.Bool
	h := newHarness(t, func(o *Options) {
		o.Gates.Unlogged = refuse.Load
		o.Gates.HoldWriter = func(wake func()) bool {
			if hold.Load() {
				held = append(held, wake)
			}
			return hold.Load()
		}
	})
	c := h.client()
	refuse.Store(resp.NewError("MISCONF broken"))
	c.do("set a 1|ping|get a|multi|set a 1", "-MISCONF broken|-MISCONF broken|$-1|+OK|-MISCONF broken")
	c.do("exec", "-EXECABORT Transaction discarded because of previous errors.")
	refuse.Store(nil)
	hold.Store(true)
	c.do("get a|multi|set a 1|incr a", "$-1|+OK|+QUEUED|+QUEUED") // only what runs waits
	c.feed("exec\r\n")
	c.expect("")
	hold.Store(false)
	held[0]()
	c.wake()
	c.expect("*2|+OK|:2")
}

func TestAllocatesNothing(t *testing.T) {
	for name, cluster := range map[string]bool{"plain": false, "cluster": true} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, func(o *Options) {
				if cluster {
					o.Cluster = newFakeCluster(oneShardView())
				}
			})
			h.log.SetBacklog(true, 1<<20)
			c := h.client()
			batch := []byte(strings.Repeat(string(request("SET", "key:000001", "xxx"))+string(request("GET", "key:000001")), 8))
			run := func() {
				c.s.Feed(batch)
				c.s.Sent(len(c.s.Sendable()))
			}
			run()
			if n := testing.AllocsPerRun(2000, run); n != 0 {
				t.Errorf("%v allocations for 16 commands", n)
			}
		})
	}
}

func BenchmarkFeed(b *testing.B) {
	for _, bench := range []struct{ name, req string }{
		{"get", string(request("GET", "key:000000000042"))},
		{"set", string(request("SET", "key:000000000042", "xxx"))},
		{"ping", string(request("PING"))},
	} {
		b.Run(bench.name, func(b *testing.B) {
			h := newHarness(b, nil)
			c := h.client()
			c.do("set key:000000000042 xxx", "+OK")
			batch := []byte(strings.Repeat(bench.req, 16))
			b.ReportAllocs()
			for i := 0; i < b.N; i += 16 {
				c.s.Feed(batch)
				c.s.Sent(len(c.s.Sendable()))
			}
		})
	}
}

// A request of many short arguments is moved a bounded number of times however it arrives.
func TestInputOfManyArguments(t *testing.T) {
	const total, step, body = 8 << 20, 4 << 10, 10
	var in input
	moved := 0
	for in.w < total {
		had := cap(in.buf)
		space := in.space(in.w+body, false)
		if cap(in.buf) != had {
			moved += in.w
		}
		in.w += min(step, len(space))
	}
	if moved > 8*total {
		t.Errorf("%d bytes were moved for %d", moved, in.w)
	}
}
