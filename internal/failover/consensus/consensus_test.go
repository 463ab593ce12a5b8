package consensus

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/bus"
	"github.com/redwingdb/redwing/internal/clock"
	"github.com/redwingdb/redwing/internal/slots"
	"github.com/redwingdb/redwing/internal/topology"
)

func TestFreshNodeSeesItself(t *testing.T) {
	t.Parallel()
	n := start(t, "a")
	v := n.c.View()
	if v.Formed() || len(v.Nodes) != 1 || v.Nodes[0].ID != n.id() || v.ShardOf(n.id()) == nil || v.Owned() != 0 {
		t.Fatalf("%+v", v.Nodes)
	}
	if _, err := n.c.Propose(within(t, time.Second), bump(v)); !errors.Is(err, topology.ErrNotFormed) {
		t.Fatal(err)
	}
	if v, err := n.c.Fresh(within(t, time.Second)); err != nil || v.Formed() {
		t.Fatal(err)
	}
}

func TestClusterOfOne(t *testing.T) {
	t.Parallel()
	n := start(t, "a")
	if err := n.c.Form(within(t, 5*time.Second), rangeOf(0, 99)); err != nil {
		t.Fatal(err)
	}
	if err := n.c.Form(within(t, 5*time.Second), slots.Set{}); !errors.Is(err, topology.ErrFormed) {
		t.Fatal(err)
	}
	v := n.c.View()
	if !v.Formed() || v.Owned() != 100 || !slices.Equal(v.Voters(), []topology.NodeID{n.id()}) || !n.c.IsLeader() || n.c.ElectedAt() == 0 || n.c.RaftTerm() == 0 {
		t.Fatalf("%+v", v)
	}
	index, err := n.c.Propose(within(t, time.Second), bump(v))
	if err != nil || index <= v.Index || n.c.View().Index < index {
		t.Fatalf("%d %v", index, err)
	}

	// A second life keeps identity, log and View.
	id, run, was := n.id(), v.Nodes[0].Run, n.c.View().EpochCounter
	n.kill()
	n.boot("127.0.0.1:0")
	if n.id() != id || n.c.View().Owned() != 100 || n.c.View().EpochCounter != was {
		t.Fatalf("%s %+v", n.id(), n.c.View())
	}
	eventually(t, 5*time.Second, "the new run announced", func() bool {
		m := n.c.View().Node(id)
		return m.Run != run && m.Run == n.c.opt.Run && m.Addr.BusPort == n.bus.Addr().(*net.TCPAddr).Port
	})
}

func TestMeetBothAlone(t *testing.T) {
	t.Parallel()
	a, b := start(t, "a"), start(t, "b")
	if err := a.c.Form(within(t, 5*time.Second), rangeOf(0, 9)); err != nil {
		t.Fatal(err)
	}
	if err := b.c.Form(within(t, 5*time.Second), rangeOf(10, 19)); err != nil {
		t.Fatal(err)
	}
	small, large := a, b
	if b.id() < a.id() {
		small, large = b, a
	}
	want := small.c.View().ClusterID
	if err := small.c.Meet(within(t, 5*time.Second), large.addr); err != nil {
		t.Fatal(err)
	}
	for _, n := range []*node{a, b} {
		eventually(t, 5*time.Second, "one cluster", func() bool {
			v := n.c.View()
			return v.ClusterID == want && len(v.Nodes) == 2 && v.Owned() == 20
		})
		if !n.serves() {
			t.Fatal("a member that does not serve")
		}
	}
	if err := large.c.Meet(within(t, 5*time.Second), small.addr); err != nil {
		t.Fatalf("meeting a member: %v", err)
	}
}

