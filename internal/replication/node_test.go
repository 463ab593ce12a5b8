package replication

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/clock"
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/commands"
	"github.com/redwingdb/redwing/internal/commands/keys"
	"github.com/redwingdb/redwing/internal/effects"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/redistest"
	"github.com/redwingdb/redwing/internal/resp"
	"github.com/redwingdb/redwing/internal/slots"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"
)

// node is a server just large enough to replicate: connections, MULTI, no gates but
// the one of read-only replicas.
type node struct {
	t     *testing.T
	ks    *engine.Keyspace
	log   *effects.Log
	rep   *Replication
	table *command.Table
	ln    net.Listener
	wg    sync.WaitGroup

	settings atomic.Pointer[Settings]
	ids      atomic.Uint64

	mu struct {
		sync.Mutex
		conns  map[net.Conn]bool
		closed bool
	}
}

type nodeOptions struct {
	cluster  bool
	id       string
	settings Settings
	quiet    bool
	// syncQueue is Options.SyncQueueBytes.
	syncQueue int64
	dropped   func(n *node)
	followed  func(host, port string)
	hold      func(on bool)
	clock     clock.Clock
}

func startNode(t *testing.T, o nodeOptions) *node {
	t.Helper()
	n := &node{t: t, log: effects.NewLog(effects.Options{})}
	n.mu.conns = map[net.Conn]bool{}
	databases := 16
	if o.cluster {
		databases = 1
	}
	var err error
	if n.ks, err = engine.New(engine.Options{Shards: 8, Databases: databases, Seed: 5, Sink: expiry{n.log}}); err != nil {
		t.Fatal(err)
	}
	if n.ln, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	o.settings.AnnouncePort = n.port()
	n.settings.Store(&o.settings)
	logger := zap.NewNop()
	if !o.quiet && testing.Verbose() {
		logger = zaptest.NewLogger(t).Named(fmt.Sprint(n.port()))
	}
	dropped := func() {}
	if o.dropped != nil {
		dropped = func() { o.dropped(n) }
	}
	n.rep = New(Options{
		Dropped: dropped, Followed: o.followed, HoldWrites: o.hold, Clock: o.clock,
		Keyspace: n.ks, Log: n.log, Cluster: o.cluster, SyncQueueBytes: o.syncQueue, Node: func() string { return o.id }, Run: o.id + "-run",
		Settings: func() Settings { return *n.settings.Load() }, Logger: logger,
	})
	if n.table, err = command.NewTable(append(commands.OnKeys(keys.Deps{}), n.rep.Specs())...); err != nil {
		t.Fatal(err)
	}
	n.rep.Start(n.table, command.Hearers{Watches: command.NewWatches(n.ks)})
	n.wg.Add(1)
	go func() {
		defer n.wg.Done()
		for {
			c, err := n.ln.Accept()
			if err != nil {
				return
			}
			n.mu.Lock()
			if n.mu.closed {
				n.mu.Unlock()
				_ = c.Close()
				return
			}
			n.mu.conns[c] = true
			n.wg.Add(1)
			n.mu.Unlock()
			go func() {
				defer n.wg.Done()
				n.serve(c)
			}()
		}
	}()
	t.Cleanup(n.close)
	return n
}

func (n *node) close() {
	_ = n.ln.Close()
	n.mu.Lock()
	n.mu.closed = true
	for c := range n.mu.conns {
		_ = c.Close()
	}
	n.mu.Unlock()
	n.rep.Close()
	n.wg.Wait()
	n.log.Close()
	n.ks.Close()
}

// cut closes all connections of clients and replicas; new ones may come.
func (n *node) cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.mu.conns {
		_ = c.Close()
	}
	clear(n.mu.conns)
}

func (n *node) port() int             { return n.ln.Addr().(*net.TCPAddr).Port }
func (n *node) target() Target        { return Target{Host: "127.0.0.1", Port: n.port()} }
func (n *node) dial() *redistest.Conn { return redistest.Dial(n.t, n.ln.Addr().String()) }

func (n *node) do(args ...string) string {
	n.t.Helper()
	c := n.dial()
	defer c.Close()
	return c.Do(args...)
}

// fakeClient is a connection's command.Client.
type fakeClient struct {
	n         *node
	id        uint64
	lastWrite int64
	hijack    func(net.Conn, []byte)
	block     *fakeBlock
}

type fakeBlock struct {
	deadline time.Time
	resume   func(*resp.Writer, bool) bool
	onEnd    func()
	woken    chan struct{}
}

func (c *fakeClient) ClientID() uint64 { return c.id }
func (c *fakeClient) LastWrite() int64 { return c.lastWrite }
func (c *fakeClient) Block(deadline time.Time, resume func(*resp.Writer, bool) bool, onEnd func()) func() {
	b := &fakeBlock{deadline, resume, onEnd, make(chan struct{}, 1)}
	c.block = b
	return func() {
		select {
		case b.woken <- struct{}{}:
		default:
		}
	}
}
func (c *fakeClient) Hijack(take func(net.Conn, []byte)) { c.hijack = take }

// await blocks the connection until the command is done.
func (b *fakeBlock) await(out *resp.Writer, closed <-chan struct{}) {
	var timeout <-chan time.Time
	if !b.deadline.IsZero() {
		t := time.NewTimer(time.Until(b.deadline))
		defer t.Stop()
		timeout = t.C
	}
	defer b.onEnd()
	for {
		select {
		case <-b.woken:
			if b.resume(out, false) {
				return
			}
		case <-timeout:
			b.resume(out, true)
			return
		case <-closed:
			return
		}
	}
}

