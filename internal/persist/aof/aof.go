package aof

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/redwingdb/redwing/internal/clock"
	"github.com/redwingdb/redwing/internal/disk"
	"github.com/redwingdb/redwing/internal/effects"
)

// Policy is when what was written is made to survive a crash of the machine (appendfsync).
type Policy uint8

const (
	EverySecond Policy = iota
	Always             // before it is acknowledged
	Never              // when the system likes
)

// State is what the AOF is doing.
//
//	Off --Rewrite--> Starting --base written--> On --Close--> Off
//	          ^          |                       |
//	          |          v error                 | error of a write or fsync; the reader lost
//	          '------- Broken <------------------'
type State uint8

const (
	Off      State = iota
	Starting       // an increment is written, but its base is not there yet
	On
	Broken // nothing is written; the files are as they were; only a rewrite helps
)

var (
	// ErrBusy is returned by Rewrite while another one runs.
	ErrBusy = errors.New("aof: a rewrite is under way")
	// ErrOff is returned while the AOF is not on.
	ErrOff = errors.New("aof: nothing is written")
	// ErrClosed is returned by Rewrite when the AOF was closed meanwhile.
	ErrClosed = errors.New("aof: closed")
)

// Stream says where the effect log stands at an instant.
type Stream struct {
	Offset int64
	DB     int    // database that it has selected there; -1: the next effect selects its own
	Mark   string // whose stream it is, "" for that of a plain server
}

// Snapshot is the data set at a cut.
type Snapshot interface {
	// Write writes it to f as an RDB and returns when f has all of it.
	Write(f disk.File) error
	Close()
}

// Options are what an AOF is built of.
type Options struct {
	FS   disk.FS
	Dir  string // folder of the node's files (dir)
	Sub  string // folder below it (appenddirname)
	Name string // appendfilename
	Log  *effects.Log

	// Policy, NoSyncOnRewrite, Timestamps and KeepHistory are appendfsync,
	// no-appendfsync-on-rewrite, aof-timestamp-enabled and aof-disable-auto-gc; they are
	// asked whenever it matters.
	Policy          func() Policy
	NoSyncOnRewrite func() bool
	Timestamps      func() bool
	KeepHistory     func() bool
	// Saving reports whether a snapshot is being written to disk, for NoSyncOnRewrite.
	Saving func() bool

	// Cut takes a snapshot. It calls at with every data shard locked and with what the log
	// was then; a request that changes no data may have come behind it. ctx ends Write.
	Cut func(ctx context.Context, at func(Stream) error) (Snapshot, error)
	// Changed is told of each change of state, with the offset up to which effects are on
	// disk from now on. It is called under the AOF's lock and must not block.
	Changed func(s State, synced int64)
	// Synced is told that the log is on disk up to offset, or (where NoSyncOnRewrite says
	// so) as good as that. Called as Changed is.
	Synced func(offset int64)

	// LagBytes is how far the file may be behind the log before writers wait. 0: 64 MiB.
	LagBytes int64
	// Clock is for everysec. nil: the machine's.
	Clock  clock.Clock
	Logger *zap.Logger
}

const (
	defaultLag = 64 << 20
	// dropFactor times LagBytes is where the log gives the file up: what is not a client
	// (a replica's stream, expiry) does not wait.
	dropFactor = 8
)

// AOF is the append-only file of a node. Its methods may be called from any goroutine.
type AOF struct {
	o   Options
	log *zap.Logger

	state   atomic.Int32 // a State; changed with mu held
	written atomic.Int64 // log offset behind what was handed to the system; MaxInt64: nobody waits
	behind  atomic.Bool  // somebody waits for room
	failure atomic.Pointer[error]
	fsyncs  atomic.Bool // an fsync is running
	delayed atomic.Int64
	buffer  atomic.Int64
	current atomic.Int64 // bytes of the increment being written
	older   atomic.Int64 // bytes of the files before it
	base    atomic.Int64 // bytes of all files behind the last rewrite, or at start
	busy    atomic.Bool  // a rewrite is running
	done    atomic.Int64 // rewrites that went well

	// files is held while the manifest is changed or looked at. Order: files -> mu.
	files struct {
		sync.Mutex
		manifest *Manifest
		// The numbers given out last. None is given twice in a process: of a manifest that
		// could not be written nobody knows whether it names the file.
		baseSeq, incrSeq int64
	}
	writer atomic.Pointer[writer] // nil: none; changed with mu held
	synced atomic.Int64           // log offset up to which effects are on disk; changed with mu held
	mu     struct {
		sync.Mutex
		turn    *turn
		waiters []func()
		changed chan struct{} // closed when synced or the state changes; nil: nobody waits
	}
}

// turn is the wish that the writer turns to a new increment at an offset of the log.
type turn struct {
	offset int64
	done   chan error
}

