package migration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/redwingdb/redwing/internal/clock"
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/effects"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/resp"
	"github.com/redwingdb/redwing/internal/slots"
	"github.com/redwingdb/redwing/internal/topology"
)

// replicaLagBytes is how far this shard's slowest replica may be behind before the
// source is made to wait: what is staged goes to the replicas, too.
const replicaLagBytes = 16 << 20

// errSynced is returned when a replica began a full sync during an attempt: what was
// staged before is not in it.
var errSynced = errors.New("migration: a replica was fully synced during the attempt")

// target drives a TargetJob: its run goroutine owns the machine, its receive goroutine
// reads the source's frames and stages what they hold.
type target struct {
	m        *Mover
	move     moveInfo
	tag      Tag
	name     string     // of the stage
	job      *TargetJob // owned by run
	link     *link
	events   chan TargetEventKind
	facts    mailbox
	progress *progress
	done     chan struct{} // closed when run has returned
	cuts     uint64        // Replicas.Cuts before the stage began

	ctx      context.Context
	cancel   context.CancelFunc
	wg       sync.WaitGroup
	busy     atomic.Bool // receive is applying: the source is not silent
	proposal atomic.Bool // a CommitMove is on its way
}

func (t *target) factsIn(v *topology.View) Facts {
	f := t.move.factsIn(v)
	f.Mine = t.m.primaryOf(v, t.move.target)
	if f.Outcome == JobCommitted && f.Tag == (Tag{}) {
		f.Tag = t.tag // forgotten by the log; a later attempt would have taken this stage's place
	}
	return f
}

// Serve takes a connection of the protocol "move" that node peer has opened; it returns
// when the attempt has ended.
func (m *Mover) Serve(conn net.Conn, peer topology.NodeID) {
	done := make(chan struct{})
	if !m.spawn(func(ctx context.Context) {
		defer close(done)
		m.serve(ctx, conn, peer)
	}) {
		conn.Close()
		return
	}
	<-done
}

func (m *Mover) serve(ctx context.Context, conn net.Conn, peer topology.NodeID) {
	l := newLink(conn, m.o.NodeTimeout)
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	defer conn.Close()
	conn.SetReadDeadline(time.Now().Add(m.o.NodeTimeout))
	kind, payload, err := l.in.next()
	if err != nil || kind != frameBegin {
		m.log.Debug("malformed begin of a slot move", zap.String("node", string(peer)), zap.Error(err))
		return
	}
	conn.SetReadDeadline(time.Time{})
	b, err := parseBegin(payload)
	var t *target
	if err == nil {
		t, err = m.admit(ctx, l, &b, peer)
	}
	if err != nil {
		l.send(frameRefuse, []byte(err.Error()))
		return
	}
	t.run()
}

// admit registers the attempt if the log says that it is to run here.
func (m *Mover) admit(ctx context.Context, l *link, b *begin, peer topology.NodeID) (*target, error) {
	v := m.o.Topology.View()
	if v.Index < b.Index {
		fresh, cancel := context.WithTimeout(ctx, m.o.NodeTimeout/2)
		defer cancel()
		var err error
		if v, err = m.o.Topology.Fresh(fresh); err != nil {
			return nil, fmt.Errorf("index %d is not known here: %w", b.Index, err)
		}
	}
	mv := v.Move(b.Job)
	if mv == nil || !mv.IsOpen() || (Tag{mv.Job, mv.Attempt, mv.SourceTerm, mv.TargetTerm}) != b.tag() {
		return nil, fmt.Errorf("attempt %s is not open at index %d", b.tag(), v.Index)
	}
	if from := v.ShardByID(mv.Source); from == nil || from.Primary != peer {
		return nil, fmt.Errorf("%s is not the primary of the source", peer)
	}
	if !m.primaryOf(v, mv.Target) {
		return nil, errors.New("this node is not the primary of the target")
	}
	t := &target{
		m: m, move: infoOf(mv), tag: b.tag(), link: l,
		name: m.o.Staging.newName(b.TargetTerm),
		job:  NewTargetJob(m.times, b.tag(), clock.Mono()), events: make(chan TargetEventKind, 64),
		facts: newMailbox(), done: make(chan struct{}), cuts: m.o.Replicas.Cuts(),
	}
	t.progress = newProgress(RoleTarget, &t.move)
	t.progress.keysTotal.Store(b.Keys)
	t.progress.set(func(s *Status) { s.Peer, s.Attempt = peer, b.Attempt })
	t.ctx, t.cancel = context.WithCancel(ctx)
	if err := m.enter(ctx, t); err != nil {
		t.cancel()
		return nil, err
	}
	return t, nil
}

