package node

import (
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/redwingdb/redwing/internal/clock"
	"github.com/redwingdb/redwing/internal/commands/admin"
	"github.com/redwingdb/redwing/internal/server"
)

// shutdown is how the SHUTDOWN command, INFO and Run agree; Run decides by an ending.
type shutdown struct {
	asks   chan ask
	aborts chan chan bool
	until  atomic.Int64  // clock.Mono at which the wait for replicas ends, 0: there is none
	ended  chan struct{} // closed when nothing is served any more

	mu struct {
		sync.Mutex
		begun chan struct{} // closed while an end has begun
	}
}

// ask is one SHUTDOWN.
type ask struct {
	mode   admin.ShutdownMode
	failed chan error // room for one
}

var (
	errAborted = errors.New("node: the shutdown was aborted")
	// errInsisted is what Run returns after a second signal that was SIGINT.
	errInsisted = errors.New("ended at once by SIGINT; nothing was saved")
)

func newShutdown() *shutdown {
	s := &shutdown{asks: make(chan ask), aborts: make(chan chan bool), ended: make(chan struct{})}
	s.mu.begun = make(chan struct{})
	return s
}

// begun returns what is closed when the next end begins, or has begun.
func (s *shutdown) begun() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.begun
}

// begin tells who waits for an end that one has begun, and resume that it was given up.
func (s *shutdown) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.mu.begun)
}

func (s *shutdown) resume() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.begun = make(chan struct{})
}

// ask begins a shutdown, or joins it; it returns when it cannot be stopped any more, or why
// it was given up.
func (s *shutdown) ask(mode admin.ShutdownMode) error {
	a := ask{mode, make(chan error, 1)}
	select {
	case s.asks <- a:
	case <-s.ended:
		return nil
	}
	select {
	case err := <-a.failed:
		return err
	case <-s.ended:
		return nil
	}
}

// abort takes a shutdown back that waits for replicas; false if there is none. One that has
// come further is not known to go on before it has failed.
func (s *shutdown) abort() bool {
	done := make(chan bool, 1)
	select {
	case s.aborts <- done:
	case <-s.ended:
		return false
	}
	select {
	case ok := <-done:
		return ok
	case <-s.ended:
		return false
	}
}

// waitsMillis is for how long replicas are still waited for.
func (s *shutdown) waitsMillis() (millis int64, waiting bool) {
	until := s.until.Load()
	return max(0, until-clock.Mono()) / int64(time.Millisecond), until != 0
}

func (s *shutdown) end() { close(s.ended) }

// closing is Run's side of a shutdown.
type closing struct {
	ending
	n       *Node
	offset  int64 // replicas are to have all before it
	looks   int   // at the replicas
	clients []ask // who wait for how it comes out
	aborts  []chan bool
	ctx     context.Context // of leaving
	cancel  context.CancelFunc
	done    chan error // from leaving
}

// lookEvery is how often a shutdown looks how far the replicas are, and askEvery at how many
// looks it asks them.
const (
	lookEvery = 5 * time.Millisecond
	askEvery  = 10
)

// awaitEnd returns when the node is to end and all is prepared: nil for a wish, or why a
// part has failed, which ends ctx.
func (n *Node) awaitEnd(ctx, wish context.Context, signals <-chan os.Signal) error {
	c := closing{n: n, done: make(chan error, 1)}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	defer c.cancel()
	failed, wished := ctx.Done(), wish.Done()
	for c.state != endOver {
		var look <-chan time.Time
		if c.state == endWaiting {
			look = time.After(lookEvery)
		}
		select {
		case <-failed:
			failed = nil
			n.log.Error("ending", zap.Error(context.Cause(ctx)))
			c.start(admin.ShutdownMode{Force: true, Now: true})
			c.force(true)
		case <-wished:
			wished = nil
			c.start(admin.ShutdownMode{Force: true})
			c.force(false)
		case sig := <-signals:
			if leaving := c.state == endLeaving; c.signal(sig == os.Interrupt) {
				n.log.Warn("ending at once")
				if c.cancel(); leaving {
					<-c.done
				}
				return errInsisted
			}
			c.start(n.endingBy(sig))
		case a := <-n.shutdown.asks:
			c.clients = append(c.clients, a)
			c.start(a.mode)
		case done := <-n.shutdown.aborts:
			c.aborts = append(c.aborts, done)
			c.settleAborts()
		case err := <-c.done:
			if !c.left(err) {
				n.log.Error("shutdown given up: the data cannot be saved", zap.Error(err))
				c.resume(err)
				c.settleAborts()
			}
		case <-look:
		}
		c.look()
	}
	return context.Cause(ctx)
}

