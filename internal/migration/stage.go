package migration

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/slots"
)

// ErrNoStage is returned when something is to be staged under a tag that is not open
// here, or for a slot outside of it.
var ErrNoStage = errors.New("migration: no such stage")

// Staging owns the staged slots of a node, in the keyspace's hidden database: on the
// target's primary what a source sends, on its replicas the same by way of the primary's
// effect log. Staged slots are invisible and never expire; each belongs to one tag. It
// changes only by the commands of Specs, so that all copies of a shard agree.
type Staging struct {
	ks    *engine.Keyspace
	holds *Holds
	table atomic.Pointer[command.Table]
	// named counts the stages that this process has named as a primary; with the term of
	// its primacy, which no other run has, that is one name for good.
	named atomic.Uint64

	mu struct {
		sync.Mutex
		stages map[string]*stage // by name; bounded, as their slots are disjoint
	}
}

// stage is what is put aside for one connection of an attempt. Its fields are guarded
// by Staging.mu.
type stage struct {
	tag   Tag
	name  string    // "targetTerm.number": short, since every staged effect bears it
	slots slots.Set // not yet attached
}

// NewStaging returns the staging area of ks, which must hold none yet.
func NewStaging(ks *engine.Keyspace, holds *Holds) *Staging {
	s := &Staging{ks: ks, holds: holds}
	s.mu.stages = map[string]*stage{}
	return s
}

// Bind gives the table of all commands, which contains Specs and so is made later.
func (s *Staging) Bind(t *command.Table) { s.table.Store(t) }

// newName returns a name for a stage of this run's primacy at term.
func (s *Staging) newName(term uint64) string {
	return fmt.Sprintf("%d.%d", term, s.named.Add(1))
}

// Busy reports whether anything is staged, or about to be.
func (s *Staging) Busy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.mu.stages) > 0
}

// Reset forgets and drops everything staged: this node takes over another one's whole
// state (a full sync), in which nothing is staged. REQUIRES: no shard locked.
func (s *Staging) Reset() {
	for _, st := range s.all() {
		s.ks.Lock(s.mask(&st.slots))
		s.drop(st.name)
		s.ks.Unlock(s.mask(&st.slots))
	}
}

// all returns a copy of every stage.
func (s *Staging) all() []stage {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]stage, 0, len(s.mu.stages))
	for _, st := range s.mu.stages {
		out = append(out, *st)
	}
	return out
}

// remaining returns the slots of a stage that are not yet attached.
func (s *Staging) remaining(name string) (slots.Set, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.mu.stages[name]; st != nil {
		return st.slots, true
	}
	return slots.Set{}, false
}

// has reports whether slot is in the stage called name, and not yet attached.
func (s *Staging) has(name []byte, slot slots.Slot) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.mu.stages[string(name)]
	return st != nil && st.slots.Has(slot)
}

// mask returns the data shards of set.
func (s *Staging) mask(set *slots.Set) engine.ShardMask { return shardMask(s.ks, set) }

func shardMask(ks *engine.Keyspace, set *slots.Set) (m engine.ShardMask) {
	all := ks.AllShards()
	for slot := range set.Each() {
		if m |= ks.Mask(slot); m == all {
			break
		}
	}
	return m
}

// byShard yields the slots of set one data shard at a time, with that shard's mask.
func byShard(ks *engine.Keyspace, set *slots.Set, visit func(m engine.ShardMask, part *slots.Set)) {
	parts := make(map[engine.ShardMask]*slots.Set)
	for slot := range set.Each() {
		m := ks.Mask(slot)
		if parts[m] == nil {
			parts[m] = &slots.Set{}
		}
		parts[m].Add(slot)
	}
	for i := range ks.NumShards() {
		if part := parts[1<<i]; part != nil {
			visit(1<<i, part)
		}
	}
}

