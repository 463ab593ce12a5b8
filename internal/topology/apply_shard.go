package topology

import (
	"fmt"
	"slices"

	"github.com/redwingdb/redwing/internal/slots"
)

func (e Promote) apply(b *builder) error {
	s, err := b.shardInTerm(e.Shard, e.Term)
	if err != nil {
		return err
	}
	if e.RaftTerm != 0 && e.RaftTerm != b.LeadTerm {
		return fmt.Errorf("decided in raft term %d, the log is led in %d: %w", e.RaftTerm, b.LeadTerm, ErrStaleTerm)
	}
	switch e.Mode {
	case PromoteAuto, PromoteGraceful, PromoteForce, PromoteTakeover:
	default:
		return fmt.Errorf("mode %.32q: %w", string(e.Mode), ErrBadEntry)
	}
	n, err := b.node(e.Candidate)
	if err != nil {
		return err
	}
	if !s.Has(n.ID) {
		return fmt.Errorf("node %s, shard %s: %w", n.ID, s.ID, ErrNotMember)
	}
	if n.Run != e.Run {
		return fmt.Errorf("node %s is run %s, not %.16s: %w", n.ID, n.Run, e.Run, ErrStaleRun)
	}
	chosenOfAll := e.Mode == PromoteAuto && b.InSyncLost(s)
	if b.Config.InSyncOnly() && e.Mode != PromoteTakeover && !chosenOfAll && !b.MayLead(s, n) {
		return fmt.Errorf("node %s run %s: %w", n.ID, n.Run, ErrNotInSync)
	}
	if s.Primary != n.ID {
		s.Replicas = slices.Clone(s.Replicas)
		s.Replicas[slices.Index(s.Replicas, n.ID)] = s.Primary
	}
	s.Primary, s.PrimaryRun = n.ID, n.Run
	s.Term, s.Epoch = b.nextTerm(), b.nextEpoch()
	s.InSync, s.SetVersion = []Member{{n.ID, n.Run}}, 0
	for i := range b.Moves {
		if m := &b.Moves[i]; m.IsOpen() && m.Touches(s.ID) {
			b.nextAttempt(m, e.AtMillis, "failover of shard "+string(s.ID))
		}
	}
	return nil
}

func (e ShrinkInSync) apply(b *builder) error {
	s, err := b.shardInTerm(e.Shard, e.Term)
	if err != nil {
		return err
	}
	if err := s.inSyncAt(e.Version); err != nil {
		return err
	}
	if e.Member.Node == s.Primary {
		return fmt.Errorf("the primary %s: %w", s.Primary, ErrBadEntry)
	}
	if !s.IsInSync(e.Member.Node, e.Member.Run) {
		return fmt.Errorf("node %.40s run %.16s: %w", e.Member.Node, e.Member.Run, ErrNotInSync)
	}
	s.InSync = slices.DeleteFunc(slices.Clone(s.InSync), func(m Member) bool { return m == e.Member })
	s.SetVersion++
	return nil
}

func (e GrowInSync) apply(b *builder) error {
	s, err := b.shardInTerm(e.Shard, e.Term)
	if err != nil {
		return err
	}
	if err := s.inSyncAt(e.Version); err != nil {
		return err
	}
	n, err := b.node(e.Member.Node)
	if err != nil {
		return err
	}
	if !slices.Contains(s.Replicas, n.ID) {
		return fmt.Errorf("node %s, shard %s: %w", n.ID, s.ID, ErrNotMember)
	}
	if n.Run != e.Member.Run {
		return fmt.Errorf("node %s is run %s, not %.16s: %w", n.ID, n.Run, e.Member.Run, ErrStaleRun)
	}
	// The set names a copy once: an older run of the node leaves it.
	s.InSync = slices.DeleteFunc(slices.Clone(s.InSync), func(m Member) bool { return m.Node == n.ID })
	s.InSync = append(s.InSync, e.Member)
	s.SetVersion++
	return nil
}

func (s *Shard) inSyncAt(version uint64) error {
	if s.SetVersion != version {
		return fmt.Errorf("set of shard %s is at version %d, not %d: %w", s.ID, s.SetVersion, version, ErrStaleSet)
	}
	return nil
}

func (e SetOpenSlot) apply(b *builder) error {
	s, err := b.shard(e.Shard)
	if err != nil {
		return err
	}
	if int(e.Slot) >= maxOpenSlots {
		return fmt.Errorf("slot %d: %w", e.Slot, ErrBadEntry)
	}
	if _, err := b.node(e.Peer); err != nil {
		return err
	}
	if m := b.MoveOn(e.Slot); m != nil {
		return fmt.Errorf("job %s: %w", m.Job, ErrInMove)
	}
	switch e.State {
	case Migrating:
		if !s.Slots.Has(e.Slot) {
			return fmt.Errorf("slot %d: %w", e.Slot, ErrNotOwner)
		}
	case Importing:
		if s.Slots.Has(e.Slot) {
			return fmt.Errorf("slot %d: %w", e.Slot, ErrSlotOwned)
		}
	default:
		return fmt.Errorf("state %.32q: %w", string(e.State), ErrBadEntry)
	}
	s.close(e.Slot)
	s.Open = append(s.Open, OpenSlot{e.Slot, e.State, e.Peer})
	slices.SortFunc(s.Open, func(a, b OpenSlot) int { return compare(a.Slot, b.Slot) })
	return nil
}

func (e CloseSlot) apply(b *builder) error {
	s, err := b.shard(e.Shard)
	if err != nil {
		return err
	}
	s.close(e.Slot)
	return nil
}

// close drops the open mark of slot, on a copy of the list.
func (s *Shard) close(slot slots.Slot) {
	s.Open = slices.DeleteFunc(slices.Clone(s.Open), func(o OpenSlot) bool { return o.Slot == slot })
}
