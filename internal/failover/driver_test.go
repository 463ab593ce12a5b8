package failover

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/redwingdb/redwing/internal/bus"
	"github.com/redwingdb/redwing/internal/clock"
	"github.com/redwingdb/redwing/internal/slots"
	"github.com/redwingdb/redwing/internal/topology"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// cluster is drivers over real buses and a log that always commits.
type cluster struct {
	t     *testing.T
	nodes []*peer
	mu    struct {
		sync.Mutex
		view    *topology.View
		term    uint64
		leader  int
		elected int64
	}
}

// peer is one node: it is the Log, the Local and the Resolver of its driver.
type peer struct {
	c      *cluster
	i      int
	id     topology.NodeID
	run    topology.RunID
	bus    *bus.Bus
	driver *Driver
	done   chan struct{}
	cancel context.CancelFunc
	dead   atomic.Bool

	offset    atomic.Int64
	linked    atomic.Uint64
	held      atomic.Int32
	suspended atomic.Int64

	mu struct {
		sync.Mutex
		subs map[int]func(old, new *topology.View)
		next int
	}
}

func testID(i int) topology.NodeID     { return topology.NodeID(fmt.Sprintf("%040x", i+1)) }
func testShard(i int) topology.ShardID { return topology.ShardID(fmt.Sprintf("%040x", 0xa0+i)) }

// newCluster starts three voters: node 0 is the primary of all slots, node 1 its
// replica, node 2 has neither and leads the log.
func newCluster(t *testing.T) *cluster {
	c := &cluster{t: t}
	c.mu.view, c.mu.term, c.mu.leader, c.mu.elected = topology.NewView(), 1, 2, clock.Mono()
	var voters []topology.NodeID
	for i := range 3 {
		p := &peer{c: c, i: i, id: testID(i), run: topology.RunID(fmt.Sprintf("%016x", i+1)), done: make(chan struct{})}
		p.mu.subs = map[int]func(old, new *topology.View){}
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if p.bus, err = bus.New(bus.Options{Listener: ln}); err != nil {
			t.Fatal(err)
		}
		p.bus.SetIdentity(bus.Identity{Node: string(p.id), Run: string(p.run), Cluster: string(testID(50)), Generation: 1})
		p.bus.SetResolver(p)
		c.nodes = append(c.nodes, p)
		voters = append(voters, p.id)
		n := topology.Node{ID: p.id, Incarnation: 1, Run: p.run, Priority: 100}
		if i == 0 {
			c.apply(topology.FormCluster{ClusterID: string(testID(50)), Node: n, Shard: testShard(0), Slots: slots.All()})
		} else {
			c.apply(topology.JoinNode{Node: n, Shard: testShard(i)})
		}
	}
	c.apply(topology.SetReplicaOf{Node: testID(1), Incarnation: 1, Shard: testShard(0)})
	c.apply(topology.SetVoters{Voters: voters})
	for _, p := range c.nodes {
		p.offset.Store(100)
		p.linked.Store(c.view().ShardByID(testShard(0)).Term)
		p.start()
	}
	t.Cleanup(func() {
		for _, p := range c.nodes {
			p.kill()
		}
	})
	return c
}

func (p *peer) start() {
	var err error
	if p.driver, err = New(Options{
		Self: p.id, Log: p, Transport: p.bus, Local: p,
		Suspended: p.suspended.Load,
	}); err != nil {
		p.c.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	var wg sync.WaitGroup
	wg.Add(2)
	go func() { defer wg.Done(); _ = p.bus.Run(ctx) }()
	go func() { defer wg.Done(); _ = p.driver.Run(ctx) }()
	go func() { wg.Wait(); close(p.done) }()
}

// kill ends the process: its listener closes and its connections are reset.
func (p *peer) kill() {
	if p.dead.Swap(true) {
		return
	}
	p.cancel()
	_ = p.bus.Close()
	p.driver.Close()
	<-p.done
}

func (c *cluster) view() *topology.View {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.view
}

func (c *cluster) apply(e topology.Entry) error {
	c.mu.Lock()
	old := c.mu.view
	next, err := topology.Apply(old, old.Index+1, e)
	c.mu.view = next
	c.mu.Unlock()
	for _, p := range c.nodes {
		p.mu.Lock()
		subs := make([]func(old, new *topology.View), 0, len(p.mu.subs))
		for _, f := range p.mu.subs {
			subs = append(subs, f)
		}
		p.mu.Unlock()
		for _, f := range subs {
			f(old, next)
		}
	}
	return err
}

// lead makes node i the leader of the next term.
func (c *cluster) lead(i int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.term++
	c.mu.leader, c.mu.elected = i, clock.Mono()
}

// The Log.

func (p *peer) View() *topology.View { return p.c.view() }

func (p *peer) Subscribe(f func(old, new *topology.View)) func() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.next++
	id := p.mu.next
	p.mu.subs[id] = f
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.mu.subs, id)
	}
}

