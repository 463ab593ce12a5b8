package gossip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/redwingdb/redwing/internal/bus"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

type node struct {
	id, addr string
	bus      *bus.Bus
	g        *Gossip
	newest   atomic.Uint64
	heard    atomic.Uint64
	done     chan struct{}
	mu       sync.Mutex
	events   []Event
}

func (n *node) saw(kind EventKind, id, run string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.ContainsFunc(n.events, func(e Event) bool { return e.Kind == kind && e.Member.Node == id && e.Member.Run == run })
}

func start(t *testing.T, id, run, cluster, secret, at string) *node {
	t.Helper()
	ln, err := net.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.ListenPacket("udp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	n := &node{id: id, addr: ln.Addr().String(), done: make(chan struct{})}
	if n.bus, err = bus.New(bus.Options{Listener: ln, Secret: []byte(secret)}); err != nil {
		t.Fatal(err)
	}
	n.bus.SetIdentity(bus.Identity{Node: id, Run: run, Cluster: cluster, Generation: 1, Addr: n.addr})
	go func() {
		defer close(n.done)
		n.bus.Run(context.Background())
	}()
	n.g, err = Start(Options{
		Bus: n.bus, Conn: conn, Cluster: cluster, Self: Member{Node: id, Run: run, Addr: n.addr, Zone: "z-" + id},
		Newest: n.newest.Load,
		Heard: func(i uint64) {
			for {
				if cur := n.heard.Load(); i <= cur || n.heard.CompareAndSwap(cur, i) {
					return
				}
			}
		},
		Event: func(e Event) {
			n.mu.Lock()
			n.events = append(n.events, e)
			n.mu.Unlock()
		},
		ProbeInterval: 50 * time.Millisecond, RejoinInterval: 20 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.kill)
	return n
}

func (n *node) kill() {
	if n.g == nil {
		return
	}
	n.g.Close()
	n.bus.Close()
	<-n.done
	n.g = nil
}

func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	deadline := time.Now().Add(8 * time.Second)
	for !cond() {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestMembersAndEvents(t *testing.T) {
	for _, secret := range []string{"", "sesame"} {
		var nodes []*node
		var peers []Peer
		for i := range 4 {
			n := start(t, fmt.Sprint("n", i), "r1", "c1", secret, "127.0.0.1:0")
			nodes = append(nodes, n)
			peers = append(peers, Peer{n.id, n.addr})
		}
		for _, n := range nodes[1:] {
			n.g.SetPeers(peers[:1]) // one is enough, the rest is gossip
		}
		for _, n := range nodes {
			eventually(t, "all known", func() bool { return len(n.g.Members()) == 4 })
		}
		m := nodes[0].g.Members()[3]
		if m != (Member{Node: "n3", Run: "r1", Addr: nodes[3].addr, Zone: "z-n3"}) {
			t.Fatalf("%+v", m)
		}
		eventually(t, "join seen", func() bool { return nodes[3].saw(Join, "n1", "r1") })

		nodes[2].newest.Store(77)
		for _, n := range []*node{nodes[0], nodes[1], nodes[3]} {
			eventually(t, "newest index heard", func() bool { return n.heard.Load() == 77 })
		}

		nodes[3].kill()
		eventually(t, "leave seen", func() bool { return nodes[0].saw(Leave, "n3", "r1") && len(nodes[0].g.Members()) == 3 })
		back := start(t, "n3", "r2", "c1", secret, "127.0.0.1:0")
		back.g.SetPeers(peers[:1])
		eventually(t, "the new run seen elsewhere", func() bool { return nodes[1].saw(Join, "n3", "r2") })
	}
}

func TestStrangersAreKeptOut(t *testing.T) {
	a := start(t, "a", "r", "c1", "s", "127.0.0.1:0")
	other := start(t, "x", "r", "c2", "s", "127.0.0.1:0")
	keyless := start(t, "y", "r", "c1", "", "127.0.0.1:0")
	b := start(t, "b", "r", "c1", "s", "127.0.0.1:0")
	for _, n := range []*node{other, keyless, b} {
		n.g.SetPeers([]Peer{{"a", a.addr}})
	}
	c, err := net.Dial("udp", a.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, junk := range []string{"", "x", "\xf4\x02c1garbage", strings.Repeat("\xff", 1400)} {
		c.Write([]byte(junk))
	}
	eventually(t, "b known", func() bool { return len(a.g.Members()) == 2 })
	eventually(t, "strangers have tried", func() bool {
		return a.bus.DroppedBy(bus.DropCluster) > 0 && a.bus.DroppedBy(bus.DropAuth) > 0
	})
	if m := a.g.Members(); len(m) != 2 || m[1].Node != "b" {
		t.Fatalf("%+v", m)
	}
}

func TestKeyRotation(t *testing.T) {
	a := start(t, "a", "r", "c1", "old", "127.0.0.1:0")
	for _, step := range []error{a.g.AddKey([]byte("new")), a.g.UseKey([]byte("new")), a.g.RemoveKey([]byte("old"))} {
		if step != nil {
			t.Fatal(step)
		}
	}
	if err := a.g.UseKey([]byte("old")); err == nil {
		t.Fatal("a removed key is used")
	}
	b := start(t, "b", "r", "c1", "", "127.0.0.1:0")
	if err := b.g.AddKey([]byte("new")); !errors.Is(err, ErrNoKeys) {
		t.Fatal(err)
	}
}

func TestMetadataFits(t *testing.T) {
	m := Member{Node: strings.Repeat("a", 40), Run: "r", Addr: "host:1", Zone: strings.Repeat("z", 5000)}
	b, err := m.encode(512)
	if err != nil || len(b) > 512 {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	got, err := decodeMember(b)
	if err != nil || got.Node != m.Node || !strings.HasPrefix(m.Zone, got.Zone) {
		t.Fatalf("%+v %v", got, err)
	}
	m.Addr = strings.Repeat("h", 600)
	if _, err := m.encode(512); !errors.Is(err, ErrMeta) {
		t.Fatal(err)
	}
	for _, bad := range []string{"", "{", `{"n":""}`, "null"} {
		if _, err := decodeMember([]byte(bad)); !errors.Is(err, ErrMeta) {
			t.Fatalf("%q: %v", bad, err)
		}
	}
}

func FuzzDecodeMember(f *testing.F) {
	f.Add([]byte(`{"n":"a","r":"b","a":"c:1"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := decodeMember(b); err == nil {
			out, err := m.encode(1 << 20)
			if err != nil {
				t.Fatal(err)
			}
			if again, err := decodeMember(out); err != nil || again.Node == "" {
				t.Fatalf("%+v %v", again, err)
			}
		}
	})
}
