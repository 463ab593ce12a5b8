package consensus

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/redwingdb/redwing/internal/bus"
	"github.com/redwingdb/redwing/internal/slots"
	"github.com/redwingdb/redwing/internal/topology"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// node is one process of a test: a bus and a Consensus over a directory.
type node struct {
	t    testing.TB
	name string
	dir  string
	opt  func(*Options)
	addr string

	bus  *bus.Bus
	c    *Consensus
	done chan struct{}
	mu   struct {
		sync.Mutex
		serving bool
	}
}

var verbose = false

func start(t *testing.T, name string, opt ...func(*Options)) *node {
	t.Helper()
	n := &node{t: t, name: name, dir: t.TempDir()}
	if len(opt) > 0 {
		n.opt = opt[0]
	}
	n.boot("127.0.0.1:0")
	t.Cleanup(n.stop)
	return n
}

// boot starts a life of the node at an address.
func (n *node) boot(addr string) {
	n.t.Helper()
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		n.t.Fatal(err)
	}
	n.addr = ln.Addr().String()
	log := zap.NewNop()
	if verbose {
		log = zaptest.NewLogger(n.t).Named(n.name)
	}
	n.bus, err = bus.New(bus.Options{Listener: ln, Logger: log})
	if err != nil {
		n.t.Fatal(err)
	}
	port := ln.Addr().(*net.TCPAddr).Port
	n.setServing(true)
	o := Options{
		Dir: n.dir, Run: NewRunID(), Bus: n.bus, Logger: log, Serving: n.setServing,
		Node: func() topology.Node {
			return topology.Node{Addr: topology.Addr{Host: "127.0.0.1", Port: max(port-10000, 1), BusPort: port}, Zone: "zone-" + n.name, Priority: 100}
		},
	}
	if n.opt != nil {
		n.opt(&o)
	}
	n.c, err = Open(o)
	if err != nil {
		n.t.Fatal(err)
	}
	n.done = make(chan struct{})
	go func(b *bus.Bus, done chan struct{}) {
		defer close(done)
		b.Run(context.Background())
	}(n.bus, n.done)
}

func (n *node) setServing(on bool) {
	n.mu.Lock()
	n.mu.serving = on
	n.mu.Unlock()
}

func (n *node) serves() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.mu.serving
}

// kill is the end of the process as others see it: every connection at once. Nothing is
// said, and what was not synced is not kept by raft.
func (n *node) kill() {
	if n.c == nil {
		return
	}
	n.c.opt.abrupt = true
	n.bus.Close()
	<-n.done
	n.c.Close()
	n.c = nil
}

// shutdown is an orderly end.
func (n *node) shutdown() {
	n.c.Close()
	n.bus.Close()
	<-n.done
	n.c = nil
}

func (n *node) stop() { n.kill() }

func (n *node) id() topology.NodeID { return n.c.Self() }

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

func eventually(t *testing.T, d time.Duration, what string, cond func() bool) {
	t.Helper()
	deadline := time.Now().Add(d)
	for !cond() {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

func rangeOf(from, to slots.Slot) slots.Set { return slots.SetOf(slots.Range{From: from, To: to}) }

// cluster forms a cluster of n nodes and waits until it has its voters.
func cluster(t *testing.T, size int, opt ...func(*Options)) []*node {
	t.Helper()
	nodes := make([]*node, size)
	for i := range nodes {
		nodes[i] = start(t, fmt.Sprint("n", i), opt...)
	}
	if err := nodes[0].c.Form(within(t, 10*time.Second), slots.All()); err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes[1:] {
		if err := n.c.Meet(within(t, 10*time.Second), nodes[0].addr); err != nil {
			t.Fatal(err)
		}
	}
	settled(t, nodes, size)
	return nodes
}

// settled waits until all nodes see the same View with the voters it should have.
func settled(t *testing.T, nodes []*node, size int) {
	t.Helper()
	eventually(t, 20*time.Second, "voters and equal views", func() bool {
		v := nodes[0].c.View()
		if len(v.Nodes) != size || len(v.Voters()) != topology.VotersFor(size) {
			return false
		}
		for _, n := range nodes {
			if n.c.View().Index != v.Index || string(topology.EncodeView(n.c.View())) != string(topology.EncodeView(v)) {
				return false
			}
			if n.c.Leader() == "" {
				return false
			}
		}
		members := 0
		for _, n := range nodes {
			if n.c.IsMember() {
				members++
			}
		}
		return members == topology.VotersFor(size)
	})
}

func leader(t *testing.T, nodes []*node) *node {
	t.Helper()
	var found *node
	eventually(t, 10*time.Second, "a leader", func() bool {
		for _, n := range nodes {
			if n.c != nil && n.c.IsLeader() {
				found = n
				return true
			}
		}
		return false
	})
	return found
}

func bump(v *topology.View) topology.Entry {
	return topology.BumpEpoch{Header: topology.Header{Request: randomHex(16)}, Shard: v.Shards[0].ID}
}