func (n *node) serve(conn net.Conn) {
	client := &fakeClient{n: n, id: n.ids.Add(1)}
	var parser resp.Parser
	var queue [][][]byte
	inTx := false
	db := 0
	ctx := &command.Ctx{Keyspace: n.ks, Out: &resp.Writer{}, Client: client}
	block := &effects.Block{}
	buf := make([]byte, 0, 64<<10)
	for {
		args, used, perr := parser.Next(buf)
		if perr != nil {
			_ = conn.Close()
			return
		}
		if used == 0 {
			if len(buf) == cap(buf) {
				buf = append(make([]byte, 0, 2*cap(buf)), buf...)
			}
			m, err := conn.Read(buf[len(buf):cap(buf)])
			if err != nil {
				return
			}
			buf = buf[:len(buf)+m]
			continue
		}
		cloned := make([][]byte, len(args))
		for i, a := range args {
			cloned[i] = append([]byte(nil), a...)
		}
		buf = append(buf[:0], buf[used:]...)
		if len(cloned) == 0 {
			continue
		}
		ctx.Out.Buf = ctx.Out.Buf[:0]
		switch {
		case command.Is(cloned[0], "select"):
			_, _ = fmt.Sscan(string(cloned[1]), &db)
			ctx.Out.OK()
		case command.Is(cloned[0], "ping"):
			ctx.Out.Simple("PONG")
		case command.Is(cloned[0], "multi"):
			inTx, queue = true, nil
			ctx.Out.OK()
		case command.Is(cloned[0], "exec"):
			inTx = false
			ctx.Out.Array(len(queue))
			n.run(ctx, block, db, queue, true)
		case inTx:
			queue = append(queue, cloned)
			ctx.Out.Simple("QUEUED")
		default:
			n.run(ctx, block, db, [][][]byte{cloned}, false)
		}
		if client.block != nil {
			closed := make(chan struct{})
			client.block.await(ctx.Out, closed)
			client.block = nil
		}
		if client.hijack != nil {
			if _, err := conn.Write(ctx.Out.Buf); err != nil {
				_ = conn.Close()
				return
			}
			client.hijack(conn, buf)
			return
		}
		if _, err := conn.Write(ctx.Out.Buf); err != nil {
			return
		}
	}
}

// run runs commands as one block.
func (n *node) run(c *command.Ctx, block *effects.Block, db int, reqs [][][]byte, tx bool) {
	client := c.Client.(*fakeClient)
	mode := engine.ModePrimary
	if n.rep.IsReplica() {
		mode = engine.ModeReplica
	}
	now := clock.WallMillis()
	var mask engine.ShardMask
	off := false
	begin := func(args [][]byte) (*command.Spec, *resp.Error) {
		spec, refused := n.table.Resolve(args)
		if refused != nil {
			return nil, refused
		}
		if spec.Has(command.Write) && n.rep.IsReplica() && !n.settings.Load().ServeWritable {
			return nil, resp.ErrReadOnly
		}
		c.Begin(spec, args, 0, 0)
		c.DB = n.ks.Access(db, now, mode)
		c.InExec = tx
		return spec, nil
	}
	for _, args := range reqs {
		if spec, refused := begin(args); refused == nil {
			m, _ := c.LockMask()
			mask |= m
			off = off || spec.Has(command.OffLoop)
		}
	}
	if !off {
		n.ks.Own(mask)
		defer n.ks.Disown(mask)
	}
	block.Reset()
	c.Block = nil
	if n.log.Active() {
		c.Block = block
	}
	c.Owner = true
	for _, args := range reqs {
		spec, refused := begin(args)
		if refused != nil {
			c.Out.Error(refused)
			continue
		}
		if err := spec.Run(c); err != nil {
			var re *resp.Error
			if !errors.As(err, &re) {
				n.t.Errorf("%s: %v", spec.FullName(), err)
			}
			c.Out.Error(re)
			continue
		}
		c.End()
	}
	if !block.Empty() {
		client.lastWrite = n.log.Append(block)
	}
}

// state returns all keys with their values and expiries.
func (n *node) state() map[string]string {
	out := map[string]string{}
	all := n.ks.AllShards()
	n.ks.Lock(all)
	defer n.ks.Unlock(all)
	for db := range n.ks.Databases() {
		a := n.ks.Access(db, 0, engine.ModeApply)
		for cursor := uint64(0); ; {
			cursor = a.Scan(cursor, func(key []byte, r engine.Record) {
				out[fmt.Sprintf("%d/%s", db, key)] = fmt.Sprintf("%s@%d", r.Append(nil), r.ExpireAt())
			})
			if cursor == 0 {
				break
			}
		}
	}
	return out
}

// eventually waits for a condition, looking every few milliseconds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("never came true: %s", what)
		case <-tick.C:
		}
	}
}

// sameState waits until a and b have the same offset, and compares their data.
func sameState(t *testing.T, a, b *node) {
	t.Helper()
	eventually(t, "equal offsets", func() bool { return b.rep.LinkUp() && a.log.Offset() == b.log.Offset() })
	sa, sb := a.state(), b.state()
	if len(sa) != len(sb) {
		t.Fatalf("%d keys here, %d there", len(sa), len(sb))
	}
	for k, v := range sa {
		if sb[k] != v {
			t.Fatalf("key %s is %.100q here, %.100q there", k, v, sb[k])
		}
	}
}

// expiry is what a node does with what its engine deletes.
type expiry struct{ log *effects.Log }

func (x expiry) Append(slot slots.Slot, db int, e engine.Effect) {
	x.log.AppendEntry(slot, db, []byte("DEL"), e.Key)
}
