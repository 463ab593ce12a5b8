package migration

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/redwingdb/redwing/internal/clock"
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/commands"
	"github.com/redwingdb/redwing/internal/commands/keys"
	"github.com/redwingdb/redwing/internal/effects"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/resp"
	"github.com/redwingdb/redwing/internal/slots"
	"github.com/redwingdb/redwing/internal/topology"
)

// fakeLog is a topology log in memory: topology's Apply, and a stream of Views to every
// node, in order.
type fakeLog struct {
	t     testing.TB
	truth atomic.Pointer[topology.View]
	mu    sync.Mutex
	nodes []*nodeLog
	// refuse, where set, sees each proposal first: an error is its answer.
	refuse func(from *nodeLog, e topology.Entry) error
}

// nodeLog is the log as one node sees it.
type nodeLog struct {
	f     *fakeLog
	view  atomic.Pointer[topology.View]
	queue chan *topology.View
	gate  func(v *topology.View) // may block the delivery
	mu    sync.Mutex
	subs  map[int]func(old, new *topology.View)
	next  int
}

func (f *fakeLog) apply(e topology.Entry) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	old := f.truth.Load()
	v, err := topology.Apply(old, old.Index+1, e)
	f.truth.Store(v)
	for _, n := range f.nodes {
		n.queue <- v
	}
	return err
}

func (f *fakeLog) must(e topology.Entry) {
	f.t.Helper()
	if err := f.apply(e); err != nil {
		f.t.Fatalf("%s: %v", e.Kind(), err)
	}
}

func (f *fakeLog) node(ctx context.Context, wg *sync.WaitGroup) *nodeLog {
	n := &nodeLog{f: f, queue: make(chan *topology.View, 4096), subs: map[int]func(old, new *topology.View){}}
	f.mu.Lock()
	n.view.Store(f.truth.Load())
	f.nodes = append(f.nodes, n)
	f.mu.Unlock()
	wg.Add(1)
	go func() {
		defer wg.Done()
		for {
			select {
			case v := <-n.queue:
				if n.gate != nil {
					n.gate(v)
				}
				if ctx.Err() != nil {
					return
				}
				n.deliver(v)
			case <-ctx.Done():
				return
			}
		}
	}()
	return n
}

func (n *nodeLog) deliver(v *topology.View) {
	old := n.view.Swap(v)
	n.mu.Lock()
	defer n.mu.Unlock()
	for i := range n.next {
		if f := n.subs[i]; f != nil {
			f(old, v)
		}
	}
}

func (n *nodeLog) View() *topology.View { return n.view.Load() }

func (n *nodeLog) Subscribe(f func(old, new *topology.View)) func() {
	n.mu.Lock()
	defer n.mu.Unlock()
	i := n.next
	n.next++
	n.subs[i] = f
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.subs, i)
	}
}

func (n *nodeLog) Propose(ctx context.Context, e topology.Entry) (uint64, error) {
	if n.f.refuse != nil {
		if err := n.f.refuse(n, e); err != nil {
			return 0, err
		}
	}
	if err := n.f.apply(e); err != nil {
		return 0, err
	}
	v, err := n.Fresh(ctx)
	if err != nil {
		return 0, err
	}
	return v.Index, nil
}

func (n *nodeLog) Fresh(ctx context.Context) (*topology.View, error) {
	want := n.f.truth.Load().Index
	for n.View().Index < want {
		if err := pause(ctx, time.Millisecond); err != nil {
			return nil, err
		}
	}
	return n.View(), nil
}

// testNode is a node without sockets for clients: exec does what the server's gate does.
type testNode struct {
	c       *testCluster
	id      topology.NodeID
	run     topology.RunID
	ks      *engine.Keyspace
	elog    *effects.Log
	holds   *Holds
	staging *Staging
	table   *command.Table
	tlog    *nodeLog
	mover   *Mover
	ln      net.Listener
	dead    atomic.Bool
	cancel  context.CancelFunc
	ended   chan struct{}
	cuts    atomic.Uint64
	left    atomic.Int64 // slots told to Left
	acks    atomic.Int64 // offset that the replica of this node has applied
	replica atomic.Pointer[testNode]
	unlink  func() // ends what this node follows, and waits for it; nil: nothing
	rate    atomic.Int64
	confirm func() // called before each Confirm
	slow    int    // bytes a second that its connections send; 0: no limit

	conns struct {
		sync.Mutex
		all []net.Conn
	}
}

