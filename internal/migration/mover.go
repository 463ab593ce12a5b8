package migration

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/redwingdb/redwing/internal/clock"
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/effects"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/slots"
	"github.com/redwingdb/redwing/internal/topology"
)

// Bounds of a node's moves.
const (
	// maxSources is how many jobs leave a node at once; others wait for their turn. One
	// that waits to connect again does not count, so that jobs whose target is down do
	// not keep others from going.
	maxSources = 4
	// maxTargets is how many jobs come to a node at once; others are refused and retried.
	maxTargets = 16
	// maxEnded is how many ended jobs are remembered for Status.
	maxEnded = 64
)

// TopologyLog is the topology log as a mover sees it.
type TopologyLog interface {
	// View returns the newest applied View.
	View() *topology.View
	// Subscribe has f called in order after each apply; f does not block.
	Subscribe(f func(old, new *topology.View)) (cancel func())
	// Propose returns nil once e is committed, a refusal (topology.IsRefusal), or an
	// error that leaves the outcome unknown. Proposing again under the same request id
	// applies e once.
	Propose(ctx context.Context, e topology.Entry) (index uint64, err error)
	// Fresh returns a View not older than the leader's now.
	Fresh(ctx context.Context) (*topology.View, error)
}

// Replicas are the copies of this node's shard, as a target needs them.
type Replicas interface {
	// Confirm returns nil once every replica linked to the present term has acknowledged
	// offset; a silent one counts until replication drops it.
	Confirm(ctx context.Context, offset int64) error
	// LagBytes is how far the slowest linked replica is behind; 0 without replicas.
	LagBytes() int64
	// Cuts counts the snapshots that were cut for full syncs. It is counted within the
	// cut (engine's AtCut), under the shard locks.
	Cuts() uint64
}

// Options of a Mover. All but Replicas, Left, RateBytes and Logger are required.
type Options struct {
	Self     topology.NodeID
	Run      topology.RunID
	Keyspace *engine.Keyspace
	Log      *effects.Log // of this node's data
	Table    *command.Table
	Staging  *Staging
	Holds    *Holds
	Topology TopologyLog
	// Dial opens a connection of the bus' protocol "move" to a node.
	Dial func(ctx context.Context, node topology.NodeID) (net.Conn, error)
	// Replicas of this node's shard; nil: it never has any.
	Replicas Replicas
	// Settled returns once all that this node's log has at the time of the call is
	// confirmed to the clients that wait for that. nil: none waits.
	Settled func(ctx context.Context) error
	// Left is told which slots have left this node by a committed move, before commands
	// on them are let go: watches on them become dirty.
	Left func(set *slots.Set)
	// NodeTimeout is cluster-node-timeout. Default 1500 ms.
	NodeTimeout time.Duration
	// Dir is where files are that need no name. nil: the system's folder for temporary ones.
	Dir func() string
	// RateBytes is how many bytes a second a job may send of its snapshot; 0: no limit.
	RateBytes func() int64
	Logger    *zap.Logger
}

// Validate names every bad field.
func (o *Options) Validate() error {
	var errs []error
	need := func(ok bool, name string) {
		if !ok {
			errs = append(errs, errors.New("migration: "+name+" is missing"))
		}
	}
	need(o.Self.Valid(), "Self")
	need(o.Run.Valid(), "Run")
	need(o.Keyspace != nil, "Keyspace")
	need(o.Log != nil, "Log")
	need(o.Table != nil, "Table")
	need(o.Staging != nil, "Staging")
	need(o.Holds != nil, "Holds")
	need(o.Topology != nil, "Topology")
	need(o.Dial != nil, "Dial")
	if o.NodeTimeout < 0 {
		errs = append(errs, fmt.Errorf("migration: NodeTimeout %v is negative", o.NodeTimeout))
	}
	return errors.Join(errs...)
}

