package topology

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/slots"
)

// script applies entries one after the other.
type script struct {
	t *testing.T
	v *View
}

func newScript(t *testing.T, entries ...Entry) *script {
	s := &script{t, NewView()}
	for _, e := range entries {
		s.ok(e)
	}
	return s
}

func (s *script) ok(e Entry) *View {
	s.t.Helper()
	next, err := Apply(s.v, s.v.Index+1, e)
	if err != nil {
		s.t.Fatalf("%s: %v", Describe(e), err)
	}
	if err := next.Check(); err != nil {
		s.t.Fatalf("after %s: %v", Describe(e), err)
	}
	s.v = next
	return next
}

func (s *script) refused(want error, e Entry) {
	s.t.Helper()
	next, err := Apply(s.v, s.v.Index+1, e)
	if !errors.Is(err, want) {
		s.t.Fatalf("%s: %v, want %v", Describe(e), err, want)
	}
	s.v = next
}

func member(i, run int) Node {
	return Node{ID: testNode(i), Incarnation: 1, Run: testRun(run), Addr: Addr{"10.0.0.1", 7000 + i, 17000 + i}, Priority: 100}
}

// pair is a cluster of shard 0 (node 0, replica 2) with the lower slots and shard 1
// (node 1) with the upper ones; node i is in run i.
func pair(t *testing.T) *script {
	return newScript(t,
		FormCluster{ClusterID: string(testNode(70)), Node: member(0, 0), Shard: testShard(0), Slots: setOf(0, 8191)},
		JoinNode{Node: member(1, 1), Shard: testShard(1), Slots: setOf(8192, 16383)},
		JoinNode{Node: member(2, 2), Shard: testShard(2)},
		SetReplicaOf{Node: testNode(2), Incarnation: 1, Shard: testShard(0)},
	)
}

func (s *script) shard(i int) *Shard { return s.v.ShardByID(testShard(i)) }

func TestFormAndJoin(t *testing.T) {
	s := newScript(t)
	s.refused(ErrNotFormed, JoinNode{Node: member(1, 1), Shard: testShard(1)})
	s.ok(FormCluster{ClusterID: string(testNode(70)), Node: member(0, 0), Shard: testShard(0), Slots: slots.All(), HighestTerm: 7})
	s.refused(ErrFormed, FormCluster{ClusterID: string(testNode(71)), Node: member(1, 1), Shard: testShard(1)})
	if sh := s.shard(0); sh.Term != 8 || s.v.Size() != 1 || s.v.Owned() != slots.Count || !s.v.IsPrimary(testNode(0), testRun(0)) {
		t.Errorf("%+v", sh)
	}
	s.refused(ErrSlotOwned, JoinNode{Node: member(1, 1), Shard: testShard(1), Slots: setOf(100, 100)})
	s.ok(JoinNode{Node: member(1, 1), Shard: testShard(1), HighestTerm: 20, HighestEpoch: 9})
	if sh := s.shard(1); sh.Term != 21 || sh.Epoch != 10 {
		t.Errorf("the counters did not follow what the joiner reported: %+v", sh)
	}
	s.ok(JoinNode{Node: member(1, 1), Shard: testShard(1)}) // retried under another request id
	s.refused(ErrMember, JoinNode{Node: member(1, 5), Shard: testShard(5)})
	bad := member(3, 3)
	bad.ID = "short"
	s.refused(ErrBadEntry, JoinNode{Node: bad, Shard: testShard(3)})
}