func (p *peer) Propose(_ context.Context, e topology.Entry) (uint64, error) {
	if p.dead.Load() {
		return 0, errors.New("dead")
	}
	err := p.c.apply(e)
	return p.c.view().Index, err
}

func (p *peer) IsLeader() bool {
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	return p.c.mu.leader == p.i
}

func (p *peer) Leader() topology.NodeID {
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	return testID(p.c.mu.leader)
}

func (p *peer) RaftTerm() uint64 {
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	return p.c.mu.term
}

func (p *peer) ElectedAt() int64 {
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	return p.c.mu.elected
}

func (p *peer) Voters() []topology.NodeID { return []topology.NodeID{testID(0), testID(1), testID(2)} }

// The Local and the Resolver.

func (p *peer) Run() topology.RunID { return p.run }

func (p *peer) Progress() Progress {
	return Progress{Term: p.linked.Load(), Offset: p.offset.Load(), LinkedTerm: p.linked.Load()}
}

func (p *peer) HoldWrites(context.Context) (int64, error) {
	p.held.Add(1)
	return p.offset.Load(), nil
}

func (p *peer) ResumeWrites() { p.held.Add(-1) }

func (p *peer) Resolve(node string) (string, bool) {
	for _, q := range p.c.nodes {
		if string(q.id) == node {
			return q.bus.Addr().String(), true
		}
	}
	return "", false
}

// await waits for cond, at most 10 s.
func (c *cluster) await(what string, cond func() bool) {
	c.t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !cond() {
		if time.Now().After(deadline) {
			for _, p := range c.nodes {
				c.t.Logf("node %d: %+v", p.i, p.driver.Events())
			}
			c.t.Fatalf("%s: not within 10 s", what)
		}
		time.Sleep(time.Millisecond) // the poll of a condition
	}
}

// serves reports whether node i holds the lease of shard 0 now.
func (c *cluster) serves(i int) bool {
	s := c.view().ShardByID(testShard(0))
	return c.nodes[i].driver.LeaseUntil(s.ID, s.Term) > clock.Mono()
}

func TestKilledPrimaryIsReplaced(t *testing.T) {
	c := newCluster(t)
	c.await("the primary's lease", func() bool { return c.serves(0) })
	began := time.Now()
	c.nodes[0].kill()
	c.await("the replica's lease", func() bool { return c.serves(1) })
	took := time.Since(began)
	t.Logf("served again after %v", took)
	if took > 3*time.Second {
		t.Errorf("served again after %v", took)
	}
	leader := c.nodes[2].driver
	var e Event
	c.await("the event", func() bool {
		i := slices.IndexFunc(leader.Events(), func(e Event) bool { return e.Kind == EventFailover })
		if i >= 0 {
			e = leader.Events()[i]
		}
		return i >= 0
	})
	if e.From != testID(0) || e.To != testID(1) || e.Phases.Confirmed < 0 || e.Phases.LeaseOver < 0 || e.Phases.Serving < e.Phases.Proposed {
		t.Errorf("%+v", e)
	}
	c.await("everyone to know who is down", func() bool {
		return c.nodes[1].driver.Down(testID(0)) && leader.Down(testID(0)) && !leader.Down(testID(1))
	})
}

func TestGracefulFailover(t *testing.T) {
	c := newCluster(t)
	c.await("the primary's lease", func() bool { return c.serves(0) })
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	// The replica lags when the order comes; the primary waits for it.
	c.nodes[0].offset.Store(500)
	ordered := make(chan error, 1)
	go func() { ordered <- c.nodes[1].driver.Failover(ctx, topology.PromoteGraceful) }()
	c.await("the hold", func() bool { return c.nodes[0].held.Load() == 1 })
	if c.view().ShardByID(testShard(0)).Primary != testID(0) {
		t.Fatal("promoted before the replica had everything")
	}
	c.nodes[1].offset.Store(500)
	if err := <-ordered; err != nil {
		t.Fatal(err)
	}
	c.await("the new primary's lease", func() bool { return c.serves(1) })
	c.await("the hold's end", func() bool { return c.nodes[0].held.Load() == 0 })
	if err := c.nodes[1].driver.Failover(ctx, topology.PromoteGraceful); !errors.Is(err, ErrNotReplica) {
		t.Errorf("a primary took over from itself: %v", err)
	}
}

func TestGracefulFailoverIsGivenUp(t *testing.T) {
	c := newCluster(t)
	c.await("the primary's lease", func() bool { return c.serves(0) })
	c.nodes[0].offset.Store(500) // and the replica never gets there
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Second)
	defer cancel()
	if err := c.nodes[1].driver.Failover(ctx, topology.PromoteGraceful); !errors.Is(err, ErrRefused) {
		t.Errorf("%v", err)
	}
	c.await("the primary to go on", func() bool { return c.serves(0) && c.nodes[0].held.Load() == 0 })
}