// enter makes t the job's target, once an older connection's has ended.
func (m *Mover) enter(ctx context.Context, t *target) error {
	patience, cancel := context.WithTimeout(ctx, m.o.NodeTimeout/2)
	defer cancel()
	for {
		m.mu.Lock()
		old := m.mu.targets[t.move.job]
		if old == nil {
			if len(m.mu.targets) >= maxTargets {
				m.mu.Unlock()
				return fmt.Errorf("%d slot moves come in already", maxTargets)
			}
			m.mu.targets[t.move.job] = t
			t.facts.put(t.factsIn(m.newestLocked()))
			m.mu.Unlock()
			return nil
		}
		m.mu.Unlock()
		// The source has begun anew, so it has given that connection up.
		old.link.conn.Close()
		select {
		case <-old.done:
		case <-patience.Done():
			return fmt.Errorf("attempt %s is still being settled", old.tag)
		}
	}
}

// run owns the machine until nothing is staged any more.
func (t *target) run() {
	defer close(t.done)
	defer t.m.targetEnded(t)
	defer t.wg.Wait()
	defer t.cancel()
	defer t.link.conn.Close()
	apply := command.NewApplier(t.m.o.Table, t.m.o.Keyspace)
	if err := t.m.stage(apply, &t.move, wordBegin, []byte(t.name), []byte(t.tag.String()), []byte(t.move.slots.String())); err != nil {
		t.link.send(frameRefuse, []byte(err.Error()))
		return
	}
	if err := t.link.send(frameAccept, []byte(t.name)); err != nil {
		t.post(TargetLost)
	}
	t.start(t.receive)
	t.start(func() error { return keepAlive(t.ctx, t.link, t.m.o.NodeTimeout) })
	alarm := newAlarm()
	defer alarm.t.Stop()
	for t.job.State() != TargetDone {
		alarm.set(t.job.Deadline())
		select {
		case kind := <-t.events:
			t.step(apply, TargetEvent{Kind: kind})
		case <-t.facts.wake:
			f := t.facts.get()
			if f.Outcome != JobOpen {
				mv := t.m.o.Topology.View().Move(t.move.job)
				t.progress.set(func(s *Status) { s.end(f.Outcome, mv) })
			}
			t.step(apply, TargetEvent{Kind: TargetSaw, Facts: f})
		case <-alarm.t.C:
			kind := TargetTick
			if t.busy.Load() && t.job.State() == TargetStage {
				kind = TargetHeard
			}
			t.step(apply, TargetEvent{Kind: kind})
		case <-t.ctx.Done():
			return
		}
	}
}

func (t *target) start(f func() error) {
	t.wg.Add(1)
	go func() {
		defer t.wg.Done()
		if err := f(); err != nil && t.ctx.Err() == nil {
			t.progress.fail(err)
			t.post(TargetLost)
		}
	}()
}

func (t *target) post(kind TargetEventKind) {
	select {
	case t.events <- kind:
	case <-t.ctx.Done():
	}
}