func TestRemovedNodeComesBackOnlyReborn(t *testing.T) {
	s := pair(t)
	s.refused(ErrOwnsSlots, RemoveNode{Node: testNode(0), Incarnation: 1})
	s.refused(ErrStaleIncarnation, RemoveNode{Node: testNode(2), Incarnation: 2})
	s.ok(RemoveNode{Node: testNode(2), Incarnation: 1})
	s.ok(RemoveNode{Node: testNode(2), Incarnation: 1}) // FORGET again
	if s.v.Node(testNode(2)) != nil || len(s.shard(0).Replicas) != 0 {
		t.Error("the node is still there")
	}
	s.refused(ErrRemoved, JoinNode{Node: member(2, 2), Shard: testShard(2)})
	s.refused(ErrUnknownNode, UpdateNode{Node: testNode(2), Incarnation: 1, Run: testRun(9)})
	reborn := member(2, 3)
	reborn.Incarnation = 2
	s.ok(JoinNode{Node: reborn, Shard: testShard(2)})
	if s.v.Node(testNode(2)).RaftID() != string(testNode(2))+"/2" {
		t.Error("the raft id does not tell the incarnations apart")
	}
	// A member that lost its disk joins as the next incarnation, and replaces itself.
	again := member(2, 4)
	again.Incarnation = 3
	s.ok(JoinNode{Node: again, Shard: testShard(6)})
	owner := member(1, 7)
	owner.Incarnation = 2
	s.refused(ErrOwnsSlots, JoinNode{Node: owner, Shard: testShard(7)})
}

func TestPromote(t *testing.T) {
	s := pair(t)
	term := s.shard(0).Term
	p := Promote{Shard: testShard(0), Term: term, Candidate: testNode(2), Run: testRun(2), Mode: PromoteAuto}
	for want, bad := range map[error]func(p *Promote){
		ErrStaleTerm:    func(p *Promote) { p.Term-- },
		ErrNotMember:    func(p *Promote) { p.Candidate, p.Run = testNode(1), testRun(1) },
		ErrUnknownNode:  func(p *Promote) { p.Candidate = testNode(9) },
		ErrUnknownShard: func(p *Promote) { p.Shard = testShard(9) },
		ErrStaleRun:     func(p *Promote) { p.Run = testRun(9) },
		ErrBadEntry:     func(p *Promote) { p.Mode = "" },
	} {
		q := p
		bad(&q)
		s.refused(want, q)
	}
	epoch := s.v.EpochCounter
	s.ok(p)
	sh := s.shard(0)
	if sh.Primary != testNode(2) || sh.PrimaryRun != testRun(2) || sh.Term <= term || sh.Epoch <= epoch ||
		len(sh.Replicas) != 1 || sh.Replicas[0] != testNode(0) || len(sh.InSync) != 1 || !sh.IsInSync(testNode(2), testRun(2)) {
		t.Errorf("%+v", sh)
	}
	s.refused(ErrStaleTerm, p) // a second leader's late decision
}

func TestRestartedPrimaryIsNone(t *testing.T) {
	s := pair(t)
	s.ok(UpdateNode{Node: testNode(1), Incarnation: 1, Run: testRun(11), Addr: Addr{"10.0.0.9", 1, 2}})
	if s.v.IsPrimary(testNode(1), testRun(11)) || s.v.Node(testNode(1)).Addr.Client() != "10.0.0.9:1" {
		t.Error("a new run is primary without a Promote")
	}
	s.ok(Promote{Shard: testShard(1), Term: s.shard(1).Term, Candidate: testNode(1), Run: testRun(11), Mode: PromoteAuto, Empty: true})
	if !s.v.IsPrimary(testNode(1), testRun(11)) {
		t.Error("the lone copy's new run was not promoted")
	}
}

func TestLeadFencesOldDecisions(t *testing.T) {
	s := pair(t)
	s.ok(Lead{RaftTerm: 3, Node: testNode(0)})
	old := Promote{Shard: testShard(0), Term: s.shard(0).Term, Candidate: testNode(2), Run: testRun(2), Mode: PromoteAuto, RaftTerm: 3}
	s.ok(Lead{RaftTerm: 5, Node: testNode(1)})
	s.refused(ErrStaleTerm, old)
	s.refused(ErrStaleTerm, Lead{RaftTerm: 5, Node: testNode(2)})
	s.refused(ErrStaleTerm, Lead{RaftTerm: 4, Node: testNode(2)})
	old.RaftTerm = 5
	s.ok(old)
}

