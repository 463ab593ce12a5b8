package server

import (
	"context"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/redwingdb/redwing/internal/clock"
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/pubsub"
	"github.com/redwingdb/redwing/internal/topology"
)

// Server serves the clients of a node. New builds it, Serve takes connections of one
// listener until Shutdown, which waits for all that Serve began.
type Server struct {
	o          Options
	log        *zap.Logger
	cluster    Cluster
	seen       atomic.Pointer[seenView]
	leaseUntil func(shard topology.ShardID, term uint64) int64
	watches    *command.Watches
	waits      *command.Waits
	pause      pause
	hub        *pubsub.Hub
	ping       *command.Spec
	started    int64 // clock.Mono

	stats    counters
	specs    specTable
	slotUses atomic.Pointer[slotUses] // nil: not counted
	durable  atomic.Int64             // log offset up to which replies may be sent
	unlogged atomic.Bool              // nothing more becomes durable (LoseDurable)
	// confirmed is never nil.
	confirmed atomic.Pointer[Confirmed]
	awaiting  struct {
		sync.Mutex
		heap confirms // by the offset that each waits for
	}
	nextID atomic.Uint64
	count  atomic.Int64 // connections

	securityWarned atomic.Int64 // clock.Mono of the last warning, 0: none

	running sync.WaitGroup // connections and off-loop runs
	mu      struct {
		sync.Mutex
		all       map[uint64]*Session
		conns     map[*conn]struct{}
		loops     []*loop // since the first Serve
		nextLoop  int
		taken     map[net.Conn]struct{} // handed over to a command that is at work
		listeners map[net.Listener]struct{}
		waiting   map[*Session]struct{} // with withheld replies
		stopping  bool
		stop      chan struct{} // closed when stopping
		serving   bool          // Serve has been called
	}
}

type specTable struct {
	sync.RWMutex
	of map[*command.Spec]*SpecStats
}

// New returns a server that serves nobody yet.
func New(o Options) (*Server, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if o.Settings == nil {
		o.Settings = NewSettings()
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.Watches == nil {
		o.Watches = command.NewWatches(o.Keyspace)
	}
	srv := &Server{
		o: o, log: o.Logger.Named("server"), cluster: o.Cluster, watches: o.Watches,
		waits: command.NewWaits(o.Keyspace), hub: o.Hub,
		ping: o.Table.Lookup([]byte("ping")), started: clock.Mono(),
	}
	if srv.hub == nil {
		srv.hub = pubsub.NewHub()
	}
	srv.confirmed.Store(&Confirmed{})
	srv.specs.of = make(map[*command.Spec]*SpecStats)
	if o.Cluster != nil {
		srv.leaseUntil = o.Cluster.LeaseUntil
	}
	srv.mu.all = make(map[uint64]*Session)
	srv.mu.conns = make(map[*conn]struct{})
	srv.mu.taken = make(map[net.Conn]struct{})
	srv.mu.listeners = make(map[net.Listener]struct{})
	srv.mu.waiting = make(map[*Session]struct{})
	srv.mu.stop = make(chan struct{})
	return srv, nil
}

// Hearers returns who is told of changed keys, for those who apply streams.
func (srv *Server) Hearers() command.Hearers {
	return command.Hearers{
		Watches: srv.watches, Waits: srv.waits, Events: srv.o.Events,
		Publish: func(shard bool, channel, payload []byte) {
			k := pubsub.Channel
			if shard {
				k = pubsub.Shard
			}
			srv.hub.Publish(k, channel, payload, 0)
		},
	}
}

// Watches returns the table of watched keys.
func (srv *Server) Watches() *command.Watches { return srv.watches }

// Settings returns what CONFIG SET may change.
func (srv *Server) Settings() *Settings { return srv.o.Settings }

// SetDurable says that the log is durable up to offset: replies that waited for no more
// are sent. Offsets only grow.
func (srv *Server) SetDurable(offset int64) {
	for {
		old := srv.durable.Load()
		if offset <= old {
			return
		}
		if srv.durable.CompareAndSwap(old, offset) {
			break
		}
	}
	srv.wakeDurable()
}

// RestartDurable says that the log is durable up to offset, whatever was said before: the
// log has begun anew, or durable is what nobody waits for (the largest offset there is).
func (srv *Server) RestartDurable(offset int64) {
	srv.unlogged.Store(false)
	srv.durable.Store(offset)
	srv.wakeDurable()
}

// LoseDurable says that nothing more will become durable until RestartDurable. Writes that
// wait, and those that still come, are answered by an error in their place, since nobody
// knows whether they survive; reads do not wait any more.
func (srv *Server) LoseDurable() {
	srv.unlogged.Store(true)
	srv.wakeDurable()
}

// wakeDurable has all who wait look again.
func (srv *Server) wakeDurable() {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	for s := range srv.mu.waiting {
		delete(srv.mu.waiting, s)
		s.post()
	}
}

// commit has what was written made as durable as it is to be before replies leave.
func (srv *Server) commit(inPlace bool) {
	if srv.o.Commit != nil {
		srv.o.Commit(inPlace)
	}
}

// awaitDurable has s woken by the next SetDurable. The owner calls it before it looks for
// the last time whether what it withholds may go.
func (srv *Server) awaitDurable(s *Session) {
	srv.mu.Lock()
	srv.mu.waiting[s] = struct{}{}
	srv.mu.Unlock()
}

// seenView is a View and the id that this node has under it.
type seenView struct {
	view *topology.View
	self topology.NodeID
}

// viewNow returns the View and this node's id. REQUIRES: cluster mode.
func (srv *Server) viewNow() *seenView {
	v := srv.cluster.View()
	p := srv.seen.Load()
	if p == nil || p.view != v {
		p = &seenView{v, srv.cluster.Self()}
		srv.seen.Store(p)
	}
	return p
}

// spawn runs f in a goroutine that Shutdown waits for.
func (srv *Server) spawn(f func()) {
	srv.running.Add(1)
	go func() {
		defer srv.running.Done()
		f()
	}()
}

// take notes that a command works on a socket, for Shutdown to close it; if Shutdown
// has come before, it is closed here.
func (srv *Server) take(nc net.Conn) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if srv.mu.stopping {
		nc.Close()
	}
	srv.mu.taken[nc] = struct{}{}
}

