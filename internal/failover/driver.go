package failover

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/redwingdb/redwing/internal/clock"
	"github.com/redwingdb/redwing/internal/topology"
)

// tickEvery is how often the pure parts look at the time. It adds to every step of
// a failover, and costs some microseconds.
const tickEvery = 10 * time.Millisecond

// maxSuspendDrift is how far CLOCK_BOOTTIME may run ahead of CLOCK_MONOTONIC
// between two ticks before the machine counts as having been suspended.
const maxSuspendDrift = int64(5 * time.Millisecond)

// Options of a Driver.
type Options struct {
	Self      topology.NodeID
	Log       Log
	Transport Transport
	Local     Local
	// NodeTimeout is cluster-node-timeout. Default 1500 ms. The lease does not
	// follow it but the cluster's own (topology.ClusterConfig).
	NodeTimeout func() time.Duration
	// ValidityFactor is cluster-replica-validity-factor. Default 10.
	ValidityFactor func() int
	// Mono is the clock of leases, nanoseconds. Default clock.Mono: CLOCK_MONOTONIC
	// through the vDSO costs 24 ns where CLOCK_BOOTTIME, a raw system call in Go,
	// costs 205, and the data path reads it after every command. What BOOTTIME
	// would give is that a lease ends while the machine is suspended; instead the
	// driver compares the two clocks at every tick and voids the lease when they
	// drift apart (Suspended).
	Mono func() int64
	// Suspended returns how long the machine has been suspended since boot, in
	// nanoseconds. Default CLOCK_BOOTTIME - CLOCK_MONOTONIC.
	Suspended func() int64
	Logger    *zap.Logger
	// OnEvent is called with each event, from any goroutine; it must not block.
	OnEvent func(Event)
}

// Validate names every bad field.
func (o *Options) Validate() error {
	var errs []error
	bad := func(text string) { errs = append(errs, errors.New("failover: "+text)) }
	if !o.Self.Valid() {
		bad("Self is no node id")
	}
	if o.Log == nil {
		bad("Log is missing")
	}
	if o.Transport == nil {
		bad("Transport is missing")
	}
	if o.Local == nil {
		bad("Local is missing")
	}
	return errors.Join(errs...)
}

// Driver runs failover on a node: it gives the pure parts time, the bus and the log.
//
// All pure parts are guarded by mu, which is never held over a call of the log, the
// bus or the data side, except reads of atomics.
type Driver struct {
	o      Options
	log    *zap.Logger
	events eventRing
	lease  atomic.Pointer[leaseCell]
	down   atomic.Pointer[map[topology.NodeID]bool]
	hint   atomic.Pointer[topology.NodeID] // a leader that somebody named
	kick   chan struct{}                   // capacity 1: look at once
	sends  chan struct{}                   // one token a call in flight
	renews chan struct{}                   // one token a renewal in flight

	// kept is what keep was last told; owned by Run's goroutine.
	kept struct {
		view   *topology.View
		voters []topology.NodeID
	}

	ctx    context.Context // of Run; calls end with it
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu struct {
		sync.Mutex
		cluster   membership // what the parts below belong to
		timing    Timing
		holder    *Holder
		watch     *Watch
		leader    *Leader
		beginning uint64 // the raft term whose Lead is under way; 0: none
		suspended int64
		nextID    uint64
		asks      map[uint64]chan bool // renewals waiting for AnswerAsk
		handing   bool                 // a handover is under way here
		asked     int64                // when the leader was last asked who is down
		noted     int64                // when a leader last answered a Release
		closed    bool
	}
}

// membership tells one cluster, and one generation of it, from another.
type membership struct {
	cluster    string
	generation uint64
}

func membershipOf(v *topology.View) membership { return membership{v.ClusterID, v.Generation} }

// leaseCell is the lease as the data path reads it.
type leaseCell struct {
	shard topology.ShardID
	term  uint64
	until int64
}

const (
	maxSends  = 1024 // calls in flight
	maxRenews = 16
	maxWaits  = 4096 // renewals waiting at a leader
)