func (t *target) step(apply *command.Applier, ev TargetEvent) {
	was := t.job.State()
	acts := t.job.Step(clock.Mono(), ev)
	for len(acts) > 0 {
		a := acts[0]
		acts = acts[1:]
		if a == TargetDoAttach {
			t.m.attach(t.tag, t.name, t.m.o.Replicas.Cuts, t.cuts)
			t.m.log.Info("slots moved here", zap.String("job", t.move.job), zap.Int("slots", t.move.slots.Len()))
			acts = append(acts, t.job.Step(clock.Mono(), TargetEvent{Kind: TargetAttached})...)
			continue
		}
		t.act(apply, a)
	}
	if now := t.job.State(); now != was {
		t.progress.set(func(s *Status) { s.Phase = now.String() })
		t.m.log.Debug("slot move", zap.String("job", t.move.job), zap.Stringer("from", was), zap.Stringer("state", now), zap.Uint64("attempt", t.tag.Attempt))
	}
}

func (t *target) act(apply *command.Applier, a TargetAction) {
	switch a {
	case TargetDoConfirm:
		t.start(t.confirm)
	case TargetDoPropose:
		// From here on CommitMove may come at any moment.
		t.m.o.Staging.announce(t.name)
		t.propose()
	case TargetDoDrop:
		if err := t.m.stage(apply, &t.move, wordDrop, []byte(t.name)); err != nil {
			t.m.log.Error("staged slots not dropped", zap.String("job", t.move.job), zap.Error(err))
		}
	case TargetDoServing:
		if err := t.link.send(frameServing, nil); err != nil {
			t.m.log.Debug("source not told", zap.String("job", t.move.job), zap.Error(err))
		}
	case TargetDoClose:
		t.link.conn.Close()
		t.cancel()
	}
}

// confirm waits until the shard's linked replicas have all that is staged.
func (t *target) confirm() error {
	ctx, cancel := context.WithTimeout(t.ctx, 2*t.m.o.NodeTimeout)
	defer cancel()
	err := t.m.o.Replicas.Confirm(ctx, t.m.o.Log.Offset())
	if err == nil && t.m.o.Replicas.Cuts() != t.cuts {
		err = errSynced
	}
	if err != nil {
		t.progress.fail(err)
		t.post(TargetUnconfirmed)
		return nil
	}
	t.post(TargetConfirmed)
	return nil
}

// propose asks the log for the slots. What comes of it comes as a View, but for a
// refusal that a View as new as the refusal does not explain.
func (t *target) propose() {
	if !t.proposal.CompareAndSwap(false, true) {
		return
	}
	t.start(func() error {
		defer t.proposal.Store(false)
		ctx, cancel := context.WithTimeout(t.ctx, t.m.o.NodeTimeout)
		defer cancel()
		e := topology.CommitMove{Job: t.tag.Job, Attempt: t.tag.Attempt, SourceTerm: t.tag.SourceTerm, TargetTerm: t.tag.TargetTerm}
		e.Request, e.AtMillis = "commit/"+t.tag.String(), clock.WallMillis()
		_, err := t.m.o.Topology.Propose(ctx, e)
		if err == nil {
			return nil
		}
		t.progress.fail(err)
		if !topology.IsRefusal(err) {
			return nil // unknown: the machine asks again until the log shows it
		}
		v, fresh := t.m.o.Topology.Fresh(ctx)
		if fresh != nil {
			return nil
		}
		f := t.factsIn(v)
		t.facts.put(f)
		if f.Outcome == JobOpen && f.Tag == t.tag && f.Mine {
			t.post(TargetRefused)
		}
		return nil
	})
}