var (
	errMoved = errors.New("MOVED")
	errDown  = errors.New("down")
)

type testCluster struct {
	t     testing.TB
	log   *fakeLog
	ctx   context.Context
	wg    sync.WaitGroup
	nodes map[topology.NodeID]*testNode
}

const (
	shardA = topology.ShardID("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")
	shardB = topology.ShardID("bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb")
)

// newCluster makes shard A with all slots and shard B with none: primaries a1 and b1,
// replicas a2 and b2.
func newCluster(t testing.TB) (c *testCluster, a1, a2, b1, b2 *testNode) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	c = &testCluster{t: t, ctx: ctx, log: &fakeLog{t: t}, nodes: map[topology.NodeID]*testNode{}}
	c.log.truth.Store(topology.NewView())
	t.Cleanup(func() {
		for _, n := range c.nodes {
			n.stop()
		}
		cancel()
		c.wg.Wait()
		for _, n := range c.nodes {
			n.elog.Close()
			n.ks.Close()
		}
		if tt, ok := t.(*testing.T); ok {
			goleak.VerifyNone(tt)
		}
	})
	node := func(digit string) *testNode { return c.newNode(digit) }
	a1, a2, b1, b2 = node("1"), node("2"), node("3"), node("4")
	c.log.must(topology.FormCluster{ClusterID: repeat("c", 40), Generation: 1, Node: a1.member(), Shard: shardA, Slots: slots.All()})
	c.log.must(topology.JoinNode{Node: b1.member(), Shard: shardB})
	c.log.must(topology.JoinNode{Node: a2.member(), Shard: topology.ShardID(repeat("d", 40))})
	c.log.must(topology.JoinNode{Node: b2.member(), Shard: topology.ShardID(repeat("e", 40))})
	c.log.must(topology.SetReplicaOf{Node: a2.id, Incarnation: 1, Shard: shardA})
	c.log.must(topology.SetReplicaOf{Node: b2.id, Incarnation: 1, Shard: shardB})
	for _, n := range []*testNode{a1, a2, b1, b2} {
		n.start()
	}
	c.replicate(a1, a2)
	c.replicate(b1, b2)
	return c, a1, a2, b1, b2
}

func repeat(s string, n int) string {
	out := ""
	for len(out) < n {
		out += s
	}
	return out[:n]
}

func (c *testCluster) newNode(digit string) *testNode {
	n := &testNode{c: c, id: topology.NodeID(repeat(digit, 40)), run: topology.RunID(repeat(digit, 16)), ended: make(chan struct{})}
	n.elog = effects.NewLog(effects.Options{})
	var err error
	if n.ks, err = engine.New(engine.Options{Shards: 8, Databases: 1, Seed: 1, Sink: expirySink{n.elog}}); err != nil {
		c.t.Fatal(err)
	}
	n.holds = &Holds{}
	n.staging = NewStaging(n.ks, n.holds)
	if n.table, err = command.NewTable(append(commands.OnKeys(keys.Deps{Cluster: true}), n.staging.Specs())...); err != nil {
		c.t.Fatal(err)
	}
	if n.ln, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		c.t.Fatal(err)
	}
	c.nodes[n.id] = n
	return n
}

type expirySink struct{ log *effects.Log }

func (s expirySink) Append(slot slots.Slot, db int, e engine.Effect) {
	s.log.AppendEntry(slot, db, []byte("DEL"), e.Key)
}

func (n *testNode) member() topology.Node {
	port := n.ln.Addr().(*net.TCPAddr).Port
	return topology.Node{ID: n.id, Incarnation: 1, Run: n.run, Addr: topology.Addr{Host: "127.0.0.1", Port: port, BusPort: port}, Priority: 100}
}

const testNodeTimeout = 600 * time.Millisecond