func TestInSyncOnly(t *testing.T) {
	s := pair(t)
	s.ok(SetClusterConfig{SyncWrites: SyncAllowed})
	p := Promote{Shard: testShard(0), Term: s.shard(0).Term, Candidate: testNode(2), Run: testRun(2), Mode: PromoteForce}
	s.refused(ErrNotInSync, p)
	grow := GrowInSync{Shard: testShard(0), Term: p.Term, Member: Member{testNode(2), testRun(2)}}
	s.refused(ErrStaleRun, GrowInSync{Shard: testShard(0), Term: p.Term, Member: Member{testNode(2), testRun(8)}})
	s.ok(grow)
	s.refused(ErrStaleSet, grow)
	shrink := ShrinkInSync{Shard: testShard(0), Term: p.Term, Version: 1, Member: Member{testNode(2), testRun(2)}}
	s.ok(shrink)
	s.refused(ErrNotInSync, p)
	s.ok(GrowInSync{Shard: testShard(0), Term: p.Term, Version: 2, Member: Member{testNode(2), testRun(2)}})
	s.ok(p)
	// The old primary has come back as another run, and had not been in the set of the
	// new term: its data do not count, whatever it says.
	s.ok(UpdateNode{Node: testNode(0), Incarnation: 1, Run: testRun(20), Continues: []RunID{testRun(0)}, Addr: Addr{"10.0.0.1", 7000, 17000}})
	s.refused(ErrNotInSync, Promote{Shard: testShard(0), Term: s.shard(0).Term, Candidate: testNode(0), Run: testRun(20), Mode: PromoteAuto})
	s.ok(UpdateNode{Node: testNode(0), Incarnation: 1, Run: testRun(0), Addr: Addr{"10.0.0.1", 7000, 17000}})
	// TAKEOVER passes the rule.
	s.ok(Promote{Shard: testShard(0), Term: s.shard(0).Term, Candidate: testNode(0), Run: testRun(0), Mode: PromoteTakeover})
}

func TestAssignSlots(t *testing.T) {
	s := pair(t)
	a, b := testShard(0), testShard(1)
	s.refused(ErrSlotOwned, AssignSlots{Shard: a, Add: setOf(9000, 9000)})
	s.refused(ErrNotReleased, AssignSlots{Shard: a, Del: setOf(0, 9)})
	s.refused(ErrNotReleased, AssignSlots{Shard: a, Del: setOf(0, 9), Releases: []Release{{a, s.shard(0).Term + 1, setOf(0, 9)}}})
	s.ok(AssignSlots{Shard: a, Del: setOf(9000, 9000)}) // not this shard's: nothing to do
	epoch := s.shard(0).Epoch
	s.ok(AssignSlots{Shard: a, Del: setOf(0, 9), Releases: []Release{{a, s.shard(0).Term, setOf(0, 20)}}})
	if s.v.Owner(5) != nil || s.v.Owner(10).ID != a || s.shard(0).Epoch == epoch || s.v.Owned() != slots.Count-10 {
		t.Error("the slots were not given up")
	}
	s.ok(AssignSlots{Shard: b, Add: setOf(0, 9)})
	s.ok(AssignSlots{Shard: a, Add: setOf(8192, 8199), Releases: []Release{{b, s.shard(1).Term, setOf(8192, 8199)}}})
	if s.v.Owner(3).ID != b || s.v.Owner(8195).ID != a {
		t.Error("the slots did not change hands")
	}
}

