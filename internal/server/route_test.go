package server

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/slots"
	"github.com/redwingdb/redwing/internal/topology"
)

var (
	nodeA = topology.NodeID(strings.Repeat("a", 40)) // primary of shardA
	nodeB = topology.NodeID(strings.Repeat("b", 40)) // primary of shardB
	nodeC = topology.NodeID(strings.Repeat("c", 40)) // replica of shardA
	shdA  = topology.ShardID(strings.Repeat("1", 40))
	shdB  = topology.ShardID(strings.Repeat("2", 40))
)

// twoShardView has slots 0-99 at shardA, 100-199 at shardB; 10 is migrating from A to
// B, 20 is migrating from A without a known peer.
func twoShardView() *topology.View {
	v := &topology.View{
		Nodes: []topology.Node{
			{ID: nodeA, Shard: shdA, Addr: topology.Addr{Host: "10.0.0.1", Port: 7001}},
			{ID: nodeB, Shard: shdB, Addr: topology.Addr{Host: "10.0.0.2", Port: 7002}},
			{ID: nodeC, Shard: shdA, Addr: topology.Addr{Host: "::3", Port: 7003}},
		},
		Shards: []topology.Shard{
			{ID: shdA, Term: 3, Primary: nodeA, Replicas: []topology.NodeID{nodeC}, Slots: slots.SetOf(slots.Range{From: 0, To: 99}),
				Open: []topology.OpenSlot{{Slot: 10, State: topology.Migrating, Peer: nodeB}, {Slot: 20, State: topology.Migrating, Peer: topology.NodeID(strings.Repeat("d", 40))}}},
			{ID: shdB, Term: 4, Primary: nodeB, Slots: slots.SetOf(slots.Range{From: 100, To: 199}),
				Open: []topology.OpenSlot{{Slot: 10, State: topology.Importing, Peer: nodeA}}},
		},
	}
	return v.Seal()
}

func TestRoute(t *testing.T) {
	const read, write = command.ReadOnly, command.Write
	keys := func(s ...slots.Slot) []KeySlot {
		var out []KeySlot
		for i, slot := range s {
			out = append(out, KeySlot{i, slot})
		}
		return out
	}
	v := twoShardView()
	for _, c := range []struct {
		name    string
		self    topology.NodeID
		flags   command.Flags
		keys    []KeySlot
		st      Access
		noLease bool
		present string // a digit a key: 1 it is here
		want    VerdictKind
		node    topology.NodeID
	}{
		{"no keys", nodeA, write, nil, Access{}, true, "", Serve, ""},
		{"mine", nodeA, write, keys(1), Access{}, false, "", Serve, ""},
		{"mine, several keys", nodeA, write, keys(1, 1, 1), Access{}, false, "", Serve, ""},
		{"mine, lease over", nodeA, write, keys(1), Access{}, true, "", DownLease, ""},
		{"mine, lease over, a read", nodeA, read, keys(1), Access{ReadOnly: true}, true, "", DownLease, ""},
		{"cross slot", nodeA, read, keys(1, 2), Access{}, false, "", CrossSlot, ""},
		{"cross slot before moved", nodeA, read, keys(101, 102), Access{}, false, "", CrossSlot, ""},
		{"unowned", nodeA, read, keys(5000), Access{}, false, "", DownUnowned, ""},
		{"elsewhere", nodeA, read, keys(100), Access{}, false, "", Moved, nodeB},
		{"elsewhere, without a lease", nodeA, read, keys(100), Access{}, true, "", Moved, nodeB},
		{"elsewhere, asking, not importing", nodeA, read, keys(100), Access{Asking: true}, false, "", Moved, nodeB},
		{"replica", nodeC, read, keys(1), Access{}, true, "", Moved, nodeA},
		{"replica, readonly read", nodeC, read, keys(1), Access{ReadOnly: true}, true, "", Serve, ""},
		{"replica, readonly write", nodeC, write, keys(1), Access{ReadOnly: true}, true, "", Moved, nodeA},
		{"replica, readonly, EXEC that writes", nodeC, command.RunsQueue | write, keys(1), Access{ReadOnly: true}, true, "", Moved, nodeA},
		{"replica, readonly, other shard", nodeC, read, keys(100), Access{ReadOnly: true}, true, "", Moved, nodeB},
		{"primary, readonly, other shard", nodeB, read, keys(1), Access{ReadOnly: true}, false, "", Moved, nodeA},
		{"migrating, present", nodeA, write, keys(10), Access{}, false, "1", Serve, ""},
		{"migrating, absent", nodeA, write, keys(10), Access{}, false, "0", Ask, nodeB},
		{"migrating, all absent", nodeA, write, keys(10, 10), Access{}, false, "00", Ask, nodeB},
		{"migrating, some absent", nodeA, write, keys(10, 10), Access{}, false, "10", TryAgain, ""},
		{"migrating, not asked yet", nodeA, write, keys(10), Access{}, false, "", Serve, ""},
		{"migrating, peer unknown", nodeA, write, keys(20), Access{}, false, "0", Serve, ""},
		{"migrating, lease over", nodeA, write, keys(10), Access{}, true, "0", DownLease, ""},
		{"other slot of a shard with open slots", nodeA, write, keys(11), Access{}, false, "0", Serve, ""},
		{"importing, not asking", nodeB, write, keys(10), Access{}, false, "0", Moved, nodeA},
		{"importing, asking", nodeB, write, keys(10), Access{Asking: true}, false, "0", Serve, ""},
		{"importing, by the command", nodeB, write | command.Asking, keys(10), Access{}, false, "0", Serve, ""},
		{"importing, asking, several, all here", nodeB, write, keys(10, 10), Access{Asking: true}, false, "11", Serve, ""},
		{"importing, asking, several, some here", nodeB, write, keys(10, 10), Access{Asking: true}, false, "10", TryAgain, ""},
		{"importing, asking, lease over", nodeB, write, keys(10), Access{Asking: true}, true, "1", DownLease, ""},
		{"stranger", topology.NodeID(strings.Repeat("e", 40)), read, keys(1), Access{ReadOnly: true}, true, "", Moved, nodeA},
	} {
		t.Run(c.name, func(t *testing.T) {
			until := int64(101)
			if c.noLease {
				until = 100 // over at 100
			}
			lease := Lease{100, func(shard topology.ShardID, term uint64) int64 {
				if shard == shdA && term != 3 || shard == shdB && term != 4 {
					t.Errorf("asked for the lease of %s at %d", shard, term)
				}
				return until
			}}
			var present func(int) bool
			if c.present != "" {
				present = func(i int) bool { return c.present[i] == '1' }
			}
			got := Route(v, c.self, c.flags, c.keys, c.st, lease, present)
			var node topology.NodeID
			if got.Node != nil {
				node = got.Node.ID
			}
			if got.Kind != c.want || node != c.node {
				t.Errorf("%v at %q, want %v at %q", got.Kind, node, c.want, c.node)
			}
		})
	}
	moved := Verdict{Moved, 7, nil, v.Node(nodeC)}
	if got := moved.reply(hostOf).Error(); got != "MOVED 7 ::3:7003" {
		t.Errorf("reply %q", got)
	}
}

