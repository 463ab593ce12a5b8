package topology

import (
	"fmt"
	"slices"

	"github.com/redwingdb/redwing/internal/slots"
)

func (n *Node) validate() error {
	switch {
	case !n.ID.Valid():
		return fmt.Errorf("node id %.64q: %w", string(n.ID), ErrBadEntry)
	case !n.Run.Valid():
		return fmt.Errorf("run id %.64q: %w", string(n.Run), ErrBadEntry)
	case !n.Addr.valid() || len(n.Hostname) > maxHostBytes || len(n.Zone) > maxTextBytes || n.Priority < 0:
		return fmt.Errorf("address of node %s: %w", n.ID, ErrBadEntry)
	}
	return nil
}

func (e FormCluster) apply(b *builder) error {
	if b.Formed() {
		return fmt.Errorf("cluster %s: %w", b.ClusterID, ErrFormed)
	}
	if !isHex(e.ClusterID, 40) || !e.Shard.Valid() {
		return fmt.Errorf("cluster id %.64q, shard id %.64q: %w", e.ClusterID, string(e.Shard), ErrBadEntry)
	}
	if err := e.Node.validate(); err != nil {
		return err
	}
	if err := e.Config.validate(); err != nil {
		return err
	}
	b.ClusterID, b.Generation, b.Config = e.ClusterID, max(1, e.Generation), e.Config
	b.TermCounter, b.EpochCounter = e.HighestTerm, e.HighestEpoch
	n := e.Node
	n.Shard, n.Voter = e.Shard, true
	b.Nodes = append(b.Nodes, n)
	b.addShard(e.Shard, &n, e.Slots)
	return nil
}

func (e JoinNode) apply(b *builder) error {
	if err := b.formed(); err != nil {
		return err
	}
	if err := e.Node.validate(); err != nil {
		return err
	}
	if !e.Shard.Valid() {
		return fmt.Errorf("shard id %.64q: %w", string(e.Shard), ErrBadEntry)
	}
	if gone, ok := b.RemovedIncarnation(e.Node.ID); ok && e.Node.Incarnation <= gone {
		return fmt.Errorf("node %s incarnation %d: %w", e.Node.ID, e.Node.Incarnation, ErrRemoved)
	}
	if old := b.Node(e.Node.ID); old != nil {
		if old.Incarnation == e.Node.Incarnation && old.Run == e.Node.Run {
			return nil // a join that was retried under another request id
		}
		if old.Incarnation >= e.Node.Incarnation {
			return fmt.Errorf("node %s incarnation %d: %w", old.ID, old.Incarnation, ErrMember)
		}
		if err := b.remove(old); err != nil {
			return err
		}
	}
	if len(b.Nodes) >= MaxNodes {
		return fmt.Errorf("%d nodes: %w", len(b.Nodes), ErrBadEntry)
	}
	if b.ShardByID(e.Shard) != nil {
		return fmt.Errorf("shard %s: %w", e.Shard, ErrShardExists)
	}
	if err := b.freeSlots(&e.Slots); err != nil {
		return err
	}
	b.TermCounter = max(b.TermCounter, e.HighestTerm)
	b.EpochCounter = max(b.EpochCounter, e.HighestEpoch)
	n := e.Node
	n.Shard, n.Voter = e.Shard, false
	b.Nodes = append(b.Nodes, n)
	b.addShard(e.Shard, &n, e.Slots)
	return nil
}

func (e UpdateNode) apply(b *builder) error {
	n, err := b.member(e.Node, e.Incarnation)
	if err != nil {
		return err
	}
	changed := *n
	changed.Run, changed.Addr, changed.Hostname, changed.Zone, changed.Priority = e.Run, e.Addr, e.Hostname, e.Zone, e.Priority
	if err := changed.validate(); err != nil {
		return err
	}
	if len(e.Continues) > maxContinues {
		return fmt.Errorf("%d runs before it: %w", len(e.Continues), ErrBadEntry)
	}
	s, err := b.shard(n.Shard)
	if err != nil {
		return err
	}
	s.succeed(Member{n.ID, e.Run}, e.Continues)
	*n = changed
	return nil
}

// succeed gives the place in the in-sync set of one of the runs of its node before it to
// next.
func (s *Shard) succeed(next Member, before []RunID) {
	i := slices.IndexFunc(s.InSync, func(m Member) bool { return m.Node == next.Node && slices.Contains(before, m.Run) })
	if i >= 0 && s.InSync[i] != next {
		s.InSync = slices.Clone(s.InSync)
		s.InSync[i] = next
		s.SetVersion++
	}
}

func (e RemoveNode) apply(b *builder) error {
	if err := b.formed(); err != nil {
		return err
	}
	if !e.Node.Valid() {
		return fmt.Errorf("node id %.64q: %w", string(e.Node), ErrBadEntry)
	}
	if gone, ok := b.RemovedIncarnation(e.Node); ok && e.Incarnation <= gone {
		return nil // FORGET of a node already removed
	}
	n, err := b.member(e.Node, e.Incarnation)
	if err != nil {
		return err
	}
	if err := b.Inherits(e.Node, e.Heir); err != nil {
		return err
	}
	return b.remove(n)
}