// start runs the node's mover and its end of the bus.
func (n *testNode) start() {
	ctx, cancel := context.WithCancel(n.c.ctx)
	n.cancel = cancel
	n.tlog = n.c.log.node(ctx, &n.c.wg)
	var err error
	n.mover, err = New(Options{
		Self: n.id, Run: n.run, Keyspace: n.ks, Log: n.elog, Table: n.table, Staging: n.staging, Holds: n.holds,
		Topology: n.tlog, Dial: n.dial, Replicas: n, Left: func(set *slots.Set) { n.left.Add(int64(set.Len())) },
		NodeTimeout: testNodeTimeout, RateBytes: n.rate.Load,
	})
	if err != nil {
		n.c.t.Fatal(err)
	}
	go func() {
		defer close(n.ended)
		n.mover.Run(ctx)
	}()
	eventually(n.c.t, "the mover runs", func() bool {
		n.mover.mu.Lock()
		defer n.mover.mu.Unlock()
		return n.mover.mu.ctx != nil
	})
	n.c.wg.Add(1)
	go func() {
		defer n.c.wg.Done()
		for {
			conn, err := n.ln.Accept()
			if err != nil {
				return
			}
			n.c.wg.Add(1)
			go func() {
				defer n.c.wg.Done()
				var peer [40]byte
				if _, err := conn.Read(peer[:]); err != nil {
					conn.Close()
					return
				}
				n.keep(conn)
				n.mover.Serve(conn, topology.NodeID(peer[:]))
			}()
		}
	}()
}

func (n *testNode) keep(conn net.Conn) {
	n.conns.Lock()
	n.conns.all = append(n.conns.all, conn)
	n.conns.Unlock()
	if n.dead.Load() {
		conn.Close()
	}
}

func (n *testNode) dial(ctx context.Context, to topology.NodeID) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", n.c.nodes[to].ln.Addr().String())
	if err != nil {
		return nil, err
	}
	n.keep(conn)
	_, err = conn.Write([]byte(n.id))
	if n.slow > 0 {
		conn = &slowConn{conn, n.slow}
	}
	return conn, err
}

// stop ends the node as kill -9 would, as far as others can tell.
func (n *testNode) stop() {
	if n.dead.Swap(true) {
		return
	}
	n.ln.Close()
	n.conns.Lock()
	for _, c := range n.conns.all {
		c.Close()
	}
	n.conns.Unlock()
	n.cancel()
	<-n.ended
}

// Confirm, LagBytes and Cuts make the node its own Replicas.
func (n *testNode) Confirm(ctx context.Context, offset int64) error {
	if n.confirm != nil {
		n.confirm()
	}
	for {
		if r := n.replica.Load(); r == nil || r.dead.Load() || n.acks.Load() >= offset {
			return nil
		}
		if err := pause(ctx, time.Millisecond); err != nil {
			return err
		}
	}
}

func (n *testNode) LagBytes() int64 {
	if r := n.replica.Load(); r == nil || r.dead.Load() {
		return 0
	}
	return n.elog.Offset() - n.acks.Load()
}

func (n *testNode) Cuts() uint64 { return n.cuts.Load() }

// replicate makes r follow p by a full sync of what p has now, and nothing else: as a
// real replica it has ended its former link before, or that stream, still applied beside
// the new one, would acknowledge what has not come by the new one yet.
func (c *testCluster) replicate(p, r *testNode) {
	if r.unlink != nil {
		r.unlink()
	}
	all := r.ks.AllShards()
	r.ks.Own(all)
	r.ks.Flush(0)
	r.ks.Flush(r.ks.StagingDB())
	r.ks.Disown(all)
	r.staging.Reset()
	var reader *effects.Reader
	snap, err := p.ks.Snapshot(engine.SnapshotOptions{DB: -1, AtCut: func() {
		p.cuts.Add(1)
		p.elog.SetBacklog(true, 0)
		var err error
		if reader, err = p.elog.NewReader(p.elog.Cut(), 0); err != nil {
			panic(err)
		}
		p.acks.Store(p.elog.Offset())
	}})
	if err != nil {
		c.t.Fatal(err)
	}
	var batch engine.Batch
	cut := newCutter(p.ks)
	for snap.Next(&batch) == nil {
		batch.Each(func(e engine.Entry) error {
			r.ks.Lock(r.ks.Mask(e.Slot))
			defer r.ks.Unlock(r.ks.Mask(e.Slot))
			db := r.ks.Access(0, 0, engine.ModeApply)
			return cut.each(&e, func(meta, value []byte) error {
				return putRecord(&db, e.Slot, e.Key, meta, value)
			})
		})
	}
	snap.Close()
	p.replica.Store(r)
	ctx, cancel := context.WithCancel(c.ctx)
	ended := make(chan struct{})
	r.unlink = func() {
		cancel()
		<-ended
	}
	c.wg.Add(1)
	go func() {
		defer c.wg.Done()
		defer close(ended)
		defer cancel()
		defer reader.Close()
		c.follow(ctx, p, r, reader)
	}()
}