func TestMoves(t *testing.T) {
	s := pair(t)
	a, b := testShard(0), testShard(1)
	begin := BeginMove{Job: "j", Source: a, Target: b, Slots: setOf(0, 99)}
	s.refused(ErrNotOwner, BeginMove{Job: "x", Source: b, Target: a, Slots: setOf(0, 99)})
	s.refused(ErrBadEntry, BeginMove{Job: "x", Source: a, Target: a, Slots: setOf(0, 99)})
	s.ok(begin)
	s.refused(ErrJobExists, begin)
	s.refused(ErrInMove, BeginMove{Job: "k", Source: a, Target: b, Slots: setOf(99, 100)})
	s.refused(ErrInMove, SetOpenSlot{Shard: a, Slot: 5, State: Migrating, Peer: testNode(1)})
	s.refused(ErrInMove, AssignSlots{Shard: a, Del: setOf(5, 5), Releases: []Release{{a, s.shard(0).Term, setOf(5, 5)}}})
	m := s.v.MoveOn(50)
	commit := CommitMove{Job: "j", Attempt: m.Attempt, SourceTerm: m.SourceTerm, TargetTerm: m.TargetTerm}

	// A failover of the source ends the attempt; the job goes on.
	s.ok(Promote{Shard: a, Term: s.shard(0).Term, Candidate: testNode(2), Run: testRun(2), Mode: PromoteAuto})
	s.refused(ErrStaleAttempt, commit)
	m = s.v.Move("j")
	if m.Attempt != 2 || !m.IsOpen() || m.SourceTerm != s.shard(0).Term {
		t.Fatalf("%+v", m)
	}
	s.refused(ErrStaleTerm, CommitMove{Job: "j", Attempt: 2, SourceTerm: commit.SourceTerm, TargetTerm: m.TargetTerm})
	s.ok(AbortMove{Job: "j", Attempt: 2, Reason: "the target was silent"})
	s.refused(ErrStaleAttempt, AbortMove{Job: "j", Attempt: 2, Final: true})
	m = s.v.Move("j")
	s.ok(CommitMove{Job: "j", Attempt: 3, SourceTerm: m.SourceTerm, TargetTerm: m.TargetTerm})
	if s.v.Owner(50).ID != b || s.v.Owner(100).ID != a || s.v.MoveOn(50) != nil || s.v.Move("j").State != MoveCommitted {
		t.Error("the move did not take place")
	}
	s.refused(ErrUnknownMove, AbortMove{Job: "j", Attempt: 3, Final: true})
	s.ok(BeginMove{Job: "k", Source: b, Target: a, Slots: setOf(0, 99)})
	s.ok(AbortMove{Job: "k", Attempt: 1, Final: true, Reason: "cancelled"})
	if s.v.Owner(50).ID != b || s.v.Move("k").State != MoveAborted || len(s.v.OpenMoves("")) != 0 {
		t.Error("the cancelled move left something")
	}
	for i := range 2 * maxEndedMoves {
		job := fmt.Sprint("many", i)
		s.ok(BeginMove{Job: job, Source: b, Target: a, Slots: setOf(0, 99)})
		s.ok(AbortMove{Job: job, Attempt: 1, Final: true})
	}
	if len(s.v.Moves) != maxEndedMoves || s.v.Move("j") != nil {
		t.Errorf("%d ended moves are kept", len(s.v.Moves))
	}
}

