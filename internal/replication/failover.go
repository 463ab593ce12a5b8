package replication

import (
	"context"
	"net"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/resp"
)

// failoverState is how far FAILOVER has come.
//
//	noFailover --FAILOVER--> failoverWaits --a replica has everything, or FORCE--> failoverAsks
//	    ^                         |                                                    |
//	    |<---timeout, ABORT-------'            PSYNC FAILOVER refused, ABORT: promoted |
//	    '<------------- PSYNC FAILOVER granted: this node is a replica <---------------'
type failoverState uint8

const (
	noFailover    failoverState = iota
	failoverWaits               // writes are held; a replica is to have all of them
	failoverAsks                // this node is a replica and asks its new primary to be one
)

// String returns the word that INFO has for the state.
func (s failoverState) String() string {
	switch s {
	case failoverWaits:
		return "waiting-for-sync"
	case failoverAsks:
		return "failover-in-progress"
	}
	return "no-failover"
}

// Texts of FAILOVER. Source: Redis 7.2, replication.c.
var (
	errFailoverCluster = resp.NewError("ERR FAILOVER not allowed in cluster mode.")
	errFailoverNone    = resp.NewError("ERR No failover in progress.")
	errFailoverTimeout = resp.NewError("ERR FAILOVER timeout must be greater than 0")
	errFailoverTwice   = resp.NewError("ERR FAILOVER already in progress.")
	errFailoverReplica = resp.NewError("ERR FAILOVER is not valid when server is a replica.")
	errFailoverAlone   = resp.NewError("ERR FAILOVER requires connected replicas.")
	errFailoverForce   = resp.NewError("ERR FAILOVER with force option requires both a timeout and target HOST and IP.")
	errFailoverTarget  = resp.NewError("ERR FAILOVER target HOST and PORT is not a replica.")
	errFailoverOffline = resp.NewError("ERR FAILOVER target replica is not online.")
)

// failover is a FAILOVER under way. One goroutine carries it out.
type failover struct {
	host  string // of the replica to promote; "": whichever has everything first
	port  int
	force bool
	limit time.Duration // 0: none

	poke    chan struct{} // room: one token; an acknowledgement has come
	granted chan struct{} // closed: the new primary goes on with us
	refused chan struct{} // closed: it does not
	aborted chan struct{} // closed by FAILOVER ABORT
	done    chan struct{} // closed: it has ended, and writes go on

	// Guarded by r.mu.
	state   failoverState
	settled bool // granted or refused is closed
}

// failoverCommand is FAILOVER [TO host port [FORCE]] [ABORT] [TIMEOUT milliseconds]: the
// reply is OK when the failover has begun, or ended for ABORT.
func (r *Replication) failoverCommand(c *command.Ctx) error {
	if r.o.Cluster {
		return errFailoverCluster
	}
	if len(c.Args) == 2 && command.Is(c.Args[1], "abort") {
		return r.abortFailover(c)
	}
	f, err := parseFailover(c.Args[1:])
	if err != nil {
		return err
	}
	r.roles.Lock()
	defer r.roles.Unlock()
	if err := r.beginFailover(f); err != nil {
		return err
	}
	c.Out.OK()
	return nil
}

func parseFailover(args [][]byte) (*failover, error) {
	f := &failover{
		poke: make(chan struct{}, 1), granted: make(chan struct{}), refused: make(chan struct{}),
		aborted: make(chan struct{}), done: make(chan struct{}), state: failoverWaits,
	}
	for len(args) > 0 {
		switch word := args[0]; {
		case command.Is(word, "timeout") && len(args) > 1 && f.limit == 0:
			ms, ok := command.ParseInt(args[1])
			if !ok {
				return nil, resp.ErrNotInteger
			}
			if ms <= 0 {
				return nil, errFailoverTimeout
			}
			f.limit = time.Duration(min(ms, longestWaitMillis)) * time.Millisecond
			args = args[2:]
		case command.Is(word, "to") && len(args) > 2 && f.host == "":
			port, ok := command.ParseInt(args[2])
			if !ok {
				return nil, resp.ErrNotInteger
			}
			f.host, f.port = string(args[1]), int(port)
			args = args[3:]
		case command.Is(word, "force") && !f.force:
			f.force = true
			args = args[1:]
		default:
			return nil, resp.ErrSyntax
		}
	}
	return f, nil
}

// beginFailover starts f. REQUIRES: r.roles held.
func (r *Replication) beginFailover(f *failover) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.mu.closed:
		return context.Canceled
	case r.mu.failover != nil:
		return errFailoverTwice
	case r.replica.Load():
		return errFailoverReplica
	case len(r.mu.replicas) == 0:
		return errFailoverAlone
	case f.force && (f.limit == 0 || f.host == ""):
		return errFailoverForce
	}
	if f.host != "" {
		switch a := r.replicaAtLocked(f.host, f.port); {
		case a == nil:
			return errFailoverTarget
		case a.state != stateOnline:
			return errFailoverOffline
		}
	}
	r.mu.failover = f
	r.log.Info("failover began", zap.String("addr", f.addr()))
	r.wg.Add(1)
	go func() {
		defer r.wg.Done()
		r.failOver(f)
	}()
	return nil
}