// follow applies p's stream to r until one of them is dead or ctx ends.
func (c *testCluster) follow(ctx context.Context, p, r *testNode, reader *effects.Reader) {
	apply := command.NewApplier(r.table, r.ks)
	parser := resp.Parser{MaxBulk: -1}
	var buf []byte
	var tx []command.Request
	inTx := false
	for !p.dead.Load() && !r.dead.Load() {
		wait, stop := context.WithTimeout(ctx, 20*time.Millisecond)
		b, err := reader.Next(wait)
		stop()
		if errors.Is(err, context.DeadlineExceeded) {
			continue
		}
		if err != nil {
			return
		}
		buf = append(buf, b...)
		for {
			args, n, bad := parser.Next(buf)
			if bad != nil {
				c.t.Errorf("stream: %v", bad)
				return
			}
			if n == 0 {
				break
			}
			copied := make([][]byte, len(args))
			for i := range args {
				copied[i] = append([]byte(nil), args[i]...)
			}
			buf = buf[n:]
			var err error
			switch string(copied[0]) {
			case "SELECT", "REPLCONF", "PING":
			case "MULTI":
				inTx, tx = true, nil
			case "EXEC":
				inTx = false
				err = apply.ApplyBlock(tx, nil)
			default:
				if inTx {
					tx = append(tx, command.Request{DB: 0, Args: copied})
				} else {
					err = apply.Apply(0, copied, nil)
				}
			}
			if err != nil {
				c.t.Errorf("replica of %s: %v", p.id[:4], err)
				return
			}
		}
		if len(buf) == 0 && !inTx {
			p.acks.Store(reader.Offset())
		}
	}
}

// exec runs a command as the server does: route, hold, locks, run, effects.
func (n *testNode) exec(words ...string) (string, error) {
	args := make([][]byte, len(words))
	for i := range words {
		args[i] = []byte(words[i])
	}
	spec, refused := n.table.Resolve(args)
	if refused != nil {
		return "", refused
	}
	found, ok := spec.AppendKeys(nil, args)
	if !ok {
		return "", fmt.Errorf("%s: no key", args[0])
	}
	at := found[0].Arg
	slot := slots.Of(args[at])
	write := spec.Has(command.Write)
	for {
		if n.dead.Load() || n.c.ctx.Err() != nil {
			return "", errDown
		}
		mask := n.ks.Mask(slot)
		n.ks.Lock(mask)
		owner := n.tlog.View().Owner(slot)
		if owner.Primary != n.id {
			n.ks.Unlock(mask)
			return string(owner.Primary), errMoved
		}
		if now := n.c.log.truth.Load().ShardByID(owner.ID); now.Primary != n.id {
			n.ks.Unlock(mask)
			return "", errDown // the lease ends with the term
		}
		hold := n.holds.Held(slot)
		if hold == HoldAll || hold == HoldWrites && write {
			n.ks.Unlock(mask)
			woken := make(chan struct{})
			n.holds.AwaitHold(slot, func() { close(woken) })
			select {
			case <-woken:
			case <-n.c.ctx.Done():
				return "", errDown
			case <-n.ended:
				return "", errDown
			}
			continue
		}
		reply, err := n.runLocked(spec, args, at, slot)
		n.ks.Unlock(mask)
		return reply, err
	}
}

func (n *testNode) runLocked(spec *command.Spec, args [][]byte, at int, slot slots.Slot) (string, error) {
	var out resp.Writer
	var block effects.Block
	ctx := command.Ctx{Keyspace: n.ks, Out: &out}
	if n.elog.Active() {
		ctx.Block = &block
	}
	ctx.DB = n.ks.Access(0, clock.WallMillis(), engine.ModePrimary)
	ctx.Begin(spec, args, at, slot)
	if err := spec.Run(&ctx); err != nil {
		return "", fmt.Errorf("%s: %w", args[0], err)
	}
	ctx.End()
	n.elog.Append(&block)
	return string(out.Buf), nil
}