func TestReplicas(t *testing.T) {
	s := pair(t)
	s.refused(ErrOwnsSlots, SetReplicaOf{Node: testNode(0), Incarnation: 1, Shard: testShard(1)})
	s.refused(ErrNotMember, SetReplicaOf{Node: testNode(0), Incarnation: 1, Shard: testShard(0)})
	s.ok(SetReplicaOf{Node: testNode(2), Incarnation: 1, Shard: testShard(0)}) // already
	s.ok(SetReplicaOf{Node: testNode(2), Incarnation: 1, Shard: testShard(1)})
	if sh := s.v.ShardOf(testNode(2)); sh.ID != testShard(1) || !s.v.IsReplica(testNode(2)) || len(s.shard(0).Replicas) != 0 {
		t.Errorf("%+v", sh)
	}
	// The replicas of a primary without slots come along.
	s.ok(JoinNode{Node: member(3, 3), Shard: testShard(3)})
	s.ok(SetReplicaOf{Node: testNode(2), Incarnation: 1, Shard: testShard(3)})
	s.ok(SetReplicaOf{Node: testNode(3), Incarnation: 1, Shard: testShard(1)})
	if s.shard(3) != nil || len(s.shard(1).Replicas) != 2 {
		t.Errorf("%+v", s.shard(1))
	}
	// A primary without slots that leaves hands its shard to its first replica.
	s.ok(JoinNode{Node: member(4, 4), Shard: testShard(4)})
	s.ok(SetReplicaOf{Node: testNode(2), Incarnation: 1, Shard: testShard(4)})
	s.ok(RemoveNode{Node: testNode(4), Incarnation: 1})
	if sh := s.shard(4); sh.Primary != testNode(2) || sh.PrimaryRun != testRun(2) {
		t.Errorf("%+v", sh)
	}
}

// TestHeir: of two in-sync copies that leave, each relying on the other, one stays.
func TestHeir(t *testing.T) {
	s := pair(t)
	s.ok(JoinNode{Node: member(3, 3), Shard: testShard(3)})
	s.ok(SetReplicaOf{Node: testNode(3), Incarnation: 1, Shard: testShard(0)})
	leave := func(i, heir int) RemoveNode {
		return RemoveNode{Node: testNode(i), Incarnation: 1, Heir: testNode(heir)}
	}
	s.refused(ErrNotInSync, leave(2, 3)) // not in the set yet
	for _, i := range []int{2, 3} {
		sh := s.shard(0)
		s.ok(GrowInSync{Shard: sh.ID, Term: sh.Term, Version: sh.SetVersion, Member: Member{testNode(i), testRun(i)}})
	}
	s.refused(ErrNotInSync, leave(2, 2))
	s.refused(ErrNotInSync, leave(2, 1)) // of another shard
	s.refused(ErrNotInSync, leave(2, 9)) // nobody
	move := SetReplicaOf{Node: testNode(2), Incarnation: 1, Shard: testShard(1), Heir: testNode(1)}
	s.refused(ErrNotInSync, move)
	s.ok(leave(2, 3))
	s.refused(ErrNotInSync, leave(3, 2))
	s.ok(UpdateNode{Node: testNode(0), Incarnation: 1, Run: testRun(20), Addr: member(0, 0).Addr, Priority: 100})
	s.refused(ErrNotInSync, leave(3, 0)) // the primary has lost its memory
	s.ok(RemoveNode{Node: testNode(3), Incarnation: 1})
}

func TestOpenSlots(t *testing.T) {
	s := pair(t)
	a, b := testShard(0), testShard(1)
	s.refused(ErrNotOwner, SetOpenSlot{Shard: b, Slot: 5, State: Migrating, Peer: testNode(0)})
	s.refused(ErrSlotOwned, SetOpenSlot{Shard: a, Slot: 5, State: Importing, Peer: testNode(1)})
	s.ok(SetOpenSlot{Shard: a, Slot: 5, State: Migrating, Peer: testNode(1)})
	s.ok(SetOpenSlot{Shard: b, Slot: 5, State: Importing, Peer: testNode(0)})
	s.refused(ErrSlotOpen, BeginMove{Job: "j", Source: a, Target: b, Slots: setOf(0, 9)})
	if o := s.shard(0).OpenSlotAt(5); o == nil || o.Peer != testNode(1) {
		t.Errorf("%+v", o)
	}
	s.ok(CloseSlot{Shard: a, Slot: 5})
	if s.shard(0).OpenSlotAt(5) != nil || s.shard(1).OpenSlotAt(5) == nil {
		t.Error("STABLE closes one side, and one only")
	}
	s.ok(AssignSlots{Shard: b, Add: setOf(5, 5), Releases: []Release{{a, s.shard(0).Term, setOf(5, 5)}}})
	if len(s.shard(1).Open) != 0 {
		t.Error("the slot has come and is still importing")
	}
	s.refused(ErrBadEntry, SetOpenSlot{Shard: a, Slot: slots.Count, State: Migrating, Peer: testNode(1)})
}