// begin opens an empty stage for tag, or adds to it. Slots of set that are in other
// stages leave them: those connections are over. REQUIRES: the shards of set locked.
func (s *Staging) begin(tag Tag, name string, set *slots.Set) {
	for slot := range set.Each() {
		s.ks.DropSlot(s.ks.StagingDB(), slot)
	}
	s.mu.Lock()
	var shrunk []stage
	for _, st := range s.mu.stages {
		if st.name == name || !st.slots.Intersects(set) {
			continue
		}
		st.slots.Subtract(set)
		shrunk = append(shrunk, *st)
		if st.slots.Empty() {
			delete(s.mu.stages, st.name)
		}
	}
	st := s.mu.stages[name]
	if st == nil {
		st = &stage{tag: tag, name: name}
		s.mu.stages[name] = st
	}
	st.slots.Union(set)
	now := st.slots
	s.mu.Unlock()
	s.holds.set(stageParty(name), &now, HoldAll, true)
	for i := range shrunk {
		s.holds.set(stageParty(shrunk[i].name), &shrunk[i].slots, HoldAll, true)
	}
}

// attach makes the staged slots of set the node's own and lets commands run on them.
// Slots that are not in the stage are left alone. REQUIRES: the shards of set
// locked.
func (s *Staging) attach(name string, set *slots.Set) (attached slots.Set) {
	s.mu.Lock()
	st := s.mu.stages[name]
	if st == nil {
		s.mu.Unlock()
		return attached
	}
	for i := range attached {
		attached[i] = set[i] & st.slots[i]
	}
	s.mu.Unlock()
	for slot := range attached.Each() {
		s.ks.AttachStaged(slot)
	}
	s.leave(name, &attached)
	return attached
}

// release takes those slots of set that are in the stage out of it, where nothing is
// staged in them. REQUIRES: no shard locked.
func (s *Staging) release(name string, set *slots.Set) {
	byShard(s.ks, set, func(m engine.ShardMask, part *slots.Set) {
		s.ks.Lock(m)
		defer s.ks.Unlock(m)
		for slot := range part.Each() {
			if s.ks.SlotLen(s.ks.StagingDB(), slot) != 0 {
				part.Remove(slot)
			}
		}
		s.leave(name, part)
	})
}

// drop empties and closes a stage. REQUIRES: the shards of its slots locked.
func (s *Staging) drop(name string) {
	set, _ := s.remaining(name)
	s.empty(&set)
	s.leave(name, &set)
}

// empty drops the staged contents of set. REQUIRES: its shards locked.
func (s *Staging) empty(set *slots.Set) {
	for slot := range set.Each() {
		s.ks.DropSlot(s.ks.StagingDB(), slot)
	}
}

// leave takes slots out of a stage and lowers its hold.
func (s *Staging) leave(name string, gone *slots.Set) {
	s.mu.Lock()
	st := s.mu.stages[name]
	if st == nil {
		s.mu.Unlock()
		return
	}
	st.slots.Subtract(gone)
	rest := st.slots
	if rest.Empty() {
		delete(s.mu.stages, name)
	}
	s.mu.Unlock()
	s.holds.set(stageParty(name), &rest, HoldAll, true)
}

// announce makes the hold of a stage concern commands that touch all slots, too: its
// slots may become this node's own at any moment.
func (s *Staging) announce(name string) {
	if set, ok := s.remaining(name); ok {
		s.holds.set(stageParty(name), &set, HoldAll, false)
	}
}

func stageParty(name string) string { return "stage " + name }

// checkInvariants is for tests: stages are disjoint, and nothing is staged outside.
func (s *Staging) checkInvariants() error {
	s.ks.Lock(s.ks.AllShards())
	defer s.ks.Unlock(s.ks.AllShards())
	var union slots.Set
	for _, st := range s.all() {
		if st.slots.Intersects(&union) {
			return fmt.Errorf("stage %s overlaps another", st.name)
		}
		if st.slots.Empty() {
			return fmt.Errorf("stage %s is empty", st.name)
		}
		union.Union(&st.slots)
	}
	for slot := range slots.Slot(slots.Count) {
		n := s.ks.SlotLen(s.ks.StagingDB(), slot)
		if n != 0 && !union.Has(slot) {
			return fmt.Errorf("%d keys staged in slot %d under no tag", n, slot)
		}
		if union.Has(slot) && s.holds.Held(slot) != HoldAll {
			return fmt.Errorf("staged slot %d is not held", slot)
		}
	}
	return nil
}
