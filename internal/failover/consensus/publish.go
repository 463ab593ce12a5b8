package consensus

import (
	"context"
	"path/filepath"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/redwingdb/redwing/internal/topology"
)

// publisher hands Views out in order.
type publisher struct {
	mu struct {
		sync.Mutex // held while subscribers are called; Consensus.mu may be taken under it
		closed     bool
		next       int
		subs       map[int]func(old, new *topology.View)
		order      []int
		streams    map[*outStream]struct{}
		changed    chan struct{} // closed and replaced with every View
	}
}

func (p *publisher) init() {
	p.mu.subs = map[int]func(old, new *topology.View){}
	p.mu.streams = map[*outStream]struct{}{}
	p.mu.changed = make(chan struct{})
}

func (p *publisher) close() {
	p.mu.Lock()
	p.mu.closed = true
	p.mu.Unlock()
}

// View is the newest View this node has applied. Never nil. Of a node without a cluster
// it shows the node alone, with an empty ClusterID.
func (c *Consensus) View() *topology.View { return c.view.Load() }

// Subscribe has f called after every change of the View, in order, one call at a time.
// f must not block and must not call Subscribe or cancel.
func (c *Consensus) Subscribe(f func(old, new *topology.View)) (cancel func()) {
	p := &c.pub
	p.mu.Lock()
	defer p.mu.Unlock()
	id := p.mu.next
	p.mu.next++
	p.mu.subs[id] = f
	p.mu.order = append(p.mu.order, id)
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.mu.subs, id)
		for i, x := range p.mu.order {
			if x == id {
				p.mu.order = append(p.mu.order[:i], p.mu.order[i+1:]...)
				break
			}
		}
	}
}

// publish takes over a View of this node's cluster if it is newer. prev and entry, if
// entry is not nil, say which index the entry led from.
func (c *Consensus) publish(next *topology.View, prev uint64, entry []byte) {
	p := &c.pub
	p.mu.Lock()
	defer p.mu.Unlock()
	// Looked at under the lock: who leaves a cluster changes the state before replace.
	s := c.stateCopy()
	if next.ClusterID != s.Cluster || next.Generation != s.Generation {
		return // of what this node was before
	}
	cur := c.view.Load()
	if cur.ClusterID == next.ClusterID && cur.Generation == next.Generation && next.Index <= cur.Index {
		return
	}
	if entry != nil && (prev != cur.Index || cur.ClusterID != next.ClusterID) {
		entry = nil // the subscribers of our stream get the whole
	}
	c.swapLocked(cur, next, viewChange{view: next, prev: prev, entry: entry})
}

// replace puts a View of another cluster, or of none, into force.
func (c *Consensus) replace(next *topology.View) {
	c.pub.mu.Lock()
	defer c.pub.mu.Unlock()
	c.heard.Store(next.Index)
	c.swapLocked(c.view.Load(), next, viewChange{view: next})
}

// swapLocked: REQUIRES c.pub.mu held.
func (c *Consensus) swapLocked(old, next *topology.View, ch viewChange) {
	p := &c.pub
	c.view.Store(next)
	c.HeardOf(next.Index)
	close(p.mu.changed)
	p.mu.changed = make(chan struct{})
	for s := range p.mu.streams {
		s.offer(ch)
	}
	for _, id := range p.mu.order {
		if !p.mu.closed {
			p.mu.subs[id](old, next)
		}
	}
	c.poke()
}

// HeardOf notes that somebody has a View of this index (gossip, an answer, a stream).
func (c *Consensus) HeardOf(index uint64) {
	for {
		cur := c.heard.Load()
		if index <= cur || c.heard.CompareAndSwap(cur, index) {
			return
		}
	}
}

// NewestHeard is the newest index heard of; above View().Index there is more to come.
func (c *Consensus) NewestHeard() uint64 { return c.heard.Load() }

// Await waits until the View's index is at least index.
func (c *Consensus) Await(ctx context.Context, index uint64) (*topology.View, error) {
	var found *topology.View
	err := c.awaitView(ctx, func(v *topology.View) bool {
		found = v
		return v.Index >= index
	})
	return found, err
}

// awaitView waits until the View satisfies cond, which is called on each change.
func (c *Consensus) awaitView(ctx context.Context, cond func(*topology.View) bool) error {
	for {
		c.pub.mu.Lock()
		changed := c.pub.mu.changed
		v := c.view.Load()
		c.pub.mu.Unlock()
		if cond(v) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-c.ctx.Done():
			return ErrClosed
		}
	}
}

// saveViews writes the newest View to disk after changes, so that a restarted node knows
// whom to ask. It is no input of a decision and raft has its own stores, so it may lag:
// a write with every change would compete with raft's own for the disk.
func (c *Consensus) saveViews() {
	saved := c.View()
	for {
		err := c.awaitView(c.ctx, func(v *topology.View) bool { return v != saved })
		if err == nil {
			select {
			case <-c.ctx.Done():
			case <-time.After(saveDelay):
			}
		}
		if v := c.View(); v != saved {
			saved = v
			if v.Formed() {
				if werr := replaceFile(filepath.Join(c.opt.Dir, viewFile), topology.EncodeView(v)); werr != nil {
					c.log.Warn("view not saved", zap.Error(werr))
				}
			}
		}
		if err != nil {
			return
		}
	}
}
