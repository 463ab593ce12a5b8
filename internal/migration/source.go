package migration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/redwingdb/redwing/internal/clock"
	"github.com/redwingdb/redwing/internal/effects"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/slots"
	"github.com/redwingdb/redwing/internal/topology"
)

// errRefused is returned when the target has answered Begin with a refusal.
var errRefused = errors.New("migration: refused by the target")

// source drives a SourceJob: its run goroutine owns the machine and sets the holds; one
// sourceTry at a time does the work of a connection and reports back by events.
type source struct {
	m        *Mover
	move     moveInfo
	job      *SourceJob // owned by run
	events   chan sourceInput
	facts    mailbox
	progress *progress
	proposal atomic.Bool // an AbortMove is on its way

	try     *sourceTry // owned by run; nil between connections
	holdSeq uint64     // owned by run: number of the present hold
	heldAt  int64      // owned by run: when everything was held
}

// sourceInput is an event with the hold it belongs to (SourceFenced, SourceSealed).
type sourceInput struct {
	SourceEvent
	hold uint64
}

func newSource(m *Mover, mv *topology.Move) *source {
	s := &source{
		m: m, move: infoOf(mv), job: NewSourceJob(m.times),
		events: make(chan sourceInput, 64), facts: newMailbox(),
	}
	s.progress = newProgress(RoleSource, &s.move)
	return s
}

func (s *source) factsIn(v *topology.View) Facts {
	f := s.move.factsIn(v)
	f.Mine = s.m.primaryOf(v, s.move.source)
	return f
}

func (s *source) party() string { return "source " + s.move.job }

// run owns the machine until the job needs this node no more.
func (s *source) run(ctx context.Context) {
	defer s.m.sourceEnded(s)
	defer s.endTry()
	alarm := newAlarm()
	defer alarm.t.Stop()
	for s.job.State() != SourceDone {
		alarm.set(s.job.Deadline())
		select {
		case in := <-s.events:
			if (in.Kind == SourceFenced || in.Kind == SourceSealed) && in.hold != s.holdSeq {
				in.Kind = SourceHeard // of a hold that was given up
			}
			s.step(ctx, in.SourceEvent)
		case <-s.facts.wake:
			f := s.facts.get()
			s.note(f)
			s.step(ctx, SourceEvent{Kind: SourceSaw, Facts: f})
		case <-alarm.t.C:
			s.step(ctx, SourceEvent{Kind: SourceTick})
		case <-ctx.Done():
			return
		}
	}
}

// note records how a job has ended.
func (s *source) note(f Facts) {
	if f.Outcome == JobOpen {
		return
	}
	mv := s.m.o.Topology.View().Move(s.move.job)
	s.progress.set(func(st *Status) { st.end(f.Outcome, mv) })
}

func (st *Status) end(o Outcome, mv *topology.Move) {
	if st.EndedMillis != 0 {
		return
	}
	st.EndedMillis = clock.WallMillis()
	switch {
	case o == JobCommitted:
		st.Outcome, st.Message = "success", ""
	case mv != nil && mv.Reason == "cancelled":
		st.Outcome, st.Message = "cancelled", mv.Reason
	case mv != nil:
		st.Outcome, st.Message = "failed", mv.Reason
	default:
		st.Outcome = "failed"
	}
}

func (s *source) step(ctx context.Context, ev SourceEvent) {
	was := s.job.State()
	for _, a := range s.job.Step(clock.Mono(), ev) {
		s.act(ctx, a)
	}
	if now := s.job.State(); now != was {
		s.progress.set(func(st *Status) { st.Phase, st.Attempt = now.String(), s.job.Tag().Attempt })
		s.progress.holds.Store(int64(s.job.Holds))
		s.m.log.Debug("slot move", zap.String("job", s.move.job), zap.Stringer("from", was), zap.Stringer("state", now), zap.Uint64("attempt", s.job.Tag().Attempt))
	}
}

