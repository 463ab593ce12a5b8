package pubsub

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/slots"
)

// ear notes what it hears.
type ear struct {
	mu    sync.Mutex
	heard []string
}

func (e *ear) Deliver(m *Message) {
	e.mu.Lock()
	defer e.mu.Unlock()
	text := fmt.Sprintf("%d %s %s", m.Kind, m.Channel, m.Payload)
	if m.Kind == Pattern {
		text += " by " + string(m.Pattern)
	}
	e.heard = append(e.heard, text)
}

func (e *ear) all() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]string(nil), e.heard...)
}

func b(s string) []byte { return []byte(s) }

func TestHub(t *testing.T) {
	h := NewHub()
	x, y := &ear{}, &ear{}
	if h.Heard() || h.Publish(Channel, b("a"), b("1"), 0) != 0 {
		t.Error("somebody hears nobody")
	}
	h.Subscribe(Channel, b("a"), x)
	h.Subscribe(Channel, b("a"), x)
	h.Subscribe(Channel, b("a"), y)
	h.Subscribe(Pattern, b("[ab]"), y)
	h.Subscribe(Shard, b("a"), x)
	for _, p := range []struct {
		k       Kind
		channel string
		n       int
	}{{Channel, "a", 3}, {Channel, "b", 1}, {Channel, "c", 0}, {Shard, "a", 1}, {Shard, "b", 0}} {
		if n := h.Publish(p.k, b(p.channel), b("m"), 0); n != p.n {
			t.Errorf("%v reaches %d", p, n)
		}
	}
	if got := strings.Join(x.all(), "|"); got != "0 a m|2 a m" {
		t.Errorf("x heard %q", got)
	}
	if got := strings.Join(y.all(), "|"); got != "0 a m|1 a m by [ab]|1 b m by [ab]" {
		t.Errorf("y heard %q", got)
	}
	if c, p, s := h.Counts(); c != 1 || p != 1 || s != 1 {
		t.Errorf("counts %d %d %d", c, p, s)
	}
	h.Unsubscribe(Channel, b("a"), x)
	h.Unsubscribe(Channel, b("a"), x)
	h.Unsubscribe(Channel, b("nosuch"), x)
	if h.Subscribers(Channel, b("a")) != 1 || h.Has(Channel, b("a"), x) || !h.Has(Channel, b("a"), y) {
		t.Error("the wrong one has left")
	}
	h.DropShard(func(s slots.Slot) bool { return s == slots.Of(b("a")) })
	if got := x.all(); got[len(got)-1] != "3 a " {
		t.Errorf("x heard %q", got)
	}
	h.Unsubscribe(Channel, b("a"), y)
	h.Unsubscribe(Pattern, b("[ab]"), y)
	if c, p, s := h.Counts(); c != 0 || p != 0 || s != 0 {
		t.Errorf("counts %d %d %d", c, p, s)
	}
}

// TestOneOrder: all subscribers of a channel hear the same order, and every publisher's
// messages in his.
func TestOneOrder(t *testing.T) {
	h := NewHub()
	x, y, z := &ear{}, &ear{}, &ear{}
	h.Subscribe(Channel, b("c"), x)
	h.Subscribe(Channel, b("c"), y)
	h.Subscribe(Pattern, b("*"), z)
	var wg sync.WaitGroup
	for p := range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range 200 {
				h.Publish(Channel, b("c"), b(fmt.Sprintf("%d-%03d", p, i)), 0)
			}
		}()
	}
	wg.Wait()
	xs, ys, zs := x.all(), y.all(), z.all()
	next := map[string]int{}
	for i := range xs {
		if xs[i] != ys[i] || "1"+xs[i][1:]+" by *" != zs[i] {
			t.Fatalf("message %d: %s, %s, %s", i, xs[i], ys[i], zs[i])
		}
		who, n, _ := strings.Cut(strings.Fields(xs[i])[2], "-")
		if n != fmt.Sprintf("%03d", next[who]) {
			t.Fatalf("%s comes as number %d of its publisher", xs[i], next[who])
		}
		next[who]++
	}
}

func TestPublishToNobodyAllocatesNothing(t *testing.T) {
	h := NewHub()
	h.Subscribe(Channel, b("other"), &ear{})
	channel, payload := b("channel"), b("payload")
	if n := testing.AllocsPerRun(100, func() { h.Publish(Channel, channel, payload, 0) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// pair are two relays; what one dials the other serves.
func pair(t *testing.T) (one *Relay, there *Hub) {
	there = NewHub()
	other := NewRelay(RelayOptions{Hub: there})
	var wg sync.WaitGroup
	one = NewRelay(RelayOptions{Hub: NewHub(), Dial: func(context.Context, string) (net.Conn, error) {
		a, b := net.Pipe()
		wg.Add(1)
		go func() { defer wg.Done(); other.Serve(b) }()
		return a, nil
	}})
	t.Cleanup(func() { one.Close(); other.Close(); wg.Wait() })
	return one, there
}

func TestRelay(t *testing.T) {
	r, there := pair(t)
	x := &ear{}
	there.Subscribe(Channel, b("c"), x)
	there.Subscribe(Shard, b("s"), x)
	r.Publish(Channel, b("c"), b("to nobody"))
	r.Keep([]string{"n"}, nil)
	long := strings.Repeat("x", 3<<20)
	r.Publish(Shard, b("s"), b("not of this shard"))
	r.Publish(Channel, b("c"), b("1"))
	r.Publish(Channel, b("c"), b(long))
	r.Keep([]string{"n"}, []string{"n"})
	r.Publish(Shard, b("s"), b(""))
	want := []string{"0 c 1", "0 c " + long, "2 s "}
	for end := time.Now().Add(10 * time.Second); len(x.all()) < len(want) && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	if got := x.all(); strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("heard %d messages: %.100q", len(got), got)
	}
	r.Keep(nil, nil)
	r.Publish(Channel, b("c"), b("late"))
}

func FuzzRelayReceive(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 1, 0, 0, 0, 1, 'c', 'm'})
	f.Add([]byte{2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, in []byte) {
		r := NewRelay(RelayOptions{Hub: NewHub()})
		defer r.Close()
		a, conn := net.Pipe()
		go func() { a.Write(in); a.Close() }()
		r.Serve(conn)
	})
}
