package replication

import (
	"context"
	"fmt"
	"slices"
)

// InSync is what replication asks of synchronous writes, which the topology log decides
// about. All of it may be called by any goroutine.
type InSync struct {
	// Allowed reports whether clients of the shard may wait for its replicas: then a
	// replica acknowledges what it has applied whenever it has nothing more to apply, and
	// a primary keeps its backlog for replicas that are away. It costs an atomic load.
	Allowed func() bool
	// Acked is told that a replica has acknowledged or wants a whole data set. It is
	// called with locks held and must return at once.
	Acked func()
	// AwaitOutside returns once the run of a node is in no in-sync set, nor will be by
	// what is under way: then it may drop its data for those that it is sent.
	AwaitOutside func(ctx context.Context, node, run string) error
	// AwaitMayDrop is the replica's side of it: it returns once this node's own View knows
	// of its run and does not name it in sync. The primary's View may be older: it may not
	// know that this run goes on with the data of one that was in sync.
	AwaitMayDrop func(ctx context.Context) error
	// DiskOnly reports whether this copy acknowledges only what its append-only file has on
	// disk: its next run is to go on with that.
	DiskOnly func() bool
}

func (i *InSync) diskOnly() bool { return i != nil && i.DiskOnly() }

func (i *InSync) allowed() bool { return i != nil && i.Allowed() }

func (i *InSync) acked() {
	if i != nil {
		i.Acked()
	}
}

// awaitOutside keeps a data set from a replica of the same cluster while replies count on
// the one that it has.
func (a *attached) awaitOutside(ctx context.Context) error {
	i := a.r.o.InSync
	if i == nil || a.hs.node == "" || a.hs.rdbOnly {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, a.r.settings().Timeout)
	defer cancel()
	if err := i.AwaitOutside(ctx, a.hs.node, a.hs.run); err != nil {
		return fmt.Errorf("replication: the replica does not leave the in-sync set: %w", err)
	}
	return nil
}

// awaitMayDrop keeps this node's data until they may go for the primary's.
func (s *session) awaitMayDrop() error {
	i := s.r.o.InSync
	if i == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(s.l.ctx, s.r.settings().Timeout)
	defer cancel()
	if err := i.AwaitMayDrop(ctx); err != nil {
		return fmt.Errorf("replication: this copy is in sync, or does not know, and keeps its data: %w", err)
	}
	return nil
}

// Copies appends the attached replicas of the same cluster to dst; of several links of one
// run the newest.
func (r *Replication) Copies(dst []ReplicaInfo) []ReplicaInfo {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range slices.Backward(r.mu.replicas) {
		if a.hs.node == "" || slices.ContainsFunc(dst, func(c ReplicaInfo) bool { return c.Node == a.hs.node && c.Run == a.hs.run }) {
			continue
		}
		dst = append(dst, ReplicaInfo{
			Online: a.state == stateOnline, Offset: a.ackOffset, AckMono: a.ackAt, Node: a.hs.node, Run: a.hs.run,
		})
	}
	return dst
}
