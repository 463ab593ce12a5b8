package topology

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/redwingdb/redwing/internal/slots"
)

func testNode(i int) NodeID   { return NodeID(fmt.Sprintf("%040x", i+1)) }
func testShard(i int) ShardID { return ShardID(fmt.Sprintf("%040x", 0x500+i)) }
func testRun(n int) RunID     { return RunID(fmt.Sprintf("%016x", n+1)) }
func setOf(from, to int) slots.Set {
	return slots.SetOf(slots.Range{From: slots.Slot(from), To: slots.Slot(to)})
}

// stream draws entries that are plausible more often than not: ids from a small
// pool, terms and attempts mostly the current ones.
type stream struct {
	*rand.Rand
	v    *View
	runs int
}

func (r *stream) node() NodeID {
	if len(r.v.Nodes) > 0 && r.IntN(8) != 0 {
		return r.v.Nodes[r.IntN(len(r.v.Nodes))].ID
	}
	return testNode(r.IntN(8))
}

func (r *stream) shard() *Shard {
	if len(r.v.Shards) > 0 && r.IntN(10) != 0 {
		return &r.v.Shards[r.IntN(len(r.v.Shards))]
	}
	return &Shard{ID: testShard(99), Term: 1}
}

func (r *stream) near(n uint64) uint64 {
	if r.IntN(6) == 0 {
		return n + uint64(r.IntN(3)) - 1
	}
	return n
}

func (r *stream) slots() slots.Set {
	from := r.IntN(slots.Count)
	return setOf(from, min(slots.Count-1, from+r.IntN(3000)))
}

// within draws some of set's slots.
func (r *stream) within(set slots.Set) slots.Set {
	ranges := set.Ranges()
	if len(ranges) == 0 || r.IntN(8) == 0 {
		return r.slots()
	}
	x := ranges[r.IntN(len(ranges))]
	from := int(x.From) + r.IntN(x.Len())
	return setOf(from, from+r.IntN(int(x.To)-from+1))
}

func (r *stream) member(id NodeID) (incarnation uint64, run RunID) {
	if n := r.v.Node(id); n != nil {
		return r.near(n.Incarnation), n.Run
	}
	return 1, testRun(0)
}

func (r *stream) newNode(i int) Node {
	r.runs++
	return Node{ID: testNode(i), Incarnation: uint64(r.IntN(3) + 1), Run: testRun(r.runs),
		Addr: Addr{"127.0.0.1", 7000 + i, 17000 + i}, Priority: 100}
}

func (r *stream) header() Header {
	switch r.IntN(10) {
	case 0:
		return Header{}
	case 1:
		return Header{Request: fmt.Sprint("r", r.IntN(40))} // often seen before
	}
	return Header{Request: fmt.Sprint("n", r.Uint64()), AtMillis: int64(r.IntN(1000))}
}

func (r *stream) releases() (out []Release) {
	for i := range r.v.Shards {
		if s := &r.v.Shards[i]; r.IntN(2) == 0 {
			out = append(out, Release{s.ID, r.near(s.Term), s.Slots})
		}
	}
	return out
}

func (r *stream) move() *Move {
	if len(r.v.Moves) > 0 && r.IntN(8) != 0 {
		return &r.v.Moves[r.IntN(len(r.v.Moves))]
	}
	return &Move{Job: "none", Attempt: 1}
}