// New builds a driver. It answers calls from Run on.
func New(o Options) (*Driver, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if o.NodeTimeout == nil {
		o.NodeTimeout = func() time.Duration { return 1500 * time.Millisecond }
	}
	if o.ValidityFactor == nil {
		o.ValidityFactor = func() int { return 10 }
	}
	if o.Mono == nil {
		o.Mono = clock.Mono
	}
	if o.Suspended == nil {
		o.Suspended = suspendedNanos
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	d := &Driver{
		o: o, log: o.Logger.Named("failover"),
		kick:   make(chan struct{}, 1),
		sends:  make(chan struct{}, maxSends),
		renews: make(chan struct{}, maxRenews),
	}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	d.lease.Store(new(leaseCell))
	d.down.Store(&map[topology.NodeID]bool{})
	d.mu.asks = map[uint64]chan bool{}
	return d, nil
}

// LeaseUntil returns until when (clock.Mono) this node may serve the shard in this
// term; 0: not at all. One atomic load.
func (d *Driver) LeaseUntil(shard topology.ShardID, term uint64) int64 {
	c := d.lease.Load()
	if c.term != term || c.shard != shard {
		return 0
	}
	return c.until
}

// Events returns the last events of this node, oldest first.
func (d *Driver) Events() []Event { return d.events.list() }

// Down reports whether a majority of voters takes the node for gone, as far as this
// node has been told.
func (d *Driver) Down(node topology.NodeID) bool { return (*d.down.Load())[node] }

// Run drives failover until ctx ends or Close is called.
func (d *Driver) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, d.cancel)
	defer stop()
	d.handle(true)
	defer d.handle(false)
	cancel := d.o.Log.Subscribe(func(_, v *topology.View) { d.followView(v) })
	defer cancel()
	d.mu.Lock()
	d.mu.suspended = d.o.Suspended()
	d.mu.Unlock()
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	for {
		d.tick()
		select {
		case <-d.ctx.Done():
			d.stop()
			return nil
		case <-ticker.C:
		case <-d.kick:
		}
	}
}

// Close ends Run and waits for everything started by it.
func (d *Driver) Close() {
	d.cancel()
	d.stop()
}

// stop answers who still waits and waits for the goroutines.
func (d *Driver) stop() {
	d.mu.Lock()
	d.mu.closed = true
	leader := d.mu.leader
	d.mu.leader = nil
	for id, ch := range d.mu.asks {
		delete(d.mu.asks, id)
		ch <- false
	}
	d.mu.Unlock()
	if leader != nil {
		leader.Close()
	}
	d.lease.Store(new(leaseCell))
	d.wg.Wait()
}

// spawn runs f on a goroutine that Close waits for; false when closing.
func (d *Driver) spawn(f func()) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.mu.closed {
		return false
	}
	d.wg.Add(1)
	go func() {
		defer d.wg.Done()
		f()
	}()
	return true
}

func (d *Driver) wake() {
	select {
	case d.kick <- struct{}{}:
	default:
	}
}

// followView lets the holder see a new View at once, so that a lease of a term that
// has passed ends now and not at the next tick.
func (d *Driver) followView(v *topology.View) {
	d.mu.Lock()
	if d.mu.holder != nil && membershipOf(v) == d.mu.cluster {
		d.mu.holder.SetView(d.o.Mono(), v)
		d.publishLocked()
	}
	d.mu.Unlock()
	d.wake()
}

// publishLocked shows the lease to the data path. REQUIRES: d.mu held.
func (d *Driver) publishLocked() {
	var c leaseCell
	if h := d.mu.holder; h != nil {
		c.shard, c.term, c.until = h.Lease()
	}
	if *d.lease.Load() != c {
		d.lease.Store(&c)
	}
}

// enterLocked begins anew in another cluster: nothing that was known holds there.
// REQUIRES: d.mu held.
func (d *Driver) enterLocked(v *topology.View) {
	d.mu.cluster = membershipOf(v)
	d.mu.holder, d.mu.watch, d.mu.beginning = nil, nil, 0
	if v.Formed() {
		d.setTimingLocked(v)
		d.mu.holder = NewHolder(d.mu.timing, d.o.Self, d.o.Local.Run())
		d.mu.watch = NewWatch(d.mu.timing, d.o.Self)
	}
}

// setTimingLocked takes the lease's times from the cluster and the detection's from
// this node's configuration. REQUIRES: d.mu held.
func (d *Driver) setTimingLocked(v *topology.View) {
	t := TimingOf(time.Duration(v.Config.NodeTimeout())*time.Millisecond, 0)
	t.NodeTimeout = max(int64(d.o.NodeTimeout()), int64(100*time.Millisecond))
	t.Validity = int64(d.o.ValidityFactor()) * t.NodeTimeout
	if t == d.mu.timing {
		return
	}
	d.mu.timing = t
	if d.mu.watch != nil {
		d.mu.watch.t = t
	}
	if d.mu.leader != nil {
		d.mu.leader.t = t
	}
}

