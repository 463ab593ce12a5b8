package consensus

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// ErrPoisoned is returned by raft's log store after an access failed or took too long.
var ErrPoisoned = errors.New("consensus: raft's store is poisoned")

// guard runs every access to a node's raft stores on one goroutine, with a deadline. A
// leader whose disk stalls would otherwise keep its heartbeats, and so its place, for
// ever. After the first error or expiry the stores are poisoned for good: the log store
// answers errors, and writers of the stable store are parked, because raft panics on an
// error from there. The owner is told by the channel `poisoned`; it takes this node's
// raft off the network and goes on as a non-voter.
type guard struct {
	deadline time.Duration
	work     chan access
	quit     chan struct{} // closed by stop: the worker ends, and so do parked writers
	idle     chan struct{} // closed when the worker has ended
	poisoned chan struct{} // closed on the first failure
	failed   atomic.Bool
	once     sync.Once
	quitOnce sync.Once
	cause    atomic.Pointer[error]
}

// access is one use of a store; it writes only what it owns, since its caller may have
// gone when it ends.
type access struct {
	f    func() error
	done chan error // capacity 1
}

func newGuard(deadline time.Duration) *guard {
	g := &guard{
		deadline: deadline, work: make(chan access),
		quit: make(chan struct{}), idle: make(chan struct{}), poisoned: make(chan struct{}),
	}
	go func() {
		defer close(g.idle)
		for {
			select {
			case <-g.quit:
				return
			case a := <-g.work:
				a.done <- a.f()
			}
		}
	}()
	return g
}

func (g *guard) poison(err error) {
	g.once.Do(func() {
		g.cause.Store(&err)
		g.failed.Store(true)
		close(g.poisoned)
	})
}

// stop ends the worker once its present access returns. Nobody may use the stores after.
func (g *guard) stop() { g.quitOnce.Do(func() { close(g.quit) }) }

// do runs f. That an entry is not there is an answer, not a failure.
func (g *guard) do(f func() error) error {
	if g.failed.Load() {
		return ErrPoisoned
	}
	t := time.NewTimer(g.deadline)
	defer t.Stop()
	a := access{f: f, done: make(chan error, 1)}
	select {
	case g.work <- a:
	case <-g.quit:
		return ErrPoisoned
	case <-g.poisoned:
		return ErrPoisoned
	case <-t.C:
		g.poison(errors.New("store: deadline exceeded"))
		return ErrPoisoned
	}
	select {
	case err := <-a.done:
		if err != nil && !errors.Is(err, raft.ErrLogNotFound) {
			g.poison(err)
		}
		return err
	case <-t.C:
		g.poison(errors.New("store: deadline exceeded"))
		return ErrPoisoned
	}
}

// park holds a writer of a poisoned stable store until stop, and then ends its
// goroutine: raft panics when such a write fails, and must not go on as if it had not.
func (g *guard) park(err error) error {
	if err == nil {
		return nil
	}
	<-g.quit
	runtime.Goexit()
	return err
}

// guardedLog is raft's log store behind the guard.
type guardedLog struct {
	g *guard
	s raft.LogStore
}

func (l *guardedLog) FirstIndex() (uint64, error) { return l.index(l.s.FirstIndex) }
func (l *guardedLog) LastIndex() (uint64, error)  { return l.index(l.s.LastIndex) }

func (l *guardedLog) index(get func() (uint64, error)) (uint64, error) {
	n := new(uint64)
	err := l.g.do(func() (err error) {
		*n, err = get()
		return err
	})
	if err != nil {
		return 0, err
	}
	return *n, nil
}

func (l *guardedLog) GetLog(index uint64, log *raft.Log) error {
	got := new(raft.Log)
	err := l.g.do(func() error { return l.s.GetLog(index, got) })
	if err == nil {
		*log = *got
	}
	return err
}

func (l *guardedLog) StoreLog(log *raft.Log) error { return l.StoreLogs([]*raft.Log{log}) }

func (l *guardedLog) StoreLogs(logs []*raft.Log) error {
	return l.g.do(func() error { return l.s.StoreLogs(logs) })
}

func (l *guardedLog) DeleteRange(min, max uint64) error {
	return l.g.do(func() error { return l.s.DeleteRange(min, max) })
}

// IsMonotonic tells raft that gaps are not tolerated: raft-wal's rule.
func (l *guardedLog) IsMonotonic() bool {
	m, ok := l.s.(raft.MonotonicLogStore)
	return ok && m.IsMonotonic()
}

// guardedStable is raft's stable store behind the guard.
type guardedStable struct {
	g *guard
	s raft.StableStore
}

func (s *guardedStable) Set(key, val []byte) error {
	return s.g.park(s.g.do(func() error { return s.s.Set(key, val) }))
}

func (s *guardedStable) SetUint64(key []byte, val uint64) error {
	return s.g.park(s.g.do(func() error { return s.s.SetUint64(key, val) }))
}

func (s *guardedStable) Get(key []byte) ([]byte, error) {
	got := new([]byte)
	err := s.g.do(func() (err error) {
		*got, err = s.s.Get(key)
		return err
	})
	if err != nil {
		return nil, err
	}
	return *got, nil
}

func (s *guardedStable) GetUint64(key []byte) (uint64, error) {
	n := new(uint64)
	err := s.g.do(func() (err error) {
		*n, err = s.s.GetUint64(key)
		return err
	})
	if err != nil {
		return 0, err
	}
	return *n, nil
}
