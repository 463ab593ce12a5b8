package consensus

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/raft"
	"go.uber.org/zap"

	"github.com/redwingdb/redwing/internal/slots"
	"github.com/redwingdb/redwing/internal/topology"
)

// Form makes this node a cluster of one that owns the given slots. It returns when the
// log has it; a node that belongs to a cluster gets topology.ErrFormed.
func (c *Consensus) Form(ctx context.Context, owned slots.Set) error {
	if !c.lock(ctx) {
		return c.ended(ctx)
	}
	defer c.unlock()
	return c.formLocked(ctx, owned)
}

func (c *Consensus) ended(ctx context.Context) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return ErrClosed
}

// formLocked: REQUIRES c.lifecycle held.
func (c *Consensus) formLocked(ctx context.Context, owned slots.Set) error {
	s := c.stateCopy()
	if s.Cluster != "" {
		return fmt.Errorf("cluster %s: %w", s.Cluster, topology.ErrFormed)
	}
	if s.Phase != phaseNone {
		return ErrJoining
	}
	before := s
	s.Cluster, s.Generation, s.Phase, s.Member = randomHex(40), 1, phaseForming, true
	if err := c.setState(s); err != nil {
		return err
	}
	err := c.bootstrap(ctx, &s, owned)
	if err != nil { // as if it had never been tried
		c.stopMember(true)
		c.setState(before)
		c.identify(&before)
		c.replace(c.localView(&before))
		return err
	}
	s.Phase = phaseNone
	if err := c.setState(s); err != nil {
		return err
	}
	c.poke()
	c.log.Info("cluster formed", zap.String("cluster", s.Cluster))
	return nil
}

// bootstrap starts raft with this node as the one voter and enters FormCluster.
func (c *Consensus) bootstrap(ctx context.Context, s *state, owned slots.Set) error {
	if err := os.RemoveAll(filepath.Join(c.opt.Dir, raftDir)); err != nil {
		return err
	}
	c.identify(s)
	if err := c.startMember(true); err != nil {
		return err
	}
	m := c.member()
	n := c.self(s)
	id, addr := serverOf(&n)
	conf := raft.Configuration{Servers: []raft.Server{{ID: id, Address: addr, Suffrage: raft.Voter}}}
	if err := m.raft.BootstrapCluster(conf).Error(); err != nil {
		return err
	}
	term, epoch, _ := c.opt.Highest()
	e := topology.FormCluster{
		Header:    topology.Header{Request: randomHex(32), AtMillis: time.Now().UnixMilli()},
		ClusterID: s.Cluster, Generation: s.Generation, Node: n, Shard: s.Shard, Slots: owned,
		Config:      topology.ClusterConfig{NodeTimeoutMillis: int(c.opt.NodeTimeout / time.Millisecond)},
		HighestTerm: term, HighestEpoch: epoch,
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	r, err := c.ask(ctx, callPropose, topology.EncodeEntry(e))
	if err != nil {
		return err
	}
	if err := r.err(); err != nil {
		return err
	}
	return c.awaitView(ctx, func(v *topology.View) bool { return v.ClusterID == s.Cluster })
}

// Leave ends the membership of this node. With an heir it is refused where that is not, or
// no more, in the in-sync set of the node's shard. The data here stay as they are.
func (c *Consensus) Leave(ctx context.Context, heir topology.NodeID) error {
	ctx, cancel := context.WithTimeout(ctx, removeTimeout)
	defer cancel()
	_, err := c.Propose(ctx, topology.RemoveNode{
		Header: topology.Header{Request: randomHex(32), AtMillis: time.Now().UnixMilli()},
		Node:   c.Self(), Incarnation: c.Incarnation(), Heir: heir,
	})
	return err
}

// Reset leaves the cluster, in good order if that succeeds within 2 s, and starts over
// with a new incarnation; hard: under a new id. The caller has released the node's
// slots. Log, View and mark of this node are deleted.
func (c *Consensus) Reset(ctx context.Context, hard bool) error {
	if v := c.View(); v.Formed() && len(v.Nodes) > 1 && v.Node(c.Self()) != nil {
		if err := c.Leave(ctx, ""); err != nil {
			c.log.Warn("left without the cluster's consent", zap.Error(err))
		}
	}
	if !c.lock(ctx) {
		return c.ended(ctx)
	}
	defer c.unlock()
	s := c.stateCopy()
	next := freshState()
	if !hard {
		next.Node, next.Incarnation = s.Node, s.Incarnation+1
	}
	next.Dissolved = s.Dissolved
	if v := c.View(); len(v.Nodes) == 1 {
		next.dissolve(s.Cluster)
	}
	// The state first: with it on disk nothing that is left over counts.
	if err := c.setState(next); err != nil {
		return err
	}
	c.identify(&next)
	err := c.stopMember(true)
	os.Remove(filepath.Join(c.opt.Dir, viewFile))
	c.replace(c.localView(&next))
	c.opt.Serving(true)
	c.log.Info("reset", zap.Bool("hard", hard), zap.String("node", string(next.Node)))
	return err
}

// announce tells the log this node's run and addresses whenever the View has others.
func (c *Consensus) announce() {
	for c.ctx.Err() == nil {
		var due topology.UpdateNode
		err := c.awaitView(c.ctx, func(v *topology.View) bool {
			s := c.stateCopy()
			n := v.Node(s.Node)
			if !v.Formed() || n == nil || n.Incarnation != s.Incarnation || s.Phase != phaseNone {
				return false
			}
			me := c.self(&s)
			if n.Run == me.Run && n.Addr == me.Addr && n.Hostname == me.Hostname && n.Zone == me.Zone && n.Priority == me.Priority {
				return false
			}
			due = topology.UpdateNode{
				Header: topology.Header{Request: randomHex(32), AtMillis: time.Now().UnixMilli()},
				Node:   me.ID, Incarnation: me.Incarnation, Run: me.Run,
				Addr: me.Addr, Hostname: me.Hostname, Zone: me.Zone, Priority: me.Priority,
			}
			return true
		})
		if err != nil {
			return
		}
		if c.opt.Continues != nil {
			due.Continues = c.opt.Continues(c.ctx)
		}
		ctx, cancel := context.WithTimeout(c.ctx, 5*time.Second)
		_, err = c.Propose(ctx, due)
		cancel()
		if err != nil {
			c.log.Debug("announcement failed", zap.Error(err))
			select {
			case <-c.ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
		}
	}
}