// Inherits returns nil if heir is in the in-sync set of node's shard, or empty: nobody asks.
func (v *View) Inherits(node, heir NodeID) error {
	if heir == "" {
		return nil
	}
	s, n := v.ShardOf(node), v.Node(heir)
	if s == nil || n == nil || heir == node || !s.IsInSync(heir, n.Run) {
		return fmt.Errorf("heir %.40s of node %.40s: %w", string(heir), string(node), ErrNotInSync)
	}
	return nil
}

// remove ends the membership of n and writes it into the removed list.
func (b *builder) remove(n *Node) error {
	id, incarnation := n.ID, n.Incarnation
	if err := b.leaveShard(n, ""); err != nil {
		return err
	}
	b.dropNode(id)
	b.Removed = slices.DeleteFunc(b.Removed, func(r Removed) bool { return r.ID == id })
	if len(b.Removed) >= maxRemoved {
		b.Removed = b.Removed[1:]
	}
	b.Removed = append(b.Removed, Removed{id, incarnation})
	return nil
}

// leaveShard takes n out of its shard. A primary of slots is refused. The replicas
// of a primary without slots go with it to heir, or, if heir is "", the first of
// them inherits the shard, which holds no data worth a vote.
func (b *builder) leaveShard(n *Node, heir ShardID) error {
	s, err := b.shard(n.Shard)
	if err != nil {
		return err
	}
	if s.Primary != n.ID {
		b.dropReplica(s, n.ID)
		return nil
	}
	if !s.Slots.Empty() {
		return fmt.Errorf("node %s owns %d slots: %w", n.ID, s.Slots.Len(), ErrOwnsSlots)
	}
	if len(b.OpenMoves(s.ID)) > 0 {
		return fmt.Errorf("node %s is the target of a move: %w", n.ID, ErrInMove)
	}
	switch {
	case len(s.Replicas) == 0:
		b.dropShard(s.ID)
	case heir != "":
		replicas := s.Replicas
		b.dropShard(s.ID)
		to, err := b.shard(heir)
		if err != nil {
			return err
		}
		for _, id := range replicas {
			r, err := b.node(id)
			if err != nil {
				return err
			}
			r.Shard = heir
			to.Replicas = append(slices.Clone(to.Replicas), id)
		}
	default:
		first, err := b.node(s.Replicas[0])
		if err != nil {
			return err
		}
		s.Primary, s.PrimaryRun = first.ID, first.Run
		s.Replicas = slices.Clone(s.Replicas[1:])
		s.Term, s.Epoch = b.nextTerm(), b.nextEpoch()
		s.InSync, s.SetVersion = []Member{{first.ID, first.Run}}, 0
	}
	return nil
}

func (b *builder) dropReplica(s *Shard, id NodeID) {
	s.Replicas = slices.DeleteFunc(slices.Clone(s.Replicas), func(r NodeID) bool { return r == id })
	s.InSync = slices.DeleteFunc(slices.Clone(s.InSync), func(m Member) bool { return m.Node == id })
	// Even if it was not in the set: a Grow that is under way knows nothing of what the
	// node does until it comes back.
	s.SetVersion++
}

func (e SetVoters) apply(b *builder) error {
	if err := b.formed(); err != nil {
		return err
	}
	for _, id := range e.Voters {
		if _, err := b.node(id); err != nil {
			return err
		}
	}
	for i := range b.Nodes {
		b.Nodes[i].Voter = slices.Contains(e.Voters, b.Nodes[i].ID)
	}
	return nil
}

func (e Lead) apply(b *builder) error {
	if err := b.formed(); err != nil {
		return err
	}
	if _, err := b.node(e.Node); err != nil {
		return err
	}
	if e.RaftTerm <= b.LeadTerm {
		return fmt.Errorf("raft term %d, already led in %d: %w", e.RaftTerm, b.LeadTerm, ErrStaleTerm)
	}
	b.LeadTerm, b.LeadNode = e.RaftTerm, e.Node
	return nil
}

func (e SetReplicaOf) apply(b *builder) error {
	n, err := b.member(e.Node, e.Incarnation)
	if err != nil {
		return err
	}
	to, err := b.shard(e.Shard)
	if err != nil {
		return err
	}
	if n.Shard == e.Shard {
		if to.Primary == n.ID {
			return fmt.Errorf("node %s is the primary of the shard: %w", n.ID, ErrNotMember)
		}
		return nil
	}
	if err := b.Inherits(e.Node, e.Heir); err != nil {
		return err
	}
	if err := b.leaveShard(n, e.Shard); err != nil {
		return err
	}
	// leaveShard may have dropped a shard and so moved the others.
	if to, err = b.shard(e.Shard); err != nil {
		return err
	}
	n.Shard = e.Shard
	to.Replicas = append(slices.Clone(to.Replicas), n.ID)
	return nil
}

