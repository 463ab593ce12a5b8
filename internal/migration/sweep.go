package migration

import (
	"fmt"

	"go.uber.org/zap"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/effects"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/slots"
	"github.com/redwingdb/redwing/internal/topology"
)

// sweep tidies up. On a primary, behind former primaries of its shard: a stage that came
// by replication is attached if its attempt won and dropped if not, and slots that left
// by a committed move are dropped. Until a stage is settled it is held, so a promoted
// replica serves none of its slots before. On a replica, where the stream settles stages,
// it forgets those that the stream will never name again.
func (m *Mover) sweep(v *topology.View) {
	shard := v.ShardOf(m.o.Self)
	if shard == nil {
		return
	}
	primary := v.IsPrimary(m.o.Self, m.o.Run)
	for _, st := range m.o.Staging.all() {
		m.mu.Lock()
		t := m.mu.targets[st.tag.Job]
		live := t != nil && t.name == st.name
		m.mu.Unlock()
		switch {
		case live:
		case primary:
			m.settle(v, shard, &st)
		default:
			m.forget(v, shard, &st)
		}
	}
	if !primary {
		return
	}
	for i := range v.Moves {
		mv := &v.Moves[i]
		if mv.State != topology.MoveCommitted || mv.Source != shard.ID {
			continue
		}
		m.mu.Lock()
		known := m.mu.swept[mv.Job] || m.mu.sources[mv.Job] != nil
		m.mu.swept[mv.Job] = true
		m.mu.Unlock()
		if known {
			continue
		}
		if left := m.leftBehind(v, shard.ID, &mv.Slots); !left.Empty() {
			m.leaveSlots(&left)
			m.log.Info("slots of a former primary's move dropped", zap.String("job", mv.Job), zap.Int("slots", left.Len()))
		}
	}
	m.forgetSwept(v)
}

// won reports whether st's attempt was committed.
func (st *stage) won(v *topology.View, shard *topology.Shard) bool {
	info := moveInfo{job: st.tag.Job, target: shard.ID, slots: st.slots}
	f := info.factsIn(v)
	return f.Outcome == JobCommitted && (f.Tag == st.tag || f.Tag == (Tag{}))
}

// over reports whether v shows that st's attempt cannot win any more. v may be older
// than the stage, which came by the stream: what v does not know is not over.
func (st *stage) over(v *topology.View) bool {
	mv := v.Move(st.tag.Job)
	switch {
	case mv == nil:
		return false
	case mv.Attempt == st.tag.Attempt:
		return mv.State == topology.MoveAborted
	}
	return mv.Attempt > st.tag.Attempt
}

// settle attaches or drops a stage that no connection serves.
func (m *Mover) settle(v *topology.View, shard *topology.Shard, st *stage) {
	if st.won(v, shard) {
		// Slots without anything staged are let go as they are: a full sync since may
		// have emptied the stage and brought the records themselves.
		bare := m.bare(st)
		m.o.Staging.release(st.name, &bare)
		// Which of the replicas have the stage is not known here: they get it all again.
		m.attach(st.tag, st.name, nil, 0)
		m.log.Info("slots of a former primary's move attached", zap.String("job", st.tag.Job), zap.Int("slots", st.slots.Len()))
		return
	}
	info := moveInfo{job: st.tag.Job, slots: st.slots}
	if err := m.stage(command.NewApplier(m.o.Table, m.o.Keyspace), &info, wordDrop, []byte(st.name)); err != nil {
		m.log.Error("staged slots not dropped", zap.String("job", st.tag.Job), zap.Error(err))
	}
}

// forget drops a replica's stage that will never be attached, and lets go of the slots
// of one that won where nothing is staged: ATTACH would do nothing, or came with a full
// sync's data.
func (m *Mover) forget(v *topology.View, shard *topology.Shard, st *stage) {
	switch {
	case st.over(v):
		mask := shardMask(m.o.Keyspace, &st.slots)
		m.o.Keyspace.Lock(mask)
		m.o.Staging.drop(st.name)
		m.o.Keyspace.Unlock(mask)
	case st.won(v, shard):
		bare := m.bare(st)
		m.o.Staging.release(st.name, &bare)
	}
}

// bare returns the slots of a stage in which nothing is staged.
func (m *Mover) bare(st *stage) (bare slots.Set) {
	for slot := range st.slots.Each() {
		if m.o.Keyspace.SlotLen(m.o.Keyspace.StagingDB(), slot) == 0 {
			bare.Add(slot)
		}
	}
	return bare
}

// leftBehind returns the slots of set that shard does not own but whose keys are here.
func (m *Mover) leftBehind(v *topology.View, shard topology.ShardID, set *slots.Set) (left slots.Set) {
	for slot := range set.Each() {
		if owner := v.Owner(slot); (owner == nil || owner.ID != shard) && m.o.Keyspace.SlotLen(0, slot) > 0 {
			left.Add(slot)
		}
	}
	return left
}

// forgetSwept drops the memory of jobs that the log has forgotten.
func (m *Mover) forgetSwept(v *topology.View) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for job := range m.mu.swept {
		if v.Move(job) == nil {
			delete(m.mu.swept, job)
		}
	}
}

// retell appends to the log what makes a replica's copy of an attached slot the same as
// this node's, whatever it has staged: an empty stage, the records, ATTACH. REQUIRES:
// the slot's shard locked.
func (m *Mover) retell(tag Tag, name string, slot slots.Slot) {
	var block effects.Block
	db := m.o.Keyspace.Access(0, 0, engine.ModeApply)
	number := []byte(fmt.Sprint(slot))
	block.Add(slot, 0, wordStage, wordBegin, []byte(name), []byte(tag.String()), number)
	var keys [][]byte
	db.SlotKeys(slot, m.o.Keyspace.SlotLen(0, slot), func(key []byte) {
		keys = append(keys, append([]byte(nil), key...))
	})
	cut := newCutter(m.o.Keyspace)
	var batch engine.Batch
	for _, key := range keys {
		e, ok := db.Entry(slot, key, &batch)
		if !ok {
			continue
		}
		_ = cut.each(&e, func(meta, value []byte) error {
			block.Add(slot, 0, wordStage, wordPut, []byte(name), number, key, meta, value)
			return nil
		})
	}
	block.Add(slot, 0, wordStage, wordAttach, []byte(name), number)
	m.o.Log.Append(&block)
}
