package transfer

import (
	"bufio"
	"context"
	"io"
	"net"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	hash "github.com/redwingdb/redwing/internal/slots"
)

// fakeNode owns all slots of a cluster. Requests are noted as "connection: words"; those
// that answer has no reply for ("") get a common one.
type fakeNode struct {
	ln     net.Listener
	answer func(n int, words string) string

	mu    sync.Mutex
	log   []string
	conns []net.Conn
}

func newFakeNode(t *testing.T, answer func(n int, words string) string) *fakeNode {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeNode{ln: ln, answer: answer}
	var running sync.WaitGroup
	running.Go(func() {
		for n := 1; ; n++ {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			f.mu.Lock()
			f.conns = append(f.conns, c)
			f.mu.Unlock()
			running.Go(func() { f.serve(n, c) })
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		f.cut()
		running.Wait()
	})
	return f
}

// cut ends all connections.
func (f *fakeNode) cut() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.conns {
		_ = c.Close()
	}
}

func (f *fakeNode) serve(n int, c net.Conn) {
	defer c.Close()
	in := bufio.NewReader(c)
	for {
		r, err := readReply(in)
		if err != nil {
			return
		}
		var words []string
		for _, e := range r.Elems {
			words = append(words, e.String())
		}
		text := strings.Join(words, " ")
		f.mu.Lock()
		f.log = append(f.log, strconv.Itoa(n)+": "+text)
		f.mu.Unlock()
		reply := f.answer(n, text)
		switch {
		case reply != "":
		case text == "CLUSTER INFO":
			reply = "+cluster_state:ok\r\n"
		case text == "CLIENT INFO":
			reply = "+id=" + strconv.Itoa(100+n) + " addr=10.0.0.1:" + strconv.Itoa(n) + " laddr=10.0.0.2:1 name=\r\n"
		case strings.HasPrefix(text, "CLIENT KILL"), strings.HasPrefix(text, "WAIT"):
			reply = ":1\r\n"
		default:
			reply = "+OK\r\n"
		}
		if _, err := io.WriteString(c, reply); err != nil {
			return
		}
	}
}

func (f *fakeNode) logged() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.log)
}

// target returns a target of which the node owns all.
func (f *fakeNode) target(t *testing.T) *Target {
	t.Helper()
	target := NewTarget(t.Context(), TargetOptions{
		Endpoint: Endpoint{Timeout: 10 * time.Second},
		Layout: func(context.Context) ([]Owner, error) {
			return []Owner{{Addr: f.ln.Addr().String(), Slots: hash.All(), Replicated: true}}, nil
		},
	})
	t.Cleanup(target.Close)
	return target
}

// lost is what a sender's Failed has heard.
type lost struct {
	mu   sync.Mutex
	keys []string
}

func (l *lost) add(keys [][]byte, _ error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range keys {
		l.keys = append(l.keys, string(k))
	}
}

func (l *lost) is(t *testing.T, want ...string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	slices.Sort(l.keys)
	if !slices.Equal(l.keys, want) {
		t.Errorf("failed: %q, want %q", l.keys, want)
	}
}

func set(key string) Op {
	return Op{Keys: [][]byte{[]byte(key)}, Args: [][]byte{word("SET"), []byte(key), word("v")}}
}

// What a connection has sent and the node not carried out must not come behind what the
// next connection sends: the node is told to drop it first.
func TestFormerConnectionIsKilled(t *testing.T) {
	f := newFakeNode(t, func(n int, words string) string {
		if n == 1 && words == "SET a v" {
			return "-CLUSTERDOWN The cluster is down\r\n"
		}
		return ""
	})
	var l lost
	s := f.target(t).Sender(l.add, nil)
	for _, key := range []string{"a", "b"} {
		if err := s.Send(set(key)); err != nil {
			t.Fatal(err)
		}
		if err := s.Settle(); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{
		"1: CLUSTER INFO", "1: CLIENT INFO", "1: SET a v",
		"2: CLUSTER INFO", "2: CLIENT KILL ID 101 ADDR 10.0.0.1:1", "2: CLIENT INFO", "2: SET b v",
	}
	if got := f.logged(); !slices.Equal(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
	l.is(t, "a")
}

// Confirm returns when a replica has what was written, or it is told as failed.
func TestConfirm(t *testing.T) {
	var mu sync.Mutex
	waits := 0
	var f *fakeNode
	f = newFakeNode(t, func(n int, words string) string {
		if !strings.HasPrefix(words, "WAIT") {
			return ""
		}
		mu.Lock()
		defer mu.Unlock()
		switch waits++; waits {
		case 1:
			return ":0\r\n" // the replica lags
		case 3:
			f.cut() // the node dies
		case 4:
			return "-UNBLOCKED it is a replica now\r\n"
		}
		return ""
	})
	target := f.target(t)
	var l lost
	s := target.Sender(l.add, nil)
	write := func(keys ...string) {
		t.Helper()
		for _, key := range keys {
			if err := s.Send(set(key)); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Settle(); err != nil {
			t.Fatal(err)
		}
		if lagging := target.Confirm(); len(lagging) != 0 {
			t.Errorf("%q lag", lagging)
		}
	}
	write("a", "b")
	mu.Lock()
	if waits != 2 {
		t.Errorf("%d WAITs", waits)
	}
	mu.Unlock()
	l.is(t)
	write("c", "d")
	l.is(t, "c", "d")
	write("e")
	l.is(t, "c", "d", "e")
	write("f")
	l.is(t, "c", "d", "e")
}

// What a replica has is confirmed although others have written more to the node since.
func TestConfirmBesideWriters(t *testing.T) {
	o := &owner{done: make(chan struct{})}
	o.mu.room.L, o.mu.work.L, o.waits.L = &o.mu, &o.mu, &o.mu
	o.mu.unsafe = []*request{{}}
	confirmed := make(chan bool, 1)
	go func() { confirmed <- o.confirm(time.Now().Add(time.Minute)) }()
	asked := func() (r *request) {
		for r == nil {
			runtime.Gosched()
			o.mu.Lock()
			if len(o.mu.queue) > 0 {
				r, o.mu.queue = o.mu.queue[0], nil
			}
			o.mu.Unlock()
		}
		return r
	}
	asked().done <- answer{reply: Reply{Kind: ':', Int: 1}} // what is unsafe now came behind it
	again := make(chan *request, 1)
	go func() { again <- asked() }()
	select {
	case ok := <-confirmed:
		if !ok {
			t.Error("it is not confirmed")
		}
	case <-again:
		t.Error("it is asked for again")
	}
	o.mu.Lock()
	o.mu.queue = []*request{{}} // ends who waits for another question
	o.mu.Unlock()
}

// A node whose replicas do not follow is named.
func TestConfirmLagging(t *testing.T) {
	f := newFakeNode(t, func(_ int, words string) string {
		if strings.HasPrefix(words, "WAIT") {
			return ":0\r\n"
		}
		return ""
	})
	target := f.target(t)
	s := target.Sender(func([][]byte, error) {}, nil)
	if err := s.Send(set("a")); err != nil {
		t.Fatal(err)
	}
	if err := s.Settle(); err != nil {
		t.Fatal(err)
	}
	target.mu.Lock()
	o := target.mu.byAddr[f.ln.Addr().String()]
	target.mu.Unlock()
	if o.confirm(time.Now()) {
		t.Error("nobody has confirmed it")
	}
}
