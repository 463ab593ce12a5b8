package server

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/redwingdb/redwing/internal/clock"
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/resp"
	"github.com/redwingdb/redwing/internal/slots"
)

const execAbort = "-EXECABORT Transaction discarded because of previous errors."

func TestTransactions(t *testing.T) {
	h := newHarness(t, nil)
	c := h.client()
	for _, step := range []struct{ in, want string }{
		{"exec|discard", "-ERR EXEC without MULTI|-ERR DISCARD without MULTI"},
		{"multi|exec", "+OK|*0"},
		{"multi|set a 1|incr a|get a|exec|get a", "+OK|+QUEUED|+QUEUED|+QUEUED|*3|+OK|:2|$1|2|$1|2"},
		{"multi|multi|watch a|exec", "+OK|-ERR MULTI calls can not be nested|-ERR WATCH inside MULTI is not allowed|*0"},
		{"multi|set a|get a|exec", "+OK|-ERR wrong number of arguments for 'set' command|+QUEUED|" + execAbort},
		{"multi|foo|exec|exec", "+OK|-ERR unknown command 'foo', with args beginning with: |" + execAbort + "|-ERR EXEC without MULTI"},
		{"multi|incr a|discard|get a|unwatch", "+OK|+QUEUED|+OK|$1|2|+OK"},
		{"multi|echo x|select x|ping|exec", "+OK|+QUEUED|+QUEUED|+QUEUED|*3|$1|x|-ERR value is not an integer or out of range|+PONG"},
		{"multi|select 5|set z 1|exec|get z|select 0|get z", "+OK|+QUEUED|+QUEUED|*2|+OK|+OK|$1|1|+OK|$-1"},
		{"multi|set a 1|reset|exec|get a", "+OK|+QUEUED|+RESET|-ERR EXEC without MULTI|$1|2"},
		{"multi|set k 1|slow k|get k|exec", "+OK|+QUEUED|+QUEUED|+QUEUED|*3|+OK|+SLOW|$4|slow"},
		{"multi|set k 1|offloop|slow k|select 1|get k|exec|select 0", "+OK|+QUEUED|+QUEUED|+QUEUED|+QUEUED|+QUEUED|*5|+OK|+OFF|+SLOW|+OK|$-1|+OK"},
		{"multi|slow k|select 1|set in1 x|exec|get in1|select 0", "+OK|+QUEUED|+QUEUED|+QUEUED|*3|+SLOW|+OK|+OK|$1|x|+OK"},
		{"multi|plainonly|exec", "+OK|+QUEUED|*1|+OK"},
		{"multi|hello 3|get nokey|exec|get nokey|hello 2 x", "+OK|+QUEUED|+QUEUED|*2|%7|$6|server|$5|redis|$7|version|$5|7.2.4|$5|proto|:3|$2|id|:1|$4|mode|$10|standalone|$4|role|$6|master|$7|modules|*0|_|_|-ERR Syntax error in HELLO option 'x'"},
	} {
		c.do(step.in, step.want)
	}
	// The queue keeps its own bytes.
	d := h.client()
	d.feed("multi\r\n")
	d.feed("set kept before\r\n")
	for range 100 {
		d.feed("echo " + strings.Repeat("z", 100) + "\r\n")
	}
	d.feed("discard\r\nmulti\r\nset kept before\r\n" + strings.Repeat("ping zzzzzzzzzzzzzzzzz\r\n", 300) + "exec\r\nget kept\r\n")
	if got := d.sent(); !strings.HasSuffix(got, "$6\r\nbefore\r\n") {
		t.Errorf("…%q", got[max(0, len(got)-60):])
	}
}

