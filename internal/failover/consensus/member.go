package consensus

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
	raftwal "github.com/hashicorp/raft-wal"
	"github.com/hashicorp/raft-wal/metadb"
	"go.uber.org/zap"

	"github.com/redwingdb/redwing/internal/bus"
	"github.com/redwingdb/redwing/internal/clock"
	"github.com/redwingdb/redwing/internal/topology"
)

// member is this node's part in raft: a voter, or the spare that is being caught up.
type member struct {
	id    raft.ServerID
	raft  *raft.Raft
	fsm   *fsm
	layer *streamLayer
	trans *raft.NetworkTransport
	guard *guard
	wal   stores
	notes chan bool // raft's NotifyCh
	wg    sync.WaitGroup
	gone  chan struct{} // closed when the member is being closed

	lonelySince time.Time // owned by the keeper: no leader was known since

	led atomic.Pointer[election] // the last time this node was elected
}

// election is when this node became leader of a raft term.
type election struct {
	term uint64
	at   int64 // clock.Mono, not before the election
}

// stores is what raft writes to, closable.
type stores interface {
	raft.LogStore
	raft.StableStore
	Close() error
}

// walStores is raft-wal with its meta database, which its Close leaves open and locked.
type walStores struct {
	*raftwal.WAL
	meta *metadb.BoltMetaDB
}

func (w walStores) Close() error { return errors.Join(w.WAL.Close(), w.meta.Close()) }

func openWAL(dir string, l *zap.Logger) (s stores, err error) {
	meta := &metadb.BoltMetaDB{}
	// The database is a mapped file: where it has been cut off, reads of it fault.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		// The stores' own code trusts the files: a meta database without its tables
		// ends in a nil pointer there. A damaged file is an error like any other. The
		// database stays open: its locks are held by what panicked.
		if p := recover(); p != nil {
			s, err = nil, fmt.Errorf("damaged store: %v", p)
		}
	}()
	wal, err := raftwal.Open(dir, raftwal.WithMetaStore(meta), raftwal.WithSegmentSize(walSegmentBytes), raftwal.WithLogger(newRaftLog(l.Named("wal"))))
	if err != nil {
		return nil, errors.Join(err, meta.Close())
	}
	return walStores{wal, meta}, nil
}

// walSegmentBytes is allocated at once a segment; the log of a cluster is small.
const walSegmentBytes = 4 << 20

// errNoStore is returned when the stores of a member are not there: no store, no vote.
var errNoStore = errors.New("consensus: raft's stores are missing")

// errLostLog is returned when the stores are there but empty, though this node has
// applied entries: raft-wal takes a damaged segment for one that was never written. A
// voter that has forgotten what it confirmed could help to elect a leader without it.
var errLostLog = fmt.Errorf("%w: the log has no entry", errNoStore)

// checkLog returns errLostLog if log and snapshots are empty. A log that merely ends
// before the View is none: this node may have followed as a non-voter since.
func checkLog(log raft.LogStore, snaps raft.SnapshotStore) error {
	last, err := log.LastIndex()
	if err != nil || last > 0 {
		return err
	}
	list, err := snaps.List()
	if err == nil && len(list) == 0 {
		err = errLostLog
	}
	return err
}

// openMember opens raft's stores and starts raft. With create, missing stores are made;
// they know of no configuration until a leader adds this node or it is bootstrapped.
func (c *Consensus) openMember(s *state, create bool) (*member, error) {
	dir := filepath.Join(c.opt.Dir, raftDir)
	tag := filepath.Join(dir, memberTag)
	id := s.raftID() + "@" + s.Cluster
	have, err := os.ReadFile(tag)
	switch {
	case err == nil && string(have) == id:
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return nil, err
	case !create:
		return nil, fmt.Errorf("%w: %s", errNoStore, dir)
	default: // nothing, or what an earlier membership left
		if err := os.RemoveAll(dir); err != nil {
			return nil, err
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
	}
	g := newGuard(storeDeadline)
	var wal stores
	// Opening may stall like any access; a later attempt comes when it has returned.
	open := c.opt.openStores
	if err := g.do(func() (err error) { wal, err = open(dir, c.log); return err }); err != nil {
		g.stop()
		if cause := g.cause.Load(); cause != nil {
			err = *cause
		}
		return nil, err
	}
	fail := func(err error) (*member, error) {
		g.stop()
		wal.Close()
		return nil, err
	}
	snaps, err := raft.NewFileSnapshotStoreWithLogger(dir, 2, newRaftLog(c.log.Named("snapshot")))
	if err != nil {
		return fail(err)
	}
	if !create && c.View().Index > 0 {
		if err := checkLog(&guardedLog{g, wal}, snaps); err != nil {
			return fail(err)
		}
	}
	if string(have) != id {
		if err := replaceFile(tag, []byte(id)); err != nil {
			return fail(err)
		}
	}
	m := &member{
		id: raft.ServerID(s.raftID()), fsm: newFSM(c.publish), guard: g, wal: wal,
		layer: newStreamLayer(c.bus, string(s.Node)), notes: make(chan bool, 16), gone: make(chan struct{}),
		lonelySince: time.Now(),
	}
	log := newRaftLog(c.log.Named("raft"))
	m.trans = raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream: m.layer, MaxPool: 3, MaxRPCsInFlight: 1, Timeout: rpcTimeout, Logger: log,
	})
	conf := raft.DefaultConfig()
	conf.LocalID = m.id
	conf.HeartbeatTimeout, conf.ElectionTimeout = c.timing.Heartbeat, c.timing.Heartbeat
	conf.LeaderLeaseTimeout = c.timing.LeaderLease
	conf.CommitTimeout = commitTimeout
	conf.ShutdownOnRemove = false
	conf.SnapshotThreshold, conf.TrailingLogs, conf.SnapshotInterval = 1024, 512, 30*time.Second
	conf.NotifyCh = m.notes
	conf.Logger = log
	cached, err := raft.NewLogCache(256, &guardedLog{g, wal})
	if err != nil {
		m.trans.Close()
		return fail(err)
	}
	if m.raft, err = newRaft(conf, m.fsm, cached, &guardedStable{g, wal}, snaps, m.trans); err != nil {
		m.trans.Close()
		m.layer.Close()
		return fail(err)
	}
	m.wg.Go(m.watch)
	return m, nil
}