// Mover runs the slot moves of a node: as their source, as their target, and as what
// tidies up after a failover.
type Mover struct {
	o     Options
	log   *zap.Logger
	times Times
	kick  chan struct{}
	seats chan struct{}  // a token for each connection as a source; who waits is served in order
	wg    sync.WaitGroup // every goroutine but Run's

	mu struct {
		sync.Mutex
		ctx     context.Context    // nil unless running
		view    *topology.View     // the newest that saw was given
		sources map[string]*source // one for each open move of the log that leaves this node
		targets map[string]*target
		ended   []Status        // oldest first
		swept   map[string]bool // committed jobs whose slots have left this node
	}
}

// New builds a mover; it does nothing before Run.
func New(o Options) (*Mover, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if o.NodeTimeout == 0 {
		o.NodeTimeout = 1500 * time.Millisecond
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.Settled == nil {
		o.Settled = func(context.Context) error { return nil }
	}
	if o.Replicas == nil {
		o.Replicas = noReplicas{}
	}
	if o.Left == nil {
		o.Left = func(*slots.Set) {}
	}
	if o.RateBytes == nil {
		o.RateBytes = func() int64 { return 0 }
	}
	if o.Dir == nil {
		o.Dir = func() string { return "" }
	}
	m := &Mover{o: o, log: o.Logger.Named("migration"), times: DefaultTimes(o.NodeTimeout), kick: make(chan struct{}, 1), seats: make(chan struct{}, maxSources)}
	m.mu.sources = map[string]*source{}
	m.mu.targets = map[string]*target{}
	m.mu.swept = map[string]bool{}
	o.Staging.Bind(o.Table)
	return m, nil
}

type noReplicas struct{}

func (noReplicas) Confirm(context.Context, int64) error { return nil }
func (noReplicas) LagBytes() int64                      { return 0 }
func (noReplicas) Cuts() uint64                         { return 0 }

// Run drives the moves until ctx ends, and returns when all their goroutines have. What
// is held then stays held: only the log can tell who serves those slots.
func (m *Mover) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	m.mu.Lock()
	m.mu.ctx = ctx
	m.mu.Unlock()
	cancel := m.o.Topology.Subscribe(func(_, v *topology.View) { m.saw(v) })
	defer func() {
		cancel()
		m.mu.Lock()
		m.mu.ctx = nil // nothing starts any more
		m.mu.Unlock()
		stop()
		m.wg.Wait()
	}()
	again := time.NewTicker(time.Second)
	defer again.Stop()
	for {
		m.reconcile(ctx, m.o.Topology.View())
		select {
		case <-m.kick:
		case <-again.C: // a full sync may have emptied a stage without a new View
		case <-ctx.Done():
			return nil
		}
	}
}

// saw hands a new View to every job, in order, and has reconcile look at it.
func (m *Mover) saw(v *topology.View) {
	m.mu.Lock()
	m.mu.view = v
	for _, s := range m.mu.sources {
		s.facts.put(s.factsIn(v))
	}
	for _, t := range m.mu.targets {
		t.facts.put(t.factsIn(v))
	}
	m.mu.Unlock()
	m.wakeUp()
}

func (m *Mover) wakeUp() {
	select {
	case m.kick <- struct{}{}:
	default:
	}
}

// spawn starts a goroutine that Run waits for; false when the mover does not run.
func (m *Mover) spawn(f func(ctx context.Context)) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.spawnLocked(f)
}

func (m *Mover) spawnLocked(f func(ctx context.Context)) bool {
	ctx := m.mu.ctx
	if ctx == nil {
		return false
	}
	m.wg.Add(1)
	go func() {
		defer m.wg.Done()
		f(ctx)
	}()
	return true
}

// reconcile starts the jobs that the View wants this run to drive, and tidies up what
// former primaries have left.
func (m *Mover) reconcile(ctx context.Context, v *topology.View) {
	m.sweep(v)
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range v.Moves {
		mv := &v.Moves[i]
		if !mv.IsOpen() || m.mu.sources[mv.Job] != nil || !m.primaryOf(v, mv.Source) {
			continue
		}
		s := newSource(m, mv)
		if m.spawnLocked(s.run) {
			m.mu.sources[mv.Job] = s
			s.facts.put(s.factsIn(m.newestLocked()))
		}
	}
}