func (r *stream) entry() Entry {
	h := r.header()
	s := r.shard()
	id := r.node()
	incarnation, run := r.member(id)
	i := r.IntN(8)
	switch r.IntN(21) {
	case 0:
		return FormCluster{Header: h, ClusterID: string(testNode(77)), Node: r.newNode(i), Shard: testShard(i), Slots: r.slots()}
	case 1, 2:
		n := r.newNode(i)
		e := JoinNode{Header: h, Node: n, Shard: ShardID(fmt.Sprintf("%040x", r.Uint64())), HighestTerm: uint64(r.IntN(50))}
		if r.IntN(3) == 0 {
			e.Slots = r.slots()
		}
		if r.IntN(6) == 0 {
			e.Shard = s.ID
		}
		return e
	case 3:
		r.runs++
		e := UpdateNode{Header: h, Node: id, Incarnation: incarnation, Run: testRun(r.runs), Priority: r.IntN(200)}
		if r.IntN(2) == 0 {
			e.Continues = []RunID{run, testRun(1 << 21)}
		}
		return e
	case 4:
		e := RemoveNode{Header: h, Node: id, Incarnation: incarnation}
		if i&1 != 0 {
			e.Heir = s.Primary
		}
		return e
	case 5:
		return SetVoters{Header: h, Voters: []NodeID{id, r.node()}}
	case 6, 7:
		e := AssignSlots{Header: h, Shard: s.ID, Add: r.slots()}
		if r.IntN(2) == 0 {
			e.Del, e.Releases = r.within(s.Slots), r.releases()
		}
		return e
	case 8, 9:
		e := SetReplicaOf{Header: h, Node: id, Incarnation: incarnation, Shard: s.ID}
		if i == 0 {
			e.Heir = s.Primary
		}
		return e
	case 10, 11:
		candidate := id
		if copies := s.Copies(); r.IntN(4) != 0 {
			candidate = copies[r.IntN(len(copies))]
		}
		if _, run = r.member(candidate); r.IntN(8) == 0 {
			run = testRun(1 << 20)
		}
		modes := []PromoteMode{PromoteAuto, PromoteGraceful, PromoteForce, PromoteTakeover}
		e := Promote{Header: h, Shard: s.ID, Term: r.near(s.Term), Candidate: candidate, Run: run, Mode: modes[r.IntN(4)]}
		if r.IntN(2) == 0 {
			e.RaftTerm = r.near(r.v.LeadTerm)
		}
		return e
	case 12:
		m := Member{id, run}
		if len(s.InSync) > 0 && r.IntN(2) == 0 {
			m = s.InSync[r.IntN(len(s.InSync))]
		}
		return ShrinkInSync{h, s.ID, r.near(s.Term), r.near(s.SetVersion), m}
	case 13:
		if len(s.Replicas) > 0 {
			id = s.Replicas[r.IntN(len(s.Replicas))]
			_, run = r.member(id)
		}
		return GrowInSync{h, s.ID, r.near(s.Term), r.near(s.SetVersion), Member{id, run}}
	case 14, 15:
		return BeginMove{h, fmt.Sprint("job", r.IntN(60)), s.ID, r.shard().ID, r.within(s.Slots)}
	case 16:
		m := r.move()
		return CommitMove{h, m.Job, r.near(m.Attempt), r.near(m.SourceTerm), r.near(m.TargetTerm)}
	case 17:
		m := r.move()
		return AbortMove{h, m.Job, r.near(m.Attempt), r.IntN(2) == 0, "because"}
	case 18:
		if r.IntN(2) == 0 {
			return CloseSlot{h, s.ID, slots.Slot(r.IntN(slots.Count))}
		}
		set := r.within(s.Slots)
		state := []OpenState{Migrating, Importing}[r.IntN(2)]
		return SetOpenSlot{h, s.ID, set.Ranges()[0].From, state, id}
	case 19:
		if r.IntN(2) == 0 {
			return Lead{h, r.near(r.v.LeadTerm + 1), id}
		}
		if r.IntN(3) == 0 {
			e := SetClusterConfig{Header: h, SyncWrites: []SyncWrites{SyncNo, SyncAllowed, SyncAlways, "", "maybe"}[r.IntN(5)]}
			if r.IntN(2) == 0 {
				copies, millis := r.IntN(3), 50*r.IntN(4)
				e.SyncMinCopies, e.SyncTimeoutMillis = &copies, &millis
			}
			return e
		}
		return BumpEpoch{h, s.ID}
	}
	b := Batch{Header: h}
	for range r.IntN(4) {
		if e := r.entry(); e.Kind() != KindBatch {
			b.Entries = append(b.Entries, e)
		}
	}
	return b
}

