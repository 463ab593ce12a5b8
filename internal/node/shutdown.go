package node

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/redwingdb/redwing/internal/commands/admin"
	"github.com/redwingdb/redwing/internal/migration"
)

var errShuttingDown = errors.New("a shutdown is under way")

// shutdown is how the SHUTDOWN command and Run agree.
//
//	serving --ask--> asked --Run gives the shard up, ends--> ended
type shutdown struct {
	asked chan struct{} // closed by the first ask
	ended chan struct{} // closed when nothing is served any more
	once  sync.Once
	mode  admin.ShutdownMode // set before asked is closed
}

func newShutdown() *shutdown {
	return &shutdown{asked: make(chan struct{}), ended: make(chan struct{})}
}

// ask begins a shutdown; it returns when it cannot be stopped any more.
func (s *shutdown) ask(mode admin.ShutdownMode) error {
	first := false
	s.once.Do(func() {
		first = true
		s.mode = mode
		close(s.asked)
	})
	if !first {
		return errShuttingDown
	}
	<-s.ended
	return nil
}

// abort reports that there is nothing to abort: a shutdown that was asked for goes on.
func (s *shutdown) abort() bool { return false }

func (s *shutdown) end() { close(s.ended) }

// stop prepares the end: a primary gives its shard up, so that a replica takes over
// at once, or waits for its replicas. cause is why the node ends, nil for a wish.
func (n *Node) stop(cause error) {
	if cause != nil {
		n.log.Error("ending", zap.Error(cause))
		return
	}
	n.log.Info("shutting down")
	if n.shutdown.mode.Now {
		return
	}
	limit := time.Duration(n.cfg.ShutdownTimeoutSeconds.Get()) * time.Second
	if limit == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if n.cluster != nil {
		if err := n.cluster.release(ctx); err != nil {
			n.log.Warn("shard not given up before the end", zap.Error(err))
		}
		return
	}
	if err := n.drain(ctx); err != nil {
		n.log.Warn("replicas have not caught up", zap.Error(err))
	}
}

// drain waits until the attached replicas have what this node has written.
func (n *Node) drain(ctx context.Context) error {
	if n.repl.IsReplica() {
		return nil
	}
	attached := migration.Attached{
		Copies: func() []migration.Copy { return copiesOf(n.repl) }, Log: n.effects,
		NodeTimeout: time.Duration(n.cfg.ReplTimeoutSeconds.Get()) * time.Second,
	}
	return attached.Confirm(ctx, n.effects.Offset())
}
