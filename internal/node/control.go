package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/redwingdb/redwing/internal/clock"
	"github.com/redwingdb/redwing/internal/commands/cluster"
	"github.com/redwingdb/redwing/internal/migration"
	"github.com/redwingdb/redwing/internal/replication"
	"github.com/redwingdb/redwing/internal/slots"
	"github.com/redwingdb/redwing/internal/topology"
)

// What the CLUSTER commands set in motion (cluster.Control).

var (
	errNotStarted = errors.New("the node is still starting")
	errNotPrimary = errors.New("this node is not the primary of its shard")
	errLastInSync = errors.New("this node has the last in-sync copy of its shard: no other one answers, and acknowledged writes would be lost. " +
		"Wait for another one, or end the node and remove its files")
)

const (
	// meetTimeout is how long a MEET goes on behind the command's answer.
	meetTimeout = 30 * time.Second
	// leaveTimeout bounds what a RESET asks of the others.
	leaveTimeout = 2 * time.Second
	// proposeAgain is the pause before a change of unknown outcome is proposed again.
	proposeAgain = 50 * time.Millisecond
)

// Local is this node as it would announce itself.
func (c *clusterSide) Local() topology.Node {
	n := c.announced()
	n.ID, n.Incarnation = c.consensus.Self(), c.consensus.Incarnation()
	if s := c.consensus.View().ShardOf(n.ID); s != nil {
		n.Shard = s.ID
	}
	return n
}

// ConfigEpoch is what SET-CONFIG-EPOCH has stored.
func (c *clusterSide) ConfigEpoch() uint64 { return c.epoch.Load() }

// Configure changes settings of the whole cluster.
func (c *clusterSide) Configure(ctx context.Context, e topology.SetClusterConfig) error {
	e.Header = header()
	return c.propose(ctx, e)
}

// SetConfigEpoch stores a number; it forms nothing.
func (c *clusterSide) SetConfigEpoch(epoch uint64) error {
	c.epoch.Store(epoch)
	return nil
}

// Health is how this node sees another one.
func (c *clusterSide) Health(node topology.NodeID) cluster.Health {
	if node == c.consensus.Self() {
		return cluster.Health{Linked: true, Loading: c.n.isLoading(), Offset: c.n.effects.Offset()}
	}
	h := cluster.Health{Linked: true}
	if m := c.member.Load(); m != nil && m.driver.Down(node) {
		h.Failed, h.Linked = true, false
	}
	if _, at := c.bus.Heard(string(node)); at != 0 {
		silent := time.Duration(clock.Mono() - at)
		h.PongReceivedMillis = time.Now().Add(-silent).UnixMilli()
	}
	for _, r := range c.n.repl.Replicas() {
		if r.Node == string(node) {
			h.Offset, h.Loading = r.Offset, !r.Online
		}
	}
	return h
}

// HasQuorum reports whether the cluster serves, as far as this node can tell: a
// primary by its lease, which a majority of voters has echoed; any other node by the
// voters that it does not hold for gone.
func (c *clusterSide) HasQuorum() bool {
	v := c.consensus.View()
	m := c.member.Load()
	if m == nil {
		return false
	}
	if s := v.ShardOf(m.self); s != nil && s.Primary == m.self && !s.Slots.Empty() {
		return c.LeaseUntil(s.ID, s.Term) > clock.Mono()
	}
	voters := v.Voters()
	alive := 0
	for _, id := range voters {
		if id == m.self || !m.driver.Down(id) {
			alive++
		}
	}
	return 2*alive > len(voters)
}

// Messages returns how many messages the bus has sent and received.
func (c *clusterSide) Messages() (sent, received uint64) { return c.bus.Messages() }

// Dropped returns how many connections and frames the bus has dropped, by reason.
func (c *clusterSide) Dropped() map[string]int64 { return c.bus.Dropped() }

func header() topology.Header {
	return topology.Header{Request: randomHex(32), AtMillis: clock.WallMillis()}
}

// propose commits an entry and waits for the nodes that answer soon.
func (c *clusterSide) propose(ctx context.Context, e topology.Entry) error {
	index, err := c.consensus.Propose(ctx, e)
	if err == nil {
		c.consensus.Settle(ctx, index)
	}
	return err
}

// AddSlots gives unowned slots to this node's shard; a node without a cluster forms one.
func (c *clusterSide) AddSlots(ctx context.Context, set slots.Set) error {
	if !c.consensus.Formed() {
		return c.consensus.Form(ctx, set)
	}
	s := c.consensus.View().ShardOf(c.consensus.Self())
	if s == nil {
		return topology.ErrUnknownNode
	}
	return c.propose(ctx, topology.AssignSlots{Header: header(), Shard: s.ID, Add: set})
}

