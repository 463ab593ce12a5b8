package server

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/clock"
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/effects"
	"github.com/redwingdb/redwing/internal/resp"
	"github.com/redwingdb/redwing/internal/slots"
)

// blockingCommands wait for strings: BTAKE key... millis takes the first that is there,
// BPASS src dst millis makes it another key's (nil
// if that is there already), BPEEK key reads it and waits for its end.
func blockingCommands() []command.Spec {
	deadline := func(c *command.Ctx) int64 {
		ms, _ := command.ParseInt(c.Args[len(c.Args)-1])
		if ms == 0 {
			return 0
		}
		return c.Now() + ms
	}
	nothing := func(out *resp.Writer) { out.NullArray() }
	take := func(c *command.Ctx, i int) (string, bool) {
		r, ok := c.Read(i)
		if !ok {
			return "", false
		}
		v := string(r.Bytes(nil))
		c.DB.Delete(c.Slot(i), c.Args[i])
		c.Changed(1)
		c.Effect(c.Slot(i), []byte("DEL"), c.Args[i])
		return v, true
	}
	rw := command.KeyRW | command.KeyAccess | command.KeyDelete
	return []command.Spec{
		{Name: "btake", Arity: -3, Flags: command.Write | command.Blocking, Keys: command.KeysTo(-2, 1, rw),
			Run: func(c *command.Ctx) error {
				var keys []int
				for i := 1; i < len(c.Args)-1; i++ {
					if v, ok := take(c, i); ok {
						c.Out.Array(2)
						c.Out.Bulk(c.Args[i])
						c.Out.BulkString(v)
						return nil
					}
					keys = append(keys, i)
				}
				return c.BlockOn(deadline(c), nothing, keys...)
			}},
		{Name: "bslow", Arity: 3, Flags: command.Write | command.Blocking, Keys: command.Key(rw),
			Run: func(c *command.Ctx) error {
				if _, ok := c.DB.Peek(c.Slot(1), c.Args[1]); !ok {
					return c.BlockOn(deadline(c), nothing, 1)
				}
				if !c.Owner {
					return command.ErrSlow
				}
				v, _ := take(c, 1)
				c.Out.BulkString(v)
				return nil
			}},
		{Name: "bpass", Arity: 4, Flags: command.Write | command.Blocking, Keys: command.KeysTo(1, 1, rw),
			Run: func(c *command.Ctx) error {
				if _, there := c.DB.Peek(c.Slot(2), c.Args[2]); there {
					c.Out.Null() // what is there stays
					return nil
				}
				v, ok := take(c, 1)
				if !ok {
					return c.BlockOn(deadline(c), nothing, 1)
				}
				if err := c.DB.SetString(c.Slot(2), c.Args[2], []byte(v), 0); err != nil {
					return err
				}
				c.Effect(c.Slot(2), []byte("SET"), c.Args[2], []byte(v))
				c.Out.BulkString(v)
				return nil
			}},
		{Name: "addnew", Arity: 3, Flags: command.Write, Keys: command.Key(rw),
			Run: func(c *command.Ctx) error {
				if _, there := c.DB.Peek(c.Slot(1), c.Args[1]); there {
					c.Out.Int(0)
					return nil
				}
				if err := c.DB.SetString(c.Slot(1), c.Args[1], c.Args[2], 0); err != nil {
					return err
				}
				c.Changed(1)
				c.Out.Int(1)
				return nil
			}},
		{Name: "bpeek", Arity: 3, Flags: command.Write | command.Blocking, Keys: command.Key(rw),
			Run: func(c *command.Ctx) error {
				if r, ok := c.Read(1); !ok || r.Len() == 0 {
					c.Out.Error(resp.NewError("NOKEY it has gone"))
					return nil
				} else if r.Len() > 1 {
					c.Out.Bulk(r.Bytes(nil))
					return nil
				}
				return c.BlockOnKeys(command.WaitOptions{DeadlineMillis: deadline(c), OnTimeout: nothing, WhenGone: true}, 1)
			}},
	}
}

func blockingHarness(t testing.TB, change func(*Options)) *harness {
	return newHarness(t, change, blockingCommands()...)
}

