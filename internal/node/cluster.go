package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/redwingdb/redwing/internal/bus"
	"github.com/redwingdb/redwing/internal/config"
	"github.com/redwingdb/redwing/internal/failover"
	"github.com/redwingdb/redwing/internal/failover/consensus"
	"github.com/redwingdb/redwing/internal/migration"
	"github.com/redwingdb/redwing/internal/pubsub"
	"github.com/redwingdb/redwing/internal/replication"
	"github.com/redwingdb/redwing/internal/server"
	"github.com/redwingdb/redwing/internal/slots"
	"github.com/redwingdb/redwing/internal/topology"
)

// clusterSide is all of a node that knows of other nodes. It implements what the data
// path (server.Cluster) and the CLUSTER commands (cluster.Control) ask of it.
type clusterSide struct {
	n         *Node
	log       *zap.Logger
	runID     topology.RunID
	bus       *bus.Bus
	consensus *consensus.Consensus
	relay     *pubsub.Relay // messages to and from other nodes
	sync      *syncSide
	lineage   *lineage

	serving     atomic.Bool   // false while the fate of a join is open
	primaryTerm atomic.Uint64 // term whose data this run has taken over as primary; 0: none
	handingOver atomic.Bool   // writes are held for a graceful failover
	epoch       atomic.Uint64 // what SET-CONFIG-EPOCH has stored
	member      atomic.Pointer[membership]
	resetting   sync.Mutex // one RESET at a time: each ends what runs under an id

	mu struct {
		sync.Mutex
		ctx context.Context // of run; nil before it
		wg  sync.WaitGroup
	}
}

var errBusEnded = errors.New("the bus has ended")