// TestMeetStorm: every node is told to meet the first at once, as redis-cli does.
func TestMeetStorm(t *testing.T) {
	t.Parallel()
	nodes := make([]*node, 6)
	for i := range nodes {
		nodes[i] = start(t, string(rune('a'+i)))
	}
	var wg sync.WaitGroup
	for i, n := range nodes {
		wg.Go(func() {
			s := slots.Set{}
			if i < 3 {
				s = rangeOf(slots.Slot(i*100), slots.Slot(i*100+99))
			}
			if err := n.c.Form(within(t, 10*time.Second), s); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	began := time.Now()
	for _, n := range nodes[1:] {
		wg.Go(func() {
			if err := n.c.Meet(within(t, 10*time.Second), nodes[0].addr); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	t.Logf("met after %v", time.Since(began))
	settled(t, nodes, 6)
	t.Logf("five voters after %v", time.Since(began))
	if v := nodes[0].c.View(); v.Owned() != 300 {
		t.Fatalf("%d slots owned", v.Owned())
	}
}

func TestMeetRefusedForOwnedSlots(t *testing.T) {
	t.Parallel()
	nodes := cluster(t, 3)
	x := start(t, "x")
	if err := x.c.Form(within(t, 5*time.Second), rangeOf(5, 7)); err != nil {
		t.Fatal(err)
	}
	own := x.c.View().ClusterID
	err := x.c.Meet(within(t, 5*time.Second), nodes[1].addr)
	if !errors.Is(err, topology.ErrSlotOwned) {
		t.Fatal(err)
	}
	if x.c.Joining() || !x.serves() || x.c.View().ClusterID != own {
		t.Fatal("the refused node did not go back to its own cluster")
	}
	if _, err := x.c.Propose(within(t, 5*time.Second), bump(x.c.View())); err != nil {
		t.Fatalf("its own log is shut: %v", err)
	}
	// Two clusters with other members never merge.
	y := start(t, "y")
	if err := y.c.Meet(within(t, 10*time.Second), x.addr); err != nil {
		t.Fatal(err)
	}
	eventually(t, 5*time.Second, "two of them", func() bool { return len(x.c.View().Nodes) == 2 })
	if err := x.c.Meet(within(t, 5*time.Second), nodes[0].addr); !errors.Is(err, ErrBothFormed) {
		t.Fatal(err)
	}
}

func TestProposeFromAnywhere(t *testing.T) {
	t.Parallel()
	nodes := cluster(t, 6)
	lead := leader(t, nodes)
	for _, n := range nodes {
		began := time.Now()
		v := n.c.View()
		index, err := n.c.Propose(within(t, 5*time.Second), bump(v))
		if err != nil {
			t.Fatal(err)
		}
		n.c.Settle(within(t, 5*time.Second), index)
		for _, m := range nodes {
			if m.c.View().Index < index {
				t.Fatalf("%s is at %d after Settle(%d)", m.name, m.c.View().Index, index)
			}
		}
		t.Logf("%s (leader %v, member %v): %v", n.name, n == lead, n.c.IsMember(), time.Since(began))
		// A refusal comes back as topology's error, from everywhere.
		_, err = n.c.Propose(within(t, 5*time.Second), topology.BumpEpoch{Shard: topology.ShardID(randomHex(40))})
		if !errors.Is(err, topology.ErrUnknownShard) {
			t.Fatal(err)
		}
		if fresh, err := n.c.Fresh(within(t, 5*time.Second)); err != nil || fresh.Index < lead.c.View().Index {
			t.Fatalf("%v", err)
		}
	}
}

func TestSameRequestIsAppliedOnce(t *testing.T) {
	t.Parallel()
	nodes := cluster(t, 3)
	e := bump(nodes[0].c.View())
	before := nodes[0].c.View().EpochCounter
	first, err := nodes[0].c.Propose(within(t, 5*time.Second), e)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		again, err := n.c.Propose(within(t, 5*time.Second), e)
		if err != nil || again != first {
			t.Fatalf("%d %v, first %d", again, err, first)
		}
	}
	if v, err := nodes[1].c.Fresh(within(t, 5*time.Second)); err != nil || v.EpochCounter != before+1 {
		t.Fatalf("epoch %d, was %d, %v", v.EpochCounter, before, err)
	}
}

// TestLeaderDies: proposals go on, and the time it takes is printed.
func TestLeaderDies(t *testing.T) {
	t.Parallel()
	nodes := cluster(t, 6)
	rounds := 2
	if testing.Short() {
		rounds = 1
	}
	for range rounds {
		dead := leader(t, nodes)
		addr := dead.addr
		alive := slices.DeleteFunc(slices.Clone(nodes), func(n *node) bool { return n == dead })
		dead.kill()
		began := clock.Mono()
		var wg sync.WaitGroup
		for _, n := range alive {
			wg.Go(func() {
				if _, err := n.c.Propose(within(t, 20*time.Second), bump(n.c.View())); err != nil {
					t.Errorf("%s: %v", n.name, err)
				}
			})
		}
		wg.Wait()
		took := time.Duration(clock.Mono() - began)
		next := leader(t, alive)
		t.Logf("new leader after %v, proposals of all nodes after %v", time.Duration(next.c.ElectedAt()-began), took)
		if next.c.ElectedAt() < began {
			t.Error("elected before the old leader died")
		}
		dead.boot(addr)
		settled(t, nodes, 6)
	}
}

// TestAllRestartElsewhere: every node comes back with another address, and finds the
// others by a seed, or by the operator's MEET.
func TestAllRestartElsewhere(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"seed", "meet"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			restartElsewhere(t, way == "meet")
		})
	}
}

func restartElsewhere(t *testing.T, meet bool) {
	nodes := cluster(t, 3)
	index, err := nodes[0].c.Propose(within(t, 5*time.Second), bump(nodes[0].c.View()))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		n.kill()
	}
	var seed string
	for _, n := range nodes {
		if !meet {
			n.opt = func(o *Options) { o.Seeds = []string{seed} }
		}
		n.boot("127.0.0.1:0")
		if seed == "" {
			seed = n.addr
		}
	}
	if meet {
		for _, n := range nodes[1:] {
			if err := n.c.Meet(within(t, 5*time.Second), seed); err != nil {
				t.Fatal(err)
			}
		}
	}
	eventually(t, 15*time.Second, "together again", func() bool {
		for _, n := range nodes {
			v := n.c.View()
			if v.Index <= index {
				return false
			}
			for _, m := range nodes {
				if a, ok := n.c.Resolve(string(m.id())); !ok || a != m.addr {
					return false
				}
			}
		}
		return true
	})
	settled(t, nodes, 3)
}

func TestReset(t *testing.T) {
	t.Parallel()
	nodes := cluster(t, 4)
	var voter *node
	for _, n := range nodes[1:] { // the first owns the slots
		if n.c.IsMember() && !n.c.IsLeader() {
			voter = n
		}
	}
	id, inc := voter.id(), voter.c.Incarnation()
	if err := voter.c.Reset(within(t, 10*time.Second), false); err != nil {
		t.Fatal(err)
	}
	if voter.id() != id || voter.c.Incarnation() != inc+1 || voter.c.Formed() || voter.c.IsMember() || voter.c.View().Formed() {
		t.Fatal("not as new")
	}
	rest := slices.DeleteFunc(slices.Clone(nodes), func(n *node) bool { return n == voter })
	settled(t, rest, 3)
	if rest[0].c.View().Node(id) != nil {
		t.Fatal("still a member")
	}
	// It may come back, as what it is now; and a hard reset draws another id.
	if err := voter.c.Meet(within(t, 10*time.Second), rest[0].addr); err != nil {
		t.Fatal(err)
	}
	settled(t, nodes, 4)
	if err := voter.c.Reset(within(t, 10*time.Second), true); err != nil {
		t.Fatal(err)
	}
	if voter.id() == id {
		t.Fatal("the old id")
	}
	settled(t, rest, 3)
}

// TestRemoveLeader: the one voter of two nodes leaves; the other takes the log over.
func TestRemoveLeader(t *testing.T) {
	t.Parallel()
	a, b := start(t, "a"), start(t, "b")
	if err := a.c.Form(within(t, 5*time.Second), slots.Set{}); err != nil {
		t.Fatal(err)
	}
	if err := b.c.Meet(within(t, 5*time.Second), a.addr); err != nil {
		t.Fatal(err)
	}
	settled(t, []*node{a, b}, 2)
	first, second := a, b
	if b.c.IsLeader() {
		first, second = b, a
	}
	if err := first.c.Reset(within(t, 10*time.Second), false); err != nil {
		t.Fatal(err)
	}
	eventually(t, 10*time.Second, "the other leads alone", func() bool {
		v := second.c.View()
		return second.c.IsLeader() && len(v.Nodes) == 1 && slices.Equal(v.Voters(), []topology.NodeID{second.id()})
	})
	if _, err := second.c.Propose(within(t, 5*time.Second), bump(second.c.View())); err != nil {
		t.Fatal(err)
	}
}

// TestDeadVoterIsReplaced by a node that was none.
func TestDeadVoterIsReplaced(t *testing.T) {
	t.Parallel()
	nodes := cluster(t, 4, func(o *Options) {
		o.voterDeadAfter, o.lonelyAfter = 300*time.Millisecond, 300*time.Millisecond
	})
	var dead *node
	for _, n := range nodes {
		if n.c.IsMember() && !n.c.IsLeader() {
			dead = n
		}
	}
	id, addr := dead.id(), dead.addr
	rest := slices.DeleteFunc(slices.Clone(nodes), func(n *node) bool { return n == dead })
	dead.kill()
	eventually(t, 10*time.Second, "three voters without the dead one", func() bool {
		v := rest[0].c.View().Voters()
		return len(v) == 3 && !slices.Contains(v, id)
	})
	dead.boot(addr)
	settled(t, nodes, 4)
}

// TestJoinInterrupted: a joiner that dies with the mark on disk asks for its fate.
func TestJoinInterrupted(t *testing.T) {
	t.Parallel()
	for _, committed := range []bool{false, true} {
		a, b := start(t, "a"), start(t, "b")
		if err := a.c.Form(within(t, 5*time.Second), rangeOf(0, 9)); err != nil {
			t.Fatal(err)
		}
		if err := b.c.Form(within(t, 5*time.Second), rangeOf(10, 19)); err != nil {
			t.Fatal(err)
		}
		info, err := b.c.askInfo(within(t, 5*time.Second), a.addr)
		if err != nil {
			t.Fatal(err)
		}
		b.c.lock(context.Background())
		s := b.c.stateCopy()
		if err := b.c.beginJoin(within(t, 5*time.Second), &s, a.addr, info); err != nil {
			t.Fatal(err)
		}
		if b.serves() {
			t.Fatal("serves while joining")
		}
		if committed {
			if _, _, err := b.bus.CallAddr(within(t, 5*time.Second), a.addr, openJoin, encode(joinCall{info.Cluster, info.Generation, s.Join.Entry})); err != nil {
				t.Fatal(err)
			}
		}
		b.c.unlock()
		if _, err := b.c.Propose(within(t, 5*time.Second), bump(b.c.View())); !errors.Is(err, ErrJoining) {
			t.Fatalf("own log is open while joining: %v", err)
		}
		b.kill()
		b.boot("127.0.0.1:0")
		eventually(t, 5*time.Second, "joined", func() bool {
			v := b.c.View()
			return v.ClusterID == info.Cluster && len(v.Nodes) == 2 && v.Owned() == 20 && b.serves() && !b.c.Joining()
		})
		settled(t, []*node{a, b}, 2)
	}
}

// TestMinority: without a majority nothing commits, and what was tried resolves later.
func TestMinority(t *testing.T) {
	t.Parallel()
	nodes := cluster(t, 3)
	addr := []string{nodes[1].addr, nodes[2].addr}
	nodes[1].kill()
	nodes[2].kill()
	e := bump(nodes[0].c.View())
	before := nodes[0].c.View().EpochCounter
	if _, err := nodes[0].c.Propose(within(t, 500*time.Millisecond), e); err == nil || topology.IsRefusal(err) {
		t.Fatalf("committed by a minority: %v", err)
	}
	eventually(t, 5*time.Second, "no leader", func() bool { return !nodes[0].c.IsLeader() && nodes[0].c.ElectedAt() == 0 })
	nodes[1].boot(addr[0])
	nodes[2].boot(addr[1])
	if _, err := nodes[0].c.Propose(within(t, 10*time.Second), e); err != nil {
		t.Fatal(err)
	}
	v, err := nodes[0].c.Fresh(within(t, 5*time.Second))
	if err != nil || v.EpochCounter != before+1 {
		t.Fatalf("epoch %d, was %d: %v", v.EpochCounter, before, err)
	}
}

// TestForeign: nodes of another cluster and garbage are dropped, counted and harmless.
func TestForeign(t *testing.T) {
	t.Parallel()
	n, x := start(t, "a"), start(t, "x")
	for _, m := range []*node{n, x} {
		if err := m.c.Form(within(t, 5*time.Second), slots.Set{}); err != nil {
			t.Fatal(err)
		}
	}
	x.bus.Learn(string(n.id()), n.addr)
	if _, err := x.bus.Call(within(t, 5*time.Second), string(n.id()), callPropose, topology.EncodeEntry(bump(n.c.View()))); err == nil {
		t.Fatal("a foreign proposal was taken")
	}
	if n.bus.DroppedBy(bus.DropCluster) == 0 {
		t.Fatal("not counted")
	}
	c, err := net.Dial("tcp", n.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "\x00\x01\x02\x03 not of the bus \xff\xff")
	eventually(t, 5*time.Second, "counted", func() bool { return n.bus.DroppedBy(bus.DropMalformed) == 1 })
	for kind := range 256 {
		x.bus.CallAddr(within(t, 5*time.Second), n.addr, uint8(kind), []byte("{garbage"))
	}
	if _, err := n.c.Propose(within(t, 5*time.Second), bump(n.c.View())); err != nil {
		t.Fatal(err)
	}
}

// TestStreamConverges: a burst of entries reaches every node, in order.
func TestStreamConverges(t *testing.T) {
	t.Parallel()
	nodes := cluster(t, 4)
	var mu sync.Mutex
	seen := map[*node][]uint64{}
	for _, n := range nodes {
		cancel := n.c.Subscribe(func(old, new *topology.View) {
			mu.Lock()
			defer mu.Unlock()
			if new.Index <= old.Index {
				t.Errorf("%s went from %d to %d", n.name, old.Index, new.Index)
			}
			seen[n] = append(seen[n], new.Index)
		})
		defer cancel()
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 25 {
				n := nodes[i%len(nodes)]
				if _, err := n.c.Propose(within(t, 10*time.Second), bump(n.c.View())); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	settled(t, nodes, 4)
	mu.Lock()
	defer mu.Unlock()
	for _, n := range nodes {
		if !slices.IsSorted(seen[n]) || len(seen[n]) == 0 {
			t.Errorf("%s saw %d changes", n.name, len(seen[n]))
		}
	}
}

// TestStreamPassesTheSilent: a voter that takes connections and says nothing, as one that is
// stopped or cut off does, keeps no subscriber from the others.
func TestStreamPassesTheSilent(t *testing.T) {
	t.Parallel()
	nodes := cluster(t, 4)
	byID := map[topology.NodeID]*node{}
	var out *node
	for _, n := range nodes {
		byID[n.id()] = n
		if !n.c.IsMember() {
			out = n
		}
	}
	first, second := byID[out.c.source(0)], byID[out.c.source(1)]
	second.kill()
	hole, err := net.Listen("tcp", second.addr) // the kernel takes connections for it
	if err != nil {
		t.Fatal(err)
	}
	defer hole.Close()
	first.kill() // the stream ends, and the second one is asked
	first.boot(first.addr)
	eventually(t, 10*time.Second, "the log goes on", func() bool {
		_, err := first.c.Propose(within(t, time.Second), bump(first.c.View()))
		return err == nil
	})
	index := first.c.View().Index
	if _, err := out.c.Await(within(t, 5*time.Second), index); err != nil {
		t.Fatalf("the subscriber stays at %d of %d: %v", out.c.View().Index, index, err)
	}
}

func TestFreshen(t *testing.T) {
	t.Parallel()
	nodes := cluster(t, 4)
	var out *node
	for _, n := range nodes {
		if !n.c.IsMember() {
			out = n
		}
	}
	if err := out.c.Freshen(within(t, time.Second)); err != nil {
		t.Fatal(err)
	}
	out.c.HeardOf(out.c.View().Index + 1000)
	if err := out.c.Freshen(within(t, 50*time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	if out.c.NewestHeard() != out.c.heard.Load() {
		t.Fatal("newest heard")
	}
}

// TestViewOfBefore: a View of the former cluster that was about to be published when this
// node left it does not come into force.
func TestViewOfBefore(t *testing.T) {
	t.Parallel()
	n := start(t, "a")
	if err := n.c.Form(within(t, 10*time.Second), slots.All()); err != nil {
		t.Fatal(err)
	}
	former, err := topology.Apply(n.c.View(), n.c.View().Index+1, bump(n.c.View()))
	if err != nil {
		t.Fatal(err)
	}
	n.c.pub.mu.Lock()
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.c.publish(former, 0, nil)
	}()
	eventually(t, 10*time.Second, "publish waits for the lock", func() bool {
		buf := make([]byte, 1<<20)
		for _, g := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			if strings.Contains(g, "(*Consensus).publish(") && strings.Contains(g, "sync.(*Mutex).Lock") {
				return true
			}
		}
		return false
	})
	// Reset's order, of which only replace needs the publisher.
	s := freshState()
	n.c.mu.Lock()
	n.c.mu.state = s
	n.c.mu.Unlock()
	n.c.view.Store(n.c.localView(&s))
	n.c.pub.mu.Unlock()
	<-done
	if v := n.c.View(); v.Formed() {
		t.Fatalf("the view is that of cluster %s again", v.ClusterID)
	}
}

// TestPushLatency: how long after the proposer's return the slowest node follows.
func TestPushLatency(t *testing.T) {
	t.Parallel()
	nodes := cluster(t, 6)
	var worst time.Duration
	var propose []time.Duration
	for range 50 {
		began := time.Now()
		index, err := nodes[0].c.Propose(within(t, 5*time.Second), bump(nodes[0].c.View()))
		if err != nil {
			t.Fatal(err)
		}
		propose = append(propose, time.Since(began))
		began = time.Now()
		for _, n := range nodes {
			if _, err := n.c.Await(within(t, 5*time.Second), index); err != nil {
				t.Fatal(err)
			}
		}
		worst = max(worst, time.Since(began))
	}
	slices.Sort(propose)
	t.Logf("propose p50 %v p90 %v max %v; slowest node followed within %v", propose[25], propose[45], propose[49], worst)
}

func TestStateFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := loadState(dir)
	if err != nil {
		t.Fatal(err)
	}
	again, err := loadState(dir)
	if err != nil || again.Node != s.Node || again.Shard != s.Shard {
		t.Fatalf("%+v %v", again, err)
	}
	for _, bad := range []string{"", "{", `{"version":1}`, `{"version":9,"node":"x"}`} {
		if err := os.WriteFile(filepath.Join(dir, stateFile), []byte(bad), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := loadState(dir); err == nil {
			t.Fatalf("%q was taken", bad)
		}
	}
}

// TestJoinADissolvedCluster: the joined side has itself joined another cluster before the
// join came; the joiner is told, goes back, and MEET finds the new one.
func TestJoinADissolvedCluster(t *testing.T) {
	t.Parallel()
	a, x, far := start(t, "a"), start(t, "x"), start(t, "far")
	for i, n := range []*node{a, x, far} {
		if err := n.c.Form(within(t, 5*time.Second), rangeOf(slots.Slot(10*i), slots.Slot(10*i+9))); err != nil {
			t.Fatal(err)
		}
	}
	info, err := x.c.askInfo(within(t, 5*time.Second), a.addr)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.c.Join(within(t, 5*time.Second), far.addr); err != nil {
		t.Fatal(err)
	}
	x.c.lock(context.Background())
	s := x.c.stateCopy()
	if err := x.c.beginJoin(within(t, 5*time.Second), &s, a.addr, info); err != nil {
		t.Fatal(err)
	}
	err = x.c.finishJoin(within(t, 5*time.Second))
	x.c.unlock()
	if !errors.Is(err, topology.ErrForeign) || x.c.Joining() || !x.serves() {
		t.Fatalf("%v, joining %v", err, x.c.Joining())
	}
	if err := x.c.Meet(within(t, 5*time.Second), a.addr); err != nil {
		t.Fatal(err)
	}
	settled(t, []*node{a, x, far}, 3)
	if v := x.c.View(); v.Owned() != 30 {
		t.Fatalf("%d slots", v.Owned())
	}
}

// TestOrderlyEnd: a leader that shuts down names a successor and is not missed.
func TestOrderlyEnd(t *testing.T) {
	t.Parallel()
	nodes := cluster(t, 3)
	first := leader(t, nodes)
	rest := slices.DeleteFunc(slices.Clone(nodes), func(n *node) bool { return n == first })
	term := first.c.RaftTerm()
	first.shutdown()
	next := leader(t, rest)
	if next.c.RaftTerm() != term+1 {
		t.Logf("term %d after %d: more than the one election", next.c.RaftTerm(), term)
	}
	if _, err := rest[0].c.Propose(within(t, 10*time.Second), bump(rest[0].c.View())); err != nil {
		t.Fatal(err)
	}
}

// TestSnapshot: a voter that was away for longer than the log is kept comes back by the
// leader's snapshot, and a restart begins with one's own.
func TestSnapshot(t *testing.T) {
	t.Parallel()
	nodes := cluster(t, 3)
	lead := leader(t, nodes)
	var away *node
	for _, n := range nodes {
		if n != lead {
			away = n
		}
	}
	addr := away.addr
	away.kill()
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 50 {
				if _, err := lead.c.Propose(within(t, 20*time.Second), bump(lead.c.View())); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	lead = leader(t, slices.DeleteFunc(slices.Clone(nodes), func(n *node) bool { return n == away }))
	m := lead.c.member()
	if err := m.raft.Snapshot().Error(); err != nil {
		t.Fatal(err)
	}
	if first, err := m.wal.FirstIndex(); err != nil || first < 2 {
		t.Fatalf("the log still begins at %d: %v", first, err)
	}
	away.boot(addr)
	settled(t, nodes, 3)
	eventually(t, 10*time.Second, "its own log is whole", func() bool {
		own := away.c.member()
		return own != nil && own.fsm.view().Index == lead.c.View().Index
	})
	epoch := lead.c.View().EpochCounter
	addr = lead.addr
	lead.kill()
	lead.boot(addr)
	settled(t, nodes, 3)
	if got := lead.c.member().fsm.view().EpochCounter; got != epoch {
		t.Fatalf("epoch %d after the restart, was %d", got, epoch)
	}
}
