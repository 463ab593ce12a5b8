package persist

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/redwingdb/redwing/internal/clock"
	"github.com/redwingdb/redwing/internal/disk"
	"github.com/redwingdb/redwing/internal/engine"
)

var (
	// ErrSaving is returned while a save or a full sync is under way.
	ErrSaving = errors.New("persist: a save is under way")
	// ErrBusy is returned while a snapshot is under way that is no save.
	ErrBusy = errors.New("persist: another snapshot is under way")
	// ErrNoData is returned where there is no whole data set to save: it is being loaded, or
	// replaced by that of a primary.
	ErrNoData = errors.New("persist: there is no whole data set")
	errEnding = errors.New("persist: the node is ending")
)

// fileMode is that of RDB files, as Redis makes them.
const fileMode = 0o644

// SaveSettings may change while the node runs.
type SaveSettings struct {
	Points []SavePoint
	// StopWrites has writes refused while the last save in the background has failed.
	StopWrites         bool
	Version            int // of the RDB; 0: the lowest that holds the data
	Compress, Checksum bool
	NoSync             bool
	KeyDelay           time.Duration
}

// SavesOptions are what Saves is built of.
type SavesOptions struct {
	FS disk.FS
	// Path is the RDB file.
	Path      string
	Keyspace  *engine.Keyspace
	Turns     *Turns
	Libraries *Libraries
	// Position returns where the data stand, or an error (ErrNoData) where they are not
	// whole. It is called within the cut, with all shards locked. nil: NoPosition.
	Position func() (Position, error)
	Settings func() SaveSettings
	Clock    clock.Clock
	Logger   *zap.Logger
}

// Saves keeps the RDB file of a node. Lock order: data shards -> Saves.mu.
type Saves struct {
	o   SavesOptions
	log *zap.Logger

	ctx    context.Context // ends saves in the background
	cancel context.CancelFunc
	wg     sync.WaitGroup

	failing     atomic.Bool  // the last save in the background has failed
	saved       atomic.Int64 // Keyspace.Changes as of the last save
	done, total atomic.Int64 // keys of the save under way

	mu struct {
		sync.Mutex
		policy  savePolicy
		closed  bool
		stop    context.CancelFunc // calls the save in the background off; nil: there is none
		ended   chan struct{}      // closed when that save has ended
		since   time.Time          // when it began
		seconds int64              // how long the last one took, -1: there was none
		saves   int64
	}
}

// SaveStatus is what is known of the saves of a node. Times are Unix seconds.
type SaveStatus struct {
	Changes     int64 // since the last save
	InProgress  bool  // a save, or a full sync, takes a snapshot
	LastSave    int64
	Failed      bool  // the last save in the background has
	LastSeconds int64 // that the last one took, -1: there was none
	NowSeconds  int64 // that the one under way has taken so far, -1: there is none
	Saves       int64 // begun since the start
	KeysDone    int64
	KeysTotal   int64 // of the save under way, as far as it is known beforehand
}

