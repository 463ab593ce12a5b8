package insync

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/redwingdb/redwing/internal/slots"
	"github.com/redwingdb/redwing/internal/topology"
)

const ms = int64(1e6)

func testNode(i int) topology.NodeID     { return topology.NodeID(fmt.Sprintf("%040x", i+1)) }
func testRun(i, life int) topology.RunID { return topology.RunID(fmt.Sprintf("%08x%08x", i+1, life)) }
func copyOf(i, life int) topology.Member {
	return topology.Member{Node: testNode(i), Run: testRun(i, life)}
}

var shard = topology.ShardID(fmt.Sprintf("%040x", 0x500))

// log is a topology log of one shard: node 0 is its primary.
type log struct {
	t testing.TB
	v *topology.View
}

func newLog(t testing.TB, copies int) *log {
	l := &log{t, topology.NewView()}
	for i := range copies {
		n := topology.Node{ID: testNode(i), Incarnation: 1, Run: testRun(i, 1), Priority: 100}
		if i == 0 {
			l.apply(topology.FormCluster{ClusterID: string(testNode(99)), Node: n, Shard: shard, Slots: slots.All()})
			continue
		}
		l.apply(topology.JoinNode{Node: n, Shard: topology.ShardID(testNode(0x600 + i))})
		l.apply(topology.SetReplicaOf{Node: n.ID, Incarnation: 1, Shard: shard})
	}
	l.apply(topology.SetClusterConfig{SyncWrites: topology.SyncAllowed})
	return l
}

func (l *log) apply(e topology.Entry) {
	l.t.Helper()
	if err := l.try(e); err != nil {
		l.t.Fatal(err)
	}
}

func (l *log) try(e topology.Entry) error {
	next, err := topology.Apply(l.v, l.v.Index+1, e)
	l.v = next
	return err
}

func (l *log) set() []topology.Member { return l.v.ShardByID(shard).InSync }

// script steps a machine by hand.
type script struct {
	*log
	m      *Machine
	now    int64
	end    int64
	copies []Copy
	got    Verdict
	asked  *Proposal
}

func newScript(t testing.TB, copies int) *script {
	return &script{log: newLog(t, copies), m: New(copyOf(0, 1)), end: 100}
}

func (s *script) step(after int64) *script {
	s.now += after
	if got, p := s.m.Step(s.now, s.v, s.end, s.copies); p != nil {
		s.got, s.asked = got, p
	} else {
		s.got = got
	}
	return s
}

// commit applies what the machine has proposed.
func (s *script) commit() *script {
	s.t.Helper()
	if s.asked == nil {
		s.t.Fatal("nothing was proposed")
	}
	s.m.Proposed(s.now, s.asked.N, s.try(s.asked.Entry))
	s.asked = nil
	return s.step(ms)
}

func (s *script) heard(i int, offset int64) *script {
	c := Copy{Member: copyOf(i, 1), Online: true, Offset: offset, Heard: s.now}
	if j := slices.IndexFunc(s.copies, func(c Copy) bool { return c.Member == copyOf(i, 1) }); j >= 0 {
		s.copies[j] = c
	} else {
		s.copies = append(s.copies, c)
	}
	return s
}

func (s *script) is(confirmed int64, refuse bool, members int) *script {
	s.t.Helper()
	if s.got.Offset != confirmed || s.got.Refuse != refuse || len(s.set()) != members {
		s.t.Fatalf("confirmed %d, refuse %v, set of %d; want %d %v %d", s.got.Offset, s.got.Refuse, len(s.set()), confirmed, refuse, members)
	}
	return s
}

func TestCopyJoinsAndLeaves(t *testing.T) {
	s := newScript(t, 2)
	s.step(0).is(100, false, 1)
	s.end = 150
	s.step(ms).is(150, false, 1) // alone
	// Near, but behind: replies begin to wait for it, and it is proposed only once it has
	// all that was confirmed.
	s.end = 200
	s.heard(1, 120).step(ms).is(200, false, 1)
	s.end = 300
	s.heard(1, 199).step(ms).is(200, false, 1)
	if s.asked != nil {
		t.Fatalf("proposed with a copy at 199: %v", s.asked.Entry)
	}
	s.heard(1, 250).step(ms).is(250, false, 1)
	s.end = 400
	s.heard(1, 300).step(ms).is(300, false, 1) // proposed, so waited for
	s.commit().is(300, false, 2)
	s.heard(1, 400).step(ms).is(400, false, 2)
	// It falls silent. While its removal is not applied it is waited for.
	s.end = 500
	s.step(Patience(&s.v.Config)+ms).is(400, false, 2)
	s.end = 600
	s.step(ms).is(400, false, 2)
	s.commit().is(600, false, 1)
	if got := s.m.members; len(got) != 0 {
		t.Fatalf("still waited for: %v", got)
	}
	// And comes back.
	s.heard(1, 600).step(ms)
	if s.asked != nil {
		t.Fatal("it was let in at once")
	}
	s.now += Patience(&s.v.Config)
	s.heard(1, 600).step(0).commit().is(600, false, 2)
}