func (e SetClusterConfig) apply(b *builder) error {
	if err := b.formed(); err != nil {
		return err
	}
	next := b.Config
	if e.SyncWrites != "" {
		next.SyncWrites = e.SyncWrites
	}
	if e.SyncMinCopies != nil {
		next.SyncMinCopies = *e.SyncMinCopies
	}
	if e.SyncTimeoutMillis != nil {
		next.SyncTimeoutMillis = *e.SyncTimeoutMillis
	}
	if err := next.validate(); err != nil {
		return err
	}
	if next.InSyncOnly() && !b.Config.InSyncOnly() {
		for i := range b.Shards {
			if s := &b.Shards[i]; len(s.InSync) > 1 {
				s.InSync = slices.DeleteFunc(slices.Clone(s.InSync), func(m Member) bool { return m.Node != s.Primary })
				s.SetVersion++
			}
		}
	}
	b.Config = next
	return nil
}

func (c *ClusterConfig) validate() error {
	switch c.SyncWrites {
	case "", SyncNo, SyncAllowed, SyncAlways:
	default:
		return fmt.Errorf("sync-writes %.32q: %w", string(c.SyncWrites), ErrBadEntry)
	}
	if c.SyncMinCopies < 0 || c.SyncMinCopies > MaxNodes {
		return fmt.Errorf("sync-min-copies %d: %w", c.SyncMinCopies, ErrBadEntry)
	}
	if t := c.SyncTimeoutMillis; t != 0 && (t < MinSyncMillis || t > MaxSyncMillis) {
		return fmt.Errorf("sync-timeout %d: %w", t, ErrBadEntry)
	}
	if c.NodeTimeoutMillis < 0 || c.NodeTimeoutMillis > 3600_000 {
		return fmt.Errorf("cluster-node-timeout %d: %w", c.NodeTimeoutMillis, ErrBadEntry)
	}
	return nil
}

func (e AssignSlots) apply(b *builder) error {
	s, err := b.shard(e.Shard)
	if err != nil {
		return err
	}
	if len(e.Releases) > maxReleases {
		return fmt.Errorf("%d releases: %w", len(e.Releases), ErrBadEntry)
	}
	del := e.Del
	for slot := range e.Del.Each() {
		if !s.Slots.Has(slot) {
			del.Remove(slot)
		}
	}
	if err := b.untouched(&del); err != nil {
		return err
	}
	if err := b.released(s, &del, e.Releases); err != nil {
		return err
	}
	s.Slots.Subtract(&del)
	s.Open = slices.DeleteFunc(slices.Clone(s.Open), func(o OpenSlot) bool { return o.State == Migrating && del.Has(o.Slot) })

	add := e.Add
	add.Subtract(&s.Slots)
	if err := b.untouched(&add); err != nil {
		return err
	}
	for i := range b.Shards {
		other := &b.Shards[i]
		if other.ID == e.Shard || !other.Slots.Intersects(&add) {
			continue
		}
		var taken slots.Set
		for slot := range add.Each() {
			if other.Slots.Has(slot) {
				taken.Add(slot)
			}
		}
		if err := b.released(other, &taken, e.Releases); err != nil {
			return fmt.Errorf("%w: %w", ErrSlotOwned, err)
		}
		other.Slots.Subtract(&taken)
		other.Open = slices.DeleteFunc(slices.Clone(other.Open), func(o OpenSlot) bool { return o.State == Migrating && taken.Has(o.Slot) })
	}
	if !add.Empty() {
		s.Slots.Union(&add)
		s.Open = slices.DeleteFunc(slices.Clone(s.Open), func(o OpenSlot) bool { return o.State == Importing && add.Has(o.Slot) })
	}
	if !add.Empty() || !del.Empty() {
		s.Epoch = b.nextEpoch()
	}
	return nil
}

// untouched refuses slots that an open move holds.
func (b *builder) untouched(set *slots.Set) error {
	for i := range b.Moves {
		if m := &b.Moves[i]; m.IsOpen() && m.Slots.Intersects(set) {
			return fmt.Errorf("job %s: %w", m.Job, ErrInMove)
		}
	}
	return nil
}

// released checks that the releases cover what is taken from s, at its term.
func (b *builder) released(s *Shard, taken *slots.Set, releases []Release) error {
	var covered slots.Set
	for i := range releases {
		if r := &releases[i]; r.Shard == s.ID && r.Term == s.Term {
			covered.Union(&r.Slots)
		}
	}
	if !covered.Contains(taken) {
		return fmt.Errorf("shard %s term %d: %w", s.ID, s.Term, ErrNotReleased)
	}
	return nil
}

func (e BumpEpoch) apply(b *builder) error {
	s, err := b.shard(e.Shard)
	if err != nil {
		return err
	}
	s.Epoch = b.nextEpoch()
	return nil
}
