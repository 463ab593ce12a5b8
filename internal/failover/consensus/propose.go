package consensus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/redwingdb/redwing/internal/bus"
	"github.com/redwingdb/redwing/internal/topology"
)

// Propose brings an entry into the log, through the leader from any member, and returns
// when it is committed and applied here. index is the entry's (its first application's,
// if its request id had been seen). A refusal comes back as topology's error; any other
// error than that leaves the outcome unknown until ctx ended: the entry may still be
// applied later, and proposing it again under the same request id resolves it. An entry
// without a request id gets one.
func (c *Consensus) Propose(ctx context.Context, e topology.Entry) (index uint64, err error) {
	if !c.Formed() {
		return 0, topology.ErrNotFormed
	}
	e = identified(e)
	data := topology.EncodeEntry(e)
	if len(data) > topology.MaxEntryBytes {
		return 0, fmt.Errorf("entry of %d bytes: %w", len(data), topology.ErrBadEntry)
	}
	r, err := c.ask(ctx, callPropose, data)
	if err != nil {
		return 0, err
	}
	if _, err := c.Await(ctx, r.Index); err != nil {
		return r.Index, err
	}
	return r.Index, r.err()
}

// identified gives an entry a request id if it has none.
func identified(e topology.Entry) topology.Entry {
	if e.RequestID() != "" {
		return e
	}
	h := topology.Header{Request: randomHex(32), AtMillis: time.Now().UnixMilli()}
	if b, ok := e.(topology.Batch); ok {
		b.Header = h
		return b
	}
	return topology.Batch{Header: h, Entries: []topology.Entry{e}}
}

// Fresh returns a View that is not older than the leader's at the time of the call.
func (c *Consensus) Fresh(ctx context.Context) (*topology.View, error) {
	if !c.Formed() {
		return c.View(), nil
	}
	r, err := c.ask(ctx, callFresh, []byte("{}"))
	if err != nil {
		return nil, err
	}
	c.HeardOf(r.Index)
	return c.Await(ctx, r.Index)
}

// Freshen waits until the View is as new as the newest index heard of, pulling it from
// the leader or a voter instead of waiting for the stream. One pull serves all who wait.
func (c *Consensus) Freshen(ctx context.Context) error {
	heard := c.NewestHeard()
	if c.View().Index >= heard {
		return nil
	}
	if c.pulling.CompareAndSwap(false, true) && !c.goRun(func() {
		defer c.pulling.Store(false)
		c.pull(heard)
	}) {
		c.pulling.Store(false)
		return ErrClosed
	}
	_, err := c.Await(ctx, heard)
	return err
}

// pull asks for a View of at least index, the likeliest leader first.
func (c *Consensus) pull(index uint64) {
	ctx, cancel := context.WithTimeout(c.ctx, streamSilence)
	defer cancel()
	for _, n := range c.targets("") {
		if c.View().Index >= index || ctx.Err() != nil {
			return
		}
		data, err := c.bus.Call(ctx, string(n), callView, encode(awaitCall{c.View().Index}))
		if err != nil || len(data) <= 2 {
			continue
		}
		if v, err := topology.DecodeView(data); err == nil {
			c.publish(v, 0, nil)
		}
	}
}

// goRun starts a goroutine that Close waits for; false when closing.
func (c *Consensus) goRun(f func()) bool {
	c.gate.RLock() // Close takes it for writing once, after cancel
	defer c.gate.RUnlock()
	if c.ctx.Err() != nil {
		return false
	}
	c.wg.Go(f)
	return true
}

// targets are the nodes to ask, the likeliest leader first.
func (c *Consensus) targets(hint topology.NodeID) []topology.NodeID {
	self := c.Self()
	v := c.View()
	out := make([]topology.NodeID, 0, 8)
	add := func(n topology.NodeID) {
		if n == "" || n == self {
			return
		}
		for _, have := range out {
			if have == n {
				return
			}
		}
		out = append(out, n)
	}
	add(hint)
	add(c.Leader())
	if l := c.leaderHint.Load(); l != nil {
		add(*l)
	}
	for _, n := range c.Voters() {
		add(n)
	}
	for _, n := range v.Voters() {
		add(n)
	}
	// The View may be old: any member knows more.
	for i := range v.Nodes {
		if len(out) >= 16 {
			break
		}
		add(v.Nodes[i].ID)
	}
	return out
}

// maxHops bounds how often ask follows a hint at once.
const maxHops = 4