func TestOutcomeUnknown(t *testing.T) {
	s := newScript(t, 2)
	s.heard(1, 100).step(0)
	grow := s.asked
	s.m.Proposed(s.now, grow.N, errors.New("no leader"))
	s.asked = nil
	s.copies = nil // the copy dies; the log may take it in at any time
	s.end = 200
	s.step(10*ms).is(100, false, 1)
	s.step(Patience(&s.v.Config)*3).is(100, false, 1)
	if s.asked == nil || s.asked.N != grow.N || s.asked.Entry.RequestID() != grow.Entry.RequestID() {
		t.Fatalf("the proposal was not made again: %v", s.asked)
	}
	if s.m.Outside(copyOf(1, 1)) {
		t.Fatal("it may be sent other data")
	}
	s.commit().is(100, false, 2)
	s.step(Patience(&s.v.Config) + ms)
	s.commit().is(200, false, 1)
}

func TestRefusedProposal(t *testing.T) {
	s := newScript(t, 3)
	s.heard(1, 100).step(0)
	s.apply(topology.UpdateNode{Node: testNode(1), Incarnation: 1, Run: testRun(1, 2)})
	s.end = 200
	s.commit().is(100, true, 1) // refused: its run has ended; one of three confirms nothing
	s.heard(2, 200).step(ms).commit().is(200, false, 2)
}

func TestWholeDataSetOnlyOutside(t *testing.T) {
	s := newScript(t, 2)
	two := 2
	s.apply(topology.SetClusterConfig{SyncMinCopies: &two})
	s.step(0).is(100, true, 1)
	s.heard(1, 100).step(ms).commit().is(100, false, 2)
	s.copies[0].Online = false
	if s.m.Outside(copyOf(1, 1)) {
		t.Fatal("a member would drop its data")
	}
	// Though the set becomes smaller than it may be: it cannot be had otherwise.
	s.step(ms)
	s.end = 200
	s.commit().is(100, true, 1)
	if !s.m.Outside(copyOf(1, 1)) {
		t.Fatal("it may not be sent the data set")
	}
}

func TestMinCopies(t *testing.T) {
	s := newScript(t, 2)
	two := 2
	s.apply(topology.SetClusterConfig{SyncMinCopies: &two})
	s.heard(1, 100).step(0).commit().is(100, false, 2)
	s.copies = nil
	s.end = 200
	s.step(Patience(&s.v.Config)+ms).is(100, true, 2)
	if s.asked != nil {
		t.Fatal("the set would become too small")
	}
	// It has been away, and has all that was confirmed.
	s.heard(1, 150).step(ms).is(150, false, 2)
	// Another run of it takes the place of the one that has ended.
	s.apply(topology.UpdateNode{Node: testNode(1), Incarnation: 1, Run: testRun(1, 2)})
	s.copies = []Copy{{Member: copyOf(1, 2), Online: true, Offset: 200, Heard: s.now}}
	s.step(ms).is(150, false, 2)
	s.commit().is(200, false, 2)
	if !slices.Contains(s.set(), copyOf(1, 2)) {
		t.Fatalf("%v", s.set())
	}
}

func TestNotAllowed(t *testing.T) {
	s := newScript(t, 2)
	s.heard(1, 100).step(0).commit().is(100, false, 2)
	s.apply(topology.SetClusterConfig{SyncWrites: topology.SyncNo})
	s.step(ms)
	if s.got != (Verdict{}) || !s.m.Outside(copyOf(1, 1)) {
		t.Fatalf("%+v", s.got)
	}
	s.end = 300
	s.apply(topology.SetClusterConfig{SyncWrites: topology.SyncAlways})
	s.heard(1, 300).step(ms).is(300, false, 1)
	s.commit().is(300, false, 2)
}