// membership is what runs under one node id: a hard reset ends it and begins another.
type membership struct {
	self   topology.NodeID
	driver *failover.Driver
	mover  *migration.Mover
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// newClusterSide takes the bus port and reads the cluster directory.
func newClusterSide(n *Node) (*clusterSide, error) {
	cfg := n.cfg
	if exposed(cfg) && !cfg.InsecureBus.Get() {
		return nil, errors.New("the bus would be open to other machines: set bus-secret to the same long word on every node, or say insecure-bus yes")
	}
	port := cfg.BusPort()
	if port > 65535 {
		return nil, fmt.Errorf("bus port %d (port + 10000) is above 65535: set cluster-port or a lower port", port)
	}
	ln, err := listenBus(cfg.Bind.Get(), port)
	if err != nil {
		return nil, fmt.Errorf("bus: %w", err)
	}
	c := &clusterSide{n: n, log: n.log.Named("cluster"), runID: consensus.NewRunID()}
	c.serving.Store(true)
	c.sync = newSyncSide(c)
	if c.lineage, err = openLineage(n.disk, clusterDir(cfg), c.runID, c.log); err != nil {
		closeAll([]net.Listener{ln})
		return nil, err
	}
	if c.bus, err = bus.New(bus.Options{Listener: ln, Secret: []byte(cfg.BusSecret.Get()), Logger: n.log}); err != nil {
		closeAll([]net.Listener{ln})
		return nil, err
	}
	c.consensus, err = consensus.Open(consensus.Options{
		Dir: clusterDir(cfg), Run: c.runID, Bus: c.bus, Node: c.announced,
		NodeTimeout: time.Duration(cfg.ClusterNodeTimeoutMillis.Get()) * time.Millisecond,
		Highest:     func() (term, epoch, keys uint64) { return 0, c.epoch.Load(), uint64(n.keyspace.Len(0)) },
		Serving:     c.setServing,
		Continues:   c.lineage.Continues,
		Seeds:       cfg.BusSeeds(),
		Logger:      n.log,
	})
	if err != nil {
		return nil, errors.Join(err, c.bus.Close())
	}
	c.relay = pubsub.NewRelay(pubsub.RelayOptions{
		Hub: n.hub, Logger: c.log.Named("messages"),
		Dial: func(ctx context.Context, node string) (net.Conn, error) {
			return c.bus.Dial(ctx, bus.ProtoMessages, node)
		},
	})
	return c, nil
}

// listenBus takes the bus port on the first address of bind that this machine has, or
// on all addresses where bind says so.
func listenBus(bind []string, port int) (net.Listener, error) {
	list, err := listenAll(bind[:1], port)
	if err != nil {
		return nil, err
	}
	return list[0], nil
}

// announced is this node as others are told: addresses, zone and priority.
func (c *clusterSide) announced() topology.Node {
	cfg := c.n.cfg
	addr := topology.Addr{Host: cfg.AnnounceIP.Get(), Port: int(cfg.AnnouncePort.Get()), BusPort: int(cfg.AnnounceBusPort.Get())}
	if addr.Host == "" {
		addr.Host = announcedHost(cfg.Bind.Get())
	}
	if addr.Port == 0 {
		addr.Port = int(cfg.Port.Get())
	}
	if addr.BusPort == 0 {
		addr.BusPort = cfg.BusPort()
	}
	return topology.Node{
		Run: c.runID, Addr: addr, Hostname: cfg.AnnounceHostname.Get(),
		Zone: cfg.AvailabilityZone.Get(), Priority: replicaPriority(cfg),
	}
}

func replicaPriority(cfg *config.Config) int {
	if cfg.ReplicaNoFailover.Get() {
		return 0
	}
	return int(cfg.ReplicaPriority.Get())
}

// setServing stops serving around a join: no command that was let in before runs any
// more when it returns.
func (c *clusterSide) setServing(on bool) {
	c.serving.Store(on)
	if !on {
		mask := c.n.keyspace.AllShards()
		c.n.keyspace.Lock(mask)
		c.n.keyspace.Unlock(mask)
	}
}

// run serves the bus and follows the View until ctx ends.
func (c *clusterSide) run(ctx context.Context) error {
	changed, cancel := c.notices()
	defer cancel()
	c.mu.Lock()
	c.mu.ctx = ctx
	c.mu.Unlock()
	if err := c.enter(ctx); err != nil {
		return err
	}
	c.bus.Handle(bus.ProtoMove, func(conn net.Conn, peer bus.Peer) {
		if m := c.member.Load(); m != nil {
			m.mover.Serve(conn, topology.NodeID(peer.Node))
			return
		}
		_ = conn.Close() // nobody would read from it
	})
	c.bus.Handle(bus.ProtoMessages, func(conn net.Conn, _ bus.Peer) { c.relay.Serve(conn) })
	busDone := make(chan error, 1)
	go func() { busDone <- c.bus.Run(ctx) }()
	gossipDone := make(chan struct{})
	go func() {
		defer close(gossipDone)
		changed, cancel := c.notices()
		defer cancel()
		if err := c.gossips(ctx, changed); err != nil && ctx.Err() == nil {
			c.log.Warn("no gossip", zap.Error(err)) // only hints are missing
		}
	}()
	defer func() { <-gossipDone }()
	syncDone := make(chan struct{})
	go func() {
		defer close(syncDone)
		c.sync.run(ctx)
	}()
	defer func() { <-syncDone }()
	loaded := c.n.loading.done
	for {
		var again <-chan time.Time
		c.reachAll(c.consensus.View())
		if loaded == nil && !c.assume(ctx, c.consensus.View()) {
			again = time.After(assumeAgain)
		}
		select {
		case <-again:
		case <-loaded:
			loaded = nil // the role waits for the data
		case <-ctx.Done():
			c.leave()
			return <-busDone
		case err := <-busDone:
			c.leave()
			if err == nil {
				err = errBusEnded // and the node with it
			}
			return err
		case <-changed:
		}
	}
}

// moves runs the slot moves once the data are there: what is staged in a file is not whole
// before.
func (c *clusterSide) moves(m *migration.Mover) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-c.n.loading.done:
			return m.Run(ctx)
		case <-ctx.Done():
			return nil
		}
	}
}

// enter starts what runs under the node's present id.
func (c *clusterSide) enter(ctx context.Context) error {
	n := c.n
	timeout := func() time.Duration { return time.Duration(n.cfg.ClusterNodeTimeoutMillis.Get()) * time.Millisecond }
	m := &membership{self: c.consensus.Self()}
	var err error
	if m.driver, err = failover.New(failover.Options{
		Self: m.self, Log: c.consensus, Transport: c.bus, Local: dataSide{c}, NodeTimeout: timeout,
		ValidityFactor: func() int { return int(n.cfg.ReplicaValidityFactor.Get()) },
		Logger:         n.log,
	}); err != nil {
		return err
	}
	if m.mover, err = migration.New(migration.Options{
		Self: m.self, Run: c.runID, Keyspace: n.keyspace, Log: n.effects, Table: n.table,
		Staging: n.staging, Holds: n.holds, Topology: c.consensus,
		Dial: func(ctx context.Context, node topology.NodeID) (net.Conn, error) {
			return c.bus.Dial(ctx, bus.ProtoMove, string(node))
		},
		Replicas: loggedCopies{syncedCopies{&migration.Attached{Copies: func() []migration.Copy { return copiesOf(n.repl) }, CutCount: n.repl.Cuts, Log: n.effects, NodeTimeout: timeout()}, c.sync}, n},
		Settled:  c.sync.settled,
		Left:     n.server.Watches().DirtySlots, NodeTimeout: timeout(), Logger: n.log,
		RateBytes: n.cfg.MoveRateBytes.Get, Dir: n.cfg.Dir.Get,
	}); err != nil {
		return err
	}
	ctx, m.cancel = context.WithCancel(ctx)
	for name, f := range map[string]func(context.Context) error{"failover": m.driver.Run, "migration": c.moves(m.mover)} {
		m.wg.Add(1)
		go func() {
			defer m.wg.Done()
			if err := f(ctx); err != nil && ctx.Err() == nil {
				c.log.Error("part of the cluster side has ended", zap.String("part", name), zap.Error(err))
			}
		}()
	}
	c.member.Store(m)
	return nil
}

