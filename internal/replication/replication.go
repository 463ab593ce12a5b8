package replication

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/redwingdb/redwing/internal/clock"
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/effects"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/persist"
)

// Options are what a Replication is built of.
type Options struct {
	Keyspace *engine.Keyspace
	Log      *effects.Log
	// Cluster: marks are demanded and sent, REPLICAOF is refused.
	Cluster bool
	// Node, whose answer may change, and Run are told to the primary of the same cluster.
	// nil: they are not.
	Node func() string
	Run  string
	// Settings is asked when they are needed, never on the hot path. nil: defaults.
	Settings func() Settings
	// Dial connects to a primary. nil: plain TCP.
	Dial func(ctx context.Context, addr string) (net.Conn, error)
	// AckPeriod is how often a replica acknowledges without being asked.
	// 0: 1 s, in a cluster 250 ms.
	AckPeriod time.Duration
	// SyncQueueBytes bounds what writers hand over to the snapshot of a full sync and is
	// kept in memory while the replica is slow. 0: 64 MiB. More goes to a file in Dir, and
	// when that has Settings.OutputHardBytes the sync is dropped.
	SyncQueueBytes int64
	// Dir is where files are that need no name. nil: the system's folder for temporary ones.
	Dir func() string
	// Turns are shared by everything that takes snapshots of the whole node. nil: its own.
	Turns *persist.Turns
	// Libraries are the function libraries, which full syncs carry. nil: its own.
	Libraries *persist.Libraries
	// Dropped is told that a full sync has dropped all data of this node, before anything
	// of the new data set is loaded; no shard is locked. May be nil.
	Dropped func()
	// Followed is told what REPLICAOF at run time has made of this node: a replica of
	// host and port, or with "", "" a primary. Calls come in order. May be nil.
	Followed func(host, port string)
	// Demoted is told that this node, which was a primary, has become a replica. It is
	// called with locks held and must return at once. May be nil.
	Demoted func()
	// HoldWrites holds the writes of all clients while a FAILOVER is under way, and lets
	// them go on. When it returns with on, every write that was let through is in the log.
	// nil: nothing is held.
	HoldWrites func(on bool)
	// InSync are the questions of synchronous writes. nil: there are none.
	InSync *InSync
	// NewClientID returns an id of CLIENT LIST for a connection to a primary. nil: 0.
	NewClientID func() uint64
	// AOF is the append-only file. nil: there is none.
	AOF AOF
	// Clock is for pings, timeouts and retries. nil: the machine's.
	Clock  clock.Clock
	Logger *zap.Logger
}

// Replication is the replication of one node. New builds it, Start gives it the
// command table and its housekeeping, Close ends every link and waits.
type Replication struct {
	o   Options
	log *zap.Logger

	table   *command.Table  // set by Start
	hearers command.Hearers // set by Start

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	roles  sync.Mutex // one REPLICAOF at a time; before mu

	replica atomic.Bool // role: this node is a replica
	linkUp  atomic.Bool // synchronised with the primary
	loading atomic.Bool // data are being replaced, or were and are not whole
	plain   atomic.Bool // a plain replica has come since a field got an expiry
	waiting atomic.Int32
	asked   atomic.Bool   // the primary has asked how far this node is, since the last fsync
	ackNow  chan struct{} // asks for an acknowledgement; holds one
	// streamIO is clock.Mono of the newest byte of a stream in sync, 0: never.
	streamIO atomic.Int64
	// min-replicas-to-write, and the replicas that count for it, as of the last look.
	minReplicas, goodReplicas atomic.Int32

	stats Stats

	mu struct {
		sync.Mutex
		closed   bool
		history  history
		mark     Mark // of the stream: ours as a primary, the last one applied as a replica
		linked   uint64
		streamDB int // as a replica: the database the stream has selected, -1 none
		// recovered: the data come from a file, and this run has no role yet. If the backlog
		// is on, so does the history.
		recovered bool
		plainFrom int64 // the stream from here on may be sent to plain replicas
		dirty     bool  // data are a mixture or nothing: only a full sync can mend it
		resume    bool  // data and offset may be offered for a partial resync

		target *Target
		link   *link
		// lastLink is closed when the newest link, or the one before it, has ended.
		lastLink <-chan struct{}

		replicas   []*attached       // in the order in which they came
		failover   *failover         // nil: none is under way
		gathering  map[bool]*sharing // full syncs that may be joined, by whether they are of the latest version
		handshakes map[uint64]*handshake
		waiters    map[*waiter]struct{}
		getAckAt   int64 // offset behind the newest GETACK
		noReplicas int64 // clock.Mono since when there has been none, 0: there are some
		lastPing   int64
	}
}

