package topology

import (
	"errors"
	"fmt"

	"github.com/redwingdb/redwing/internal/slots"
)

// ErrInvariant is returned when a View contradicts itself.
var ErrInvariant = errors.New("topology: view breaks an invariant")

// Check returns ErrInvariant with the first contradiction found in v, which must
// be sealed.
func (v *View) Check() error {
	for _, check := range []func() error{v.checkMembers, v.checkShards, v.checkMoves} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func broken(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrInvariant}, args...)...)
}

func (v *View) checkMembers() error {
	if len(v.nodeAt) != len(v.Nodes) || len(v.Nodes) > MaxNodes {
		return broken("%d nodes under %d ids", len(v.Nodes), len(v.nodeAt))
	}
	if len(v.Nodes) > 0 && !v.Formed() {
		return broken("%d nodes and no cluster", len(v.Nodes))
	}
	for i := range v.Nodes {
		n := &v.Nodes[i]
		if s := v.ShardByID(n.Shard); s == nil || !s.Has(n.ID) {
			return broken("node %s is not in its shard %s", n.ID, n.Shard)
		}
		if gone, ok := v.RemovedIncarnation(n.ID); ok && n.Incarnation <= gone {
			return broken("node %s incarnation %d was removed", n.ID, n.Incarnation)
		}
	}
	if len(v.Removed) > maxRemoved || len(v.Requests) > maxRequests {
		return broken("%d removed, %d requests", len(v.Removed), len(v.Requests))
	}
	return v.Config.validate()
}

func (v *View) checkShards() error {
	if len(v.shardAt) != len(v.Shards) {
		return broken("%d shards under %d ids", len(v.Shards), len(v.shardAt))
	}
	var owned slots.Set
	copies := 0
	epochs, terms := map[uint64]ShardID{}, map[uint64]ShardID{}
	for i := range v.Shards {
		s := &v.Shards[i]
		if s.Slots.Intersects(&owned) {
			return broken("shard %s owns a slot of another", s.ID)
		}
		owned.Union(&s.Slots)
		if s.Term == 0 || s.Term > v.TermCounter || s.Epoch == 0 || s.Epoch > v.EpochCounter {
			return broken("shard %s: term %d of %d, epoch %d of %d", s.ID, s.Term, v.TermCounter, s.Epoch, v.EpochCounter)
		}
		if epochs[s.Epoch] != "" || terms[s.Term] != "" {
			return broken("shard %s shares term %d or epoch %d", s.ID, s.Term, s.Epoch)
		}
		epochs[s.Epoch], terms[s.Term] = s.ID, s.ID
		for _, id := range s.Copies() {
			n := v.Node(id)
			if n == nil || n.Shard != s.ID {
				return broken("shard %s names %s, which is elsewhere", s.ID, id)
			}
			copies++
		}
		if err := v.checkInSync(s); err != nil {
			return err
		}
		for _, o := range s.Open {
			if int(o.Slot) >= slots.Count || s.Slots.Has(o.Slot) != (o.State == Migrating) {
				return broken("shard %s: slot %d is %s", s.ID, o.Slot, o.State)
			}
		}
	}
	if copies != len(v.Nodes) {
		return broken("%d copies of shards, %d nodes", copies, len(v.Nodes))
	}
	return nil
}

func (v *View) checkInSync(s *Shard) error {
	if !s.inSyncNode(s.Primary) {
		return broken("shard %s: the primary is not in its in-sync set", s.ID)
	}
	seen := map[NodeID]bool{}
	for _, m := range s.InSync {
		if !s.Has(m.Node) || seen[m.Node] {
			return broken("shard %s: in-sync member %s", s.ID, m.Node)
		}
		seen[m.Node] = true
	}
	return nil
}

func (v *View) checkMoves() error {
	var moving slots.Set
	open := 0
	for i := range v.Moves {
		m := &v.Moves[i]
		if !m.IsOpen() {
			continue
		}
		open++
		source, target := v.ShardByID(m.Source), v.ShardByID(m.Target)
		if source == nil || target == nil || source == target {
			return broken("job %s moves from %s to %s", m.Job, m.Source, m.Target)
		}
		if m.SourceTerm != source.Term || m.TargetTerm != target.Term {
			return broken("job %s is bound to terms %d and %d, now %d and %d", m.Job, m.SourceTerm, m.TargetTerm, source.Term, target.Term)
		}
		if !source.Slots.Contains(&m.Slots) || m.Slots.Empty() || moving.Intersects(&m.Slots) {
			return broken("job %s moves slots that are not its source's alone", m.Job)
		}
		moving.Union(&m.Slots)
		for j := range v.Shards {
			for _, o := range v.Shards[j].Open {
				if m.Slots.Has(o.Slot) {
					return broken("job %s moves slot %d, open in %s", m.Job, o.Slot, v.Shards[j].ID)
				}
			}
		}
	}
	if open > MaxOpenMoves || len(v.Moves)-open > maxEndedMoves {
		return broken("%d open and %d ended moves", open, len(v.Moves)-open)
	}
	return nil
}