func (srv *Server) untake(nc net.Conn) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	delete(srv.mu.taken, nc)
}

func (srv *Server) register(s *Session) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	s.id = srv.nextID.Add(1)
	srv.mu.all[s.id] = s
}

func (srv *Server) unregister(s *Session) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	delete(srv.mu.all, s.id)
	delete(srv.mu.waiting, s)
}

// sessions returns all sessions by id.
func (srv *Server) sessions() []*Session {
	srv.mu.Lock()
	out := make([]*Session, 0, len(srv.mu.all))
	for _, s := range srv.mu.all {
		out = append(out, s)
	}
	srv.mu.Unlock()
	slices.SortFunc(out, func(a, b *Session) int {
		if a.id < b.id {
			return -1
		}
		return 1
	})
	return out
}

// Clients returns the number of connections.
func (srv *Server) Clients() int {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	return len(srv.mu.all)
}

// Uptime returns how long the server has existed.
func (srv *Server) Uptime() time.Duration { return time.Duration(clock.Mono() - srv.started) }

func (srv *Server) needsAuth() bool { return srv.o.Auth != nil && srv.o.Auth.NeedsPassword() }

// Shutdown closes listeners and connections and waits until all of them have ended, or
// ctx does. Replies already made are sent where the sockets take them at once.
func (srv *Server) Shutdown(ctx context.Context) error {
	srv.mu.Lock()
	if !srv.mu.stopping {
		srv.mu.stopping = true
		close(srv.mu.stop)
	}
	for ln := range srv.mu.listeners {
		ln.Close()
	}
	conns := make([]*conn, 0, len(srv.mu.conns))
	for c := range srv.mu.conns {
		conns = append(conns, c)
	}
	for nc := range srv.mu.taken {
		nc.Close() // ends what its command does with it
	}
	srv.mu.Unlock()
	for _, c := range conns {
		c.shutdown()
	}
	srv.mu.Lock()
	for _, l := range srv.mu.loops {
		l.end()
	}
	srv.mu.loops = nil
	srv.mu.Unlock()
	done := make(chan struct{})
	go func() {
		srv.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func upper(s string) string { return strings.ToUpper(s) }