// TestApplyModel plays random entry streams and holds what must be true of every
// step, whatever the entry.
func TestApplyModel(t *testing.T) {
	seeds := uint64(40)
	if testing.Short() {
		seeds = 12
	}
	applied, refused := map[Kind]int{}, map[string]int{}
	for seed := range seeds {
		r := &stream{Rand: rand.New(rand.NewPCG(seed, 1)), v: NewView()}
		for index := uint64(1); index <= 150; index++ {
			e := r.entry()
			before := r.v
			encoded := EncodeView(before)
			next, err := Apply(before, index, e)
			if !bytes.Equal(encoded, EncodeView(before)) {
				t.Fatalf("seed %d index %d: %s changed the View it was given", seed, index, e.Kind())
			}
			if problem := checkStep(before, next, index, e, err); problem != nil {
				t.Fatalf("seed %d index %d: %s (%s): %v", seed, index, Describe(e), EncodeEntry(e), problem)
			}
			// Another node, which got the View and the entry over the wire.
			copied, errA := DecodeView(encoded)
			entry, errB := DecodeEntry(EncodeEntry(e))
			if errA != nil || errB != nil {
				t.Fatalf("seed %d index %d: %v %v", seed, index, errA, errB)
			}
			other, errC := Apply(copied, index, entry)
			if ErrorCode(err) != ErrorCode(errC) || !bytes.Equal(EncodeView(next), EncodeView(other)) {
				t.Fatalf("seed %d index %d: %s differs on another node: %v, %v", seed, index, e.Kind(), err, errC)
			}
			// A log replayed over a snapshot changes nothing.
			if again, _ := Apply(next, index, e); again != next {
				t.Fatalf("seed %d index %d: replay changes the View", seed, index)
			}
			if err == nil {
				applied[e.Kind()]++
			} else {
				refused[ErrorCode(err)]++
			}
			r.v = next
		}
	}
	for kind := range decoders {
		if applied[kind] == 0 {
			t.Errorf("no %s was ever applied: the stream is too tame", kind)
		}
	}
	for _, c := range codes {
		switch c.err {
		case ErrForeign, ErrRefused: // nothing in Apply returns them
		default:
			if refused[c.code] == 0 && !testing.Short() {
				t.Errorf("no entry was ever refused with %s", c.code)
			}
		}
	}
}

func checkStep(before, next *View, index uint64, e Entry, err error) error {
	if next.Index != index {
		return fmt.Errorf("index %d", next.Index)
	}
	if e := next.Check(); e != nil {
		return e
	}
	_, first, seen := before.Outcome(e.RequestID())
	if seen = seen && e.RequestID() != ""; seen && ErrorCode(first) != ErrorCode(err) {
		return fmt.Errorf("outcome %v, the first time %v", err, first)
	}
	if err != nil || seen {
		if err != nil && !IsRefusal(err) {
			return fmt.Errorf("error without a code: %w", err)
		}
		a, b := *before, *next
		a.Index, a.Requests, b.Index, b.Requests = 0, nil, 0, nil
		if !bytes.Equal(EncodeView(&a), EncodeView(&b)) {
			return fmt.Errorf("refused or seen before, yet the View changed")
		}
		return nil
	}
	if next.TermCounter < before.TermCounter || next.EpochCounter < before.EpochCounter || next.LeadTerm < before.LeadTerm {
		return fmt.Errorf("a counter fell")
	}
	for i := range before.Shards {
		old := &before.Shards[i]
		s := next.ShardByID(old.ID)
		if s == nil {
			continue
		}
		if s.Term < old.Term || s.Epoch < old.Epoch {
			return fmt.Errorf("term or epoch of %s fell", s.ID)
		}
		if (s.Primary != old.Primary || s.PrimaryRun != old.PrimaryRun) && s.Term == old.Term {
			return fmt.Errorf("the primary of %s changed within term %d", s.ID, s.Term)
		}
		if s.Slots != old.Slots && s.Epoch == old.Epoch && e.Kind() != KindCommitMove && e.Kind() != KindAssignSlots && e.Kind() != KindBatch {
			return fmt.Errorf("slots of %s changed, its epoch did not", s.ID)
		}
	}
	if err := checkSets(before, next, e); err != nil {
		return err
	}
	return checkTaken(before, next, e)
}