// tick looks at time, View and leadership and moves every part on.
func (d *Driver) tick() {
	v := d.o.Log.View()
	term, elected, leads := d.leadership()
	voters := d.o.Log.Voters()
	suspended := d.o.Suspended()
	d.keep(v, voters)
	now := d.o.Mono()

	d.mu.Lock()
	var out []Action
	var lost *Leader
	if d.mu.cluster != membershipOf(v) {
		lost, d.mu.leader = d.mu.leader, nil
		d.enterLocked(v)
	}
	if d.mu.holder == nil || d.mu.closed {
		d.publishLocked()
		d.mu.Unlock()
		d.perform(lost, lost.closing())
		return
	}
	d.setTimingLocked(v)
	slept := suspended-d.mu.suspended > maxSuspendDrift
	d.mu.suspended = suspended
	if slept {
		d.mu.holder.Void(now)
	}
	d.mu.holder.SetView(now, v)
	if l := d.mu.leader; l != nil && (!leads || l.RaftTerm() != term) {
		lost, d.mu.leader = l, nil
	}
	begin := leads && d.mu.leader == nil && d.mu.beginning != term
	if begin {
		d.mu.beginning = term
	}
	leader := d.mu.leader
	if leader != nil {
		out = append(leader.SetView(now, v, voters), leader.Tick(now)...)
		d.setDown(leader.Down(now))
	}
	ask, release := d.mu.holder.Next(now)
	starving := d.mu.holder.Starving(now)
	d.publishLocked()
	d.mu.Unlock()

	if slept {
		d.note(Event{Kind: EventSuspend, Text: "the machine was suspended; its lease is void", Phases: noPhases})
	}
	if lost != nil {
		d.perform(lost, lost.closing())
		d.note(Event{Kind: EventLeader, Term: lost.RaftTerm(), From: d.o.Self, Text: "leads no more", Phases: noPhases})
	}
	if begin {
		d.spawn(func() { d.beginLead(term, elected) })
	}
	d.perform(leader, out)
	d.renew(v, voters, ask, release, starving)
}

// leadership reads the raft term and whether this node leads in it.
func (d *Driver) leadership() (term uint64, elected int64, leads bool) {
	term = d.o.Log.RaftTerm()
	leads = d.o.Log.IsLeader()
	elected = d.o.Log.ElectedAt()
	return term, elected, leads && elected != 0 && d.o.Log.RaftTerm() == term
}

// keep tells the bus whom to stay connected to when that has changed. Only Run's
// goroutine calls it.
func (d *Driver) keep(v *topology.View, voters []topology.NodeID) {
	if d.kept.view == v && slices.Equal(d.kept.voters, voters) {
		return
	}
	d.kept.view, d.kept.voters = v, voters
	d.o.Transport.Keep(d.watched(v, voters))
}

// watched are the nodes this node keeps connections to: a voter watches everybody,
// the others keep in touch with the voters.
func (d *Driver) watched(v *topology.View, voters []topology.NodeID) []string {
	var out []string
	isVoter := false
	for _, id := range voters {
		isVoter = isVoter || id == d.o.Self
		out = append(out, string(id))
	}
	if !isVoter {
		return out
	}
	out = out[:0]
	for i := range v.Nodes {
		out = append(out, string(v.Nodes[i].ID))
	}
	return out
}

// beginLead commits this leader's Lead entry and only then lets it decide.
func (d *Driver) beginLead(term uint64, elected int64) {
	ctx, cancel := context.WithTimeout(d.ctx, 2*time.Second)
	defer cancel()
	_, err := d.o.Log.Propose(ctx, topology.Lead{
		Header:   topology.Header{Request: "lead/" + string(d.o.Self) + "/" + utoa(term), AtMillis: clock.WallMillis()},
		RaftTerm: term, Node: d.o.Self,
	})
	now, _, leads := d.leadership()
	v, voters := d.o.Log.View(), d.o.Log.Voters()
	d.mu.Lock()
	began := false
	switch {
	case d.mu.beginning != term || d.mu.closed:
	case err == nil && leads && now == term && v.LeadTerm == term && membershipOf(v) == d.mu.cluster:
		d.mu.leader = NewLeader(d.mu.timing, d.o.Self, term, elected, v, voters)
		began = true
	case err != nil && topology.IsRefusal(err):
		// A later leader has begun; this one must not. A new term tries again.
	default:
		d.mu.beginning = 0 // the next tick tries again, under the same request id
	}
	d.mu.Unlock()
	if began {
		d.note(Event{Kind: EventLeader, Term: term, To: d.o.Self, Text: "leads", Phases: noPhases})
		d.wake()
	}
}

// setDown shows who is gone to whoever asks.
func (d *Driver) setDown(ids []topology.NodeID) {
	old := *d.down.Load()
	same := len(old) == len(ids)
	for _, id := range ids {
		same = same && old[id]
	}
	if same {
		return
	}
	m := make(map[topology.NodeID]bool, len(ids))
	for _, id := range ids {
		m[id] = true
	}
	d.down.Store(&m)
}

// note writes an event.
func (d *Driver) note(e Event) {
	e.AtMillis = clock.WallMillis()
	d.events.add(e)
	d.log.Info("failover event", zap.String("kind", string(e.Kind)), zap.String("shard", string(e.Shard)),
		zap.Uint64("term", e.Term), zap.String("node", string(e.To)), zap.String("text", e.Text),
		zap.Int64("confirmed_ms", millis(e.Phases.Confirmed)), zap.Int64("lease_over_ms", millis(e.Phases.LeaseOver)),
		zap.Int64("committed_ms", millis(e.Phases.Committed)), zap.Int64("serving_ms", millis(e.Phases.Serving)))
	if d.o.OnEvent != nil {
		d.o.OnEvent(e)
	}
}

func millis(nanos int64) int64 {
	if nanos < 0 {
		return -1
	}
	return nanos / int64(time.Millisecond)
}