func (s *source) act(ctx context.Context, a SourceAction) {
	switch a.Kind {
	case SourceDoDial:
		s.endTry()
		s.try = newSourceTry(s, ctx, a.Try, a.Tag)
		s.progress.tries.Add(1)
		s.try.start(s.try.connect)
	case SourceDoCopy:
		s.try.start(s.try.pump)
		s.try.start(s.try.pace)
	case SourceDoHold:
		s.holdSeq++
		s.m.o.Holds.set(s.party(), &s.move.slots, HoldWrites, false)
		s.try.command(pumpCommand{kind: pumpDrain, hold: s.holdSeq, until: s.job.HoldUntil()})
	case SourceDoSeal:
		s.heldAt = clock.Mono()
		s.m.o.Holds.set(s.party(), &s.move.slots, HoldAll, false)
		s.try.command(pumpCommand{kind: pumpSeal, hold: s.holdSeq, until: s.job.HoldUntil()})
	case SourceDoReady:
		s.try.command(pumpCommand{kind: pumpReady})
	case SourceDoRelease:
		s.holdSeq++
		s.m.o.Holds.set(s.party(), &s.move.slots, HoldNone, false)
		if s.heldAt != 0 {
			s.progress.heldMicros.Store((clock.Mono() - s.heldAt) / 1000)
			s.heldAt = 0
		}
	case SourceDoAbort:
		s.proposeAbort(a.Tag)
	case SourceDoClose:
		s.endTry()
	case SourceDoLeave:
		s.m.leaveSlots(&s.move.slots)
		s.m.log.Info("slots moved away", zap.String("job", s.move.job), zap.Int("slots", s.move.slots.Len()))
	}
}

func (s *source) endTry() {
	if s.try != nil {
		s.try.close()
		s.try = nil
	}
}

// proposeAbort asks the log to end the attempt. Its answer comes as a View.
func (s *source) proposeAbort(tag Tag) {
	if !s.proposal.CompareAndSwap(false, true) {
		return
	}
	started := s.m.spawn(func(ctx context.Context) {
		defer s.proposal.Store(false)
		ctx, cancel := context.WithTimeout(ctx, s.m.o.NodeTimeout)
		defer cancel()
		e := topology.AbortMove{Job: tag.Job, Attempt: tag.Attempt, Reason: s.progress.status().Message}
		e.Request, e.AtMillis = "abort/"+tag.String(), clock.WallMillis()
		if len(e.Reason) > maxReason {
			e.Reason = e.Reason[:maxReason]
		}
		_, err := s.m.o.Topology.Propose(ctx, e)
		if topology.IsRefusal(err) {
			// Ended otherwise: this node has not seen it yet.
			_, err = s.m.o.Topology.Fresh(ctx)
		}
		if err != nil {
			s.m.log.Warn("abort of a move's attempt not confirmed", zap.String("job", tag.Job), zap.Error(err))
		}
	})
	if !started {
		s.proposal.Store(false)
	}
}

// maxStageName bounds the name of a stage.
const maxStageName = 64

// maxReason bounds the reason of an AbortMove.
const maxReason = 256

// leaveSlots drops slots that have left this node by a committed move, here and, by an
// effect, at the replicas. The memory is given back in steps by the engine. A slot that
// another move has brought back by now stays: it is attached under its shard's lock and
// after the View names its owner, so that under that lock the View tells.
func (m *Mover) leaveSlots(set *slots.Set) {
	var block effects.Block
	byShard(m.o.Keyspace, set, func(mask engine.ShardMask, part *slots.Set) {
		m.o.Keyspace.Lock(mask)
		defer m.o.Keyspace.Unlock(mask)
		if own := m.o.Topology.View().ShardOf(m.o.Self); own != nil {
			part.Subtract(&own.Slots)
		}
		if part.Empty() {
			return
		}
		for slot := range part.Each() {
			m.o.Keyspace.DropSlot(0, slot)
		}
		block.Reset()
		block.Add(firstSlot(part), 0, wordLeave, []byte(part.String()))
		m.o.Log.Append(&block)
	})
	m.o.Left(set)
}

func firstSlot(set *slots.Set) slots.Slot {
	for slot := range set.Each() {
		return slot
	}
	return 0
}

// sourceTry is the work of one connection: connect (which goes on as the receiver of
// the target's frames), pump and pace, each a goroutine.
type sourceTry struct {
	s      *source
	n      uint64
	tag    Tag
	stage  []byte // of Accept: set before SourceAccepted is posted
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	cmds   chan pumpCommand
	seated bool // holds one of Mover.seats; connect's until wg is done

	link   atomic.Pointer[link]
	credit *credit
	room   chan struct{} // one token when something was acknowledged
}

func newSourceTry(s *source, ctx context.Context, n uint64, tag Tag) *sourceTry {
	t := &sourceTry{s: s, n: n, tag: tag, cmds: make(chan pumpCommand, 16), room: make(chan struct{}, 1), credit: newCredit()}
	t.ctx, t.cancel = context.WithCancel(ctx)
	return t
}

func (t *sourceTry) start(f func() error) {
	t.wg.Add(1)
	go func() {
		defer t.wg.Done()
		if err := f(); err != nil && t.ctx.Err() == nil {
			t.s.progress.fail(err)
			t.s.m.log.Info("slot move interrupted", zap.String("job", t.s.move.job), zap.Uint64("attempt", t.tag.Attempt), zap.Error(err))
			t.post(SourceLost, 0)
		}
	}()
}

