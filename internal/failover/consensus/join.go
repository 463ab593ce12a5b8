package consensus

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/redwingdb/redwing/internal/bus"
	"github.com/redwingdb/redwing/internal/slots"
	"github.com/redwingdb/redwing/internal/topology"
)

// maxJoinAddrs bounds the members' addresses that a joiner remembers.
const maxJoinAddrs = 16

// Join makes this node, with the slots it owns alone, a member of the cluster of the
// node at a bus address. Before anything is sent the mark "joining" is on disk and the
// node serves nothing; a refusal takes both back. When ctx ends with the fate unknown
// the node goes on asking by itself.
func (c *Consensus) Join(ctx context.Context, addr string) error {
	if !c.lock(ctx) {
		return c.ended(ctx)
	}
	defer c.unlock()
	s := c.stateCopy()
	if s.Phase != phaseNone {
		return ErrJoining
	}
	info, err := c.askInfo(ctx, addr)
	switch {
	case err != nil:
		return err
	case info.Cluster == "":
		return fmt.Errorf("node %s: %w", info.Node, topology.ErrNotFormed)
	case info.Cluster == s.Cluster:
		return nil
	case info.Node == s.Node:
		return fmt.Errorf("node %s: %w", s.Node, topology.ErrMember)
	case info.Busy:
		return ErrJoining
	}
	if err := c.beginJoin(ctx, &s, addr, info); err != nil {
		return err
	}
	err = c.finishJoin(ctx)
	if err != nil && c.Joining() && c.ctx.Err() == nil {
		c.wg.Go(c.resumeJoin)
	}
	return err
}

// beginJoin stops serving, closes the own log to new entries and writes the mark.
// REQUIRES: c.lifecycle held.
func (c *Consensus) beginJoin(ctx context.Context, s *state, addr string, info infoReply) error {
	if !c.alone() {
		return ErrNotAlone
	}
	c.opt.Serving(false)
	undo := func(err error) error {
		c.gate.Lock()
		c.mu.Lock()
		c.mu.state.Phase = phaseNone
		c.mu.Unlock()
		c.gate.Unlock()
		c.opt.Serving(true)
		return err
	}
	// From here no entry gets into the own log; the barrier waits for those that did.
	c.gate.Lock()
	c.mu.Lock()
	c.mu.state.Phase = phaseJoining
	c.mu.Unlock()
	c.gate.Unlock()
	if m := c.member(); m != nil {
		if err := m.raft.Barrier(attemptTimeout).Error(); err != nil {
			return undo(fmt.Errorf("consensus: own log before joining: %w", err))
		}
		if v := m.fsm.view(); len(v.Nodes) > 1 {
			return undo(ErrNotAlone)
		}
	}
	v := c.View()
	if m := c.member(); m != nil {
		v = m.fsm.view()
	}
	var owned slots.Set
	if sh := v.ShardOf(s.Node); sh != nil {
		owned = sh.Slots
	}
	term, epoch, keys := c.opt.Highest()
	e := topology.JoinNode{
		Header: topology.Header{Request: randomHex(32), AtMillis: time.Now().UnixMilli()},
		Node:   c.self(s), Shard: s.Shard, Slots: owned, Keys: keys,
		HighestTerm: max(term, v.TermCounter), HighestEpoch: max(epoch, v.EpochCounter),
	}
	s.Phase = phaseJoining
	s.Join = &joinMark{Cluster: info.Cluster, Generation: info.Generation, Entry: topology.EncodeEntry(e)}
	s.Join.Addrs = append(s.Join.Addrs, addr)
	for _, a := range info.Addrs {
		if a != addr && len(s.Join.Addrs) < maxJoinAddrs {
			s.Join.Addrs = append(s.Join.Addrs, a)
		}
	}
	if err := c.setState(*s); err != nil {
		return undo(err)
	}
	return nil
}