func (f *failover) addr() string {
	if f.host == "" {
		return ""
	}
	return net.JoinHostPort(f.host, strconv.Itoa(f.port))
}

// replicaAtLocked returns the replica that is listed under host and port, or nil.
func (r *Replication) replicaAtLocked(host string, port int) *attached {
	for _, a := range r.mu.replicas {
		if a.ip == host && a.hs.port == port {
			return a
		}
	}
	return nil
}

// abortFailover is FAILOVER ABORT.
func (r *Replication) abortFailover(c *command.Ctx) error {
	r.mu.Lock()
	f := r.mu.failover
	if f == nil {
		r.mu.Unlock()
		return errFailoverNone
	}
	select {
	case <-f.aborted:
	default:
		close(f.aborted)
	}
	r.mu.Unlock()
	<-f.done
	c.Out.OK()
	return nil
}

// failOver carries f out: it holds the writes, waits for a replica that has all of them,
// and follows that one, if it takes over.
func (r *Replication) failOver(f *failover) {
	hold := r.o.HoldWrites
	if hold == nil {
		hold = func(bool) {}
	}
	hold(true)
	why := r.carryOut(f)
	r.mu.Lock()
	r.mu.failover = nil
	r.mu.Unlock()
	hold(false)
	close(f.done)
	r.log.Info("failover ended", zap.String("reason", why))
}

// carryOut returns how f ended. REQUIRES: writes held.
func (r *Replication) carryOut(f *failover) (why string) {
	var timeout <-chan time.Time
	if f.limit > 0 {
		timeout = r.o.Clock.After(f.limit)
	}
	r.mu.Lock()
	r.mu.getAckAt = r.o.Log.AppendControl([]byte("REPLCONF"), []byte("GETACK"), []byte("*"))
	r.mu.Unlock()
	for !r.followIfReady(f) {
		select {
		case <-f.poke:
			continue
		case <-timeout:
		case <-f.aborted:
			return "aborted"
		case <-r.ctx.Done():
			return "shutdown"
		}
		if !f.force {
			return "no replica caught up before the timeout"
		}
		r.followReplica(f, Target{Host: f.host, Port: f.port})
		break
	}
	select {
	case <-f.granted:
		return "the replica has taken over"
	case <-r.ctx.Done():
		return "shutdown"
	case <-f.refused:
		why = "the replica refused"
	case <-f.aborted:
		why = "aborted"
		if r.settleFailover(f, false) {
			break
		}
		select {
		case <-f.granted: // before it was aborted
			return "the replica has taken over"
		default:
		}
	}
	r.roles.Lock()
	defer r.roles.Unlock()
	ctx, cancel := context.WithTimeout(r.ctx, promoteTimeout)
	defer cancel()
	if err := r.Promote(ctx, Mark{}); err != nil {
		r.log.Error("not a primary again", zap.Error(err))
		return why
	}
	r.followed("", "")
	return why
}

// followIfReady follows the replica that f wants once it has acknowledged everything.
func (r *Replication) followIfReady(f *failover) bool {
	r.mu.Lock()
	var ready *attached
	end := r.o.Log.Offset()
	for _, a := range r.mu.replicas {
		if a.state == stateOnline && a.ackOffset == end && (f.host == "" || a == r.replicaAtLocked(f.host, f.port)) {
			ready = a
			break
		}
	}
	r.mu.Unlock()
	if ready == nil {
		return false
	}
	r.followReplica(f, Target{Host: ready.ip, Port: ready.hs.port})
	return true
}

// followReplica makes this node a replica of t, which is asked to be the primary.
func (r *Replication) followReplica(f *failover, t Target) {
	r.roles.Lock()
	defer r.roles.Unlock()
	r.mu.Lock()
	f.state = failoverAsks
	r.mu.Unlock()
	r.Follow(t)
	r.followed(t.Host, strconv.Itoa(t.Port))
}

// pokeFailoverLocked tells a failover that a replica has acknowledged something.
// REQUIRES: r.mu held.
func (r *Replication) pokeFailoverLocked() {
	if f := r.mu.failover; f != nil {
		select {
		case f.poke <- struct{}{}:
		default:
		}
	}
}

// asksLocked returns the failover that has to ask the primary to take over, or nil.
// REQUIRES: r.mu held.
func (r *Replication) asksLocked() *failover {
	if f := r.mu.failover; f != nil && f.state == failoverAsks && !f.settled {
		return f
	}
	return nil
}

// settleFailover notes whether the new primary has taken over, unless that is known.
func (r *Replication) settleFailover(f *failover, granted bool) (first bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f.settled {
		return false
	}
	f.settled = true
	if granted {
		close(f.granted)
	} else {
		close(f.refused)
	}
	return true
}

// takeOver promotes this replica for a primary that asked it to (PSYNC FAILOVER).
func (r *Replication) takeOver() error {
	r.roles.Lock()
	defer r.roles.Unlock()
	if !r.replica.Load() {
		return nil
	}
	ctx, cancel := context.WithTimeout(r.ctx, promoteTimeout)
	defer cancel()
	if err := r.Promote(ctx, Mark{}); err != nil {
		return err
	}
	r.followed("", "")
	return nil
}