func TestWatch(t *testing.T) {
	const ran, failed = "+OK|+QUEUED|*1|+PONG", "+OK|+QUEUED|*-1"
	const tx = "multi|ping|exec"
	for _, w := range []struct{ name, before, other, want string }{
		{"untouched", "watch a", "set b 1", ran},
		{"changed", "watch a", "set a 2", failed},
		{"one of several", "watch a b {a}c", "del b", failed},
		{"read", "watch a", "get a", ran},
		{"delete of nothing", "watch nokey", "del nokey", ran},
		{"created", "watch nokey", "set nokey 1", failed},
		{"deleted", "watch a", "del a", failed},
		{"changed by a slow command", "watch a", "slow a", failed},
		{"changed in EXEC", "watch a", "multi|set a 3|exec", failed},
		{"unwatched", "watch a|unwatch", "set a 2", ran},
		{"discarded", "watch a|multi|discard", "set a 2", ran},
		{"another database", "watch a", "select 3|set a 2", ran},
		{"flushed", "watch a", "flushall", failed},
		{"flushed and written again", "watch a", "flushall|set a 1", failed},
		{"nothing to flush", "watch nokey", "flushall", ran},
	} {
		t.Run(w.name, func(t *testing.T) {
			h := newHarness(t, nil)
			c, d := h.client(), h.client()
			d.do("set a 1|set b 1", "+OK|+OK")
			c.feed(strings.ReplaceAll(w.before, "|", "\r\n") + "\r\n")
			c.sent()
			d.feed(strings.ReplaceAll(w.other, "|", "\r\n") + "\r\n")
			d.settle()
			c.do(tx, w.want)
			c.do(tx, ran) // EXEC forgot the watches
			if h.srv.watches.Active() {
				t.Error("watches are left behind")
			}
		})
	}
	t.Run("own change", func(t *testing.T) {
		h := newHarness(t, nil)
		h.client().do("set a 1|watch a|set a 2|multi|ping|exec", "+OK|+OK|+OK|+OK|+QUEUED|*-1")
	})
	t.Run("aborted goes before failed", func(t *testing.T) {
		h := newHarness(t, nil)
		h.client().do("watch a|set a 2|multi|foo|exec", "+OK|+OK|+OK|-ERR unknown command 'foo', with args beginning with: |"+execAbort)
	})
	t.Run("expired", func(t *testing.T) {
		h := newHarness(t, nil)
		c := h.client()
		c.do("set a 1|expire a 1|watch a", "+OK|:1|+OK")
		for end := clock.WallMillis() + 2; clock.WallMillis() <= end; {
		}
		c.do("multi|ping|exec", failed)
		c.do("watch a|multi|ping|exec", "+OK|"+ran)
	})
	t.Run("slot left", func(t *testing.T) {
		h := newHarness(t, nil)
		c, d := h.client(), h.client()
		c.do("watch a", "+OK")
		d.do("watch b", "+OK")
		set := slots.SetOf(slots.Range{From: slots.Of([]byte("a")), To: slots.Of([]byte("a"))})
		h.srv.Watches().DirtySlots(&set)
		c.do(tx, failed)
		d.do(tx, ran)
	})
	t.Run("databases swapped", func(t *testing.T) {
		h := newHarness(t, nil, command.Spec{Name: "swap01", Arity: 1, Flags: command.Write, Shards: command.ShardsAll, Run: func(c *command.Ctx) error {
			c.TouchDatabase(0, 1)
			c.Keyspace.SwapDB(0, 1)
			c.Changed(1)
			c.Out.OK()
			return nil
		}})
		c := h.client()
		c.do("set a 1|select 1|set a 2|select 0|watch a|swap01|multi|ping|exec", "+OK|+OK|+OK|+OK|+OK|+OK|+OK|+QUEUED|*-1")
	})
	t.Run("closed", func(t *testing.T) {
		h := newHarness(t, nil)
		c := h.client()
		c.do("watch a b", "+OK")
		c.close()
		if h.srv.watches.Active() {
			t.Error("watches of a closed session are left behind")
		}
	})
	t.Run("applied stream", func(t *testing.T) {
		h := newHarness(t, nil)
		c := h.client()
		c.do("watch a", "+OK")
		a := command.NewApplier(h.srv.o.Table, h.ks)
		a.SetHearers(h.srv.Hearers())
		if err := a.Apply(0, [][]byte{[]byte("set"), []byte("a"), []byte("9")}, nil); err != nil {
			t.Fatal(err)
		}
		c.do(tx, failed)
	})
}

// Unwatching while somebody owns the shard waits for it elsewhere.
func TestUnwatchWhileOwned(t *testing.T) {
	h := newHarness(t, nil)
	c := h.client()
	c.do("watch a", "+OK")
	h.ks.Own(h.ks.AllShards())
	c.do("unwatch", "+OK")
	h.ks.Disown(h.ks.AllShards())
	h.srv.running.Wait()
	if h.srv.watches.Active() {
		t.Error("watches are left behind")
	}
}