// endingBy is how a signal ends the node.
func (n *Node) endingBy(sig os.Signal) admin.ShutdownMode {
	e := &n.cfg.OnSigterm
	if sig == os.Interrupt {
		e = &n.cfg.OnSigint
	}
	return admin.ShutdownMode{Save: e.Has("save"), NoSave: e.Has("nosave"), Now: e.Has("now"), Force: e.Has("force")}
}

func (n *Node) shutdownLimit() time.Duration {
	return time.Duration(n.cfg.ShutdownTimeoutSeconds.Get()) * time.Second
}

// start begins the end, unless it has begun: from here on nobody writes.
func (c *closing) start(mode admin.ShutdownMode) {
	n := c.n
	if !c.begin(clock.Mono(), mode, n.shutdownLimit()) {
		return
	}
	n.shutdown.begin()
	n.log.Info("shutting down")
	n.server.HoldWrites(server.ShutdownHolds, true)
	c.offset, c.looks = n.effects.Offset(), 0
}

// resume lets clients write again, and tells those that wait for the end why.
func (c *closing) resume(why error) {
	c.n.shutdown.until.Store(0)
	c.n.shutdown.resume()
	c.n.server.HoldWrites(server.ShutdownHolds, false)
	for _, a := range c.clients {
		a.failed <- why
	}
	c.clients = nil
}

// settleAborts answers SHUTDOWN ABORT. It takes an end back that waits; what leaving comes to
// is waited for.
func (c *closing) settleAborts() {
	if c.state >= endLeaving {
		return
	}
	aborted := c.abort()
	if aborted {
		c.n.log.Info("shutdown aborted")
		c.resume(errAborted)
	}
	for _, done := range c.aborts {
		done <- aborted
	}
	c.aborts = nil
}

// look looks how far the replicas are, and has the node leave when they are waited for no
// longer.
func (c *closing) look() {
	if c.state != endWaiting {
		return
	}
	n := c.n
	lag := n.laggards(c.offset)
	if c.ending.leave(clock.Mono(), len(lag) == 0) {
		n.shutdown.until.Store(0)
		for _, r := range lag {
			n.log.Warn("replica left behind", zap.String("addr", r.addr), zap.Int64("lag_bytes", r.lagBytes))
		}
		mode := c.mode
		go func() { c.done <- n.leave(c.ctx, mode) }() // awaitEnd waits for it
		return
	}
	if c.looks == 0 {
		n.log.Info("waiting for replicas before the end", zap.Int("replicas", len(lag)))
		n.shutdown.until.Store(c.until)
	}
	if c.looks%askEvery == 0 {
		// A replica passes on what its primary asks.
		n.effects.AppendControl([]byte("REPLCONF"), []byte("GETACK"), []byte("*"))
	}
	c.looks++
}

// leave gives the shard of this node up, so that a replica takes over at once, and saves the
// data. An error is that of saving. REQUIRES: writes are held.
func (n *Node) leave(ctx context.Context, mode admin.ShutdownMode) error {
	handOver := n.cluster != nil && !n.repl.IsReplica() && n.repl.GoodReplicas() > 0
	if handOver && n.giveUpShard(ctx, mode) {
		// A replica serves while this node saves; that it has the data makes up for a save
		// that fails.
		mode.Force = true
		n.server.RetryParked()
	}
	if err := n.saveBeforeEnd(ctx, mode); err != nil && !mode.Force {
		return err
	}
	if !handOver && n.cluster != nil {
		n.giveUpShard(ctx, mode)
	}
	return nil
}

// giveUpShard has another copy take the shard over. It returns true if this node does not
// serve it any more.
func (n *Node) giveUpShard(ctx context.Context, mode admin.ShutdownMode) (gone bool) {
	limit := n.shutdownLimit()
	if mode.Now || limit == 0 {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := n.cluster.release(ctx); err != nil {
		n.log.Warn("shard not given up before the end", zap.Error(err))
		return true // its lease is over all the same
	}
	v := n.cluster.consensus.View()
	return !v.IsPrimary(n.cluster.Self(), n.cluster.runID)
}