func TestNewTermBeginsAlone(t *testing.T) {
	s := newScript(t, 2)
	s.heard(1, 100).step(0).commit().is(100, false, 2)
	s.end = 300
	s.step(ms).is(100, false, 2)
	s.apply(topology.Promote{Shard: shard, Term: s.v.ShardByID(shard).Term, Candidate: testNode(0), Run: testRun(0, 1), Mode: topology.PromoteAuto})
	s.step(ms).is(300, false, 1)
	s.apply(topology.Promote{Shard: shard, Term: s.v.ShardByID(shard).Term, Candidate: testNode(1), Run: testRun(1, 1), Mode: topology.PromoteTakeover})
	s.step(ms)
	if s.got != (Verdict{}) {
		t.Fatalf("no primary any more: %+v", s.got)
	}
}

// world plays random histories of one primary and its replicas: acknowledgements that are
// late, copies that fall silent, restart empty, are moved away and back, proposals whose
// outcome is unknown or that are applied much later, a View that lags behind the log.
type world struct {
	*log
	rng      *rand.Rand
	m        *Machine
	now, end int64
	seen     *topology.View // by the primary
	late     []func()
	replicas []*replica
	verdict  Verdict
	highest  int64 // ever confirmed
	grown    int
	shrunk   int
}

type replica struct {
	i, life int
	offset  int64 // of its data; 0: it has none
	linked  bool
	online  bool
	acked   int64 // as the primary has heard
	heard   int64
}

func (w *world) chance(percent int) bool { return w.rng.IntN(100) < percent }

func (w *world) event() {
	r := w.replicas[w.rng.IntN(len(w.replicas))]
	switch k := w.rng.IntN(100); {
	case k < 30: // a write
		w.end += 1 + int64(w.rng.IntN(100))
	case k < 65: // it takes the stream, and tells
		if r.linked && r.online {
			r.offset = max(r.offset, w.end-int64(w.rng.IntN(30)))
			life, offset := r.life, r.offset
			w.soon(func() {
				if r.life == life && r.linked && r.online {
					r.acked, r.heard = max(r.acked, offset), w.now
				}
			})
		}
	case k < 72: // it connects: it goes on, or must be sent everything
		if !r.linked {
			r.linked, r.heard = true, w.now
			r.online = r.offset > 0 && w.chance(70)
			if r.online {
				r.acked = r.offset
			}
		}
	case k < 80:
		// A whole data set is sent to a copy that is outside alone.
		if r.linked && !r.online && w.m.Outside(copyOf(r.i, r.life)) {
			r.offset, r.acked = 0, 0
			if w.chance(80) {
				r.offset, r.acked, r.heard, r.online = w.end, w.end, w.now, true
			}
		}
	case k < 83:
		r.linked, r.online = false, false
	case k < 85: // it dies, and comes back empty
		r.life++
		r.offset, r.linked, r.online, r.acked = 0, false, false, 0
		if w.try(topology.UpdateNode{Node: testNode(r.i), Incarnation: w.v.Node(testNode(r.i)).Incarnation, Run: testRun(r.i, r.life)}) != nil {
			w.t.Fatal("no update")
		}
	case k < 86: // it goes to a shard of its own and comes back, without its data
		w.try(topology.RemoveNode{Node: testNode(r.i), Incarnation: w.v.Node(testNode(r.i)).Incarnation})
		in := uint64(2)
		if gone, ok := w.v.RemovedIncarnation(testNode(r.i)); ok {
			in = gone + 1
		}
		r.offset, r.linked, r.online, r.acked = 0, false, false, 0
		w.try(topology.JoinNode{Node: topology.Node{ID: testNode(r.i), Incarnation: in, Run: testRun(r.i, r.life), Priority: 100}, Shard: topology.ShardID(fmt.Sprintf("%040x", w.rng.Uint64()))})
		w.try(topology.SetReplicaOf{Node: testNode(r.i), Incarnation: in, Shard: shard})
	case k < 97:
		w.now += int64(w.rng.IntN(300)) * ms
		w.seen = w.v
	default:
		w.now += 2000 * ms
	}
}

func (w *world) soon(f func()) {
	if w.chance(60) {
		f()
		return
	}
	w.late = append(w.late, f)
}