func TestRequestsAreAppliedOnce(t *testing.T) {
	s := pair(t)
	epoch := s.v.EpochCounter
	s.ok(BumpEpoch{Header{Request: "a"}, testShard(0)})
	s.ok(BumpEpoch{Header{Request: "a"}, testShard(0)})
	if s.v.EpochCounter != epoch+1 {
		t.Error("the entry was applied twice")
	}
	index := s.v.Index + 1
	s.refused(ErrUnknownShard, BumpEpoch{Header{Request: "b"}, testShard(9)})
	s.ok(JoinNode{Node: member(9, 9), Shard: testShard(9)})
	s.refused(ErrUnknownShard, BumpEpoch{Header{Request: "b"}, testShard(9)}) // the first outcome stands
	if at, err, ok := s.v.Outcome("b"); !ok || at != index || !errors.Is(err, ErrUnknownShard) {
		t.Errorf("%d %v %v", at, err, ok)
	}
	for i := range 2 * maxRequests {
		s.ok(BumpEpoch{Header{Request: fmt.Sprint(i)}, testShard(0)})
	}
	if len(s.v.Requests) != maxRequests {
		t.Errorf("%d requests are kept", len(s.v.Requests))
	}
	s.refused(ErrBadEntry, BumpEpoch{Header{Request: strings.Repeat("x", maxRequestBytes+1)}, testShard(0)})
}

func TestBatchIsAllOrNothing(t *testing.T) {
	s := pair(t)
	before := s.v.EpochCounter
	s.refused(ErrUnknownShard, Batch{Entries: []Entry{BumpEpoch{Shard: testShard(0)}, BumpEpoch{Shard: testShard(9)}}})
	if s.v.EpochCounter != before {
		t.Error("half of a batch was applied")
	}
	a := testShard(0)
	s.ok(Batch{Entries: []Entry{
		AssignSlots{Shard: a, Del: setOf(0, 9), Releases: []Release{{a, s.shard(0).Term, setOf(0, 9)}}},
		AssignSlots{Shard: testShard(1), Add: setOf(0, 9)},
	}})
	if s.v.Owner(0).ID != testShard(1) {
		t.Error("the batch was not applied")
	}
	s.refused(ErrBadEntry, Batch{})
	s.refused(ErrBadEntry, Batch{Entries: []Entry{Batch{}}})
}

func TestVoters(t *testing.T) {
	s := pair(t)
	s.ok(SetVoters{Voters: []NodeID{testNode(2), testNode(1)}})
	if got := s.v.Voters(); len(got) != 2 || got[0] != testNode(1) {
		t.Errorf("%v", got)
	}
	s.refused(ErrUnknownNode, SetVoters{Voters: []NodeID{testNode(9)}})
}