// Stats are counters for INFO.
type Stats struct {
	SyncFull       atomic.Int64
	SyncPartialOK  atomic.Int64
	SyncPartialErr atomic.Int64
	SyncDropped    atomic.Int64 // full syncs given up: the snapshot or the replica was too slow
	Cuts           atomic.Int64 // snapshots cut for full syncs, counted within the cut
}

// New returns the replication of a primary without replicas.
func New(o Options) *Replication {
	if o.Settings == nil {
		o.Settings = func() Settings { return Settings{} }
	}
	if o.AOF == nil {
		o.AOF = noAOF{}
	}
	if o.Clock == nil {
		o.Clock = clock.Real{}
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.Turns == nil {
		o.Turns = persist.NewTurns()
	}
	if o.Libraries == nil {
		o.Libraries = &persist.Libraries{}
	}
	if o.Dial == nil {
		o.Dial = func(ctx context.Context, addr string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		}
	}
	if o.AckPeriod <= 0 {
		o.AckPeriod = time.Second
		if o.Cluster {
			o.AckPeriod = 250 * time.Millisecond
		}
	}
	if o.Dir == nil {
		o.Dir = func() string { return "" }
	}
	if o.SyncQueueBytes <= 0 {
		o.SyncQueueBytes = 64 << 20
	}
	r := &Replication{o: o, log: o.Logger.Named("replication"), ackNow: make(chan struct{}, 1)}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.mu.history = newHistory()
	r.mu.streamDB = -1
	r.mu.gathering = map[bool]*sharing{}
	r.mu.handshakes = map[uint64]*handshake{}
	r.mu.waiters = map[*waiter]struct{}{}
	r.mu.noReplicas = o.Clock.Mono()
	r.plain.Store(true)
	o.Keyspace.OnFieldExpiry(r.fieldExpires)
	return r
}

// Start gives the command table, which streams are applied by, and who is told of
// changed keys, and begins the housekeeping. It is called once, before Follow and before
// any connection is served.
func (r *Replication) Start(t *command.Table, h command.Hearers) {
	r.table, r.hearers = t, h
	r.tidy()
	r.wg.Add(1)
	go func() {
		defer r.wg.Done()
		r.keepHouse()
	}()
}

// Close ends all links and waits for their goroutines.
func (r *Replication) Close() {
	r.mu.Lock()
	r.mu.closed = true
	r.mu.Unlock()
	r.cancel()
	r.dropReplicas("shutdown")
	r.wg.Wait()
}

func (r *Replication) settings() Settings { return r.o.Settings().withDefaults() }

// IsReplica reports whether this node's role is that of a replica.
func (r *Replication) IsReplica() bool { return r.replica.Load() }

// LinkUp reports whether this node is in sync with its primary.
func (r *Replication) LinkUp() bool { return r.linkUp.Load() }

// Loading reports whether a data set is being received, or was and is not whole.
func (r *Replication) Loading() bool { return r.loading.Load() }

// Stats returns the counters.
func (r *Replication) Stats() *Stats { return &r.stats }

// Progress is how far a copy has come.
type Progress struct {
	Term     uint64 // of the newest effect applied; a primary's own
	Offset   int64
	Linked   uint64 // term of the stream last linked to, 0 since the start of the process: none
	FullSync bool   // the data are not whole: no candidate
}

// Progress returns how far this node's copy has come.
func (r *Replication) Progress() Progress {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := Progress{Term: r.mu.mark.Term, Offset: r.o.Log.Offset(), Linked: r.mu.linked, FullSync: r.mu.dirty}
	switch {
	case !r.replica.Load():
		if !r.mu.recovered {
			p.Linked = p.Term
		}
	case r.mu.target != nil && !r.mu.mark.sameShard(r.mu.target.Mark):
		p.Term, p.Offset, p.Linked = 0, 0, 0 // these data are those of another shard
	}
	return p
}

// SetMark names the mark of the stream that this node writes as a primary. Where it
// changes, it goes into the stream before any later effect.
func (r *Replication) SetMark(m Mark) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.replica.Load() || r.mu.mark == m {
		return
	}
	r.mu.mark = m
	r.markStreamLocked()
}