func hostOf(n *topology.Node) string { return n.Addr.Host }

// fakeCluster is a cluster that tests change as they go.
type fakeCluster struct {
	view      atomic.Pointer[topology.View]
	lease     atomic.Int64
	hold      atomic.Int32
	holdWakes chan func()
	pulling   bool
	pulled    func()
}

func newFakeCluster(v *topology.View) *fakeCluster {
	f := &fakeCluster{holdWakes: make(chan func(), 8)}
	f.view.Store(v)
	f.lease.Store(1 << 62)
	return f
}

func (f *fakeCluster) View() *topology.View                      { return f.view.Load() }
func (f *fakeCluster) Self() topology.NodeID                     { return nodeA }
func (f *fakeCluster) LeaseUntil(topology.ShardID, uint64) int64 { return f.lease.Load() }
func (f *fakeCluster) Held(slots.Slot) Hold                      { return Hold(f.hold.Load()) }
func (f *fakeCluster) AwaitHold(_ slots.Slot, wake func())       { f.holdWakes <- wake }
func (f *fakeCluster) HeldAny() Hold                             { return Hold(f.hold.Load()) }
func (f *fakeCluster) AwaitAny(wake func())                      { f.holdWakes <- wake }
func (f *fakeCluster) Endpoint(n *topology.Node) string          { return hostOf(n) }
func (f *fakeCluster) Freshen(wake func()) bool {
	f.pulled = wake
	return f.pulling
}

// oneShardView gives every slot to nodeA.
func oneShardView() *topology.View {
	v := &topology.View{
		Nodes:  []topology.Node{{ID: nodeA, Shard: shdA, Addr: topology.Addr{Host: "10.0.0.1", Port: 7001}}},
		Shards: []topology.Shard{{ID: shdA, Term: 3, Primary: nodeA, Slots: slots.All()}},
	}
	return v.Seal()
}

// splitView gives the slot of key "b" (3300) to nodeB, all others to nodeA.
func splitView() *topology.View {
	all := slots.All()
	all.Remove(slots.Of([]byte("b")))
	var one slots.Set
	one.Add(slots.Of([]byte("b")))
	v := &topology.View{
		Nodes: []topology.Node{
			{ID: nodeA, Shard: shdA, Addr: topology.Addr{Host: "10.0.0.1", Port: 7001}},
			{ID: nodeB, Shard: shdB, Addr: topology.Addr{Host: "10.0.0.2", Port: 7002}},
		},
		Shards: []topology.Shard{
			{ID: shdA, Term: 3, Primary: nodeA, Slots: all},
			{ID: shdB, Term: 4, Primary: nodeB, Slots: one},
		},
	}
	return v.Seal()
}