// stays checks that the session is parked and has nothing to send.
func (c *client) stays(in string) {
	c.t.Helper()
	c.feed(strings.ReplaceAll(in, "|", "\r\n") + "\r\n")
	for range 1000 { // off-loop runs come first
		c.f.mu.Lock()
		w := c.s.wait
		c.f.mu.Unlock()
		if w == blocked {
			c.expect("")
			return
		}
		c.wake()
	}
	c.t.Fatalf("%s does not block", in)
}

// comes waits until the session goes on and compares what it sends.
func (c *client) comes(want string) {
	c.t.Helper()
	c.settle()
	c.expect(want)
}

func (h *harness) nobodyWaits() {
	h.t.Helper()
	if h.srv.waits.Active() {
		h.t.Error("waits are left behind")
	}
	if keys, gone := h.srv.waits.Keys(); keys != 0 || gone != 0 {
		h.t.Errorf("%d keys and %d ends are waited for by nobody", keys, gone)
	}
	if n := h.srv.stats.blocked.Load(); n != 0 {
		h.t.Errorf("%d clients count as blocked", n)
	}
}

func TestServedInOrder(t *testing.T) {
	h := blockingHarness(t, nil)
	a, b, d, w := h.client(), h.client(), h.client(), h.client()
	a.stays("btake k 0")
	b.stays("btake other k 0|ping")
	d.stays("btake k 0")
	if n := h.srv.stats.blocked.Load(); n != 3 {
		t.Errorf("%d clients blocked, want 3", n)
	}
	if keys, _ := h.srv.waits.Keys(); keys != 2 {
		t.Errorf("%d keys waited for, want 2", keys)
	}
	w.do("set k 1", "+OK")
	a.comes("*2|$1|k|$1|1")
	b.expect("")
	w.do("get k|set k 2", "$-1|+OK")
	b.comes("*2|$1|k|$1|2|+PONG")
	w.do("set k 3|set k 4|get k", "+OK|+OK|$1|4")
	d.comes("*2|$1|k|$1|3")
	h.nobodyWaits()
}

func TestServedBehindExec(t *testing.T) {
	h := blockingHarness(t, nil)
	a, b, w := h.client(), h.client(), h.client()
	a.stays("btake k 0")
	b.stays("btake k2 k 0")
	w.do("multi|set k 1|del k|set k 2|set k2 x|exec", "+OK|+QUEUED|+QUEUED|+QUEUED|+QUEUED|*4|+OK|:1|+OK|+OK")
	a.comes("*2|$1|k|$1|2")
	b.comes("*2|$2|k2|$1|x")
	w.do("multi|set k 1|del k|exec|multi|btake k 0|exec", "+OK|+QUEUED|+QUEUED|*2|+OK|:1|+OK|+QUEUED|*1|*-1")
	h.nobodyWaits()
}

func TestWaitTimesOut(t *testing.T) {
	h := blockingHarness(t, nil)
	a := h.client()
	a.stays("btake k 1")
	if a.f.alarm.IsZero() {
		t.Fatal("no alarm is set")
	}
	time.Sleep(time.Until(a.f.alarm))
	a.f.Post() // the alarm
	a.comes("*-1")
	a.stays("btake k 9223372036854775807")
	if left := time.Until(a.f.alarm); left < 1e6*time.Hour/2 {
		t.Errorf("the alarm rings in %v", left)
	}
	a.close()
	h.nobodyWaits()
}

func TestWaiterIsGone(t *testing.T) {
	h := blockingHarness(t, nil)
	a, b, d, w := h.client(), h.client(), h.client(), h.client()
	a.stays("btake k 0")
	b.stays("btake k 0")
	d.stays("btake k 0")
	a.f.mu.Lock()
	a.s.EOF()
	a.f.mu.Unlock()
	if !a.s.Ended() {
		t.Error("a blocked client that has gone is kept")
	}
	a.close()
	w.do(fmt.Sprintf("client kill id %d|set k 1", b.s.id), ":1|+OK")
	d.comes("*2|$1|k|$1|1")
	h.nobodyWaits()
}