// markStreamLocked writes the mark into the stream. REQUIRES: r.mu held.
func (r *Replication) markStreamLocked() {
	if s := r.mu.mark.String(); s != "" {
		r.o.Log.AppendControl([]byte("PING"), []byte(s))
	}
}

// Follow makes this node a replica of t's server, at once and without waiting: links
// come and go in the background. Following the same server again only renews what is
// demanded of its mark.
func (r *Replication) Follow(t Target) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.closed {
		return
	}
	wasReplica := r.replica.Swap(true)
	if old := r.mu.target; old != nil && old.sameServer(t) && r.mu.link != nil {
		r.mu.target = &t
		return
	}
	r.mu.target = &t
	if !wasReplica {
		r.o.Log.Seal(true)
		// What this node wrote as a primary is known by its own id (as Redis keeps a
		// "cached primary" made of itself): the new primary may share it.
		r.mu.resume = r.o.Log.Backlog().On
		if !r.mu.recovered {
			r.mu.streamDB = -1
		}
		r.mu.recovered = false
		r.mu.linked = 0
		r.wakeWaitersLocked()
		if r.o.Demoted != nil {
			r.o.Demoted()
		}
	}
	r.stopLinkLocked()
	r.startLinkLocked()
}

// Unfollow ends the link. The node stays a replica, with its data as they are.
func (r *Replication) Unfollow() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.target = nil
	r.stopLinkLocked()
}

// Promote makes this node a primary whose stream bears mark m. It waits until nothing
// of the old stream is applied any more. Replicas of the old primary can go on with
// this one: its new history shares the old one up to here. On a primary it is SetMark.
func (r *Replication) Promote(ctx context.Context, m Mark) error {
	r.dropForeign(m)
	r.mu.Lock()
	r.mu.target = nil
	last := r.mu.lastLink
	r.stopLinkLocked()
	r.mu.Unlock()
	if last != nil {
		select {
		case <-last:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.target != nil {
		return errors.New("replication: told to follow while being promoted")
	}
	if !r.replica.Load() {
		if r.mu.recovered {
			// Others may have more of that history than the file.
			r.mu.recovered = false
			if r.o.Log.Backlog().On {
				r.mu.history.shift(r.o.Log.Cut())
			}
		}
		if r.mu.mark != m {
			r.mu.mark = m
			r.markStreamLocked()
		}
		return nil
	}
	offset := r.o.Log.Cut() // the next effect selects its database
	switch {
	case r.mu.dirty:
		// A full sync was broken off and left nothing: no history is shared.
		r.mu.history = newHistory()
		r.o.Log.Reset(offset)
	case !r.mu.resume || r.o.Log.Refused() > 0:
		// The data are not what the log says: a request could not be applied, or a
		// write of this node's own came too late for the log.
		r.mu.history = newHistory()
	default:
		r.mu.history.shift(offset)
	}
	r.mu.getAckAt = 0 // offsets may have gone back since it was asked
	r.mu.mark = m
	r.mu.dirty = false
	r.loading.Store(false)
	r.o.Log.Seal(false)
	r.replica.Store(false)
	r.mu.noReplicas = r.mono() // the others have repl-backlog-ttl to come here
	r.countGoodLocked()
	r.markStreamLocked()
	// They come back and learn the new id.
	r.dropReplicasLocked("promotion")
	r.log.Info("promoted", zap.Int64("offset", offset), zap.Uint64("term", m.Term))
	return nil
}

// clock in nanoseconds.
func (r *Replication) mono() int64 { return r.o.Clock.Mono() }

func since(now, then int64) time.Duration { return time.Duration(now - then) }
