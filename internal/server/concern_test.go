package server

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/resp"
	"github.com/redwingdb/redwing/internal/topology"
)

// syncHarness is a primary of all slots at term 3 with sync-writes as told; nothing is
// confirmed by itself.
func syncHarness(t *testing.T, allowed topology.SyncWrites, more ...command.Spec) (*harness, *fakeCluster) {
	f := newFakeCluster(syncView(allowed, 60_000))
	h := newHarness(t, func(o *Options) { o.Cluster = f }, more...)
	h.log.SetBacklog(true, 1<<20)
	h.log.TrackSlots()
	return h, f
}

func syncView(allowed topology.SyncWrites, timeoutMillis int) *topology.View {
	v := oneShardView()
	v.Config.SyncWrites, v.Config.SyncTimeoutMillis = allowed, timeoutMillis
	return v
}

func (h *harness) confirm(offset int64) {
	h.srv.SetConfirmed(Confirmed{Shard: shdA, Term: 3, Offset: offset})
}

// expire sweeps until no reply of the session waits: each has waited for sync-timeout.
func (h *harness) expire(c *client) {
	h.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); len(c.s.out.marks) > 0; {
		if time.Now().After(deadline) {
			h.t.Fatal("no reply has expired")
		}
		if h.srv.SweepUnconfirmed(); len(c.f.posted) > 0 {
			c.wake()
		}
	}
}

func TestWriteConcernCommand(t *testing.T) {
	plain := newHarness(t, nil).client()
	plain.do("client write-concern|client write-concern async|client write-concern sync", "$5|async|+OK|-"+errSyncPlain.Error())
	h, f := syncHarness(t, topology.SyncNo)
	c := h.client()
	c.do("client write-concern sync|client write-concern|set a 1", "-"+errSyncOff.Error()+"|$5|async|+OK")
	f.view.Store(syncView(topology.SyncAllowed, 60_000))
	c.do("client write-concern|client write-concern sync|client write-concern", "$5|async|+OK|$4|sync")
	c.do("client write-concern both|client write-concern sync sync", "-ERR syntax error|-ERR syntax error")
	// Not allowed any more: writes are not taken as something else than they were meant.
	f.view.Store(syncView(topology.SyncNo, 60_000))
	c.do("client write-concern|get a|set a 2|client write-concern async|set a 2", "$5|async|$1|1|-"+errSyncOff.Error()+"|+OK|+OK")
	// Where they are always synchronous a connection is so from its start.
	f.view.Store(syncView(topology.SyncAlways, 60_000))
	c.do("client write-concern|reset|client write-concern", "$5|async|+RESET|$4|sync")
}

func TestSyncReplies(t *testing.T) {
	h, _ := syncHarness(t, topology.SyncAllowed)
	c, reader, async := h.client(), h.client(), h.client()
	c.do("client write-concern sync", "+OK")
	reader.do("client write-concern sync", "+OK")
	c.do("set a 1", "-NOREPLICAS Not enough good replicas to write.") // nobody counts the copies yet
	h.srv.SetConfirmed(Confirmed{Shard: shdA, Term: 3, Offset: h.log.Offset(), Refuse: true})
	c.do("set a 1|get a", "-NOREPLICAS Not enough good replicas to write.|$-1")
	async.do("set z 0", "+OK")
	h.confirm(h.log.Offset())

	c.feed("ping\r\nset a 1\r\nping\r\n")
	first := h.log.Offset()
	c.expect("+PONG")
	reader.feed("get other\r\nget a\r\n") // a read waits for the writes it saw
	reader.expect("$-1")
	async.do("get a|set b 1", "$1|1|+OK") // unless its client does not care
	c.feed("set a 2\r\nget other\r\nmulti\r\nget b\r\nexec\r\n")
	second := h.log.Offset()
	h.confirm(first)
	c.wake()
	c.expect("+OK|+PONG")
	reader.wake()
	reader.expect("$1|1")
	h.confirm(second)
	c.wake()
	c.expect("+OK|$-1|+OK|+QUEUED|*1|$1|1")

	// A read by SCAN or the like may have seen any write.
	c.feed("flushall\r\n")
	c.expect("")
	h.confirm(h.log.Offset())
	c.wake()
	c.expect("+OK")

	// Back to async: what waits goes on waiting, the rest does not.
	c.feed("set a 3\r\nclient write-concern async\r\nset a 4\r\n")
	c.expect("")
	h.confirm(h.log.Offset())
	c.wake()
	c.expect("+OK|+OK|+OK")
}

func TestUnconfirmedReplies(t *testing.T) {
	h, f := syncHarness(t, topology.SyncAlways)
	late := "-" + resp.ErrUnconfirmed.Error()
	h.confirm(h.log.Offset())
	f.view.Store(syncView(topology.SyncAlways, 1))
	c, d := h.client(), h.client()
	c.feed("set a 1\r\nping\r\nget a\r\nping\r\nmulti\r\nget a\r\nset {a}b 2\r\nexec\r\nping\r\n")
	c.expect("")
	h.expire(c)
	c.expect(late + "|+PONG|-" + resp.ErrUnconfirmedRead.Error() + "|+PONG|+OK|+QUEUED|+QUEUED|" + late + "|+PONG")

	// The next one waits again, and for longer: what came in time is sent as it was.
	f.view.Store(syncView(topology.SyncAlways, 60_000))
	c.feed("set a 2\r\n")
	h.srv.SweepUnconfirmed()
	c.expect("")
	h.confirm(h.log.Offset())
	c.wake()
	c.expect("+OK")

	// A lease that has ended ends the waiting.
	c.feed("set a 3\r\nget a\r\n")
	f.lease.Store(1)
	h.srv.SweepUnconfirmed()
	c.wake()
	c.expect("-" + resp.ErrUncertain.Error() + "|-CLUSTERDOWN The cluster is down")
	// Even if the word of the copies comes first.
	f.lease.Store(1 << 62)
	c.feed("set a 3\r\n")
	f.lease.Store(1)
	h.confirm(h.log.Offset())
	c.wake()
	c.expect("-" + resp.ErrUncertain.Error())
	f.lease.Store(1 << 62)

	// So does a new term, whatever its offsets are.
	c.feed("set a 4\r\n")
	d.feed("get a\r\n")
	h.srv.SetConfirmed(Confirmed{Shard: shdA, Term: 4, Offset: 1 << 40})
	c.wake()
	c.expect("-" + resp.ErrUncertain.Error())
	d.wake()
	d.expect("-CLUSTERDOWN The cluster is down")
}