func TestClientUnblock(t *testing.T) {
	h := blockingHarness(t, nil)
	a, w := h.client(), h.client()
	a.stays("btake k 0")
	w.do("client unblock 1", ":1")
	a.comes("*-1")
	a.stays("btake k 0|ping")
	w.do("client unblock 1 error", ":1")
	a.comes("-UNBLOCKED client unblocked via CLIENT UNBLOCK|+PONG")
	w.do("client unblock 1 timeout|client unblock 99|client unblock x|client unblock 1 foo",
		":0|:0|-ERR value is not an integer or out of range|-ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")
	h.nobodyWaits()
}

func TestChainOfWaiters(t *testing.T) {
	h := blockingHarness(t, nil)
	var all [6]*client
	for i := range all { // each passes on to the next, in other shards
		all[i] = h.client()
		all[i].stays(fmt.Sprintf("bpass key%d key%d 0", i, i+1))
	}
	w := h.client()
	w.do("set key0 v", "+OK")
	for _, c := range all {
		c.comes("$1|v")
	}
	w.do("get key0|get key6", "$-1|$1|v")
	// A ring ends, since who was served has left.
	a, b := h.client(), h.client()
	a.stays("bpass x y 0")
	b.stays("bpass y x 0")
	w.do("set x 1|get x|get y", "+OK|$1|1|$-1")
	a.comes("$1|1")
	b.comes("$1|1")
	h.nobodyWaits()
}

func TestWaiterForTheEnd(t *testing.T) {
	h := blockingHarness(t, nil)
	a, w := h.client(), h.client()
	for _, c := range []struct{ cmd, reply, want string }{
		{"set s xyz", "+OK", "$3|xyz"},
		{"del s", ":1", "-NOKEY it has gone"},
	} {
		w.do("set s x", "+OK")
		a.stays("bpeek s 0")
		w.do("set s y", "+OK") // still nothing for it: it stays
		a.expect("")
		w.do(c.cmd, c.reply)
		a.comes(c.want)
		h.nobodyWaits()
	}
}