// checkSets holds the rules of in-sync sets: within a term a copy gets in by Grow alone
// (or as the next run of one that is in), every change moves the version on, and where
// only in-sync copies may lead no other becomes the primary but by TAKEOVER, alone in
// its set.
func checkSets(before, next *View, e Entry) error {
	if e.Kind() == KindBatch {
		return nil // its entries are applied by the same code
	}
	for i := range before.Shards {
		old := &before.Shards[i]
		s := next.ShardByID(old.ID)
		if s == nil {
			continue
		}
		if s.Term == old.Term {
			if !slices.Equal(s.InSync, old.InSync) && s.SetVersion <= old.SetVersion {
				return fmt.Errorf("the set of %s changed at version %d", s.ID, s.SetVersion)
			}
			for _, m := range s.InSync {
				grow, grows := e.(GrowInSync)
				update, updates := e.(UpdateNode)
				switch {
				case old.IsInSync(m.Node, m.Run):
				case grows && grow.Member == m && grow.Version == old.SetVersion:
				case updates && update.Node == m.Node && update.Run == m.Run && slices.ContainsFunc(update.Continues, func(r RunID) bool { return old.IsInSync(m.Node, r) }):
				default:
					return fmt.Errorf("%s got into the set of %s by %s", m.Node, s.ID, e.Kind())
				}
			}
			continue
		}
		if len(s.InSync) != 1 || s.InSync[0] != (Member{s.Primary, s.PrimaryRun}) {
			return fmt.Errorf("%s begins term %d with the set %v", s.ID, s.Term, s.InSync)
		}
		p, promotes := e.(Promote)
		if !promotes || !before.Config.InSyncOnly() || p.Mode == PromoteTakeover {
			continue
		}
		if old.IsInSync(p.Candidate, p.Run) {
			continue
		}
		for _, m := range old.InSync {
			if before.Node(m.Node).Run == m.Run {
				return fmt.Errorf("%s was promoted, and %s was in sync", p.Candidate, m.Node)
			}
		}
		if !slices.ContainsFunc(old.InSync, func(m Member) bool { return m.Node == p.Candidate }) {
			return fmt.Errorf("%s was promoted, and was never in sync", p.Candidate)
		}
	}
	return nil
}

// checkTaken holds that nothing takes a slot from a live owner: what a shard lost
// went by a committed move or by its own release.
func checkTaken(before, next *View, e Entry) error {
	if e.Kind() == KindBatch {
		return nil // its entries are applied by the same code
	}
	for slot := range slots.Count {
		was, is := before.Owner(slots.Slot(slot)), next.Owner(slots.Slot(slot))
		if was == nil || is != nil && is.ID == was.ID {
			continue
		}
		ok := false
		switch e := e.(type) {
		case CommitMove:
			m := before.Move(e.Job)
			ok = m.Slots.Has(slots.Slot(slot)) && is != nil && is.ID == m.Target && m.SourceTerm == was.Term
		case AssignSlots:
			for _, r := range e.Releases {
				ok = ok || r.Shard == was.ID && r.Term == was.Term && r.Slots.Has(slots.Slot(slot))
			}
		}
		if !ok {
			return fmt.Errorf("slot %d was taken from shard %s", slot, was.ID)
		}
	}
	return nil
}