// newRaft is raft.NewRaft, which panics where an entry of the log cannot be read.
func newRaft(conf *raft.Config, fsm raft.FSM, log raft.LogStore, stable raft.StableStore, snaps raft.SnapshotStore, trans raft.Transport) (r *raft.Raft, err error) {
	defer func() {
		if p := recover(); p != nil {
			r, err = nil, fmt.Errorf("damaged store: %v", p)
		}
	}()
	return raft.NewRaft(conf, fsm, log, stable, snaps, trans)
}

// watch notes elections. It drains raft's notices until the member is closed, because
// raft waits for them to be taken.
func (m *member) watch() {
	for {
		select {
		case <-m.gone:
			return
		case led := <-m.notes:
			if led {
				m.led.Store(&election{term: m.raft.CurrentTerm(), at: clock.Mono()})
			}
		}
	}
}

// leads returns this node's election if it leads now.
func (m *member) leads() *election {
	if m.raft.State() != raft.Leader {
		return nil
	}
	e := m.led.Load()
	if e == nil || e.term != m.raft.CurrentTerm() {
		return nil
	}
	return e
}

// close stops raft and closes its stores. A member whose stores are stuck is left to
// itself: its goroutines end when the stores return.
func (m *member) close() {
	m.trans.Close() // closes the layer with it
	stopped := m.raft.Shutdown()
	end := func() {
		stopped.Error()
		close(m.gone)
		m.wg.Wait()
		m.guard.stop()
		<-m.guard.idle
		m.wal.Close()
	}
	if !m.guard.failed.Load() {
		end()
		return
	}
	m.guard.stop() // lets a parked raft go
	go end()
}

// member returns this node's part in raft, nil if it has none.
func (c *Consensus) member() *member { return c.raftMember.Load() }

// startMember opens raft, unless it runs. REQUIRES: c.lifecycle held.
func (c *Consensus) startMember(create bool) error {
	if c.member() != nil {
		return nil
	}
	s := c.stateCopy()
	m, err := c.openMember(&s, create)
	c.lost.Store(errors.Is(err, errNoStore))
	if err != nil {
		return err
	}
	c.raftMember.Store(m)
	c.wg.Go(func() { c.watchStores(m) })
	c.poke()
	return nil
}

// stopMember closes raft; with forget its stores are deleted. REQUIRES: c.lifecycle held.
func (c *Consensus) stopMember(forget bool) error {
	if m := c.raftMember.Swap(nil); m != nil {
		m.close()
		select {
		case <-m.guard.idle:
		case <-time.After(storeDeadline):
			return ErrPoisoned
		}
	}
	if !forget {
		return nil
	}
	c.lost.Store(false)
	return os.RemoveAll(filepath.Join(c.opt.Dir, raftDir))
}

// watchStores takes this node out of raft when its stores fail: its heartbeats stop, it
// follows as a non-voter, and tries again later.
func (c *Consensus) watchStores(m *member) {
	select {
	case <-m.gone:
		return
	case <-c.ctx.Done():
		return
	case <-m.guard.poisoned:
	}
	cause := *m.guard.cause.Load()
	c.log.Error("raft store failed: going on as a non-voter", zap.Error(cause))
	if !c.raftMember.CompareAndSwap(m, nil) {
		return
	}
	m.close()
	c.poke()
	select {
	case <-m.gone:
	case <-c.ctx.Done():
		return
	}
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-time.After(c.opt.reopenAfter):
		}
		if !c.lock(c.ctx) {
			return
		}
		s := c.stateCopy()
		if !s.Member || c.member() != nil {
			c.unlock()
			return
		}
		err := c.startMember(false)
		c.unlock()
		if err == nil {
			c.log.Info("raft store opened again")
			return
		}
		c.log.Warn("raft store does not open", zap.Error(err))
	}
}

// serverOf is a node in raft's configuration: its address is its id.
func serverOf(n *topology.Node) (raft.ServerID, raft.ServerAddress) {
	return raft.ServerID(n.RaftID()), raft.ServerAddress(n.ID)
}

var _ bus.Resolver = (*Consensus)(nil)