// Increments by WATCH, GET, MULTI, SET, EXEC from many connections lose nothing.
func TestOptimisticIncrements(t *testing.T) {
	h := newHarness(t, nil)
	const workers, each = 4, 200
	var group sync.WaitGroup
	for w := range workers {
		c := h.client()
		group.Go(func() {
			for done := 0; done < each; {
				c.feed("watch n other\r\nget n\r\n")
				c.settle()
				var v int
				fmt.Sscanf(c.sent(), "+OK\r\n$%d\r\n%d", new(int), &v)
				c.feed(fmt.Sprintf("multi\r\nset n %d\r\nset w%d %d\r\nexec\r\n", v+1, w, v))
				c.settle()
				if strings.Contains(c.sent(), "*2") {
					done++
				}
				if done%50 == 0 {
					c.feed("slow s\r\nmget n s w0 w1\r\n")
					c.settle()
					c.sent()
				}
			}
		})
	}
	group.Wait()
	h.client().do("get n", fmt.Sprintf("$3|%d", workers*each))
	if h.srv.watches.Active() {
		t.Error("watches are left behind")
	}
}

// The gates stand in Redis' order: with all of them shut the first refuses; each one
// opened lets the next speak.
func TestGateOrder(t *testing.T) {
	f := newFakeCluster(splitView())
	shut := map[string]bool{}
	gate := func(name string) func() bool { return func() bool { return shut[name] } }
	h := newHarness(t, func(o *Options) {
		o.Cluster = f
		o.Auth = password("pw")
		o.Replica = fakeReplica{gate("replica"), gate("stale")}
		o.Gates = Gates{OverMemory: gate("memory"), DiskError: gate("disk"), FewReplicas: gate("replicas"), Loading: gate("loading"),
			Unlogged: func() *resp.Error {
				if shut["log"] {
					return resp.NewError("MISCONF of the log")
				}
				return nil
			}}
	}, command.Spec{Name: "all", Arity: 2, Flags: command.Write | command.DenyOOM | command.Protected | command.NoMulti,
		Keys: command.Key(command.KeyRW | command.KeyUpdate), Run: func(c *command.Ctx) error { c.Out.OK(); return nil }})
	set := h.srv.Settings()
	set.ServeStale.Store(false)
	for _, g := range []string{"replica", "stale", "memory", "disk", "log", "replicas", "loading"} {
		shut[g] = true
	}
	c := h.client()
	c.s.tx.open = true
	c.do("all", "-ERR wrong number of arguments for 'all' command")
	open := []struct {
		want string
		then func()
	}{
		{"-ERR ALL command not allowed. If the enable-all-command option is set to \"local\", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.", func() { set.DebugCommand.Store(int32(DebugLocal)) }},
		{"-NOAUTH Authentication required.", func() { c.s.authed = true }},
		{"-ERR Command not allowed inside a transaction", func() { c.s.tx.open = false }},
		{"-MOVED 3300 10.0.0.2:7002", func() { f.view.Store(oneShardView()) }},
		{"-OOM command not allowed when used memory > 'maxmemory'.", func() { shut["memory"] = false }},
		{"-MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may modify the data set are disabled, because this instance is configured to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error.", func() { shut["disk"] = false }},
		{"-MISCONF of the log", func() { shut["log"] = false }},
		{"-NOREPLICAS Not enough good replicas to write.", func() { shut["replicas"] = false }},
		{"-READONLY You can't write against a read only replica.", func() { set.ReplicaReads.Store(false) }},
		{"-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", func() { shut["stale"] = false }},
		{"-LOADING Redis is loading the dataset in memory", func() { shut["loading"] = false }},
		{"+OK", func() {}},
	}
	for _, step := range open {
		c.do("all b", step.want)
		step.then()
	}
	// Commands that need nothing pass in any state.
	for g := range shut {
		shut[g] = true
	}
	c.do("select 0|multi|echo x|exec", "+OK|+OK|-OOM command not allowed when used memory > 'maxmemory'.|"+execAbort)
	shut["memory"] = false
	c.do("multi|echo x|exec", "+OK|+QUEUED|*1|$1|x")
	// EXEC passes with the flags of its queue.
	shut["stale"], shut["loading"], shut["replica"] = false, false, false
	shut["disk"], shut["log"], shut["replicas"] = false, false, false
	c.do("multi|set b 1", "+OK|+QUEUED")
	shut["memory"] = true
	c.do("exec|exec", "-EXECABORT Transaction discarded because of: OOM command not allowed when used memory > 'maxmemory'.|-ERR EXEC without MULTI")
	shut["memory"] = false
	c.do("multi|get b", "+OK|+QUEUED")
	shut["memory"], shut["disk"], shut["replicas"] = true, true, true
	c.do("exec|ping", "*1|$-1|-"+"MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may modify the data set are disabled, because this instance is configured to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error.")
}

