package persist

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/redwingdb/redwing/internal/clock"
	"github.com/redwingdb/redwing/internal/disk"
	"github.com/redwingdb/redwing/internal/effects"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/persist/aof"
)

// ErrLater says that a base cannot be cut just now.
var ErrLater = errors.New("persist: the data set is not one that a file can hold just now")

// ErrRewriting is returned while a rewrite of the append-only file is under way.
var ErrRewriting = errors.New("persist: the append-only file is being rewritten")

// RewriteSettings may change while the node runs.
type RewriteSettings struct {
	// Enabled: there is to be an append-only file (appendonly).
	Enabled bool
	// Policy, NoSyncOnRewrite, Timestamps and KeepHistory are those of aof.Options.
	Policy                                   aof.Policy
	NoSyncOnRewrite, Timestamps, KeepHistory bool
	// GrowPercent and MinBytes are auto-aof-rewrite-percentage and -min-size.
	GrowPercent, MinBytes int64
	// Compress, Checksum, NoSync and KeyDelay are those of WriteOptions, for bases.
	Compress, Checksum, NoSync bool
	KeyDelay                   time.Duration
}

// RewritesOptions are what Rewrites is built of.
type RewritesOptions struct {
	FS disk.FS
	// Dir, Sub and Name are those of aof.Options.
	Dir, Sub, Name string
	Log            *effects.Log
	Keyspace       *engine.Keyspace
	Turns          *Turns
	Libraries      *Libraries
	// Position is that of SavesOptions. ErrLater: there is something that a base does not
	// hold, though it stands in the increments before it; the rewrite is begun again later.
	Position func() (Position, error)
	// Whole reports whether a rewrite may begin: there is a whole data set to write down. It
	// is asked with no shard locked.
	Whole func() bool
	// Settings is asked for every write of the file: it must be cheap.
	Settings func() RewriteSettings
	// Changed and Synced are those of aof.Options.
	Changed func(s aof.State, synced int64)
	Synced  func(offset int64)
	Clock   clock.Clock
	Logger  *zap.Logger
}

// Rewrites keeps the append-only file of a node: it turns it on and off as the settings
// say, rewrites it when it has grown or is broken, and when told to.
type Rewrites struct {
	o   RewritesOptions
	log *zap.Logger
	aof *aof.AOF

	ctx    context.Context // ends rewrites
	cancel context.CancelFunc
	kick   chan struct{} // holds one

	mu struct {
		sync.Mutex
		policy  rewritePolicy
		closed  bool
		stop    context.CancelFunc // calls the rewrite under way off; nil: there is none
		ended   chan struct{}      // closed when that has ended
		since   time.Time
		seconds int64 // how long the last one took, -1: there was none
		failed  bool  // the last one has
		begun   int64 // since the start
	}
}

// RewriteStatus is what is known of the append-only file and its rewrites.
type RewriteStatus struct {
	aof.Info
	Scheduled    bool
	LastSeconds  int64 // that the last rewrite took, -1: there was none
	NowSeconds   int64 // that the one under way has taken so far, -1: there is none
	RewriteError bool  // the last rewrite has failed
	Begun        int64
	Failures     int // rewrites that have failed since one went well
}

// NewRewrites returns the keeper of a file that is off.
func NewRewrites(o RewritesOptions) *Rewrites {
	if o.Clock == nil {
		o.Clock = clock.Real{}
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	r := &Rewrites{o: o, log: o.Logger.Named("aof"), kick: make(chan struct{}, 1)}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.mu.seconds = -1
	r.aof = aof.New(aof.Options{
		FS: o.FS, Dir: o.Dir, Sub: o.Sub, Name: o.Name, Log: o.Log,
		Policy:          func() aof.Policy { return o.Settings().Policy },
		NoSyncOnRewrite: func() bool { return o.Settings().NoSyncOnRewrite },
		Timestamps:      func() bool { return o.Settings().Timestamps },
		KeepHistory:     func() bool { return o.Settings().KeepHistory },
		Saving:          func() bool { return o.Turns.Holder() == TurnSave },
		Cut:             r.cut, Changed: o.Changed, Synced: o.Synced, Clock: o.Clock, Logger: o.Logger,
	})
	return r
}

// File is the append-only file itself.
func (r *Rewrites) File() *aof.AOF { return r.aof }

// base is the snapshot of a base.
type base struct {
	r    *Rewrites
	ctx  context.Context
	snap *engine.Snapshot
	pos  Position
}

// cut takes the snapshot of a base.
func (r *Rewrites) cut(ctx context.Context, at func(aof.Stream) error) (aof.Snapshot, error) {
	b := &base{r: r, ctx: ctx}
	var failed error
	snap, err := r.o.Keyspace.Snapshot(engine.SnapshotOptions{
		DB: -1, Delay: true,
		AtCut: func() {
			if b.pos, failed = r.o.Position(); failed == nil {
				failed = at(aof.Stream{Offset: b.pos.Offset, DB: b.pos.StreamDB, Mark: b.pos.Mark})
			}
		},
	})
	if err != nil {
		return nil, err
	}
	if b.snap = snap; failed != nil {
		snap.Close()
		return nil, failed
	}
	return b, nil
}

// Write implements aof.Snapshot. The version is the lowest that holds the data.
func (b *base) Write(f disk.File) error {
	set := b.r.o.Settings()
	_, err := WriteFile(b.ctx, f, b.r.o.Keyspace, b.snap, WriteOptions{
		Compress: set.Compress, Checksum: set.Checksum, NoSync: set.NoSync, KeyDelay: set.KeyDelay, AOFBase: true,
		Position: b.pos, Libraries: b.r.o.Libraries.All(), NowMillis: b.r.o.Clock.Now().UnixMilli(),
	})
	return err
}

// Close implements aof.Snapshot.
func (b *base) Close() { b.snap.Close() }

// tickEvery is how often sizes and pauses are looked at.
const tickEvery = 100 * time.Millisecond

// Run keeps the file until ctx ends. The data must be loaded, and the file begun if it is
// to be on from the start.
func (r *Rewrites) Run(ctx context.Context) error {
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-r.kick:
		}
		r.tick()
	}
}

