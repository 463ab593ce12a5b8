package consensus

import (
	"context"
	"slices"
	"time"

	"github.com/hashicorp/raft"

	"github.com/redwingdb/redwing/internal/bus"
)

// checkPlace retires a member that raft has forgotten: a voter that was replaced while it
// was down comes back with its stores and hears from nobody. Only the leader's word, with
// a barrier behind it, counts. Called by the keeper only.
func (c *Consensus) checkPlace(m *member) {
	if _, id := m.raft.LeaderWithID(); id != "" {
		m.lonelySince = time.Now()
		return
	}
	if time.Since(m.lonelySince) < c.opt.lonelyAfter {
		return // it has just been enlisted, or the leader has just died
	}
	if c.View().Node(c.Self()) == nil || slices.Contains(c.View().Voters(), c.Self()) {
		return
	}
	for _, n := range c.targets("") {
		ctx, cancel := context.WithTimeout(c.ctx, streamSilence)
		r, err := call[placeReply](ctx, c, n, callPlace, enlistCall{string(m.id)})
		cancel()
		if err != nil || !r.Leader {
			continue
		}
		if !r.Known {
			c.log.Info("replaced as a voter while away")
			c.onRetire(bus.Peer{}, enlistCall{string(m.id)})
		}
		return
	}
}

func (c *Consensus) onPlace(_ bus.Peer, q enlistCall) (placeReply, error) {
	m := c.member()
	if m == nil || m.leads() == nil || m.raft.Barrier(attemptTimeout).Error() != nil {
		return placeReply{}, nil
	}
	f := m.raft.GetConfiguration()
	if f.Error() != nil {
		return placeReply{}, nil
	}
	c.mu.Lock()
	adding := c.mu.adding == q.RaftID
	c.mu.Unlock()
	known := adding || slices.ContainsFunc(f.Configuration().Servers, func(s raft.Server) bool { return string(s.ID) == q.RaftID })
	return placeReply{Leader: true, Known: known}, nil
}

func (c *Consensus) onStatus(bus.Peer, struct{}) (statusReply, error) {
	r := statusReply{Index: c.View().Index, Lost: c.lost.Load()}
	if m := c.member(); m != nil && !m.guard.failed.Load() {
		r.Running, r.RaftID, r.Term, r.Last = true, string(m.id), m.raft.CurrentTerm(), m.raft.LastIndex()
	}
	return r, nil
}

// onEnlist opens this node's raft stores: a leader is about to add it.
func (c *Consensus) onEnlist(_ bus.Peer, q enlistCall) (struct{}, error) {
	ctx, cancel := context.WithTimeout(c.ctx, catchUpTimeout)
	defer cancel()
	if !c.lock(ctx) {
		return struct{}{}, ErrClosed
	}
	defer c.unlock()
	s := c.stateCopy()
	if s.raftID() != q.RaftID || s.Phase != phaseNone || s.Cluster == "" {
		return struct{}{}, errNotMember
	}
	if !s.Member {
		s.Member = true
		if err := c.setState(s); err != nil {
			return struct{}{}, err
		}
	}
	return struct{}{}, c.startMember(true)
}

// onRetire closes them: this node is in raft's configuration no more.
func (c *Consensus) onRetire(_ bus.Peer, q enlistCall) (struct{}, error) {
	ctx, cancel := context.WithTimeout(c.ctx, catchUpTimeout)
	defer cancel()
	if !c.lock(ctx) {
		return struct{}{}, ErrClosed
	}
	defer c.unlock()
	s := c.stateCopy()
	if s.raftID() != q.RaftID || s.Phase != phaseNone {
		return struct{}{}, errNotMember
	}
	s.Member = false
	if err := c.setState(s); err != nil {
		return struct{}{}, err
	}
	return struct{}{}, c.stopMember(true)
}