// DelSlots gives slots of this node's shard up: it stops serving them first, and goes
// on once the log shows that it has refused. While the outcome is unknown they stay
// held, and the entry is proposed again, which applies it once.
func (c *clusterSide) DelSlots(ctx context.Context, set slots.Set) error {
	v := c.consensus.View()
	s := v.ShardOf(c.consensus.Self())
	if s == nil || !v.IsPrimary(c.consensus.Self(), c.runID) {
		return errNotPrimary
	}
	e := topology.AssignSlots{
		Header: header(), Shard: s.ID, Del: set,
		Releases: []topology.Release{{Shard: s.ID, Term: s.Term, Slots: set}},
	}
	hold := "delslots " + e.Request
	c.n.holds.Raise(hold, &set, migration.HoldAll, c.n.keyspace)
	err := c.propose(ctx, e)
	if err == nil || topology.IsRefusal(err) {
		c.n.holds.Lower(hold)
		return err
	}
	c.spawn(func(run context.Context) {
		for run.Err() == nil {
			if err := c.propose(run, e); err == nil || topology.IsRefusal(err) {
				c.n.holds.Lower(hold)
				return
			}
			select { // some errors come at once
			case <-run.Done():
			case <-time.After(proposeAgain):
			}
		}
	})
	return err
}

// announce tells the cluster what CONFIG SET has changed of this node.
func (c *clusterSide) announce() {
	c.spawn(func(ctx context.Context) {
		n := c.Local()
		if c.consensus.View().Node(n.ID) == nil || !c.consensus.Formed() {
			return
		}
		ctx, cancel := context.WithTimeout(ctx, meetTimeout)
		defer cancel()
		if err := c.propose(ctx, topology.UpdateNode{
			Header: header(), Node: n.ID, Incarnation: n.Incarnation, Run: n.Run, Addr: n.Addr,
			Hostname: n.Hostname, Zone: n.Zone, Priority: n.Priority,
		}); err != nil {
			c.log.Warn("change of this node not announced", zap.Error(err))
		}
	})
}

// Meet brings this node and the one at host into one cluster. As in Redis the command
// may be answered before that is done: it goes on by itself then.
func (c *clusterSide) Meet(ctx context.Context, host string, _, busPort int) error {
	addr := net.JoinHostPort(host, strconv.Itoa(busPort))
	done := make(chan error, 1)
	ok := c.spawn(func(run context.Context) {
		run, cancel := context.WithTimeout(run, meetTimeout)
		defer cancel()
		err := c.consensus.Meet(run, addr)
		if err != nil {
			c.log.Warn("meet failed", zap.String("addr", addr), zap.Error(err))
		}
		done <- err
	})
	if !ok {
		return errNotStarted
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return nil
	}
}

// spawn runs f until it returns, with a context that ends with the node's; false
// before the node runs.
func (c *clusterSide) spawn(f func(ctx context.Context)) bool {
	c.mu.Lock()
	ctx := c.mu.ctx
	c.mu.Unlock()
	if ctx == nil || ctx.Err() != nil {
		return false
	}
	go f(ctx)
	return true
}

// Replicate makes this node a replica of a primary.
func (c *clusterSide) Replicate(ctx context.Context, primary topology.NodeID) error {
	v := c.consensus.View()
	s := v.ShardOf(primary)
	if s == nil {
		return topology.ErrUnknownNode
	}
	self := c.consensus.Self()
	var heir topology.NodeID
	if !s.Has(self) {
		var err error
		if heir, err = c.heir(ctx, v); err != nil {
			return err
		}
	}
	return asLastInSync(c.propose(ctx, topology.SetReplicaOf{
		Header: header(), Node: self, Incarnation: c.consensus.Incarnation(), Shard: s.ID, Heir: heir,
	}))
}

// Forget ends the membership of a node.
func (c *clusterSide) Forget(ctx context.Context, id topology.NodeID) error {
	n := c.consensus.View().Node(id)
	if n == nil {
		return nil // it has left
	}
	return c.propose(ctx, topology.RemoveNode{Header: header(), Node: id, Incarnation: n.Incarnation})
}