// What waits for both the disk and the copies is sent when both have it.
func TestDurableAndConfirmed(t *testing.T) {
	h, _ := syncHarness(t, topology.SyncAlways)
	h.srv.Settings().AwaitDurable.Store(true)
	h.confirm(0)
	c := h.client()
	for _, diskFirst := range []bool{true, false} {
		c.feed("incr n\r\n")
		end := h.log.Offset()
		steps := []func(){func() { h.srv.SetDurable(end) }, func() { h.confirm(end) }}
		if !diskFirst {
			steps[0], steps[1] = steps[1], steps[0]
		}
		steps[0]()
		c.wake()
		if got := c.sent(); got != "" {
			t.Fatalf("disk first %v: %q was sent too early", diskFirst, got)
		}
		steps[1]()
		c.wake()
		if got := c.sent(); !strings.HasPrefix(got, ":") {
			t.Fatalf("disk first %v: %q", diskFirst, got)
		}
	}
}

func TestSyncSessionStopsAtItsBound(t *testing.T) {
	h, _ := syncHarness(t, topology.SyncAlways)
	h.confirm(0)
	c := h.client()
	for range withheldMax + 10 {
		c.feed("incr n\r\n")
	}
	if c.s.wait != withheld {
		t.Error("runs on")
	}
	h.confirm(h.log.Offset())
	c.wake()
	h.confirm(h.log.Offset())
	if got := strings.Count(c.sent(), ":"); got != withheldMax+10 {
		t.Errorf("%d replies", got)
	}
	c.feed("incr n\r\n")
	c.close()
	if n := len(h.srv.awaiting.heap); n != 0 {
		t.Errorf("%d closed sessions are waited for", n)
	}
}

// A client that blocked waits for the write that served it.
func TestSyncBlockedClient(t *testing.T) {
	h, _ := syncHarness(t, topology.SyncAlways, blockingCommands()...)
	h.confirm(0)
	c, w := h.client(), h.client()
	c.feed("btake q 0\r\n")
	w.feed("addnew q x\r\n")
	served := h.log.Offset()
	c.wake()
	c.expect("")
	h.confirm(served)
	c.wake()
	if got := c.sent(); got == "" || got[0] == '-' {
		t.Errorf("got %q", got)
	}
}

// TestOutputModel plays random replies, withheld and not, random words of the disk and of
// the copies, and random ends, against a list of replies: order is kept, nothing is sent
// too early, and each reply or its error exactly once.
func TestOutputModel(t *testing.T) {
	seeds := uint64(400)
	if testing.Short() {
		seeds = 60
	}
	for seed := range seeds {
		rng := rand.New(rand.NewPCG(seed, 7))
		var o output
		type reply struct {
			text    string
			marked  bool
			verdict int // of its mark: 0 waits, 1 as it stands, 2 an error, 3 nothing
		}
		var model []reply
		var sent, want strings.Builder
		next := 0 // the first reply of the model that has not been settled
		for step := range 300 {
			switch rng.IntN(4) {
			case 0, 1:
				r := reply{text: fmt.Sprintf("+%d.%s\r\n", step, strings.Repeat("x", rng.IntN(200))), marked: rng.IntN(2) == 0}
				start := len(o.w.Buf)
				o.w.Buf = append(o.w.Buf, r.text...)
				if r.marked && !o.withhold(mark{start: start, durable: int64(len(model))}) {
					t.Fatal("a reply was not taken")
				}
				model = append(model, r)
			case 2:
				for i := next; i < len(model); i++ {
					if model[i].marked && model[i].verdict == 0 && rng.IntN(3) == 0 {
						model[i].verdict = 1 + rng.IntN(3)
					}
				}
				o.settle(func(m *mark) (bool, *resp.Error) {
					switch model[m.durable].verdict {
					case 1:
						return true, nil
					case 2:
						return true, resp.ErrUnconfirmed
					case 3:
						return true, errNothing
					}
					return false, nil
				})
			case 3:
				b := o.sendable()
				n := rng.IntN(len(b) + 1)
				sent.Write(b[:n])
				o.advance(n)
			}
			for ; next < len(model) && (!model[next].marked || model[next].verdict != 0); next++ {
				switch r := model[next]; r.verdict {
				case 0, 1:
					want.WriteString(r.text)
				case 2:
					want.WriteString("-" + resp.ErrUnconfirmed.Error() + "\r\n")
				}
			}
			if !strings.HasPrefix(want.String(), sent.String()) {
				t.Fatalf("seed %d step %d: sent %q", seed, step, sent.String())
			}
		}
		b := o.sendable()
		sent.Write(b)
		o.advance(len(b))
		if got := sent.String(); got != want.String() {
			t.Fatalf("seed %d: sent\n%q, want\n%q", seed, got, want.String())
		}
	}
}