func TestClusterSession(t *testing.T) {
	f := newFakeCluster(splitView())
	h := newHarness(t, func(o *Options) { o.Cluster = f })
	c := h.client()
	c.do("set a 1|get a|get b|mget a b|mget {a}1 {a}2", "+OK|$1|1|-MOVED 3300 10.0.0.2:7002|-CROSSSLOT Keys in request don't hash to the same slot|*2|$-1|$-1")
	c.do("select 0|select 1|plainonly", "+OK|-ERR SELECT is not allowed in cluster mode|-ERR PLAINONLY is not allowed in cluster mode")
	c.do("readonly|get b|readwrite|asking|get b", "+OK|-MOVED 3300 10.0.0.2:7002|+OK|+OK|-MOVED 3300 10.0.0.2:7002")
	c.do("multi|get b|get a|exec", "+OK|-MOVED 3300 10.0.0.2:7002|+QUEUED|-EXECABORT Transaction discarded because of previous errors.")
	c.do("multi|set {a}1 1|set {x}1 1|exec|exec", "+OK|+QUEUED|+QUEUED|-CROSSSLOT Keys in request don't hash to the same slot|-ERR EXEC without MULTI")
	c.do("multi|set {a}1 1|set {a}2 2|exec", "+OK|+QUEUED|+QUEUED|*2|+OK|+OK")
	c.do("multi|set {a}1 1", "+OK|+QUEUED")
	f.lease.Store(0)
	c.do("exec|get a|set a 1|ping", "-CLUSTERDOWN The cluster is down|-CLUSTERDOWN The cluster is down|-CLUSTERDOWN The cluster is down|+PONG")
}

// A lease that ends while the command runs takes its reply back.
func TestLeaseEndsMeanwhile(t *testing.T) {
	f := newFakeCluster(oneShardView())
	end := func(name string, flags command.Flags) command.Spec {
		return command.Spec{Name: name, Arity: 2, Flags: flags, Keys: command.Key(command.KeyRO), Run: func(c *command.Ctx) error {
			f.lease.Store(1)
			c.Out.Simple("secret")
			return nil
		}}
	}
	h := newHarness(t, func(o *Options) { o.Cluster = f }, end("endread", command.ReadOnly), end("endwrite", command.Write))
	c := h.client()
	c.do("endread a", "-CLUSTERDOWN The cluster is down")
	f.lease.Store(1 << 62)
	c.do("endwrite a|ping", "-UNCERTAIN The write ran, but this node's lease ended before it could be confirmed|+PONG")
	f.lease.Store(1 << 62)
	c.do("multi|get a|endwrite a|exec", "+OK|+QUEUED|+QUEUED|-UNCERTAIN The write ran, but this node's lease ended before it could be confirmed")
	f.lease.Store(1 << 62)
	c.do("multi|get a|endread a|exec", "+OK|+QUEUED|+QUEUED|-CLUSTERDOWN The cluster is down")
}

func TestHeldSlot(t *testing.T) {
	f := newFakeCluster(oneShardView())
	h := newHarness(t, func(o *Options) { o.Cluster = f })
	c := h.client()
	f.hold.Store(int32(HoldWrites))
	c.feed("get a\r\nset a 1\r\nget a\r\n")
	c.expect("$-1")
	f.hold.Store(int32(HoldAll))
	(<-f.holdWakes)()
	c.wake()
	c.expect("")
	// The slot has left meanwhile.
	v := splitView()
	v.Shards[0].Slots, v.Shards[1].Slots = slots.Set{}, slots.All()
	f.view.Store(v.Seal())
	f.hold.Store(int32(HoldNone))
	(<-f.holdWakes)()
	c.settle()
	c.expect("-MOVED 15495 10.0.0.2:7002|-MOVED 15495 10.0.0.2:7002")
}

func TestFreshenBeforeMoved(t *testing.T) {
	f := newFakeCluster(splitView())
	f.pulling = true
	h := newHarness(t, func(o *Options) { o.Cluster = f })
	c := h.client()
	c.feed("get b\r\n")
	c.expect("")
	f.view.Store(oneShardView())
	f.pulled()
	c.settle()
	c.expect("$-1")
	f.view.Store(splitView())
	c.feed("get b\r\n")
	f.pulled() // nothing newer came
	c.settle()
	c.expect("-MOVED 3300 10.0.0.2:7002")
}

// Keys of a half-moved slot are looked for under the lock.
func TestOpenSlotSession(t *testing.T) {
	v := splitView()
	slot := slots.Of([]byte("{a}"))
	v.Shards[0].Open = []topology.OpenSlot{{Slot: slot, State: topology.Migrating, Peer: nodeB}}
	f := newFakeCluster(oneShardView())
	h := newHarness(t, func(o *Options) { o.Cluster = f })
	c := h.client()
	c.do("set {a}1 x", "+OK")
	f.view.Store(v.Seal())
	c.do("get {a}1|get {a}2|mget {a}1 {a}2|mget {a}2 {a}3", "$1|x|-ASK 15495 10.0.0.2:7002|-TRYAGAIN Multiple keys request during rehashing of slot|-ASK 15495 10.0.0.2:7002")
	c.do("multi|get {a}1|get {a}2|exec|exec", "+OK|+QUEUED|+QUEUED|-TRYAGAIN Multiple keys request during rehashing of slot|-ERR EXEC without MULTI")
}
