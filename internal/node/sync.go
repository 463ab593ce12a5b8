package node

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/redwingdb/redwing/internal/clock"
	"github.com/redwingdb/redwing/internal/migration"
	"github.com/redwingdb/redwing/internal/replication"
	"github.com/redwingdb/redwing/internal/replication/insync"
	"github.com/redwingdb/redwing/internal/server"
	"github.com/redwingdb/redwing/internal/topology"
)

const (
	// syncTick is how often copies that keep silent, and replies that wait in vain, are
	// looked for.
	syncTick = 25 * time.Millisecond
	// settleTimeout bounds how long a graceful failover waits for the sync replies that
	// are still withheld; they are answered by an error after it.
	settleTimeout = 500 * time.Millisecond
)

// errNotConfirmed is returned to who waits for the in-sync copies of a shard that this
// node is no longer, or not yet, primary of.
var errNotConfirmed = errors.New("this node's in-sync copies cannot be asked: it is no primary")

// syncSide drives synchronous writes: it gives the machine of insync what replicas
// acknowledge, the View and the time, tells the server what is confirmed, and proposes
// what the machine wants of the log.
type syncSide struct {
	c       *clusterSide
	log     *zap.Logger
	allowed atomic.Bool   // sync-writes is not no
	kick    chan struct{} // capacity 1: look at once

	mu struct {
		sync.Mutex
		self    topology.Member
		machine *insync.Machine
		verdict insync.Verdict
		changed chan struct{} // closed at the next look; nil: nobody waits for one
		seen    []replication.ReplicaInfo
		copies  []insync.Copy
	}
}

func newSyncSide(c *clusterSide) *syncSide {
	return &syncSide{c: c, log: c.log.Named("sync"), kick: make(chan struct{}, 1)}
}

// questions is what replication asks.
func (s *syncSide) questions() *replication.InSync {
	return &replication.InSync{Allowed: s.allowed.Load, Acked: s.wake, AwaitOutside: s.awaitOutside, AwaitMayDrop: s.awaitMayDrop,
		DiskOnly: s.c.lineage.strict.Load}
}

func (s *syncSide) wake() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// run looks at acknowledgements, Views and the time until ctx ends.
func (s *syncSide) run(ctx context.Context) {
	changed, cancel := s.c.notices()
	defer cancel()
	tick := time.NewTicker(syncTick)
	defer tick.Stop()
	var proposals sync.WaitGroup
	defer proposals.Wait()
	for {
		if p := s.look(); p != nil {
			proposals.Go(func() { s.propose(ctx, p) })
		}
		if s.allowed.Load() {
			s.c.n.server.SweepUnconfirmed()
		}
		s.tendLineage()
		var due <-chan time.Time
		if s.allowed.Load() || s.c.lineage.strict.Load() {
			due = tick.C
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-s.kick:
		case <-due:
		}
	}
}

// look steps the machine and tells the server what is confirmed.
func (s *syncSide) look() *insync.Proposal {
	v := s.c.consensus.View()
	allowed := v.Formed() && v.Config.InSyncOnly()
	if allowed && !s.allowed.Load() {
		s.trackSlots()
	}
	s.allowed.Store(allowed)
	s.mu.Lock()
	defer s.mu.Unlock()
	self := topology.Member{Node: s.c.consensus.Self(), Run: s.c.runID}
	if s.mu.machine == nil || s.mu.self != self {
		s.mu.self, s.mu.machine = self, insync.New(self)
	}
	s.mu.seen, s.mu.copies = s.c.n.repl.Copies(s.mu.seen[:0]), s.mu.copies[:0]
	for i := range s.mu.seen {
		r := &s.mu.seen[i]
		s.mu.copies = append(s.mu.copies, insync.Copy{
			Member: topology.Member{Node: topology.NodeID(r.Node), Run: topology.RunID(r.Run)},
			Online: r.Online, Offset: r.Offset, Heard: r.AckMono,
		})
	}
	verdict, proposal := s.mu.machine.Step(clock.Mono(), v, s.end(), s.mu.copies)
	if verdict != s.mu.verdict {
		if verdict.Refuse != s.mu.verdict.Refuse {
			s.log.Info("in-sync copies", zap.String("shard", string(verdict.Shard)), zap.Uint64("term", verdict.Term), zap.Bool("refuse", verdict.Refuse))
		}
		s.mu.verdict = verdict
		s.c.n.server.SetConfirmed(server.Confirmed(verdict))
	}
	if s.mu.changed != nil {
		close(s.mu.changed)
		s.mu.changed = nil
	}
	return proposal
}

// end is how far this copy has the log: as far as its disk has it, where the next run is to
// go on with that.
func (s *syncSide) end() int64 {
	end := s.c.n.effects.Offset()
	if s.c.lineage.strict.Load() {
		synced, _ := s.c.n.rewrites.File().Synced()
		end = min(end, synced)
	}
	return end
}