func TestEffectsOfServed(t *testing.T) {
	h := blockingHarness(t, nil)
	h.log.SetBacklog(true, 0)
	r, err := h.log.NewReader(h.log.Offset(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	a, b, w := h.client(), h.client(), h.client()
	a.stays("bpass k l 0")
	b.stays("btake l 0")
	w.do("set k 1", "+OK")
	a.comes("$1|1")
	b.comes("*2|$1|l|$1|1")
	got := readAll(t, r, h.log.Offset())
	want := "SELECT 0 set k 1 MULTI DEL k SET l 1 EXEC DEL l"
	if got != want {
		t.Errorf("log has %q, want %q", got, want)
	}
	if a.s.LastWrite() == 0 || b.s.LastWrite() != h.log.Offset() {
		t.Errorf("last writes %d, %d of %d", a.s.LastWrite(), b.s.LastWrite(), h.log.Offset())
	}
}

func TestServedByOwner(t *testing.T) {
	h := blockingHarness(t, nil)
	a, b, d, w := h.client(), h.client(), h.client(), h.client()
	a.stays("bslow k 0")
	b.stays("btake k 0")
	w.do("set k 1|ping", "+OK|+PONG")
	a.comes("$1|1")
	w.do("slow k", "+SLOW") // the writer owns its shards already
	b.comes("*2|$1|k|$4|slow")
	d.stays("bslow k 0")
	w.do("multi|set k 3|ping|exec", "+OK|+QUEUED|+QUEUED|*2|+OK|+PONG")
	d.comes("$1|3")
	h.nobodyWaits()
}

func TestWaiterOfDemotedNode(t *testing.T) {
	h := blockingHarness(t, nil)
	a := h.client()
	a.stays("btake k 0|ping")
	h.srv.UnblockAll()
	a.settle()
	a.expect("-UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)")
	if !a.s.Ended() {
		t.Error("the connection stays")
	}
	h.nobodyWaits()
}

func TestWaiterOfSlotThatLeft(t *testing.T) {
	v := oneShardView()
	fc := newFakeCluster(v)
	fc.lease.Store(clock.Mono() + int64(time.Hour))
	h := blockingHarness(t, func(o *Options) { o.Cluster = fc })
	a, w := h.client(), h.client()
	a.stays("btake b 0")
	w.do("set b 1", "+OK")
	a.comes("*2|$1|b|$1|1")
	a.stays("btake b 0")
	fc.view.Store(splitView())
	h.srv.Rerouted()
	a.settle()
	if got := a.sent(); !strings.HasPrefix(got, fmt.Sprintf("-MOVED %d ", slots.Of([]byte("b")))) {
		t.Errorf("got %q", got)
	}
	h.nobodyWaits()
}

// TestWaiterThatMayNotRun: a gate that has closed meanwhile answers by the waiter's own
// connection.
func TestWaiterThatMayNotRun(t *testing.T) {
	var full bool
	h := blockingHarness(t, func(o *Options) { o.Gates.DiskError = func() bool { return full } })
	a, w := h.client(), h.client()
	a.stays("btake k 0")
	k := [][]byte{[]byte("set"), []byte("k"), []byte("1")}
	applier := command.NewApplier(h.srv.o.Table, h.ks)
	full = true
	applier.SetHearers(h.srv.Hearers())
	if err := applier.Apply(0, k, nil); err != nil { // sent back to its gates
		t.Fatal(err)
	}
	a.comes("-" + resp.ErrMisconfWrites.Error())
	full = false
	w.do("get k", "$1|1")
	h.nobodyWaits()
}

func TestWritersPayNothing(t *testing.T) {
	h := blockingHarness(t, nil)
	c := h.client()
	req := request("set", "key", "value")
	run := func() {
		c.s.Feed(req)
		c.s.Sent(len(c.s.Sendable()))
	}
	run()
	if n := testing.AllocsPerRun(100, run); n != 0 {
		t.Errorf("%v allocations a write", n)
	}
	h.client().stays("btake other 0")
	if n := testing.AllocsPerRun(100, run); n != 0 {
		t.Errorf("%v allocations a write while somebody waits for another key", n)
	}
}

// TestWaitersUnderLoad: takers and writers of a few keys, some of which give up or go.
// Nothing is lost and nothing comes twice.
func TestWaitersUnderLoad(t *testing.T) {
	h := blockingHarness(t, nil)
	addr := serveTCP(t, h)
	const writers, takers, each = 4, 8, 150
	var mu sync.Mutex
	got := map[string]int{}
	var wg, producing sync.WaitGroup
	stop := make(chan struct{})
	for i := range takers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			w := dial(t, addr)
			for {
				switch i % 4 {
				case 0:
					w.send("btake q0 q1 q2 q3 20\r\n")
				case 1:
					w.send("btake q3 q2 20\r\n")
				case 2:
					w.send("bpass q1 q0 20\r\n")
				default:
					w.send("btake q0 20\r\n")
				}
				line := w.line()
				switch {
				case line == "*-1":
					select {
					case <-stop:
						return
					default:
					}
				case line[0] == '*':
					w.line()
					w.line()
					w.line()
					v := w.line()
					mu.Lock()
					got[v]++
					mu.Unlock()
				case line == "$-1":
				case line[0] == '$':
					w.line()
				default:
					t.Errorf("taker got %q", line)
					return
				}
			}
		}()
	}
	for i := range writers {
		producing.Add(1)
		go func() {
			defer producing.Done()
			w := dial(t, addr)
			for n := range each {
				// A key is written only where there is none: the value would be lost.
				for try := 0; ; try++ {
					w.send(fmt.Sprintf("addnew q%d %d-%d\r\n", (i+n+try)%4, i, n))
					if w.line() == ":1" {
						break
					}
				}
			}
		}()
	}
	producing.Wait()
	if err := waitFor(func() bool { mu.Lock(); defer mu.Unlock(); return len(got) == writers*each }); err != nil {
		t.Errorf("%d of %d values came", len(got), writers*each)
	}
	close(stop)
	wg.Wait()
	for v, n := range got {
		if n != 1 {
			t.Errorf("%s came %d times", v, n)
		}
	}
	h.nobodyWaits()
}

// readAll returns the words of the requests in the log up to offset.
func readAll(t *testing.T, r *effects.Reader, offset int64) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var all []byte
	for from := r.Offset(); from+int64(len(all)) < offset; {
		b, err := r.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	var words []string
	for _, line := range strings.Split(string(all), "\r\n") {
		if line != "" && line[0] != '*' && line[0] != '$' {
			words = append(words, line)
		}
	}
	return strings.Join(words, " ")
}
