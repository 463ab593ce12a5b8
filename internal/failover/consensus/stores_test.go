package consensus

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"go.uber.org/zap"
)

// stalling is a store whose writes hang while stall is set, until it is cleared.
type stalling struct {
	stores
	stall *atomic.Bool
}

func (s stalling) hang() {
	for s.stall.Load() {
		time.Sleep(time.Millisecond)
	}
}

func (s stalling) StoreLogs(logs []*raft.Log) error {
	s.hang()
	return s.stores.StoreLogs(logs)
}

func (s stalling) Set(k, v []byte) error {
	s.hang()
	return s.stores.Set(k, v)
}

func (s stalling) SetUint64(k []byte, v uint64) error {
	s.hang()
	return s.stores.SetUint64(k, v)
}

// TestStalledDisk: a leader whose disk hangs loses its place, follows as a non-voter, and
// votes again when the disk is back.
func TestStalledDisk(t *testing.T) {
	t.Parallel()
	stalls := map[string]*atomic.Bool{}
	nodes := cluster(t, 3, func(o *Options) {
		stall := new(atomic.Bool)
		stalls[o.Dir] = stall
		o.reopenAfter = 50 * time.Millisecond
		o.openStores = func(dir string, l *zap.Logger) (stores, error) {
			s, err := openWAL(dir, l)
			return stalling{s, stall}, err
		}
	})
	sick := leader(t, nodes)
	rest := slices.DeleteFunc(slices.Clone(nodes), func(n *node) bool { return n == sick })
	stalls[sick.dir].Store(true)
	defer stalls[sick.dir].Store(false)
	began := time.Now()
	if _, err := sick.c.Propose(within(t, 10*time.Second), bump(sick.c.View())); err != nil {
		t.Fatal(err)
	}
	t.Logf("the sick leader's own proposal went through after %v", time.Since(began))
	if leader(t, rest); sick.c.IsLeader() || sick.c.IsMember() || sick.c.RaftTerm() != 0 {
		t.Fatal("the node with the stalled disk still takes part in raft")
	}
	index, err := rest[0].c.Propose(within(t, 5*time.Second), bump(rest[0].c.View()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sick.c.Await(within(t, 5*time.Second), index); err != nil {
		t.Fatalf("it does not follow: %v", err)
	}
	stalls[sick.dir].Store(false)
	eventually(t, 10*time.Second, "a voter again", sick.c.IsMember)
	settled(t, nodes, 3)
}

// TestPoison: after the first failure nothing is written any more, and writers of the
// stable store never see the error.
func TestPoison(t *testing.T) {
	t.Parallel()
	g := newGuard(20 * time.Millisecond)
	boom := errors.New("boom")
	if err := g.do(func() error { return raft.ErrLogNotFound }); !errors.Is(err, raft.ErrLogNotFound) {
		t.Fatal(err)
	}
	if err := g.do(func() error { return boom }); !errors.Is(err, boom) {
		t.Fatal(err)
	}
	<-g.poisoned
	ran := false
	if err := g.do(func() error { ran = true; return nil }); !errors.Is(err, ErrPoisoned) || ran {
		t.Fatalf("%v, ran %v", err, ran)
	}
	ended := make(chan bool)
	go func() {
		returned := false
		defer func() { ended <- returned }()
		(&guardedStable{g: g}).SetUint64([]byte("k"), 1)
		returned = true
	}()
	select {
	case <-ended:
		t.Fatal("a writer of the stable store was not parked")
	case <-time.After(20 * time.Millisecond):
	}
	g.stop()
	if <-ended {
		t.Fatal("the write returned to its caller")
	}
	<-g.idle
}

func TestDeadlinePoisons(t *testing.T) {
	t.Parallel()
	g := newGuard(10 * time.Millisecond)
	release := make(chan struct{})
	if err := g.do(func() error { <-release; return nil }); !errors.Is(err, ErrPoisoned) {
		t.Fatal(err)
	}
	if err := (&guardedLog{g: g}).DeleteRange(1, 2); !errors.Is(err, ErrPoisoned) {
		t.Fatal(err)
	}
	close(release)
	g.stop()
	<-g.idle
}

// TestLostLog: a voter whose log has been damaged to nothing votes no more, and another
// node takes its place.
func TestLostLog(t *testing.T) {
	t.Parallel()
	nodes := cluster(t, 4, func(o *Options) {
		o.voterDeadAfter, o.lonelyAfter = 300*time.Millisecond, 300*time.Millisecond
	})
	var sick *node
	for _, n := range nodes {
		if n.c.IsMember() && !n.c.IsLeader() {
			sick = n
		}
	}
	sick.kill()
	segments, err := filepath.Glob(filepath.Join(sick.dir, raftDir, "*.wal"))
	if err != nil || len(segments) == 0 {
		t.Fatalf("no segments: %v", err)
	}
	for _, path := range segments {
		if err := os.Truncate(path, 0); err != nil {
			t.Fatal(err)
		}
	}
	sick.boot(sick.addr)
	if sick.c.IsMember() {
		t.Fatal("it takes part in raft with an empty log")
	}
	settled(t, nodes, 4)
}

// TestLostStores: with nobody else to vote, a voter whose stores are gone is taken out
// and enlisted again as a new one.
func TestLostStores(t *testing.T) {
	t.Parallel()
	nodes := cluster(t, 3)
	var sick *node
	for _, n := range nodes {
		if !n.c.IsLeader() {
			sick = n
		}
	}
	addr := sick.addr
	sick.kill()
	if err := os.RemoveAll(filepath.Join(sick.dir, raftDir)); err != nil {
		t.Fatal(err)
	}
	sick.boot(addr)
	eventually(t, 10*time.Second, "a voter again", sick.c.IsMember)
	settled(t, nodes, 3)
}

// TestDamagedMeta: a meta database that has lost its tables, or is cut off anywhere, is
// an error or still whole, never the end of the process.
func TestDamagedMeta(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := openWAL(dir, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(filepath.Join(dir, "wal-meta.db"))
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for size := 0; size < len(whole); size += 1000 {
		damaged := t.TempDir() // a store that could not be opened may keep its file locked
		if err := os.WriteFile(filepath.Join(damaged, "wal-meta.db"), whole[:size], 0o644); err != nil {
			t.Fatal(err)
		}
		if s, err := openWAL(damaged, zap.NewNop()); err == nil {
			s.Close()
		} else {
			refused++
		}
	}
	if refused == 0 {
		t.Error("every damaged store was opened")
	}
}

// A log whose end was taken back, as that of a follower may be, reads after a restart.
func TestTakenBackEndIsRead(t *testing.T) {
	dir := t.TempDir()
	open := func() stores {
		t.Helper()
		s, err := openWAL(dir, zap.NewNop())
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	store := func(s stores, first, last, term uint64) {
		t.Helper()
		for i := first; i <= last; i++ {
			if err := s.StoreLogs([]*raft.Log{{Index: i, Term: term, Data: []byte{byte(i)}}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	s := open()
	store(s, 1, 20, 1)
	for round := uint64(2); round < 5; round++ {
		if err := s.DeleteRange(10, 20); err != nil {
			t.Fatal(err)
		}
		store(s, 10, 20, round)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open()
		for i := uint64(1); i <= 20; i++ {
			var log raft.Log
			if err := s.GetLog(i, &log); err != nil {
				t.Fatalf("round %d, entry %d: %v", round, i, err)
			}
			if i >= 10 && log.Term != round || i < 10 && log.Term != 1 {
				t.Errorf("round %d: entry %d is of term %d", round, i, log.Term)
			}
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