// Reset leaves the cluster and starts over, with a new id if hard. A replica's copy
// goes with it; a primary's keys were refused before.
func (c *clusterSide) Reset(ctx context.Context, hard bool) error {
	c.resetting.Lock()
	defer c.resetting.Unlock()
	c.mu.Lock()
	run := c.mu.ctx
	c.mu.Unlock()
	if run == nil {
		return errNotStarted
	}
	v := c.consensus.View()
	self := c.consensus.Self()
	s := v.ShardOf(self)
	wasReplica := s != nil && s.Primary != self
	if heir, err := c.heir(ctx, v); err != nil {
		return err
	} else if heir != "" {
		// Without an answer of the log it stays: it cannot tell whom it leaves alone.
		if err := asLastInSync(c.consensus.Leave(ctx, heir)); err != nil {
			return err
		}
	}
	if s != nil && !wasReplica && !s.Slots.Empty() {
		release, cancel := context.WithTimeout(ctx, leaveTimeout)
		if err := c.DelSlots(release, s.Slots); err != nil {
			c.log.Warn("slots not released before the reset", zap.Error(err))
		}
		cancel()
	}
	if err := c.lineage.end(); err != nil {
		return err
	}
	if err := c.consensus.Reset(ctx, hard); err != nil {
		return err
	}
	c.epoch.Store(0)
	if wasReplica {
		if err := c.n.repl.Promote(ctx, replication.Mark{}); err != nil {
			return err
		}
		ks := c.n.keyspace
		ks.Own(ks.AllShards())
		ks.FlushAll()
		ks.Disown(ks.AllShards())
	}
	if hard {
		c.leave()
		return c.enter(run)
	}
	return nil
}

// heir returns the in-sync copy that keeps what this replica gives up when it leaves its
// shard: what it holds may be all that is left of acknowledged writes. Empty where it gives
// up nothing that counts.
func (c *clusterSide) heir(ctx context.Context, v *topology.View) (topology.NodeID, error) {
	self := c.consensus.Self()
	s, m := v.ShardOf(self), c.member.Load()
	if s == nil || s.Primary == self || !v.Config.InSyncOnly() || s.Slots.Empty() || !v.MayLead(s, v.Node(self)) {
		return "", nil
	}
	if m == nil {
		return "", errNotStarted
	}
	heir := m.driver.InSyncPeer(ctx, s)
	if heir == "" {
		return "", errLastInSync
	}
	return heir, nil
}

// asLastInSync tells of an heir that the log does not accept.
func asLastInSync(err error) error {
	if errors.Is(err, topology.ErrNotInSync) {
		return errLastInSync
	}
	return err
}

// Failover makes this replica the primary of its shard.
func (c *clusterSide) Failover(ctx context.Context, mode cluster.FailoverMode) error {
	m := c.member.Load()
	if m == nil {
		return errNotStarted
	}
	return m.driver.Failover(ctx, [...]topology.PromoteMode{
		cluster.FailoverGraceful: topology.PromoteGraceful,
		cluster.FailoverForce:    topology.PromoteForce,
		cluster.FailoverTakeover: topology.PromoteTakeover,
	}[mode])
}

// MigrateSlots opens one job a request; if one is refused those before it are cancelled.
func (c *clusterSide) MigrateSlots(ctx context.Context, moves []cluster.MoveRequest) error {
	m := c.member.Load()
	if m == nil {
		return errNotStarted
	}
	v := c.consensus.View()
	var begun []string
	for _, r := range moves {
		job, err := beginMove(ctx, v, m.mover, r)
		if err != nil {
			for _, id := range begun {
				if cancelErr := m.mover.Cancel(ctx, id); cancelErr != nil && !errors.Is(cancelErr, topology.ErrUnknownMove) {
					err = fmt.Errorf("%w; job %s goes on: %w", err, id, cancelErr)
				}
			}
			return err
		}
		begun = append(begun, job)
	}
	return nil
}

func beginMove(ctx context.Context, v *topology.View, mover *migration.Mover, r cluster.MoveRequest) (job string, err error) {
	target := v.ShardOf(r.Target)
	if target == nil {
		return "", topology.ErrUnknownNode
	}
	var source *topology.Shard
	for slot := range r.Slots.Each() {
		source = v.Owner(slot)
		break
	}
	if source == nil {
		return "", topology.ErrNotOwner
	}
	return mover.Begin(ctx, source.ID, target.ID, r.Slots)
}

// Progress tells how far an open job is, as far as this node takes part in it.
func (c *clusterSide) Progress(job string) cluster.Progress {
	m := c.member.Load()
	if m == nil {
		return cluster.Progress{}
	}
	for _, s := range m.mover.Status() {
		if s.Job == job {
			return cluster.Progress{
				Phase: s.Phase, Message: s.Message, LastAckMillis: s.AckedMillis, BehindBytes: s.LagBytes,
				KeysDone: s.KeysDone, KeysTotal: s.KeysTotal,
			}
		}
	}
	return cluster.Progress{}
}

// CancelMigrations ends every open job that leaves this node's shard.
func (c *clusterSide) CancelMigrations(ctx context.Context) error {
	m := c.member.Load()
	if m == nil {
		return errNotStarted
	}
	v := c.consensus.View()
	s := v.ShardOf(m.self)
	if s == nil {
		return nil
	}
	for _, move := range v.OpenMoves(s.ID) {
		if move.Source != s.ID {
			continue
		}
		if err := m.mover.Cancel(ctx, move.Job); err != nil && !errors.Is(err, topology.ErrUnknownMove) {
			return err
		}
	}
	return nil
}