func (w *world) step() {
	for len(w.late) > 0 && w.chance(50) {
		i := w.rng.IntN(len(w.late))
		f := w.late[i]
		w.late = slices.Delete(w.late, i, i+1)
		f()
	}
	if w.chance(30) {
		w.seen = w.v
	}
	var copies []Copy
	for _, r := range w.replicas {
		if r.linked {
			copies = append(copies, Copy{Member: copyOf(r.i, r.life), Online: r.online, Offset: r.acked, Heard: r.heard})
		}
	}
	v, p := w.m.Step(w.now, w.seen, w.end, copies)
	w.verdict = v
	if p == nil {
		return
	}
	commit := func() {
		err := w.try(p.Entry)
		if err == nil && p.Entry.Kind() == topology.KindGrowInSync {
			w.grown++
		} else if err == nil {
			w.shrunk++
		}
		if w.chance(70) {
			w.seen = w.v
			w.m.Proposed(w.now, p.N, err)
		} else {
			w.m.Proposed(w.now, p.N, errors.New("answer lost"))
		}
	}
	switch w.rng.IntN(4) {
	case 0:
		w.m.Proposed(w.now, p.N, errors.New("lost")) // it never gets there
	case 1:
		w.late = append(w.late, func() { w.try(p.Entry) }) // it gets there much later
		w.m.Proposed(w.now, p.N, errors.New("unknown"))
	default:
		w.soon(commit)
	}
}

// check holds what the design promises: whichever member of the log's set lives has all
// that was ever confirmed.
func (w *world) check(confirmed int64) error {
	if confirmed > w.end {
		return fmt.Errorf("confirmed %d of %d", confirmed, w.end)
	}
	if confirmed < w.highest && w.verdict != (Verdict{}) {
		return fmt.Errorf("confirmed %d after %d", confirmed, w.highest)
	}
	w.highest = max(w.highest, confirmed)
	for _, x := range w.set() {
		for _, r := range w.replicas {
			if x == copyOf(r.i, r.life) && r.offset < w.highest {
				return fmt.Errorf("copy %d of the set has %d, confirmed are %d", r.i, r.offset, w.highest)
			}
		}
	}
	return nil
}

// play runs a seed; plant may put an error in before each step.
func play(t testing.TB, seed uint64, plant func(w *world)) (*world, error) {
	copies := 2 + int(seed%3)
	w := &world{log: newLog(t, copies), rng: rand.New(rand.NewPCG(seed, 3)), m: New(copyOf(0, 1)), end: 10}
	w.seen = w.v
	for i := 1; i < copies; i++ {
		w.replicas = append(w.replicas, &replica{i: i, life: 1})
	}
	for range 600 {
		w.event()
		plant(w)
		w.step()
		if err := w.check(w.verdict.Offset); err != nil {
			return w, err
		}
	}
	return w, nil
}

func TestMachineAgainstModel(t *testing.T) {
	seeds := uint64(1500)
	if testing.Short() {
		seeds = 150
	}
	grown, shrunk, advanced := 0, 0, int64(0)
	for seed := range seeds {
		w, err := play(t, seed, func(*world) {})
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		grown, shrunk, advanced = grown+w.grown, shrunk+w.shrunk, advanced+w.highest
	}
	t.Logf("%d grown, %d shrunk, %d bytes confirmed", grown, shrunk, advanced)
	if grown < int(seeds) || shrunk < int(seeds)/2 || advanced < int64(seeds)*1000 {
		t.Error("the histories are too tame")
	}
}

// TestModelCatches makes sure that the invariant can fail: each error that the design
// guards against is put in, and must be caught.
func TestModelCatches(t *testing.T) {
	// forgive has the machine believe that a copy has acknowledged everything.
	forgive := func(w *world, which func(x topology.Member) bool) {
		for x, f := range w.m.members {
			if which(x) {
				f.acked = w.end
			}
		}
	}
	for name, plant := range map[string]func(w *world){
		"growing copies are not waited for": func(w *world) {
			forgive(w, func(x topology.Member) bool { return w.m.joining != nil && x == *w.m.joining })
		},
		"leaving copies are not waited for": func(w *world) {
			forgive(w, func(x topology.Member) bool {
				return w.m.proposal != nil && w.m.proposal.leaving != nil && x == *w.m.proposal.leaving
			})
		},
		"one copy is not waited for": func(w *world) {
			forgive(w, func(x topology.Member) bool { return x.Node == testNode(1) })
		},
		"a proposal of unknown outcome is forgotten": func(w *world) {
			if p := w.m.proposal; p != nil && p.retryAt > 0 && p.leaving == nil {
				delete(w.m.members, *w.m.joining)
				w.m.proposal, w.m.joining = nil, nil
			}
		},
		"a copy drops its data within the set": func(w *world) {
			for _, r := range w.replicas {
				if r.linked && !r.online && w.chance(20) {
					r.offset, r.acked = 0, 0
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(60) {
				if _, err := play(t, seed, plant); err != nil {
					t.Logf("seed %d: %v", seed, err)
					return
				}
			}
			t.Error("not caught")
		})
	}
}