// tendLineage looks whether the next run may go on with this one's place in the set.
func (s *syncSide) tendLineage() {
	n, l := s.c.n, s.c.lineage
	if n.loading.now() {
		return
	}
	v := s.c.consensus.View()
	self := s.c.consensus.Self()
	shard := v.ShardOf(self)
	want := s.allowed.Load() && shard != nil && shard.IsInSync(self, s.c.runID) &&
		n.cfg.AppendOnly.Get() && n.cfg.AppendFsync.Get() == "always"
	synced, on := n.rewrites.File().Synced()
	if want && !on && !l.strict.Load() {
		return // no file yet
	}
	l.tend(want, n.effects.Offset(), synced)
}

// begin has a new primary's copies counted before it serves.
func (s *syncSide) begin() {
	if p := s.look(); p != nil {
		s.mu.Lock() // run makes it again
		s.mu.machine.Proposed(clock.Mono(), p.N, errNotConfirmed)
		s.mu.Unlock()
		s.wake()
	}
}

// trackSlots has the log tell slots apart, before the first reply asks for one's offset.
func (s *syncSide) trackSlots() {
	ks := s.c.n.keyspace
	mask := ks.AllShards()
	ks.Lock(mask)
	defer ks.Unlock(mask)
	s.c.n.effects.TrackSlots()
}

// propose brings a change of the in-sync set into the log. Its outcome is the machine's
// to remember.
func (s *syncSide) propose(ctx context.Context, p *insync.Proposal) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(s.c.consensus.View().Config.NodeTimeout())*time.Millisecond)
	defer cancel()
	_, err := s.c.consensus.Propose(ctx, p.Entry)
	s.log.Info("in-sync set", zap.String("change", topology.Describe(p.Entry)), zap.Error(err))
	s.mu.Lock()
	s.mu.machine.Proposed(clock.Mono(), p.N, err)
	s.mu.Unlock()
	s.wake()
}

// await looks at cond, with s.mu held, after each step until it is done.
func (s *syncSide) await(ctx context.Context, cond func() (done bool, err error)) error {
	for {
		s.mu.Lock()
		done, err := cond()
		if s.mu.changed == nil {
			s.mu.changed = make(chan struct{})
		}
		changed := s.mu.changed
		s.mu.Unlock()
		if done || err != nil {
			return err
		}
		s.wake()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// awaitOutside returns once no reply counts on a replica's data.
func (s *syncSide) awaitOutside(ctx context.Context, node, run string) error {
	x := topology.Member{Node: topology.NodeID(node), Run: topology.RunID(run)}
	return s.await(ctx, func() (bool, error) {
		return s.mu.machine == nil || s.mu.machine.Outside(x), nil
	})
}

// awaitMayDrop returns once this node's data may go for those of its primary.
func (s *syncSide) awaitMayDrop(ctx context.Context) error {
	changed, cancel := s.c.notices()
	defer cancel()
	for {
		self := s.c.consensus.Self()
		v := s.c.consensus.View()
		n, shard := v.Node(self), v.ShardOf(self)
		if n == nil || n.Run == s.c.runID && !(v.Config.InSyncOnly() && shard.IsInSync(self, n.Run)) {
			return s.c.lineage.end()
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// confirm returns nil once every in-sync copy has acknowledged the log up to offset; at
// once where there are no synchronous writes.
func (s *syncSide) confirm(ctx context.Context, offset int64) error {
	term := s.c.primaryTerm.Load()
	return s.await(ctx, func() (bool, error) {
		switch v := &s.mu.verdict; {
		case !s.allowed.Load():
			return true, nil
		case v.Term != term || term == 0:
			return false, errNotConfirmed
		default:
			return v.Offset >= offset, nil
		}
	})
}

// settled waits until all that the log has at this moment is confirmed.
func (s *syncSide) settled(ctx context.Context) error {
	return s.confirm(ctx, s.c.n.effects.Offset())
}

// settleShortly is settled for a primary that hands over in any case.
func (s *syncSide) settleShortly(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	if err := s.settled(ctx); err != nil {
		s.log.Info("sync replies are not settled", zap.Error(err))
	}
}

// syncedCopies are a shard's copies as slot moves ask for them: the replicas that are
// attached, and where there are synchronous writes all of the in-sync set.
type syncedCopies struct {
	migration.Replicas
	sync *syncSide
}

// Confirm implements migration.Replicas.
func (r syncedCopies) Confirm(ctx context.Context, offset int64) error {
	if err := r.sync.confirm(ctx, offset); err != nil {
		return err
	}
	return r.Replicas.Confirm(ctx, offset)
}