// NewSaves returns the saves of a node whose data are those of its file.
func NewSaves(o SavesOptions) *Saves {
	if o.Position == nil {
		o.Position = func() (Position, error) { return NoPosition, nil }
	}
	if o.Libraries == nil {
		o.Libraries = &Libraries{}
	}
	if o.Clock == nil {
		o.Clock = clock.Real{}
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	s := &Saves{o: o, log: o.Logger.Named("save")}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.mu.policy.last, s.mu.seconds = s.now(), -1
	return s
}

func (s *Saves) now() int64 { return s.o.Clock.Now().Unix() }

// Close calls the save in the background off and waits for its end. None begins any more.
func (s *Saves) Close() {
	s.mu.Lock()
	s.mu.closed = true
	s.mu.Unlock()
	s.cancel()
	s.wg.Wait()
}

// Save saves and returns when that is done. It waits for a rewrite of the append-only file
// that is under way. ErrSaving, ErrNoData, or an error of the file system.
func (s *Saves) Save(ctx context.Context) error {
	if !s.o.Turns.Try(TurnSave) {
		if h := s.o.Turns.Holder(); h == TurnSave || h == TurnSync {
			return ErrSaving
		}
		if _, err := s.o.Turns.Take(ctx, TurnSave, nil); err != nil {
			return err
		}
	}
	defer s.o.Turns.Done()
	return s.foreground(ctx)
}

// Final saves when the node is about to end, whatever else takes snapshots; a save in the
// background is called off. REQUIRES: nobody writes any more.
func (s *Saves) Final(ctx context.Context) error {
	s.CallOff()
	return s.foreground(ctx)
}

// CallOff ends the save in the background, if there is one, and waits for that.
func (s *Saves) CallOff() {
	s.mu.Lock()
	stop, ended := s.mu.stop, s.mu.ended
	s.mu.Unlock()
	if stop != nil {
		stop()
		<-ended
	}
}

func (s *Saves) foreground(ctx context.Context) error {
	s.mu.Lock()
	s.mu.saves++
	s.mu.Unlock()
	err := s.write(ctx)
	if err != nil {
		s.log.Error("saving failed", zap.String("path", s.o.Path), zap.Error(err))
	}
	return err
}

// Background begins a save and returns at once. While another snapshot is under way that
// is no save it returns ErrBusy, or with schedule has it begin afterwards: started is
// false then. ErrSaving while a save is under way.
func (s *Saves) Background(schedule bool) (started bool, err error) {
	if s.o.Turns.Try(TurnSave) {
		return true, s.start()
	}
	switch {
	case s.o.Turns.Holder() != TurnRewrite:
		return false, ErrSaving
	case !schedule:
		return false, ErrBusy
	}
	s.Schedule()
	return false, nil
}

// Schedule has a save begin as soon as no other snapshot is under way.
func (s *Saves) Schedule() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.policy.scheduled = true
}

// Tick begins a save if it is time for one. It is to be called several times a second.
func (s *Saves) Tick() {
	points := s.o.Settings().Points
	changes := s.changes()
	s.mu.Lock()
	due := !s.mu.closed && s.mu.policy.due(s.now(), changes, points)
	s.mu.Unlock()
	if due && s.o.Turns.Try(TurnSave) {
		_ = s.start() // the node is ending
	}
}

// start begins a save in the background. REQUIRES: the turn is taken; it is given back.
func (s *Saves) start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.closed {
		s.o.Turns.Done()
		return errEnding
	}
	ctx, cancel := context.WithCancel(s.ctx)
	s.mu.stop, s.mu.ended, s.mu.since = cancel, make(chan struct{}), s.o.Clock.Now()
	s.mu.saves++
	s.mu.policy.began(s.now())
	s.wg.Add(1)
	go func() {
		defer s.wg.Done()
		defer cancel()
		s.log.Info("background saving started")
		err := s.write(ctx)
		s.ended(err)
		s.o.Turns.Done()
	}()
	return nil
}

// ended notes how the save in the background has ended.
func (s *Saves) ended(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.stop = nil
	close(s.mu.ended)
	s.mu.seconds = int64(s.o.Clock.Now().Sub(s.mu.since) / time.Second)
	switch {
	case err == nil:
		s.log.Info("background saving ended")
	case errors.Is(err, context.Canceled) || errors.Is(err, ErrNoData):
		s.log.Info("background saving called off")
	default:
		s.mu.policy.failed()
		s.failing.Store(true)
		s.log.Error("background saving failed", zap.String("path", s.o.Path), zap.Error(err))
	}
}

// Flushed says that all data were dropped: what is being saved is of no use any more, and
// where there are save points the file is to follow soon. It never blocks for long and may
// be called with shards locked.
func (s *Saves) Flushed() {
	points := s.o.Settings().Points
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.stop != nil {
		s.mu.stop()
	}
	s.mu.policy.scheduled = s.mu.policy.scheduled || len(points) > 0
}