// ask puts a request to the leader until it has an answer or ctx ends, over leader and
// voter changes.
func (c *Consensus) ask(ctx context.Context, kind uint8, data []byte) (proposeReply, error) {
	var last error
	var hint topology.NodeID
	pause := 5 * time.Millisecond
	hops := 0 // between pauses: two nodes may take each other for the leader
	for {
		if c.Joining() {
			return proposeReply{}, ErrJoining
		}
		if m := c.member(); m != nil && m.leads() != nil {
			r := c.asLeader(ctx, kind, data)
			if !r.NotLeader && r.Unknown == "" {
				return r, nil
			}
			last = unanswered(r)
		}
		asked := hint
		for i, n := range c.targets(hint) {
			if i > 0 && c.IsLeader() {
				break
			}
			attempt, cancel := context.WithTimeout(ctx, attemptTimeout)
			reply, err := c.bus.Call(attempt, string(n), kind, data)
			cancel()
			if err != nil {
				last = err
				if ctx.Err() != nil {
					break
				}
				continue
			}
			r, err := decode[proposeReply](reply)
			if err != nil {
				last = err
				continue
			}
			if !r.NotLeader && r.Unknown == "" {
				return r, nil
			}
			last = unanswered(r)
			if r.Leader != "" && r.Leader != n && r.Leader != hint {
				hint = r.Leader
				break // go there at once
			}
		}
		if hops++; hint != asked && hint != "" && hops < maxHops && ctx.Err() == nil {
			continue
		}
		hint, hops = "", 0
		select {
		case <-ctx.Done():
			if last == nil {
				last = errors.New("no leader")
			}
			return proposeReply{}, fmt.Errorf("consensus: %w (last: %v)", ctx.Err(), last)
		case <-c.ctx.Done():
			return proposeReply{}, ErrClosed
		case <-time.After(pause):
		}
		pause = min(2*pause, 50*time.Millisecond)
	}
}

func unanswered(r proposeReply) error {
	if r.NotLeader {
		return errors.New("not the leader")
	}
	return errors.New(r.Unknown)
}

// asLeader answers a request at the leader. NotLeader: ask elsewhere.
func (c *Consensus) asLeader(ctx context.Context, kind uint8, data []byte) (r proposeReply) {
	m := c.member()
	if m == nil || m.leads() == nil {
		return proposeReply{NotLeader: true, Leader: c.Leader()}
	}
	if kind == callFresh {
		// A committed barrier of this term proves that nobody else leads.
		if err := m.raft.Barrier(attemptTimeout).Error(); err != nil {
			return c.notDone(m, err)
		}
		return proposeReply{Index: m.fsm.view().Index}
	}
	e, err := topology.DecodeEntry(data)
	if err != nil {
		r.refuse(err)
		return r
	}
	if rm, ok := removal(e); ok {
		again := c.demote(ctx, m, rm)
		defer c.stays(rm.Node) // once it is applied, or refused
		if again != nil {
			return *again
		}
	}
	c.gate.RLock()
	if c.Joining() {
		c.gate.RUnlock()
		return proposeReply{Unknown: ErrJoining.Error()}
	}
	f := m.raft.Apply(data, attemptTimeout)
	c.gate.RUnlock()
	if err := f.Error(); err != nil {
		return c.notDone(m, err)
	}
	a := f.Response().(applied)
	r.Index = max(a.index, 1)
	if a.err != nil {
		r.refuse(a.err)
	}
	return r
}

// notDone sorts raft's errors into "ask another" and "nobody knows".
func (c *Consensus) notDone(m *member, err error) proposeReply {
	switch {
	case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrLeadershipTransferInProgress), errors.Is(err, raft.ErrRaftShutdown):
		_, id := m.raft.LeaderWithID()
		return proposeReply{NotLeader: true, Leader: nodeOf(id)}
	}
	return proposeReply{Unknown: err.Error()}
}

// removal finds the node that an entry would remove.
func removal(e topology.Entry) (topology.RemoveNode, bool) {
	switch e := e.(type) {
	case topology.RemoveNode:
		return e, true
	case topology.Batch:
		for _, inner := range e.Entries {
			if rm, ok := inner.(topology.RemoveNode); ok {
				return rm, true
			}
		}
	}
	return topology.RemoveNode{}, false
}

func (c *Consensus) onPropose(_ bus.Peer, req []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(c.ctx, removeTimeout)
	defer cancel()
	return encode(c.asLeader(ctx, callPropose, req)), nil
}

func (c *Consensus) onFresh(bus.Peer, struct{}) (proposeReply, error) {
	return c.asLeader(c.ctx, callFresh, nil), nil
}

func (c *Consensus) onAwait(_ bus.Peer, q awaitCall) (awaitCall, error) {
	c.HeardOf(q.Index)
	ctx, cancel := context.WithTimeout(c.ctx, settleTimeout)
	defer cancel()
	v, err := c.Await(ctx, q.Index)
	if err != nil {
		return awaitCall{c.View().Index}, nil
	}
	return awaitCall{v.Index}, nil
}

// onView answers with the View if it is newer than what the caller has.
func (c *Consensus) onView(_ bus.Peer, q awaitCall) (any, error) {
	v := c.View()
	if v.Index <= q.Index {
		return struct{}{}, nil
	}
	return v, nil
}

// Settle waits until every node that answers within 500 ms has applied index: what a
// topology command does after Propose, so that its client finds the change everywhere.
func (c *Consensus) Settle(ctx context.Context, index uint64) {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	self := c.Self()
	var wg sync.WaitGroup
	for _, n := range c.View().Nodes {
		if n.ID == self {
			continue
		}
		wg.Go(func() {
			if r, err := call[awaitCall](ctx, c, n.ID, callAwait, awaitCall{index}); err == nil {
				c.HeardOf(r.Index)
			}
		})
	}
	wg.Wait()
}