// leave ends what enter has started.
func (c *clusterSide) leave() {
	m := c.member.Swap(nil)
	if m == nil {
		return
	}
	m.cancel()
	m.driver.Close()
	m.wg.Wait()
}

// reachAll tells the relay of messages which nodes there are.
func (c *clusterSide) reachAll(v *topology.View) {
	self := c.consensus.Self()
	mine := v.ShardOf(self)
	var nodes, mates []string
	for i := range v.Nodes {
		n := &v.Nodes[i]
		if n.ID == self {
			continue
		}
		nodes = append(nodes, string(n.ID))
		if mine != nil && n.Shard == mine.ID {
			mates = append(mates, string(n.ID))
		}
	}
	c.relay.Keep(nodes, mates)
}

func (c *clusterSide) close() {
	c.relay.Close()
	if err := errors.Join(c.consensus.Close(), c.bus.Close()); err != nil {
		c.log.Warn("cluster side not closed cleanly", zap.Error(err))
	}
}

// copiesOf are the attached replicas as slot moves count them.
func copiesOf(repl *replication.Replication) []migration.Copy {
	var out []migration.Copy
	for _, r := range repl.Replicas() {
		out = append(out, migration.Copy{Online: r.Online, Offset: r.Offset, Silent: r.Lag})
	}
	return out
}

// The data path's questions (server.Cluster).

// View returns the newest applied topology.
func (c *clusterSide) View() *topology.View { return c.consensus.View() }

// Self returns this node's id.
func (c *clusterSide) Self() topology.NodeID { return c.consensus.Self() }

// LeaseUntil returns until when this run may serve the shard: not before it has taken
// over the shard's data for that term, and not while it is joining a cluster.
func (c *clusterSide) LeaseUntil(shard topology.ShardID, term uint64) int64 {
	m := c.member.Load()
	if m == nil || c.primaryTerm.Load() != term || !c.serving.Load() {
		return 0
	}
	return m.driver.LeaseUntil(shard, term)
}

// Held tells what is held back on slot.
func (c *clusterSide) Held(slot slots.Slot) server.Hold { return server.Hold(c.n.holds.Held(slot)) }

// AwaitHold has wake called once the hold of slot may have changed.
func (c *clusterSide) AwaitHold(slot slots.Slot, wake func()) { c.n.holds.AwaitHold(slot, wake) }

// HeldAny is Held for commands that touch every slot.
func (c *clusterSide) HeldAny() server.Hold { return server.Hold(c.n.holds.HeldAny()) }

// AwaitAny is AwaitHold for commands that touch every slot.
func (c *clusterSide) AwaitAny(wake func()) { c.n.holds.AwaitAny(wake) }

// Endpoint returns the host under which clients are told to reach a node, as
// cluster-preferred-endpoint-type says.
func (c *clusterSide) Endpoint(n *topology.Node) string {
	switch c.n.cfg.EndpointType.Get() {
	case "hostname":
		if n.Hostname == "" {
			return "?"
		}
		return n.Hostname
	case "unknown-endpoint":
		return ""
	}
	return n.Addr.Host
}

// Freshen pulls the newest View heard of.
func (c *clusterSide) Freshen(wake func()) bool {
	if c.consensus.NewestHeard() <= c.consensus.View().Index {
		return false
	}
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), freshenTimeout)
		defer cancel()
		_ = c.consensus.Freshen(ctx) // the client is then sent away by the View that is there
		wake()
	}()
	return true
}

// freshenTimeout is how long a client that would be sent away waits for a newer View.
const freshenTimeout = 100 * time.Millisecond

// mayExpire reports whether active expiry may write effects now.
func (c *clusterSide) mayExpire() bool { return c.serving.Load() && !c.handingOver.Load() }

// release gives this node's shard up before the process ends.
func (c *clusterSide) release(ctx context.Context) error {
	if m := c.member.Load(); m != nil {
		return m.driver.Release(ctx)
	}
	return nil
}
