package consensus

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/redwingdb/redwing/internal/bus"
	"github.com/redwingdb/redwing/internal/topology"
)

// Options of a Consensus.
type Options struct {
	// Dir is the cluster directory; of the files that docs/format/cluster-dir.md names
	// nobody else writes any but lineage.json. Required.
	Dir string
	// Run is this life of the process (NewRunID). Required.
	Run topology.RunID
	// Bus carries everything. Consensus sets its identity, its resolver and its own
	// handlers. Required.
	Bus *bus.Bus
	// Node tells address, hostname, zone and priority of this node as it is now; the
	// other fields are filled in here. Required.
	Node func() topology.Node
	// Continues waits until it is known which earlier runs this one continues
	// (topology.UpdateNode), and returns them. Default: none.
	Continues func(ctx context.Context) []topology.RunID
	// NodeTimeout is cluster-node-timeout. Default 1500 ms.
	NodeTimeout time.Duration
	// Highest tells the highest term and epoch this node has stored outside of the log,
	// and how many keys it holds. Default: zeros.
	Highest func() (term, epoch, keys uint64)
	// Serving is told to stop (false) before a join is proposed and to go on (true) when
	// its fate is known. It may wait for commands under way. Default: nothing.
	Serving func(on bool)
	// Seeds are bus addresses asked for the other members' whereabouts while none answers.
	Seeds []string
	// Logger. Default: none.
	Logger *zap.Logger

	// For tests.
	openStores     func(dir string, l *zap.Logger) (stores, error)
	voterDeadAfter time.Duration
	reopenAfter    time.Duration
	lonelyAfter    time.Duration
	abrupt         bool // Close hands nothing over
}

