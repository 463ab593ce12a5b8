package consensus

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/raft"
	"go.uber.org/zap"

	"github.com/redwingdb/redwing/internal/topology"
)

// keep maintains the voter set while this node leads.
func (c *Consensus) keep() {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-c.wake:
		case <-tick.C:
		}
		// Several steps in a row, bounded by what a cluster may need.
		for range 16 {
			if !c.keepOnce() {
				break
			}
		}
	}
}

// keepOnce makes one change if one is due; it reports whether it made one.
func (c *Consensus) keepOnce() bool {
	m := c.member()
	if m == nil || m.leads() == nil || c.Joining() {
		c.mu.Lock()
		clear(c.mu.silent)
		c.mu.Unlock()
		if m != nil {
			c.checkPlace(m)
		}
		return false
	}
	v := m.fsm.view()
	if !v.Formed() {
		return false
	}
	f := m.raft.GetConfiguration()
	if f.Error() != nil {
		return false
	}
	servers := c.judge(m, v, f.Configuration())
	s := nextStep(servers, len(v.Nodes), c.spares(v, servers))
	if s.what == stepNone {
		return false
	}
	if err := c.take(m, s); err != nil {
		c.log.Info("voter change failed", zap.String("step", string(s.what)), zap.String("node", string(s.node)), zap.Error(err))
		return false
	}
	c.log.Info("voters changed", zap.String("step", string(s.what)), zap.String("node", string(s.node)))
	return true
}

// judge says of each server of the configuration how it stands.
func (c *Consensus) judge(m *member, v *topology.View, conf raft.Configuration) []server {
	now := time.Now()
	var out []server
	for _, rs := range conf.Servers {
		s := server{id: rs.ID, node: nodeOf(rs.ID), voter: rs.Suffrage == raft.Voter, self: rs.ID == m.id}
		if n := v.Node(s.node); n != nil && n.RaftID() == string(rs.ID) {
			s.member, s.zone = true, n.FailureDomain()
		}
		if !s.self && s.member {
			s.bad, s.lost = c.dead(s.node, string(s.id), now)
		}
		c.mu.Lock()
		if until, ok := c.mu.leaving[s.node]; ok {
			if now.After(until) {
				delete(c.mu.leaving, s.node)
			} else {
				s.bad = true
			}
		}
		c.mu.Unlock()
		out = append(out, s)
	}
	return out
}

// dead asks a server for its state and reports whether it has not been a working part of
// raft for voterDeadAfter, or says itself that it cannot be one any more.
func (c *Consensus) dead(node topology.NodeID, raftID string, now time.Time) (dead, lost bool) {
	ctx, cancel := context.WithTimeout(c.ctx, streamSilence)
	st, err := call[statusReply](ctx, c, node, callStatus, struct{}{})
	cancel()
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil && st.Running && st.RaftID == raftID {
		delete(c.mu.silent, node)
		return false, false
	}
	if err == nil && st.Lost {
		return true, true
	}
	since, ok := c.mu.silent[node]
	if !ok {
		c.mu.silent[node] = now
		return false, false
	}
	return now.Sub(since) >= c.opt.voterDeadAfter, false
}

// spares are members outside of the voters that answer, at most eight of them. Only when
// one may be needed are they asked.
func (c *Consensus) spares(v *topology.View, servers []server) []server {
	good := 0
	voters := map[topology.NodeID]bool{}
	for _, s := range servers {
		if s.voter {
			voters[s.node] = true
			if !s.bad && s.member {
				good++
			}
		}
	}
	if good >= topology.VotersFor(len(v.Nodes)) {
		return nil
	}
	var out []server
	c.mu.Lock()
	leaving := make(map[topology.NodeID]bool, len(c.mu.leaving))
	for n := range c.mu.leaving {
		leaving[n] = true
	}
	c.mu.Unlock()
	for i := range v.Nodes {
		n := &v.Nodes[i]
		if voters[n.ID] || leaving[n.ID] || len(out) >= 8 {
			continue
		}
		ctx, cancel := context.WithTimeout(c.ctx, streamSilence)
		_, err := call[statusReply](ctx, c, n.ID, callStatus, struct{}{})
		cancel()
		if err == nil {
			out = append(out, server{id: raft.ServerID(n.RaftID()), node: n.ID, zone: n.FailureDomain(), member: true})
		}
	}
	return out
}

