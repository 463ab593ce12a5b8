package topology

import (
	"fmt"
	"slices"
)

func (e BeginMove) apply(b *builder) error {
	if len(e.Job) == 0 || len(e.Job) > maxRequestBytes || e.Slots.Empty() || e.Source == e.Target {
		return fmt.Errorf("job %.64q: %w", e.Job, ErrBadEntry)
	}
	if b.Move(e.Job) != nil {
		return fmt.Errorf("job %s: %w", e.Job, ErrJobExists)
	}
	source, err := b.shard(e.Source)
	if err != nil {
		return err
	}
	target, err := b.shard(e.Target)
	if err != nil {
		return err
	}
	if !source.Slots.Contains(&e.Slots) {
		return fmt.Errorf("job %s, shard %s: %w", e.Job, source.ID, ErrNotOwner)
	}
	if err := b.untouched(&e.Slots); err != nil {
		return err
	}
	for i := range b.Shards {
		for _, o := range b.Shards[i].Open {
			if e.Slots.Has(o.Slot) {
				return fmt.Errorf("slot %d of shard %s: %w", o.Slot, b.Shards[i].ID, ErrSlotOpen)
			}
		}
	}
	if len(b.OpenMoves("")) >= MaxOpenMoves {
		return fmt.Errorf("%d open moves: %w", MaxOpenMoves, ErrBadEntry)
	}
	b.Moves = append(b.Moves, Move{
		Job: e.Job, Attempt: 1, Source: e.Source, Target: e.Target,
		SourceTerm: source.Term, TargetTerm: target.Term,
		Slots: e.Slots, State: MoveOpen, BeganIndex: b.index,
		BeganMillis: e.AtMillis, UpdatedMillis: e.AtMillis,
	})
	return nil
}

func (e CommitMove) apply(b *builder) error {
	m, err := b.openMove(e.Job, e.Attempt)
	if err != nil {
		return err
	}
	source, err := b.shardInTerm(m.Source, e.SourceTerm)
	if err != nil {
		return err
	}
	target, err := b.shardInTerm(m.Target, e.TargetTerm)
	if err != nil {
		return err
	}
	if !source.Slots.Contains(&m.Slots) {
		return fmt.Errorf("job %s, shard %s: %w", m.Job, source.ID, ErrNotOwner)
	}
	source.Slots.Subtract(&m.Slots)
	target.Slots.Union(&m.Slots)
	target.Epoch = b.nextEpoch()
	b.endMove(m, MoveCommitted, e.AtMillis, "")
	return nil
}

func (e AbortMove) apply(b *builder) error {
	if len(e.Reason) > maxTextBytes {
		return fmt.Errorf("reason of %d bytes: %w", len(e.Reason), ErrBadEntry)
	}
	m, err := b.openMove(e.Job, e.Attempt)
	if err != nil {
		return err
	}
	if e.Final {
		b.endMove(m, MoveAborted, e.AtMillis, e.Reason)
		return nil
	}
	b.nextAttempt(m, e.AtMillis, e.Reason)
	return nil
}

// openMove returns the job if it is open and at this attempt.
func (b *builder) openMove(job string, attempt uint64) (*Move, error) {
	for i := range b.Moves {
		m := &b.Moves[i]
		if m.Job != job || !m.IsOpen() {
			continue
		}
		if m.Attempt != attempt {
			return nil, fmt.Errorf("job %s is at attempt %d, not %d: %w", m.Job, m.Attempt, attempt, ErrStaleAttempt)
		}
		return m, nil
	}
	return nil, fmt.Errorf("job %.64q: %w", job, ErrUnknownMove)
}

// nextAttempt ends the attempt of m; the next one is bound to the terms of now.
func (b *builder) nextAttempt(m *Move, millis int64, reason string) {
	m.Attempt++
	m.Reason, m.UpdatedMillis = reason, millis
	if s := b.ShardByID(m.Source); s != nil {
		m.SourceTerm = s.Term
	}
	if s := b.ShardByID(m.Target); s != nil {
		m.TargetTerm = s.Term
	}
}

// endMove closes the job and forgets the oldest ended ones over the bound.
func (b *builder) endMove(m *Move, state MoveState, millis int64, reason string) {
	m.State, m.EndedIndex, m.UpdatedMillis, m.Reason = state, b.index, millis, reason
	ended := 0
	for i := range b.Moves {
		if !b.Moves[i].IsOpen() {
			ended++
		}
	}
	b.Moves = slices.DeleteFunc(b.Moves, func(old Move) bool {
		if old.IsOpen() || ended <= maxEndedMoves {
			return false
		}
		ended--
		return true
	})
}