func (o *Options) setDefaults() error {
	var errs []error
	if o.Dir == "" {
		errs = append(errs, errors.New("consensus: Dir is missing"))
	}
	if !o.Run.Valid() {
		errs = append(errs, errors.New("consensus: Run is malformed"))
	}
	if o.Bus == nil || o.Node == nil {
		errs = append(errs, errors.New("consensus: Bus and Node are required"))
	}
	if o.Highest == nil {
		o.Highest = func() (uint64, uint64, uint64) { return 0, 0, 0 }
	}
	if o.Serving == nil {
		o.Serving = func(bool) {}
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.openStores == nil {
		o.openStores = openWAL
	}
	if o.voterDeadAfter == 0 {
		o.voterDeadAfter = voterDeadAfter
	}
	if o.reopenAfter == 0 {
		o.reopenAfter = reopenAfter
	}
	if o.lonelyAfter == 0 {
		o.lonelyAfter = lonelyAfter
	}
	return errors.Join(errs...)
}

// Errors of this package; refusals of the log are topology's.
var (
	// ErrClosed is returned after Close.
	ErrClosed = errors.New("consensus: closed")
	// ErrJoining is returned while the fate of a join is not known.
	ErrJoining = errors.New("consensus: joining another cluster")
	// ErrBothFormed is returned by Meet when both sides have other members.
	ErrBothFormed = errors.New("consensus: both nodes belong to clusters with other members")
	// ErrNotAlone is returned when a node with other members is asked to join.
	ErrNotAlone = errors.New("consensus: this node has other members")
)

// Consensus is one node's end of the topology log.
type Consensus struct {
	opt    Options
	bus    *bus.Bus
	log    *zap.Logger
	timing Timing
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	raftMember atomic.Pointer[member]
	view       atomic.Pointer[topology.View]
	heard      atomic.Uint64 // newest index heard of
	lost       atomic.Bool   // this node was a member and its raft stores are gone
	pulling    atomic.Bool   // Freshen has a pull under way
	leaderHint atomic.Pointer[topology.NodeID]
	lifecycle  chan struct{} // capacity 1: held while forming, joining, resetting, opening raft
	wake       chan struct{} // capacity 1: something changed; the keeper looks again
	resub      chan struct{} // capacity 1: the subscriber looks for another source

	// gate is held for reading while an entry is handed to raft, for writing when the
	// node begins to join: what was handed over before is waited for by a barrier.
	gate sync.RWMutex

	mu struct {
		sync.Mutex
		state   state
		leaving map[topology.NodeID]time.Time // voters being removed, until when
		adding  string                        // raft id of the spare being added
		silent  map[topology.NodeID]time.Time // voters that do not answer, since when
	}
	pub publisher
}

// Open reads the cluster directory and goes on where the last run ended: as a node of
// its own, a member, a voter, or in the middle of a join.
func Open(o Options) (*Consensus, error) {
	if err := o.setDefaults(); err != nil {
		return nil, err
	}
	s, err := loadState(o.Dir)
	if err != nil {
		return nil, err
	}
	c := &Consensus{
		opt: o, bus: o.Bus, log: o.Logger.Named("consensus"), timing: TimingFor(o.NodeTimeout),
		lifecycle: make(chan struct{}, 1), wake: make(chan struct{}, 1), resub: make(chan struct{}, 1),
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.mu.leaving = map[topology.NodeID]time.Time{}
	c.mu.silent = map[topology.NodeID]time.Time{}
	c.pub.init()
	if s.Phase == phaseForming { // it never became a cluster: nobody else knows of it
		s.Cluster, s.Generation, s.Phase, s.Member = "", 0, phaseNone, false
		if err := s.save(o.Dir); err != nil {
			return nil, err
		}
	}
	c.mu.state = s
	v, err := loadView(o.Dir, &s)
	if err != nil {
		c.log.Warn("the stored view does not read", zap.Error(err))
	}
	if v == nil {
		v = c.localView(&s)
	}
	c.view.Store(v)
	c.heard.Store(v.Index)
	c.identify(&s)
	c.bus.SetResolver(c)
	c.handle()
	if s.Phase == phaseJoining {
		o.Serving(false)
	}
	if s.Member {
		c.lock(c.ctx)
		err := c.startMember(false)
		c.unlock()
		if errors.Is(err, errNoStore) {
			c.log.Error("raft's stores are gone: this node votes no more until the leader enlists it again", zap.Error(err))
		} else if err != nil {
			c.Close()
			return nil, fmt.Errorf("consensus: %s: %w", filepath.Join(o.Dir, raftDir), err)
		}
	}
	c.wg.Go(c.subscribe)
	c.wg.Go(c.keep)
	c.wg.Go(c.saveViews)
	c.wg.Go(c.announce)
	if s.Phase == phaseJoining {
		c.wg.Go(c.resumeJoin)
	}
	return c, nil
}

// Close stops everything; the log and the View stay on disk. A leader hands over first,
// so that the others need not wait for its silence.
func (c *Consensus) Close() error {
	if m := c.member(); m != nil && m.leads() != nil && len(c.Voters()) > 1 && !c.opt.abrupt {
		handed := make(chan struct{})
		go func() {
			defer close(handed)
			m.raft.LeadershipTransfer().Error() // ends with raft at the latest
		}()
		select {
		case <-handed:
		case <-time.After(handOver):
		}
	}
	c.gate.Lock() // goRun has started its goroutine before this, or will not
	c.cancel()
	c.gate.Unlock()
	c.unhandle()
	c.pub.close()
	c.lifecycle <- struct{}{} // whoever held it has seen the end of ctx
	err := c.stopMember(false)
	<-c.lifecycle
	c.wg.Wait()
	return err
}

// lock takes the lifecycle; false when ctx or the Consensus ended first.
func (c *Consensus) lock(ctx context.Context) bool {
	select {
	case c.lifecycle <- struct{}{}:
		if c.ctx.Err() == nil {
			return true
		}
		<-c.lifecycle
	case <-ctx.Done():
	case <-c.ctx.Done():
	}
	return false
}

func (c *Consensus) unlock() { <-c.lifecycle }

// poke makes the keeper, the announcer and the subscriber look again.
func (c *Consensus) poke() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
	select {
	case c.resub <- struct{}{}:
	default:
	}
}

func (c *Consensus) stateCopy() state {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.state
}

// setState writes the state file, then takes the state over. REQUIRES: c.lifecycle held.
func (c *Consensus) setState(s state) error {
	if err := s.save(c.opt.Dir); err != nil {
		return err
	}
	c.mu.Lock()
	c.mu.state = s
	c.mu.Unlock()
	return nil
}

// identify tells the bus who this node is.
func (c *Consensus) identify(s *state) {
	n := c.opt.Node()
	c.bus.SetIdentity(bus.Identity{
		Node: string(s.Node), Run: string(c.opt.Run), Cluster: s.Cluster, Generation: s.Generation, Addr: n.Addr.Bus(),
	})
}

// self is this node as it stands in entries.
func (c *Consensus) self(s *state) topology.Node {
	n := c.opt.Node()
	n.ID, n.Incarnation, n.Run, n.Shard, n.Voter = s.Node, s.Incarnation, c.opt.Run, s.Shard, false
	return n
}

// localView is what a node without a cluster sees: itself.
func (c *Consensus) localView(s *state) *topology.View {
	n := c.self(s)
	v := topology.NewView()
	v.Nodes = []topology.Node{n}
	v.Shards = []topology.Shard{{
		ID: n.Shard, Primary: n.ID, PrimaryRun: n.Run, InSync: []topology.Member{{Node: n.ID, Run: n.Run}},
	}}
	return v.Seal()
}

// Self is this node's id. It changes with a hard reset.
func (c *Consensus) Self() topology.NodeID { return c.stateCopy().Node }

// Incarnation is the membership this node is in, or would join with.
func (c *Consensus) Incarnation() uint64 { return c.stateCopy().Incarnation }

// Formed reports whether this node belongs to a cluster.
func (c *Consensus) Formed() bool { return c.stateCopy().Cluster != "" }

// Joining reports whether the fate of a join is open; the node serves nothing then.
func (c *Consensus) Joining() bool { return c.stateCopy().Phase == phaseJoining }

// Timing is what follows from cluster-node-timeout.
func (c *Consensus) Timing() Timing { return c.timing }

// Resolve implements bus.Resolver by the View.
func (c *Consensus) Resolve(node string) (string, bool) {
	n := c.View().Node(topology.NodeID(node))
	if n == nil || n.Addr.BusPort == 0 {
		return "", false
	}
	return n.Addr.Bus(), true
}

// IsMember reports whether this node takes part in raft.
func (c *Consensus) IsMember() bool { return c.member() != nil }

// IsLeader reports whether this node leads the log and knows since when.
func (c *Consensus) IsLeader() bool {
	m := c.member()
	return m != nil && m.leads() != nil
}

// Leader is the newest known leader, "" if none is known.
func (c *Consensus) Leader() topology.NodeID {
	if m := c.member(); m != nil {
		if _, id := m.raft.LeaderWithID(); id != "" {
			return nodeOf(id)
		}
		return ""
	}
	if hint := c.leaderHint.Load(); hint != nil {
		return *hint
	}
	return ""
}

// RaftTerm is raft's current term at this node; 0 if it takes no part in raft.
func (c *Consensus) RaftTerm() uint64 {
	if m := c.member(); m != nil && !m.guard.failed.Load() {
		return m.raft.CurrentTerm()
	}
	return 0
}

// ElectedAt is clock.Mono of this node's election, never before it; 0 if it does not
// lead.
func (c *Consensus) ElectedAt() int64 {
	if m := c.member(); m != nil {
		if e := m.leads(); e != nil {
			return e.at
		}
	}
	return 0
}

// Voters are the voters as this node's raft, or else the View, has them.
func (c *Consensus) Voters() []topology.NodeID {
	if m := c.member(); m != nil {
		if f := m.raft.GetConfiguration(); f.Error() == nil {
			if v := votersOf(f.Configuration()); len(v) > 0 {
				return v
			}
		}
	}
	return c.View().Voters()
}
