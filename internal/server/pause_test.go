package server

import (
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/engine"
)

func TestPause(t *testing.T) {
	h := newHarness(t, nil)
	a, w := h.client(), h.client()
	w.do("client pause 100000 write|get k", "+OK|$-1")
	a.feed("set k v\r\nget k\r\n")
	a.expect("")
	w.do("client pause 1 all", "+OK") // no shorter, but all now
	w.feed("get k\r\n")
	w.expect("")
	h.srv.pause.word.Store(0)
	w.s.post()
	a.s.post()
	a.settle()
	a.expect("+OK|$1|v")
	w.settle()
	w.expect("$1|v")
	w.do("client pause 50", "+OK")
	a.feed("get k\r\n")
	if a.f.alarm.IsZero() {
		t.Fatal("no alarm is set")
	}
	time.Sleep(time.Until(a.f.alarm))
	a.f.Post() // the alarm
	a.settle()
	a.expect("$1|v")
}

// A hold is neither CLIENT PAUSE nor that of another holder: none ends another, and under either
// expired keys are hidden alone.
func TestHoldWrites(t *testing.T) {
	h := newHarness(t, nil)
	a, w := h.client(), h.client()
	h.srv.HoldWrites(ShutdownHolds, true)
	h.srv.HoldWrites(FailoverHolds, true)
	h.srv.HoldWrites(ShutdownHolds, false)
	a.feed("set k v\r\n")
	a.expect("")
	w.do("client unpause|get k", "+OK|$-1")
	a.wake()
	a.expect("")
	if !h.srv.Paused() || h.srv.accessMode() != engine.ModeReplica {
		t.Fatal("not paused")
	}
	w.do("client pause 100000 write", "+OK")
	h.srv.HoldWrites(FailoverHolds, false)
	a.wake()
	a.expect("")
	w.do("client unpause", "+OK")
	a.settle()
	a.expect("+OK")
	w.do("get k", "$1|v")
	if h.srv.Paused() || h.srv.accessMode() != engine.ModePrimary {
		t.Fatal("still paused")
	}
}

// A write waits once where writers are asked to, and holds nobody up meanwhile; reads do
// not, nor what is queued, but its EXEC.
func TestWriteDelay(t *testing.T) {
	delay := 20 * time.Millisecond
	h := newHarness(t, func(o *Options) { o.Gates.WriteDelay = func() time.Duration { return delay } })
	a, b := h.client(), h.client()
	wait := func() {
		t.Helper()
		if a.f.alarm.IsZero() {
			t.Fatal("no alarm is set")
		}
		time.Sleep(time.Until(a.f.alarm))
		a.f.alarm = time.Time{}
		a.f.Post() // the alarm
		a.settle()
	}
	a.feed("set k v\r\nget k\r\n")
	a.expect("")
	b.do("get k", "$-1")
	wait()
	a.expect("+OK|$1|v")
	a.feed("multi\r\nset k w\r\nexec\r\n")
	a.expect("+OK|+QUEUED")
	b.do("get k", "$1|v")
	wait()
	a.expect("*1|+OK")
	delay = 0
	a.do("set k x", "+OK")
}