// finishJoin sends the marked entry until its fate is known, and acts on it.
// REQUIRES: c.lifecycle held, phaseJoining.
func (c *Consensus) finishJoin(ctx context.Context) error {
	s := c.stateCopy()
	var last error
	q := encode(joinCall{Cluster: s.Join.Cluster, Generation: s.Join.Generation, Entry: s.Join.Entry})
	for {
		for _, addr := range s.Join.Addrs {
			attempt, cancel := context.WithTimeout(ctx, 2*time.Second)
			data, peer, err := c.bus.CallAddr(attempt, addr, openJoin, q)
			cancel()
			if err != nil {
				last = err
				continue
			}
			r, err := decode[proposeReply](data)
			switch {
			case err != nil:
				last = err
			case r.NotLeader || r.Unknown != "":
				last = fmt.Errorf("node %s: %w", peer.Node, unanswered(r))
			case r.Code != "":
				return c.refused(&s, r.err())
			default:
				v, err := topology.DecodeView(r.View)
				if err == nil && v.ClusterID != s.Join.Cluster {
					err = fmt.Errorf("node %s sent the view of cluster %s", peer.Node, v.ClusterID)
				}
				if err != nil {
					last = err
					continue
				}
				return c.joined(&s, v)
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("consensus: join: %w (last: %v)", ctx.Err(), last)
		case <-c.ctx.Done():
			return ErrClosed
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// joined drops what this node was and takes the cluster's View. REQUIRES: c.lifecycle
// held.
func (c *Consensus) joined(s *state, v *topology.View) error {
	// The own raft is off before the state says so: it must not speak under the new
	// cluster's id, and after a crash here the join is simply asked for again.
	if err := c.stopMember(true); err != nil && !errors.Is(err, ErrPoisoned) {
		c.log.Warn("own log not deleted", zap.Error(err))
	}
	next := *s
	next.dissolve(s.Cluster)
	next.Cluster, next.Generation, next.Phase, next.Member, next.Join = v.ClusterID, v.Generation, phaseNone, false, nil
	if err := replaceFile(filepath.Join(c.opt.Dir, viewFile), topology.EncodeView(v)); err != nil {
		c.log.Warn("view not saved", zap.Error(err))
	}
	if err := c.setState(next); err != nil {
		return err
	}
	c.identify(&next)
	c.replace(v)
	c.opt.Serving(true)
	c.log.Info("joined", zap.String("cluster", v.ClusterID), zap.Int("nodes", len(v.Nodes)))
	return nil
}

// refused goes back to what this node was. REQUIRES: c.lifecycle held.
func (c *Consensus) refused(s *state, why error) error {
	next := *s
	next.Phase, next.Join = phaseNone, nil
	if errors.Is(why, topology.ErrRemoved) && s.Cluster == "" {
		// Removed there before: a node comes back with a higher incarnation only.
		next.Incarnation += 1 + uint64(rand.IntN(16))
	}
	if err := c.setState(next); err != nil {
		return err
	}
	if next.Member && c.member() == nil {
		if err := c.startMember(false); err != nil {
			c.log.Error("own log does not open", zap.Error(err))
		}
	}
	if next.Incarnation != s.Incarnation {
		c.replace(c.localView(&next))
	}
	c.opt.Serving(true)
	c.poke()
	return why
}

// resumeJoin asks for the fate of a join until it is known.
func (c *Consensus) resumeJoin() {
	for c.ctx.Err() == nil && c.Joining() {
		if !c.lock(c.ctx) {
			return
		}
		if !c.Joining() {
			c.unlock()
			return
		}
		ctx, cancel := context.WithTimeout(c.ctx, 5*time.Second)
		err := c.finishJoin(ctx)
		cancel()
		c.unlock()
		if err != nil {
			c.log.Warn("the fate of a join is open", zap.Error(err))
		}
	}
}

// onJoin proposes a stranger's JoinNode and answers with the View that has it.
//
// That this node had dissolved the cluster in question is a final answer: it would not
// have left it with another member, so the join was never committed there.
func (c *Consensus) onJoin(from bus.Peer, q joinCall) (r proposeReply, err error) {
	ctx, cancel := context.WithTimeout(c.ctx, 2*time.Second)
	defer cancel()
	e, err := topology.DecodeEntry(q.Entry)
	if err != nil {
		return r, err
	}
	join, ok := e.(topology.JoinNode)
	if !ok || join.Request == "" || string(join.Node.ID) != from.Node {
		return r, fmt.Errorf("a join of node %s sent by %s: %w", join.Node.ID, from.Node, topology.ErrBadEntry)
	}
	s := c.stateCopy()
	switch {
	case slices.Contains(s.Dissolved, q.Cluster):
		r.refuse(fmt.Errorf("cluster %s has joined another: %w", q.Cluster, topology.ErrForeign))
		return r, nil
	case s.Phase != phaseNone || s.Cluster != q.Cluster:
		r.Unknown = errBusyNode.Error()
		return r, nil
	case s.Generation > q.Generation:
		r.refuse(fmt.Errorf("cluster %s is of generation %d: %w", q.Cluster, s.Generation, topology.ErrForeign))
		return r, nil
	}
	index, err := c.Propose(ctx, join)
	r.Index = index
	switch {
	case err == nil:
		v := c.View()
		if v.Node(join.Node.ID) == nil {
			// Joined and removed since: for the joiner that is a refusal.
			r.refuse(fmt.Errorf("node %s: %w", join.Node.ID, topology.ErrRemoved))
			break
		}
		r.View = topology.EncodeView(v)
	case topology.IsRefusal(err):
		r.refuse(err)
	default:
		r.Unknown = err.Error()
	}
	return r, nil
}