func TestOrderedFailovers(t *testing.T) {
	c := newCluster(t)
	c.await("the primary's lease", func() bool { return c.serves(0) })
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := c.nodes[1].driver.Failover(ctx, topology.PromoteForce); err != nil {
		t.Fatal(err)
	}
	c.await("the lease after FORCE", func() bool { return c.serves(1) })
	began := time.Now()
	if err := c.nodes[0].driver.Failover(ctx, topology.PromoteTakeover); err != nil {
		t.Fatal(err)
	}
	c.await("the lease after TAKEOVER", func() bool { return c.serves(0) })
	t.Logf("TAKEOVER took %v", time.Since(began))
}

func TestReleaseAtShutdown(t *testing.T) {
	c := newCluster(t)
	c.await("the primary's lease", func() bool { return c.serves(0) })
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := c.nodes[0].driver.Release(ctx); err != nil {
		t.Fatal(err)
	}
	c.nodes[0].kill()
	c.await("the replica's lease", func() bool { return c.serves(1) })
	if err := c.nodes[2].driver.Release(ctx); err != nil { // without copies: nothing to do
		t.Error(err)
	}
}

// TestReleaseWithoutHeir: a primary whose replica has just died does not wait for it.
func TestReleaseWithoutHeir(t *testing.T) {
	c := newCluster(t)
	c.await("the primary's lease", func() bool { return c.serves(0) })
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	c.nodes[1].kill()
	if err := c.nodes[0].driver.Release(ctx); err != nil && !errors.Is(err, ErrNoHeir) {
		t.Fatal(err)
	}
	c.await("the death is known", func() bool { return c.nodes[0].driver.Down(testID(1)) })
	if err := c.nodes[0].driver.Release(ctx); err != nil { // nothing is held for nobody
		t.Error(err)
	}
}

func TestLeaderChange(t *testing.T) {
	c := newCluster(t)
	c.await("the primary's lease", func() bool { return c.serves(0) })
	c.lead(1)
	c.await("the new leader", func() bool { return c.view().LeadTerm == 2 })
	c.await("a lease from the new leader", func() bool {
		s := c.view().ShardByID(testShard(0))
		// Only a lease given after the change runs this long.
		return c.nodes[0].driver.LeaseUntil(s.ID, s.Term) > c.nodes[1].ElectedAt()+int64(650*time.Millisecond)
	})
	for _, e := range c.nodes[1].driver.Events() {
		if e.Kind == EventFailover {
			t.Errorf("the change of leader deposed somebody: %+v", e)
		}
	}
}

func TestSuspendedMachine(t *testing.T) {
	c := newCluster(t)
	c.await("the primary's lease", func() bool { return c.serves(0) })
	p := c.nodes[0]
	c.lead(99) // nobody leads, so that no lease comes
	c.await("the leader to notice", func() bool {
		return slices.ContainsFunc(c.nodes[2].driver.Events(), func(e Event) bool { return e.Kind == EventLeader && e.From != "" })
	})
	p.suspended.Store(int64(time.Hour))
	c.await("the event", func() bool {
		return slices.ContainsFunc(p.driver.Events(), func(e Event) bool { return e.Kind == EventSuspend })
	})
	if c.serves(0) {
		t.Error("the lease survived the suspension")
	}
	c.lead(2)
	c.await("the lease again", func() bool { return c.serves(0) })
}

// TestGarbageCalls sends what no driver would.
func TestGarbageCalls(t *testing.T) {
	c := newCluster(t)
	c.await("the primary's lease", func() bool { return c.serves(0) })
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	stranger := func(kind uint8, body string) {
		reply, err := c.nodes[1].bus.Call(ctx, string(testID(2)), kind, []byte(body))
		var remote *bus.RemoteError
		if err != nil && !errors.As(err, &remote) {
			t.Errorf("kind %d, %q: %q, %v", kind, body, reply, err)
		}
	}
	for kind := uint8(kindEcho); kind <= kindHandover; kind++ {
		for _, body := range []string{"", "{", "[]", "null", "{}", `{"shard":"x","term":18446744073709551615}`, `{"shard":5}`} {
			if kind == kindReport && body == "" {
				continue
			}
			stranger(kind, body)
		}
	}
	// A replica may not renew, and may not release its primary's lease.
	term := c.view().ShardByID(testShard(0)).Term
	stranger(kindRelease, string(encode(Released{Shard: testShard(0), Term: term, Run: c.nodes[0].run})))
	if got := c.nodes[2].driver.takeRenewal(testID(1), Ask{Seq: 1, Shard: testShard(0), Term: term, Run: c.nodes[1].run}); got.Granted {
		t.Error("a replica got its primary's lease")
	}
	if !c.serves(0) || c.view().ShardByID(testShard(0)).Term != term {
		t.Error("garbage changed something")
	}
}

func TestOptions(t *testing.T) {
	if _, err := New(Options{}); err == nil {
		t.Error("a driver of nothing")
	}
}