// receive stages what the source sends.
func (t *target) receive() error {
	apply := command.NewApplier(t.m.o.Table, t.m.o.Keyspace)
	parser := resp.Parser{MaxBulk: -1}
	applied := uint64(0)
	t.link.in.progress = func() { t.post(TargetHeard) }
	for {
		kind, payload, err := t.link.in.next()
		if err != nil {
			return fmt.Errorf("source gone: %w", err)
		}
		t.busy.Store(true)
		switch kind {
		case frameData:
			if err := t.data(apply, &parser, payload); err != nil {
				return err
			}
			applied += uint64(len(payload))
			t.progress.bytes.Store(int64(applied))
			t.progress.acked.Store(clock.WallMillis())
			if err := t.makeRoom(); err != nil {
				return err
			}
			if err := t.link.sendCount(frameAck, applied); err != nil {
				return err
			}
		case frameFence:
			hold, err := count(payload)
			if err != nil {
				return err
			}
			if err := t.link.sendCount(frameFenced, hold); err != nil {
				return err
			}
		case frameReady:
			final, err := count(payload)
			if err != nil {
				return err
			}
			if final != applied {
				return fmt.Errorf("ready at byte %d, %d came: %w", final, applied, errFrame)
			}
			t.post(TargetReady)
		case framePing:
		default:
			return fmt.Errorf("kind %d from a source: %w", kind, errFrame)
		}
		t.busy.Store(false)
		t.post(TargetHeard)
	}
}

// data stages the requests of a Data frame, which may be those of this attempt's stage
// alone.
func (t *target) data(apply *command.Applier, parser *resp.Parser, payload []byte) error {
	for len(payload) > 0 {
		args, n, bad := parser.Next(payload)
		if bad != nil {
			return fmt.Errorf("%w: %w", bad, errFrame)
		}
		if n == 0 || len(args) < 3 || !bytes.Equal(args[0], wordStage) || string(args[2]) != t.name {
			return fmt.Errorf("not a request of stage %s: %w", t.name, errFrame)
		}
		payload = payload[n:]
		switch {
		case bytes.Equal(args[1], wordPut):
			for i := 5; i < len(args); i += 3 {
				if !goesOn(args[i]) {
					t.progress.keysDone.Add(1)
				}
			}
		case bytes.Equal(args[1], wordRun), bytes.Equal(args[1], wordFlush):
		default:
			return fmt.Errorf("%q from a source: %w", args[1], errFrame)
		}
		if err := t.m.stageArgs(apply, &t.move, args); err != nil {
			return err
		}
	}
	return nil
}

// makeRoom waits while this shard's replicas are far behind.
func (t *target) makeRoom() error {
	for t.m.o.Replicas.LagBytes() > replicaLagBytes {
		if err := pause(t.ctx, 5*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// stage runs a hidden command here and puts it into the log for the replicas.
func (m *Mover) stage(apply *command.Applier, i *moveInfo, word []byte, args ...[]byte) error {
	return m.stageArgs(apply, i, append([][]byte{wordStage, word}, args...))
}

func (m *Mover) stageArgs(apply *command.Applier, i *moveInfo, args [][]byte) error {
	slot := firstSlot(&i.slots)
	if len(args) > 4 {
		if s, ok := parseSlot(args[3]); ok {
			slot = s
		}
	}
	var block effects.Block
	return apply.Apply(0, args, func() {
		if m.o.Log.Active() {
			block.Add(slot, 0, args...)
			m.o.Log.Append(&block)
		}
	})
}

// attach makes what is in a stage this node's own, a data shard at a time, and
// tells the replicas. Where a replica was fully synced since the stage began (cuts
// differs from before) it lacks what was staged, so that the records go out again; the
// cut takes the shard locks, so under one of them the answer stands.
func (m *Mover) attach(tag Tag, name string, cuts func() uint64, before uint64) {
	ks := m.o.Keyspace
	set, ok := m.o.Staging.remaining(name)
	if !ok {
		return
	}
	byShard(ks, &set, func(mask engine.ShardMask, part *slots.Set) {
		var block effects.Block
		ks.Lock(mask)
		defer ks.Unlock(mask)
		again := m.o.Log.Active() && (cuts == nil || cuts() != before)
		attached := m.o.Staging.attach(name, part)
		if !again {
			block.Add(firstSlot(part), 0, wordStage, wordAttach, []byte(name), []byte(part.String()))
			m.o.Log.Append(&block)
			return
		}
		for slot := range attached.Each() {
			m.retell(tag, name, slot)
		}
	})
}