// take makes one step.
func (c *Consensus) take(m *member, s step) error {
	switch s.what {
	case stepTransfer:
		return m.raft.LeadershipTransfer().Error()
	case stepRemove:
		if err := m.raft.RemoveServer(s.id, 0, attemptTimeout).Error(); err != nil {
			return err
		}
		// It may be dead, or gone; then its store is replaced when it is enlisted again.
		ctx, cancel := context.WithTimeout(c.ctx, streamSilence)
		defer cancel()
		call[struct{}](ctx, c, s.node, callRetire, enlistCall{string(s.id)})
		return nil
	}
	c.mu.Lock()
	c.mu.adding = string(s.id)
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		c.mu.adding = ""
		c.mu.Unlock()
	}()
	ctx, cancel := context.WithTimeout(c.ctx, catchUpTimeout)
	defer cancel()
	if _, err := call[struct{}](ctx, c, s.node, callEnlist, enlistCall{string(s.id)}); err != nil {
		return err
	}
	if err := m.raft.AddNonvoter(s.id, raft.ServerAddress(s.node), 0, attemptTimeout).Error(); err != nil {
		return err
	}
	goal := m.raft.CommitIndex()
	for {
		st, err := call[statusReply](ctx, c, s.node, callStatus, struct{}{})
		if err == nil && !st.Running {
			return fmt.Errorf("spare %s: %w", s.node, errNotMember)
		}
		if err == nil && st.Last >= goal {
			break
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("spare %s did not catch up: %w", s.node, ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
		if m.leads() == nil {
			return raft.ErrNotLeader
		}
		if n := m.fsm.view().Node(s.node); n == nil || n.RaftID() != string(s.id) {
			return fmt.Errorf("spare %s: %w", s.node, topology.ErrUnknownNode)
		}
	}
	if s.instead != "" {
		if err := m.raft.RemoveServer(s.instead, 0, attemptTimeout).Error(); err != nil {
			return err
		}
	}
	return m.raft.AddVoter(s.id, raft.ServerAddress(s.node), 0, attemptTimeout).Error()
}

// stays ends what demote began.
func (c *Consensus) stays(n topology.NodeID) {
	c.mu.Lock()
	delete(c.mu.leaving, n)
	c.mu.Unlock()
}

// demote takes a node that is about to be removed out of raft first. nil: go on.
func (c *Consensus) demote(ctx context.Context, m *member, rm topology.RemoveNode) *proposeReply {
	v := m.fsm.view()
	n := v.Node(rm.Node)
	if n == nil || n.Incarnation != rm.Incarnation || len(v.Nodes) == 1 {
		return nil // Apply has the last word
	}
	if s := v.ShardOf(n.ID); s != nil && s.Primary == n.ID && !s.Slots.Empty() {
		return nil // refused anyway: it keeps its vote
	}
	if v.Inherits(rm.Node, rm.Heir) != nil {
		return nil // likewise
	}
	id := raft.ServerID(n.RaftID())
	// From here until the entry's fate is known the keeper takes it for no voter.
	c.mu.Lock()
	c.mu.leaving[n.ID] = time.Now().Add(2 * removeTimeout)
	c.mu.Unlock()
	for {
		f := m.raft.GetConfiguration()
		if f.Error() != nil || m.leads() == nil {
			return &proposeReply{NotLeader: true, Leader: c.Leader()}
		}
		servers := f.Configuration().Servers
		at := slices.IndexFunc(servers, func(s raft.Server) bool { return s.ID == id })
		if at < 0 {
			return nil
		}
		voters := 0
		for _, s := range servers {
			if s.Suffrage == raft.Voter {
				voters++
			}
		}
		// With enough others it goes at once; else the keeper adds another first.
		switch {
		case voters <= topology.VotersFor(len(v.Nodes)-1) && voters < 3:
			c.poke()
		case id == m.id:
			if m.raft.LeadershipTransfer().Error() == nil {
				return &proposeReply{NotLeader: true, Leader: c.Leader()}
			}
		default:
			if err := c.take(m, step{what: stepRemove, id: id, node: n.ID}); err == nil {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return &proposeReply{Unknown: "the voter could not be demoted: " + ctx.Err().Error()}
		case <-time.After(10 * time.Millisecond):
		}
	}
}