// DeniesWrites is the gate of stop-writes-on-bgsave-error. In the good case it costs one
// atomic load.
func (s *Saves) DeniesWrites() bool {
	if !s.failing.Load() {
		return false
	}
	set := s.o.Settings()
	return set.StopWrites && len(set.Points) > 0
}

// Loaded says that the data are now those of the file.
func (s *Saves) Loaded() { s.saved.Store(s.o.Keyspace.Changes()) }

// Path is the RDB file.
func (s *Saves) Path() string { return s.o.Path }

// Points reports whether there are save points, so that the end of the node saves too.
func (s *Saves) Points() bool { return len(s.o.Settings().Points) > 0 }

func (s *Saves) changes() int64 { return s.o.Keyspace.Changes() - s.saved.Load() }

// LastSave returns when the last save succeeded, in Unix seconds.
func (s *Saves) LastSave() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.policy.last
}

// Status returns what is known of the saves.
func (s *Saves) Status() SaveStatus {
	holder := s.o.Turns.Holder()
	s.mu.Lock()
	defer s.mu.Unlock()
	st := SaveStatus{
		Changes: s.changes(), InProgress: holder == TurnSave || holder == TurnSync,
		LastSave: s.mu.policy.last, Failed: s.failing.Load(),
		LastSeconds: s.mu.seconds, NowSeconds: -1, Saves: s.mu.saves,
	}
	if s.mu.stop != nil {
		st.NowSeconds = int64(s.o.Clock.Now().Sub(s.mu.since) / time.Second)
	}
	if st.InProgress {
		st.KeysDone, st.KeysTotal = s.done.Load(), s.total.Load()
	}
	return st
}

// write takes a snapshot and puts it in the place of the file.
func (s *Saves) write(ctx context.Context) (err error) {
	set := s.o.Settings()
	ks := s.o.Keyspace
	position, changes := NoPosition, int64(0)
	var failed error
	snap, err := ks.Snapshot(engine.SnapshotOptions{
		DB: -1, Delay: true,
		AtCut: func() {
			position, failed = s.o.Position()
			changes = ks.Changes()
		},
	})
	if err != nil {
		return err
	}
	defer snap.Close()
	if failed != nil {
		return failed
	}
	keys := int64(0)
	for db := range ks.Databases() {
		keys += ks.Len(db)
	}
	s.done.Store(0)
	s.total.Store(keys)
	var wrote Written
	err = disk.Replace(s.o.FS, s.o.Path, tempName(os.Getpid()), fileMode, func(f disk.File) error {
		wrote, err = WriteFile(ctx, f, ks, snap, WriteOptions{
			Version: set.Version, Compress: set.Compress, Checksum: set.Checksum, NoSync: set.NoSync, KeyDelay: set.KeyDelay,
			Position: position, Libraries: s.o.Libraries.All(), NowMillis: s.o.Clock.Now().UnixMilli(),
			Progress: func(n int) { s.done.Add(int64(n)) },
		})
		return err
	})
	if err != nil {
		return err
	}
	s.saved.Store(changes)
	s.failing.Store(false)
	s.mu.Lock()
	s.mu.policy.succeeded(s.now())
	s.mu.Unlock()
	s.log.Info("saved", zap.String("path", s.o.Path), zap.Int64("keys", wrote.Keys), zap.Int64("bytes", wrote.Bytes))
	return nil
}

// tempName is the name under which the process pid writes its file.
func tempName(pid int) string { return fmt.Sprintf("temp-%d.rdb", pid) }

// RemoveTemporary removes what processes that are gone have left half written in dir.
// alive reports whether a process other than this one runs.
func RemoveTemporary(fsys disk.FS, dir string, alive func(pid int) bool) error {
	entries, err := fsys.ReadDir(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		var pid int
		if n, _ := fmt.Sscanf(e.Name(), "temp-%d.rdb", &pid); n != 1 || tempName(pid) != e.Name() {
			continue
		}
		if pid != os.Getpid() && alive(pid) {
			continue
		}
		errs = append(errs, fsys.Remove(filepath.Join(dir, e.Name())))
	}
	return errors.Join(errs...)
}