// newestLocked returns the newest View, so that a job which enters misses none: those
// that come later are handed to it by saw.
func (m *Mover) newestLocked() *topology.View {
	v := m.o.Topology.View()
	if m.mu.view != nil && m.mu.view.Index > v.Index {
		v = m.mu.view
	}
	return v
}

// primaryOf reports whether this run is the primary of shard.
func (m *Mover) primaryOf(v *topology.View, shard topology.ShardID) bool {
	s := v.ShardByID(shard)
	return s != nil && s.Primary == m.o.Self && s.PrimaryRun == m.o.Run
}

// sourceEnded is the last word of a source.
func (m *Mover) sourceEnded(s *source) {
	m.mu.Lock()
	delete(m.mu.sources, s.move.job)
	m.rememberLocked(s.progress.status())
	m.mu.Unlock()
	m.wakeUp()
}

// targetEnded is the last word of a target.
func (m *Mover) targetEnded(t *target) {
	m.mu.Lock()
	if m.mu.targets[t.move.job] == t {
		delete(m.mu.targets, t.move.job)
	}
	m.rememberLocked(t.progress.status())
	m.mu.Unlock()
	m.wakeUp()
}

// rememberLocked keeps the newest word on each side of a job. REQUIRES m.mu held.
func (m *Mover) rememberLocked(s Status) {
	m.mu.ended = slices.DeleteFunc(m.mu.ended, func(o Status) bool { return o.Job == s.Job && o.Role == s.Role })
	if n := len(m.mu.ended); n >= maxEnded {
		m.mu.ended = append(m.mu.ended[:0], m.mu.ended[n-maxEnded+1:]...)
	}
	m.mu.ended = append(m.mu.ended, s)
}

// moveInfo is what never changes of a job.
type moveInfo struct {
	job            string
	source, target topology.ShardID
	slots          slots.Set
}

func infoOf(mv *topology.Move) moveInfo {
	return moveInfo{job: mv.Job, source: mv.Source, target: mv.Target, slots: mv.Slots}
}

// factsIn reads what v says of the job.
func (i *moveInfo) factsIn(v *topology.View) Facts {
	mv := v.Move(i.job)
	if mv == nil {
		// Ended so long ago that the log has forgotten it: who owns the slots tells how.
		if owner := firstOwner(v, &i.slots); owner != nil && owner.ID == i.target {
			return Facts{Outcome: JobCommitted}
		}
		return Facts{Outcome: JobAborted}
	}
	f := Facts{Tag: Tag{mv.Job, mv.Attempt, mv.SourceTerm, mv.TargetTerm}}
	switch mv.State {
	case topology.MoveCommitted:
		f.Outcome = JobCommitted
	case topology.MoveAborted:
		f.Outcome = JobAborted
	}
	return f
}

func firstOwner(v *topology.View, set *slots.Set) *topology.Shard {
	for slot := range set.Each() {
		return v.Owner(slot)
	}
	return nil
}

// mailbox holds the newest facts of a job until its goroutine takes them. That a job
// has ended is never overwritten.
type mailbox struct {
	wake chan struct{}
	mu   struct {
		sync.Mutex
		facts Facts
		full  bool
	}
}

func newMailbox() mailbox { return mailbox{wake: make(chan struct{}, 1)} }

func (b *mailbox) put(f Facts) {
	b.mu.Lock()
	if b.mu.full && b.mu.facts.Outcome != JobOpen {
		mine := f.Mine
		f = b.mu.facts
		f.Mine = mine
	}
	b.mu.facts, b.mu.full = f, true
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

func (b *mailbox) get() Facts {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.mu.facts
}

// alarm is a timer for a machine's deadline.
type alarm struct{ t *time.Timer }

func newAlarm() alarm { return alarm{time.NewTimer(time.Hour)} }

// set arms the alarm for a reading of clock.Mono.
func (a alarm) set(at int64, ok bool) {
	if !ok {
		a.t.Stop()
		return
	}
	a.t.Reset(max(0, time.Duration(at-clock.Mono())))
}