// Heed makes changed settings hold soon. It never blocks.
func (r *Rewrites) Heed() {
	r.aof.Kick()
	select {
	case r.kick <- struct{}{}:
	default:
	}
}

// tick begins or ends what is due.
func (r *Rewrites) tick() {
	set := r.o.Settings()
	state := r.aof.State()
	if !set.Enabled && state != aof.Off {
		r.CallOff()
		if err := r.aof.Close(); err != nil {
			r.log.Warn("append-only file turned off behind a failure", zap.Error(err))
		}
		return
	}
	now := r.o.Clock.Now().Unix()
	r.mu.Lock()
	p := &r.mu.policy
	info := r.aof.Info()
	due := p.scheduled || set.Enabled && state == aof.On && grown(info.CurrentBytes, info.BaseBytes, set.GrowPercent, set.MinBytes)
	if due {
		limited, minutes := p.limited(now)
		if minutes > 0 {
			r.log.Warn("rewriting the append-only file has failed repeatedly; it is tried again later", zap.Int64("minutes", minutes))
		}
		due = !limited
	}
	due = due || set.Enabled && (state == aof.Off || state == aof.Broken) && p.retry(now)
	due = due && r.mu.stop == nil && !r.mu.closed && r.o.Whole()
	r.mu.Unlock()
	if due && r.o.Turns.Try(TurnRewrite) {
		_ = r.start() // the node is ending
	}
}

// Background is BGREWRITEAOF: it begins a rewrite, or has it begin when no other snapshot
// is under way, or wait is set; started tells which. ErrRewriting while one is under way.
func (r *Rewrites) Background(wait bool) (started bool, err error) {
	r.mu.Lock()
	if r.mu.stop != nil {
		r.mu.Unlock()
		return false, ErrRewriting
	}
	if wait || !r.o.Turns.Try(TurnRewrite) {
		r.mu.policy.asked()
		r.mu.Unlock()
		return false, nil
	}
	r.mu.Unlock()
	return true, r.start()
}

// start begins a rewrite in the background. REQUIRES: the turn is taken; it is given back.
func (r *Rewrites) start() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.closed || r.mu.stop != nil {
		r.o.Turns.Done()
		return ErrRewriting
	}
	ctx, cancel := context.WithCancel(r.ctx)
	r.mu.stop, r.mu.ended, r.mu.since = cancel, make(chan struct{}), r.o.Clock.Now()
	r.mu.begun++
	r.mu.policy.began(r.mu.since.Unix())
	go func() {
		defer cancel()
		r.log.Info("background rewriting started")
		err := r.aof.Rewrite(ctx, r.o.Settings().Enabled)
		r.o.Turns.Done()
		r.ended(err)
	}()
	return nil
}

// Begin writes the first base and begins the file, in the foreground. REQUIRES: nothing
// else takes a snapshot.
func (r *Rewrites) Begin(ctx context.Context) error { return r.aof.Rewrite(ctx, true) }

// ended notes how a rewrite has ended.
func (r *Rewrites) ended(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.stop = nil
	close(r.mu.ended)
	r.mu.seconds = int64(r.o.Clock.Now().Sub(r.mu.since) / time.Second)
	switch {
	case err == nil:
		r.log.Info("background rewriting ended")
	case errors.Is(err, ErrLater), errors.Is(err, aof.ErrClosed):
		// What is in its way, slots that are moved here or a file that is turned off, goes.
		r.mu.policy.scheduled = true
		return
	case errors.Is(err, context.Canceled), errors.Is(err, ErrNoData):
		r.log.Info("background rewriting called off", zap.Error(err))
		return
	default:
		r.log.Error("background rewriting failed", zap.Error(err))
	}
	r.mu.failed = err != nil
	r.mu.policy.ended(err == nil)
}

// CallOff ends the rewrite in the background, if there is one, and waits for that.
func (r *Rewrites) CallOff() {
	r.mu.Lock()
	stop, ended := r.mu.stop, r.mu.ended
	r.mu.Unlock()
	if stop != nil {
		stop()
		<-ended
	}
}

// Close ends the file: what the log holds is written and synced. REQUIRES: Run has ended.
func (r *Rewrites) Close() error {
	r.mu.Lock()
	r.mu.closed = true
	r.mu.Unlock()
	r.cancel()
	r.CallOff()
	return r.aof.Close()
}

// Status returns what is known of the file.
func (r *Rewrites) Status() RewriteStatus {
	info := r.aof.Info()
	r.mu.Lock()
	defer r.mu.Unlock()
	st := RewriteStatus{
		Info: info, Scheduled: r.mu.policy.scheduled, LastSeconds: r.mu.seconds, NowSeconds: -1,
		RewriteError: r.mu.failed, Begun: r.mu.begun, Failures: r.mu.policy.failures,
	}
	if r.mu.stop != nil {
		st.Rewriting = true
		st.NowSeconds = int64(r.o.Clock.Now().Sub(r.mu.since) / time.Second)
	}
	return st
}