// TestRunsOfInSyncCopies: a new run is in the set only as one that goes on with the
// data of the one before; and where no run of the set lives any more, each of its nodes
// must have come back before one of them is promoted, and no other node is.
func TestRunsOfInSyncCopies(t *testing.T) {
	s := pair(t)
	a := testShard(0)
	addr := Addr{"10.0.0.1", 7000, 17000}
	s.ok(JoinNode{Node: member(3, 3), Shard: testShard(3)})
	s.ok(SetReplicaOf{Node: testNode(3), Incarnation: 1, Shard: a})
	s.ok(SetClusterConfig{SyncWrites: SyncAlways})
	term, version := s.shard(0).Term, s.shard(0).SetVersion
	s.ok(GrowInSync{Shard: a, Term: term, Version: version, Member: Member{testNode(2), testRun(2)}})
	promote := func(node, run int) Promote {
		return Promote{Shard: a, Term: s.shard(0).Term, Candidate: testNode(node), Run: testRun(run), Mode: PromoteAuto}
	}

	s.ok(UpdateNode{Node: testNode(2), Incarnation: 1, Run: testRun(12), Continues: []RunID{testRun(2)}, Addr: addr})
	if sh := s.shard(0); !sh.IsInSync(testNode(2), testRun(12)) || sh.IsInSync(testNode(2), testRun(2)) || sh.SetVersion != version+2 {
		t.Fatalf("%+v", sh)
	}
	s.ok(UpdateNode{Node: testNode(0), Incarnation: 1, Run: testRun(10), Continues: []RunID{testRun(0)}, Addr: addr})
	if s.v.IsPrimary(testNode(0), testRun(10)) || !s.shard(0).IsInSync(testNode(0), testRun(10)) {
		t.Fatal("a new run of the primary serves only when it is promoted")
	}
	s.refused(ErrNotInSync, promote(3, 3))
	s.ok(promote(0, 10))

	// Both of the set lose their memory.
	version = s.shard(0).SetVersion
	s.ok(GrowInSync{Shard: a, Term: s.shard(0).Term, Version: version, Member: Member{testNode(2), testRun(12)}})
	s.ok(UpdateNode{Node: testNode(2), Incarnation: 1, Run: testRun(22), Addr: addr})
	s.refused(ErrNotInSync, promote(2, 22)) // the primary lives
	s.ok(UpdateNode{Node: testNode(0), Incarnation: 1, Run: testRun(30), Addr: addr})
	force := promote(3, 3)
	force.Mode = PromoteForce
	s.refused(ErrNotInSync, force)
	outside := *s // one that was not in the set may have more than those that were
	outside.ok(promote(3, 3))
	s.ok(promote(2, 22))
	if got := s.shard(0).InSync; len(got) != 1 || got[0] != (Member{testNode(2), testRun(22)}) {
		t.Errorf("%v", got)
	}
}

func TestClusterConfig(t *testing.T) {
	s := pair(t)
	a := testShard(0)
	two, none, short := 2, 0, 99
	if c := s.v.Config; c.InSyncOnly() || c.SyncTimeout() != defaultSyncMilli || c.MinCopies(s.shard(0)) != 1 {
		t.Errorf("%+v", c)
	}
	s.refused(ErrBadEntry, SetClusterConfig{SyncTimeoutMillis: &short})
	s.ok(SetClusterConfig{SyncWrites: SyncAllowed, SyncMinCopies: &two})
	grow := GrowInSync{Shard: a, Term: s.shard(0).Term, Version: s.shard(0).SetVersion, Member: Member{testNode(2), testRun(2)}}
	s.ok(grow)
	s.ok(SetClusterConfig{SyncWrites: SyncAlways})
	if c := s.v.Config; c.MinCopies(s.shard(0)) != 2 || len(s.shard(0).InSync) != 2 {
		t.Errorf("what is not named changed: %+v, %+v", c, s.shard(0))
	}
	// Nobody keeps the sets while synchronous writes are not allowed.
	s.ok(SetClusterConfig{SyncWrites: SyncNo, SyncMinCopies: &none})
	s.ok(SetClusterConfig{SyncWrites: SyncAllowed})
	if len(s.shard(0).InSync) != 1 || s.v.Config.MinCopies(s.shard(0)) != 1 {
		t.Errorf("%+v", s.shard(0))
	}
	s.refused(ErrStaleSet, grow)
	for copies, want := range map[int]int{1: 1, 2: 1, 3: 2, 4: 2, 5: 3} {
		if got := s.v.Config.MinCopies(&Shard{Replicas: make([]NodeID, copies-1)}); got != want {
			t.Errorf("%d copies: %d", copies, got)
		}
	}
}