// close ends the try's goroutines and waits for them.
func (t *sourceTry) close() {
	t.cancel()
	if l := t.link.Load(); l != nil {
		l.conn.Close()
	}
	t.wg.Wait()
	if t.seated {
		<-t.s.m.seats
	}
}

// sit waits for this try's turn among the jobs that leave this node. Meanwhile the
// target, which was not asked yet, does not count as silent.
func (t *sourceTry) sit() error {
	tick := time.NewTicker(t.s.m.o.NodeTimeout / 6)
	defer tick.Stop()
	for {
		select {
		case t.s.m.seats <- struct{}{}:
			t.seated = true
			t.post(SourceHeard, 0)
			return nil
		case <-tick.C:
			t.post(SourceHeard, 0)
		case <-t.ctx.Done():
			return t.ctx.Err()
		}
	}
}

func (t *sourceTry) post(kind SourceEventKind, hold uint64) {
	select {
	case t.s.events <- sourceInput{SourceEvent{Kind: kind, Try: t.n}, hold}:
	case <-t.ctx.Done():
	}
}

// command tells the pump what to do; it never blocks, as the machine gives at most a
// few commands for each answer.
func (t *sourceTry) command(c pumpCommand) {
	select {
	case t.cmds <- c:
	default:
		t.cancel() // cannot be: the silence that follows ends the try
	}
}

// connect opens the connection when it is its turn, sends Begin, and then receives the
// target's frames.
func (t *sourceTry) connect() error {
	if err := t.sit(); err != nil {
		return err
	}
	o := &t.s.m.o
	v := o.Topology.View()
	shard := v.ShardByID(t.s.move.target)
	if shard == nil {
		return fmt.Errorf("target %s: %w", t.s.move.target, topology.ErrUnknownShard)
	}
	peer := shard.Primary
	t.s.progress.set(func(st *Status) { st.Peer = peer })
	ctx, cancel := context.WithTimeout(t.ctx, o.NodeTimeout)
	conn, err := o.Dial(ctx, peer)
	cancel()
	if err != nil {
		return fmt.Errorf("dial %s: %w", peer, err)
	}
	l := newLink(conn, o.NodeTimeout)
	t.link.Store(l)
	if t.ctx.Err() != nil {
		conn.Close() // close may have come before the Store
		return nil
	}
	keys := int64(0)
	for slot := range t.s.move.slots.Each() {
		keys += int64(o.Keyspace.SlotLen(0, slot))
	}
	t.s.progress.keysTotal.Store(keys)
	t.s.progress.keysDone.Store(0)
	payload, err := json.Marshal(begin{
		Version: wireVersion, Job: t.tag.Job, Attempt: t.tag.Attempt,
		SourceTerm: t.tag.SourceTerm, TargetTerm: t.tag.TargetTerm,
		Source: t.s.move.source, Target: t.s.move.target, Index: v.Index, Keys: keys,
	})
	if err != nil {
		return err
	}
	if err := l.send(frameBegin, payload); err != nil {
		return err
	}
	return t.receive(l)
}

// receive turns the target's frames into events.
func (t *sourceTry) receive(l *link) error {
	for {
		kind, payload, err := l.in.next()
		if err != nil {
			return fmt.Errorf("target gone: %w", err)
		}
		switch kind {
		case frameAccept:
			if len(payload) == 0 || len(payload) > maxStageName || t.stage != nil {
				return fmt.Errorf("accept of %d bytes: %w", len(payload), errFrame)
			}
			t.stage = append([]byte(nil), payload...)
			t.start(func() error { return keepAlive(t.ctx, l, t.s.m.o.NodeTimeout) })
			t.post(SourceAccepted, 0)
		case frameRefuse:
			return fmt.Errorf("%s: %w", payload, errRefused)
		case frameAck:
			n, err := count(payload)
			if err != nil {
				return err
			}
			t.credit.acked.Store(int64(n))
			t.letOn()
			t.s.progress.acked.Store(clock.WallMillis())
			select {
			case t.room <- struct{}{}:
			default:
			}
			t.post(SourceHeard, 0)
		case frameFenced:
			hold, err := count(payload)
			if err != nil {
				return err
			}
			t.post(SourceFenced, hold)
		case frameServing:
			t.post(SourceServing, 0)
			return nil // the target's last word
		case framePing:
			t.post(SourceHeard, 0)
		default:
			return fmt.Errorf("kind %d from a target: %w", kind, errFrame)
		}
	}
}

// keepAlive pings the other side well within its patience.
func keepAlive(ctx context.Context, l *link, patience time.Duration) error {
	tick := time.NewTicker(patience / 6)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := l.send(framePing, nil); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
}