type fakeReplica struct{ replica, stale func() bool }

func (f fakeReplica) IsReplica() bool { return f.replica() }
func (f fakeReplica) LinkUp() bool    { return !f.stale() }

// A replica hides expired keys and leaves them to its primary.
func TestReplicaAccess(t *testing.T) {
	replica := false
	h := newHarness(t, func(o *Options) {
		o.Replica = fakeReplica{func() bool { return replica }, func() bool { return false }}
	})
	if h.srv.accessMode() != engine.ModePrimary {
		t.Error("not as a primary")
	}
	replica = true
	if h.srv.accessMode() != engine.ModeReplica {
		t.Error("not as a replica")
	}
}

// No bytes of a client end the process or leave a lock behind.
func FuzzSession(f *testing.F) {
	f.Add([]byte("set a 1\r\nmulti\r\nget a\r\nexec\r\nslow a\r\noffloop\r\n"))
	f.Add([]byte("*2\r\n$5\r\nwatch\r\n$1\r\na\r\n*1\r\n$5\r\nmulti\r\nhello 3\r\nexec\r\nreset\r\n"))
	f.Add([]byte("client list\r\nclient kill skipme no type normal\r\n"))
	f.Add([]byte("multi\r\nclient reply off\r\nslow b\r\nselect 2\r\nexec\r\nclient reply skip\r\nquit\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h := newHarness(t, nil)
		c := h.client()
		for len(b) > 0 && !c.s.stopped() {
			n := min(len(b), 1+len(b)/3)
			c.feed(string(b[:n]))
			b = b[n:]
			c.settle()
			c.sent()
		}
		c.close()
		h.srv.running.Wait()
		if !h.ks.TryLock(h.ks.AllShards(), nil) {
			t.Fatal("a shard is still owned")
		}
		h.ks.Unlock(h.ks.AllShards())
		if h.srv.watches.Active() || h.srv.Clients() != 0 {
			t.Error("something is left behind")
		}
	})
}

// What expires within an EXEC, since a command of it said so, is deleted in its place.
func TestExpiryWithinExec(t *testing.T) {
	h := newHarness(t, nil)
	h.log.SetBacklog(true, 1<<20)
	c := h.client()
	c.do("multi|set a 5|expire a -1|incr a|exec|get a", "+OK|+QUEUED|+QUEUED|+QUEUED|*3|+OK|:1|:1|$1|1")
	r, err := h.log.NewReader(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, err := r.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var want []byte
	for _, req := range []string{"SELECT 0", "MULTI", "set a 5", "DEL a", "incr a", "EXEC"} {
		want = append(want, request(strings.Fields(req)...)...)
	}
	if string(got) != string(want) {
		t.Errorf("log holds\n%q, want\n%q", got, want)
	}
}

// A session that is closed while its command counts hits off-loop leaves the counters
// to that run; the race detector sees it otherwise.
func TestClosedWhileCounting(t *testing.T) {
	began, end := make(chan struct{}), make(chan struct{})
	h := newHarness(t, nil, command.Spec{
		Name: "count", Arity: 1, Flags: command.ReadOnly, Shards: command.ShardsAll,
		Run: func(c *command.Ctx) error {
			if !c.Owner {
				return command.ErrSlow
			}
			close(began)
			<-end
			c.Hits++
			return nil
		},
	})
	c := h.client()
	c.feed("count\r\n")
	<-began
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		close(end)
		c.close()
	}()
	<-closed
	h.srv.running.Wait()
	if got := h.srv.Totals(nil); got.Hits != 1 {
		t.Errorf("%d hits", got.Hits)
	}
}