// New returns an AOF that is off.
func New(o Options) *AOF {
	if o.LagBytes <= 0 {
		o.LagBytes = defaultLag
	}
	if o.Clock == nil {
		o.Clock = clock.Real{}
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	a := &AOF{o: o, log: o.Logger.Named("aof")}
	a.written.Store(math.MaxInt64)
	a.files.manifest = &Manifest{}
	return a
}

func (a *AOF) dir() string             { return filepath.Join(a.o.Dir, a.o.Sub) }
func (a *AOF) path(name string) string { return filepath.Join(a.o.Dir, a.o.Sub, name) }
func (a *AOF) State() State            { return State(a.state.Load()) }

// setStateLocked changes the state. REQUIRES: a.mu held.
func (a *AOF) setStateLocked(s State) {
	a.state.Store(int32(s))
	a.tellLocked()
	if a.o.Changed != nil {
		a.o.Changed(s, a.synced.Load())
	}
}

// Failure returns why nothing can be acknowledged: the last write or fsync failed. nil: all
// is well, or the AOF is off.
func (a *AOF) Failure() error {
	if p := a.failure.Load(); p != nil {
		return *p
	}
	return nil
}

// Synced returns the log offset up to which effects are on disk; ok is false while the AOF
// is not on. It takes no lock.
func (a *AOF) Synced() (offset int64, ok bool) { return a.synced.Load(), a.State() == On }

// AwaitSynced waits until the log is on disk up to offset. An error says that nobody can
// wait for that: the AOF is not on, or ctx has ended.
func (a *AOF) AwaitSynced(ctx context.Context, offset int64) error {
	for {
		a.mu.Lock()
		if a.State() != On {
			a.mu.Unlock()
			return ErrOff
		}
		if a.synced.Load() >= offset {
			a.mu.Unlock()
			return nil
		}
		if a.mu.changed == nil {
			a.mu.changed = make(chan struct{})
		}
		changed := a.mu.changed
		a.mu.Unlock()
		a.Commit(false)
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// tellLocked wakes who waits in AwaitSynced. REQUIRES: a.mu held.
func (a *AOF) tellLocked() {
	if a.mu.changed != nil {
		close(a.mu.changed)
		a.mu.changed = nil
	}
}

// Behind reports whether writers are to wait: the file is too far behind the log. It costs
// two atomic loads.
func (a *AOF) Behind() bool { return a.o.Log.Offset()-a.written.Load() > a.o.LagBytes }

// AwaitRoom has wake called once when the file has caught up, or there is none any more: it
// returns false if that is so already. wake must not block.
func (a *AOF) AwaitRoom(wake func()) (waiting bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.behind.Store(true) // before the look, so that the writer sees one of both
	if !a.Behind() {
		return false
	}
	a.mu.waiters = append(a.mu.waiters, wake)
	return true
}

// wakeWaitersLocked lets writers go on. REQUIRES: a.mu held.
func (a *AOF) wakeWaitersLocked() {
	a.behind.Store(false)
	for _, wake := range a.mu.waiters {
		wake()
	}
	a.mu.waiters = nil
}

// Kick makes the writer look at its settings anew.
func (a *AOF) Kick() {
	if w := a.writer.Load(); w != nil {
		w.kickNow()
	}
}

// Commit is for who is about to acknowledge what has been written. With inPlace it may do
// the writer's work before it returns: hand what the log has to the system, so that the end
// of the process does not lose it, unless an fsync is under way; with Always sync it too,
// where that takes less than handing over. Else, and where it is not inPlace, it has the
// writer's goroutine do so at once where somebody waits for it. It costs two atomic loads
// where there is nothing to do.
func (a *AOF) Commit(inPlace bool) {
	w := a.writer.Load()
	if w == nil || a.o.Log.Offset() <= a.written.Load() {
		return
	}
	always := a.o.Policy() == Always
	switch {
	case always && !w.quick.Load(): // the append has woken the goroutine
	case inPlace:
		w.lead()
	case always:
		w.kickNow()
	}
}

// Info is what INFO and the rewrite policy ask.
type Info struct {
	State         State
	Rewriting     bool
	Rewrites      int64
	CurrentBytes  int64
	BaseBytes     int64
	BufferBytes   int64
	PendingFsync  bool
	DelayedFsyncs int64
	Failure       error
}

// Info returns how things stand.
func (a *AOF) Info() Info {
	return Info{
		State: a.State(), Rewriting: a.busy.Load(), Rewrites: a.done.Load(),
		CurrentBytes: a.older.Load() + a.current.Load(), BaseBytes: a.base.Load(), BufferBytes: a.buffer.Load(),
		PendingFsync: a.fsyncs.Load(), DelayedFsyncs: a.delayed.Load(), Failure: a.Failure(),
	}
}

// Close ends the AOF: what the log holds by now is written and synced. It is off then.
func (a *AOF) Close() error {
	a.mu.Lock()
	w := a.writer.Load()
	if w != nil {
		w.mu.until = a.o.Log.Offset()
		w.mu.stopping = true
		w.kickNow()
	}
	a.mu.Unlock()
	if w != nil {
		<-w.done
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	err := a.Failure()
	a.failure.Store(nil)
	a.written.Store(math.MaxInt64)
	a.wakeWaitersLocked()
	a.o.Log.KeepActive(false)
	a.setStateLocked(Off)
	return err
}
