package node

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/redwingdb/redwing/internal/failover"
	"github.com/redwingdb/redwing/internal/migration"
	"github.com/redwingdb/redwing/internal/replication"
	"github.com/redwingdb/redwing/internal/slots"
	"github.com/redwingdb/redwing/internal/topology"
)

const (
	// promoteTimeout bounds how long a new primary waits for the last of the old stream.
	promoteTimeout = 5 * time.Second
	// assumeAgain is the pause before a role that could not be taken is tried again.
	assumeAgain = 100 * time.Millisecond
)

// assume takes the role that the View gives this run.
//
//	not a member, or no cluster    a primary without a mark
//	primary, this run              primary of (shard, term); serves once it has a lease
//	primary, but an earlier run    waits: only a Promote makes this run the primary
//	otherwise                      replica of the shard's primary
//
// It is called by one goroutine, in the order of Views, and may skip some. It returns
// false when the role could not be taken and is to be tried again.
func (c *clusterSide) assume(ctx context.Context, v *topology.View) (taken bool) {
	defer c.n.server.Rerouted() // clients may wait for keys of slots that have left
	self := c.consensus.Self()
	s := v.ShardOf(self)
	if s != nil {
		c.n.server.KeepSlotUses(&s.Slots)
	}
	switch {
	case c.consensus.Formed() && !v.Formed():
		return true // the View of the cluster is still to come
	case !v.Formed() || s == nil:
		return c.bePrimary(ctx, 0, replication.Mark{})
	case s.Primary == self && s.PrimaryRun == c.runID:
		return c.bePrimary(ctx, s.Term, markOf(v, s))
	case s.Primary == self:
		c.primaryTerm.Store(0)
	default:
		c.primaryTerm.Store(0)
		c.follow(v, s)
	}
	return true
}

func markOf(v *topology.View, s *topology.Shard) replication.Mark {
	return replication.Mark{Cluster: v.ClusterID, Shard: string(s.ID), Term: s.Term, Run: string(s.PrimaryRun)}
}

func (c *clusterSide) bePrimary(ctx context.Context, term uint64, mark replication.Mark) (taken bool) {
	if c.primaryTerm.Load() == term && term != 0 {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, promoteTimeout)
	defer cancel()
	if err := c.n.repl.Promote(ctx, mark); err != nil {
		c.log.Error("the old stream did not end; serving nothing", zap.Uint64("term", term), zap.Error(err))
		return false
	}
	if term != 0 {
		c.sync.begin()
	}
	c.primaryTerm.Store(term)
	return true
}

func (c *clusterSide) follow(v *topology.View, s *topology.Shard) {
	p := v.Node(s.Primary)
	if p == nil {
		return // Check of the topology forbids it
	}
	c.n.repl.Follow(replication.Target{Host: p.Addr.Host, Port: p.Addr.Port, Mark: markOf(v, s)})
}

// dataSide is this node's data as failover sees it (failover.Local).
type dataSide struct{ *clusterSide }

// Run is this life of the process.
func (d dataSide) Run() topology.RunID { return d.runID }

// Progress is how far this node's copy has come.
func (d dataSide) Progress() failover.Progress {
	if d.n.loading.now() {
		return failover.Progress{Loading: true}
	}
	p := d.n.repl.Progress()
	v, mark := d.consensus.View(), d.n.repl.Mark()
	if s := v.ShardOf(d.consensus.Self()); s == nil || mark.Shard != string(s.ID) || mark.Cluster != v.ClusterID {
		p.Term, p.Offset, p.Linked = 0, 0, 0 // data of another shard, or none
	}
	return failover.Progress{
		Term: p.Term, Offset: p.Offset, LinkedTerm: p.Linked, FullSync: p.FullSync,
		LinkAgeNanos: d.n.repl.LinkAge(),
	}
}

// handoverHold names the hold of a graceful failover.
const handoverHold = "handover"

// HoldWrites holds the writers of every slot and returns the offset at which they stand.
func (d dataSide) HoldWrites(ctx context.Context) (offset int64, err error) {
	d.handingOver.Store(true)
	all := slots.All()
	d.n.holds.Raise(handoverHold, &all, migration.HoldWrites, d.n.keyspace)
	d.sync.settleShortly(ctx)
	return d.n.effects.Offset(), nil
}

// ResumeWrites lets the writers go on.
func (d dataSide) ResumeWrites() {
	d.n.holds.Lower(handoverHold)
	d.handingOver.Store(false)
}
