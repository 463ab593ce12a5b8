package topology

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"github.com/redwingdb/redwing/internal/slots"
)

func compare[T cmp.Ordered](a, b T) int { return cmp.Compare(a, b) }

func raftID(id NodeID, incarnation uint64) string {
	return string(id) + "/" + strconv.FormatUint(incarnation, 10)
}

// Apply returns the View after e at index. It is pure and deterministic: the same
// View and entry give the same result on every node and in every version that
// knows the entry. An entry that is stale or malformed is refused whole: the View
// returned then differs from v in Index (and in the recorded outcome) only, and
// the error is one of this package's. An entry whose request id has been seen is
// not applied again; the first outcome is returned.
//
// The returned View is never nil. An index not above v.Index returns v unchanged,
// so replaying a log over a snapshot is harmless.
func Apply(v *View, index uint64, e Entry) (*View, error) {
	if index <= v.Index {
		_, err, _ := v.Outcome(e.RequestID())
		return v, err
	}
	if id := e.RequestID(); id != "" {
		if _, err, seen := v.Outcome(id); seen {
			return v.at(index), err
		}
	}
	err := validateHeader(e)
	var next *View
	if err == nil {
		b := builder{View: v.clone(), index: index}
		if err = e.apply(&b); err == nil {
			b.Index = index
			next = b.Seal()
		}
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", e.Kind(), err)
		next = v.at(index)
	}
	next.record(e.RequestID(), index, ErrorCode(err))
	return next, err
}

// at returns v at another index.
func (v *View) at(index uint64) *View {
	c := *v
	c.Index = index
	return &c
}

// record notes the outcome of a request. REQUIRES: v is not yet published.
func (v *View) record(id string, index uint64, code string) {
	if id == "" || len(id) > maxRequestBytes {
		return
	}
	drop := max(0, len(v.Requests)+1-maxRequests)
	requests := make([]Request, 0, len(v.Requests)+1-drop)
	requests = append(requests, v.Requests[drop:]...)
	v.Requests = append(requests, Request{id, index, code})
}

func validateHeader(e Entry) error {
	if n := len(e.RequestID()); n > maxRequestBytes {
		return fmt.Errorf("request id of %d bytes: %w", n, ErrBadEntry)
	}
	return nil
}

// builder is a View being changed by one entry. When apply returns an error the
// builder is thrown away, so a half-made change is never seen.
type builder struct {
	*View
	index uint64
}

// shard returns a shard to be changed. Its index stays right while an entry is
// applied, because shards are added at the end and dropped through dropShard,
// which re-indexes.
func (b *builder) shard(id ShardID) (*Shard, error) {
	if i, ok := b.shardAt[id]; ok {
		return &b.Shards[i], nil
	}
	return nil, fmt.Errorf("shard %.40s: %w", id, ErrUnknownShard)
}

func (b *builder) node(id NodeID) (*Node, error) {
	if i, ok := b.nodeAt[id]; ok {
		return &b.Nodes[i], nil
	}
	return nil, fmt.Errorf("node %.40s: %w", id, ErrUnknownNode)
}

// member returns the node if it is of this incarnation.
func (b *builder) member(id NodeID, incarnation uint64) (*Node, error) {
	n, err := b.node(id)
	if err != nil {
		return nil, err
	}
	if n.Incarnation != incarnation {
		return nil, fmt.Errorf("node %s is incarnation %d, not %d: %w", id, n.Incarnation, incarnation, ErrStaleIncarnation)
	}
	return n, nil
}

// shardInTerm returns the shard if it is in this term.
func (b *builder) shardInTerm(id ShardID, term uint64) (*Shard, error) {
	s, err := b.shard(id)
	if err != nil {
		return nil, err
	}
	if s.Term != term {
		return nil, fmt.Errorf("shard %s is in term %d, not %d: %w", id, s.Term, term, ErrStaleTerm)
	}
	return s, nil
}

func (b *builder) formed() error {
	if !b.Formed() {
		return ErrNotFormed
	}
	return nil
}

func (b *builder) nextTerm() uint64 {
	b.TermCounter++
	return b.TermCounter
}

func (b *builder) nextEpoch() uint64 {
	b.EpochCounter++
	return b.EpochCounter
}

// addShard adds a shard of one node. REQUIRES: its slots are unowned.
func (b *builder) addShard(id ShardID, n *Node, set slots.Set) {
	b.Shards = append(b.Shards, Shard{
		ID: id, Term: b.nextTerm(), Epoch: b.nextEpoch(),
		Primary: n.ID, PrimaryRun: n.Run, Slots: set,
		InSync: []Member{{n.ID, n.Run}},
	})
	b.Seal()
}

// dropNode takes a node out. REQUIRES: no shard names it.
func (b *builder) dropNode(id NodeID) {
	b.Nodes = slices.DeleteFunc(b.Nodes, func(n Node) bool { return n.ID == id })
	b.Seal()
}

// dropShard takes a shard out. REQUIRES: it owns no slot and no node is in it.
func (b *builder) dropShard(id ShardID) {
	b.Shards = slices.DeleteFunc(b.Shards, func(s Shard) bool { return s.ID == id })
	b.Seal()
}

// freeSlots refuses set if one of its slots has an owner.
func (b *builder) freeSlots(set *slots.Set) error {
	for i := range b.Shards {
		s := &b.Shards[i]
		if s.Slots.Intersects(set) {
			both := *set
			for slot := range set.Each() {
				if !s.Slots.Has(slot) {
					both.Remove(slot)
				}
			}
			return fmt.Errorf("slots %.128s are owned by %s: %w", both.String(), s.Primary, ErrSlotOwned)
		}
	}
	return nil
}

func (e Batch) apply(b *builder) error {
	if len(e.Entries) == 0 || len(e.Entries) > maxBatch {
		return fmt.Errorf("batch of %d: %w", len(e.Entries), ErrBadEntry)
	}
	for _, inner := range e.Entries {
		if inner.Kind() == KindBatch {
			return fmt.Errorf("batch in a batch: %w", ErrBadEntry)
		}
		if err := inner.apply(b); err != nil {
			return fmt.Errorf("%s: %w", inner.Kind(), err)
		}
		b.Seal()
	}
	return nil
}
