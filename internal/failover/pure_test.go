package failover

import (
	"errors"
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/topology"
)

const ms = int64(time.Millisecond)

func testTiming() Timing { return TimingOf(1500*time.Millisecond, 10) }

func TestTimingOf(t *testing.T) {
	for timeout, lease := range map[int64]int64{1500: 600, 15000: 600, 1000: 500, 500: 300, 10: 300} {
		got := TimingOf(time.Duration(timeout*ms), 10)
		if got.Lease != lease*ms || got.Renew != got.Lease/6 || got.Wait*100 != got.Lease*105 {
			t.Errorf("cluster-node-timeout %d: %+v", timeout, got)
		}
	}
}

// TestChoose: one line a rule of the order of candidates. The shard is in term 5 with
// node 0 as primary, which has been silent for 1500 ms.
func TestChoose(t *testing.T) {
	shard := &topology.Shard{ID: testShard(0), Term: 5, Primary: testID(0), PrimaryRun: "run0", Replicas: []topology.NodeID{testID(1), testID(2)},
		InSync: []topology.Member{{Node: testID(0), Run: "run0"}, {Node: testID(2), Run: "run2"}}}
	linked := Progress{Term: 5, Offset: 100, LinkedTerm: 5, LinkAgeNanos: 1500 * ms}
	with := func(change func(p *Progress)) *Progress {
		p := linked
		change(&p)
		return &p
	}
	ahead := with(func(p *Progress) { p.Offset = 200 })
	stale := with(func(p *Progress) { p.Offset, p.LinkAgeNanos = 900, 9000*ms })
	ancient := with(func(p *Progress) { p.Offset, p.LinkAgeNanos = 900, 60_000*ms })
	unlinked := with(func(p *Progress) { p.Term, p.LinkedTerm, p.Offset = 4, 4, 900 })
	syncing := with(func(p *Progress) { p.FullSync, p.Offset = true, 900 })
	empty := &Progress{LinkAgeNanos: NeverLinked}
	disk := &Progress{Term: 5, Offset: 50, LinkAgeNanos: NeverLinked} // as a restarted run has it
	diskMore := &Progress{Term: 5, Offset: 80, LinkAgeNanos: NeverLinked}
	diskOld := &Progress{Term: 4, Offset: 900, LinkAgeNanos: NeverLinked}
	type cand struct {
		node     int
		run      topology.RunID
		p        *Progress // nil: no report
		gone     bool
		dead     bool
		priority int
	}
	primary := cand{node: 0, run: "run0", gone: true, priority: 100}
	restarted := func(p *Progress) cand { return cand{0, "run9", p, false, false, 100} }
	for name, c := range map[string]struct {
		copies  []cand
		inSync  bool
		best    int // -1: none
		class   class
		missing int
	}{
		"the higher offset":           {[]cand{primary, {1, "run1", &linked, false, false, 100}, {2, "run2", ahead, false, false, 100}}, false, 2, classInSync, 0},
		"equal: the lower priority":   {[]cand{primary, {1, "run1", &linked, false, false, 100}, {2, "run2", &linked, false, false, 10}}, false, 2, classInSync, 0},
		"equal: the lower id":         {[]cand{primary, {1, "run1", &linked, false, false, 100}, {2, "run2", &linked, false, false, 100}}, false, 1, classInSync, 0},
		"priority 0 never":            {[]cand{primary, {1, "run1", &linked, false, false, 100}, {2, "run2", ahead, false, false, 0}}, false, 1, classInSync, 0},
		"linked before stale":         {[]cand{primary, {1, "run1", &linked, false, false, 100}, {2, "run2", stale, false, false, 100}}, false, 1, classInSync, 0},
		"stale before unlinked":       {[]cand{primary, {1, "run1", unlinked, false, false, 100}, {2, "run2", stale, false, false, 100}}, false, 2, classStale, 0},
		"ancient never":               {[]cand{primary, {1, "run1", unlinked, false, false, 100}, {2, "run2", ancient, false, false, 100}}, false, 1, classUnlinked, 0},
		"in full sync never":          {[]cand{primary, {1, "run1", &linked, false, false, 100}, {2, "run2", syncing, false, false, 100}}, false, 1, classInSync, 0},
		"alive but unheard":           {[]cand{primary, {1, "run1", &linked, false, false, 100}, {2, "run2", nil, false, false, 100}}, false, 1, classInSync, 1},
		"gone is not waited for":      {[]cand{primary, {1, "run1", &linked, false, false, 100}, {2, "run2", nil, true, false, 100}}, false, 1, classInSync, 0},
		"in sync only":                {[]cand{primary, {1, "run1", ahead, false, false, 100}, {2, "run2", &linked, false, false, 100}}, true, 2, classInSync, 0},
		"another run is not in sync":  {[]cand{primary, {1, "run1", ahead, false, false, 100}, {2, "run8", &linked, false, false, 100}}, true, -1, classNone, 0},
		"in sync, unlinked for long":  {[]cand{primary, {1, "run1", ahead, false, false, 100}, {2, "run2", ancient, false, false, 100}}, true, 2, classInSync, 0},
		"no run of the set lives":     {[]cand{restarted(stale), {1, "run1", ahead, false, false, 100}, {2, "run8", &linked, false, false, 100}}, true, 0, classStale, 0},
		"all of the set must report":  {[]cand{restarted(stale), {1, "run1", ahead, false, false, 100}, {2, "run8", nil, true, true, 100}}, true, 0, classStale, 1},
		"outside, newer than the set": {[]cand{restarted(disk), {1, "run1", ahead, false, false, 100}, {2, "run8", diskMore, false, false, 100}}, true, 1, classStale, 0},
		"outside, the set is empty":   {[]cand{restarted(empty), {1, "run1", unlinked, false, false, 100}, {2, "run8", empty, false, false, 100}}, true, 1, classStale, 0},
		"outside, unheard":            {[]cand{restarted(empty), {1, "run1", nil, true, false, 100}, {2, "run8", empty, false, false, 100}}, true, 0, classEmpty, 1},
		"outside and alive":           {[]cand{restarted(disk), {1, "run1", nil, false, false, 100}, {2, "run8", disk, false, false, 100}}, true, 0, classStale, 1},
		"outside and dead":            {[]cand{restarted(empty), {1, "run1", nil, true, true, 100}, {2, "run8", empty, false, false, 100}}, true, 0, classEmpty, 0},
		"outside, the set unheard":    {[]cand{restarted(empty), {1, "run1", ahead, false, false, 100}, {2, "run8", nil, true, true, 100}}, true, 1, classStale, 1},
		"outside, in full sync":       {[]cand{restarted(empty), {1, "run1", syncing, false, false, 100}, {2, "run8", empty, false, false, 100}}, true, 0, classEmpty, 0},
		"data before the restarted":   {[]cand{restarted(empty), {1, "run1", unlinked, false, false, 100}}, false, 1, classUnlinked, 0},
		"all empty: the primary":      {[]cand{restarted(empty), {1, "run1", empty, false, false, 10}}, false, 0, classEmpty, 0},
		"empty waits for the silent":  {[]cand{restarted(empty), {1, "run1", nil, true, false, 100}}, false, 0, classEmpty, 1},
		"empty and the others dead":   {[]cand{restarted(empty), {1, "run1", nil, true, true, 100}}, false, 0, classEmpty, 0},
		"empty replica, dead primary": {[]cand{{0, "run0", nil, true, true, 100}, {1, "run1", empty, false, false, 100}}, false, 1, classEmpty, 1},

		"who lives before the disk":      {[]cand{restarted(diskMore), {1, "run1", with(func(p *Progress) { p.Offset = 60 }), false, false, 100}}, false, 1, classInSync, 0},
		"all restarted: the newest":      {[]cand{restarted(disk), {1, "run8", diskMore, false, false, 100}}, false, 1, classStale, 0},
		"all restarted: the newest term": {[]cand{restarted(disk), {1, "run8", diskOld, false, false, 100}}, false, 0, classStale, 0},
		"a disk waits for the silent":    {[]cand{restarted(disk), {1, "run1", nil, true, false, 100}}, false, 0, classStale, 1},
		"but not for the dead":           {[]cand{restarted(disk), {1, "run1", nil, true, true, 100}}, false, 0, classStale, 0},
		"unless it is the primary":       {[]cand{{0, "run0", nil, true, true, 100}, {1, "run8", disk, false, false, 100}}, false, 1, classStale, 1},
		"an old disk before the empty":   {[]cand{restarted(empty), {1, "run8", diskOld, false, false, 100}}, false, 1, classUnlinked, 0},
	} {
		timing := testTiming()
		var copies []copyState
		view := &topology.View{Shards: []topology.Shard{*shard}}
		for _, x := range c.copies {
			view.Nodes = append(view.Nodes, topology.Node{ID: testID(x.node), Run: x.run})
		}
		view.Seal()
		for _, x := range c.copies {
			s := copyState{node: &topology.Node{ID: testID(x.node), Run: x.run, Priority: x.priority}, gone: x.gone, dead: x.dead}
			s.inSync = view.MayLead(shard, s.node)
			s.eligible = x.node != 0 || x.run != "run0"
			if x.p != nil {
				s.report = &Report{Node: s.node.ID, Run: x.run, Progress: *x.p}
			}
			copies = append(copies, s)
		}
		got := choose(&timing, shard, copies, rule{c.inSync, view.InSyncLost(shard)}, 1500*ms, timing.Return)
		best := -1
		for i := range 3 {
			if got.best != nil && got.best.node.ID == testID(i) {
				best = i
			}
		}
		// The dead have time to come back with what is on their disks, before one that has
		// no more than that is chosen.
		early := choose(&timing, shard, copies, rule{c.inSync, view.InSyncLost(shard)}, 1500*ms, timing.Return-1)
		disk := got.class == classEmpty || got.best != nil && !c.inSync && fromDisk(got.best)
		for i := range copies {
			if disk && copies[i].dead && copies[i].node.ID != shard.Primary && copies[i].report == nil {
				early.missing--
			}
		}
		if early.missing != got.missing || early.best != got.best {
			t.Errorf("%s: %d missing at first, %d in the end", name, early.missing, got.missing)
		}
		if best != c.best || got.class != c.class || got.missing != c.missing {
			t.Errorf("%s: node %d class %d missing %d, want %d %d %d", name, best, got.class, got.missing, c.best, c.class, c.missing)
		}
	}
}

func TestRoundsCreditEarlierOnes(t *testing.T) {
	voters := []topology.NodeID{testID(0), testID(1), testID(2)}
	var r rounds
	r.waiting = []renewal{{ID: 1}}
	first, _ := r.begin(100)
	r.waiting = []renewal{{ID: 2}}
	second, _ := r.begin(200)
	if got := r.echo(testID(0), second, voters); len(got) != 0 {
		t.Fatal("one of three is no majority")
	}
	if got := r.echo(testID(0), second, voters); len(got) != 0 {
		t.Fatal("one voter twice is no majority")
	}
	if got := r.echo(testID(9), second, voters); len(got) != 0 {
		t.Fatal("a stranger was counted")
	}
	if got := r.echo(testID(1), second+5, voters); len(got) != 0 {
		t.Fatal("an echo of a round to come was counted")
	}
	// An echo of the second round is given after the first began too; one of the
	// first says nothing about the second.
	if got := r.echo(testID(1), first, voters); len(got) != 1 || got[0].ID != 1 {
		t.Fatalf("%v", got)
	}
	if got := r.echo(testID(2), second, voters); len(got) != 1 || got[0].ID != 2 {
		t.Fatalf("%v", got)
	}
	if r.begunAt(first) != 100 || r.begunAt(second) != 200 || r.begunAt(second+1) != 0 {
		t.Error("the beginnings of rounds")
	}
	for i := range 2 * maxRounds {
		r.waiting = []renewal{{ID: uint64(10 + i)}}
		if _, dropped := r.begin(int64(300 + i)); (len(dropped) > 0) != (i >= maxRounds) {
			t.Fatalf("round %d dropped %v", i, dropped)
		}
	}
	if got := r.all(); len(got) != maxRounds || len(r.all()) != 0 {
		t.Errorf("%d renewals were left", len(got))
	}
}

func holderView(term uint64, run topology.RunID, index uint64) *topology.View {
	v := &topology.View{
		Index: index,
		Nodes: []topology.Node{{ID: testID(0), Run: run, Shard: testShard(0)}},
		Shards: []topology.Shard{{ID: testShard(0), Term: term, Primary: testID(0), PrimaryRun: run,
			InSync: []topology.Member{{Node: testID(0), Run: run}}}},
	}
	return v.Seal()
}

func TestHolder(t *testing.T) {
	timing := testTiming()
	h := NewHolder(timing, testID(0), "run0")
	until := func() int64 {
		_, _, u := h.Lease()
		return u
	}
	if a, r := h.Next(0); a != nil || r != nil {
		t.Fatal("asks before there is a View")
	}
	h.SetView(0, holderView(1, "run0", 1))
	a, _ := h.Next(1000 * ms)
	if a == nil || a.Term != 1 {
		t.Fatalf("%+v", a)
	}
	if again, _ := h.Next(1000*ms + 1); again != nil {
		t.Fatal("asks without a pause")
	}
	h.Granted(a.Seq+1, a.Shard, a.Term)
	h.Granted(a.Seq, a.Shard, a.Term+1)
	if until() != 0 {
		t.Fatal("a lease that nobody gave")
	}
	h.Granted(a.Seq, a.Shard, a.Term)
	if until() != 1000*ms+timing.Lease {
		t.Fatal("the lease does not run from when the renewal was sent")
	}
	b, _ := h.Next(1200 * ms)
	h.Void(1300 * ms)
	h.Granted(b.Seq, b.Shard, b.Term)
	if until() != 0 {
		t.Fatal("an answer from before the suspension was taken")
	}
	c, _ := h.Next(1300 * ms)
	h.Granted(c.Seq, c.Shard, c.Term)
	if !h.Release(1400*ms, Released{Shard: testShard(0), Term: 1}) || until() != 0 {
		t.Fatal("Release does not end the lease")
	}
	h.Granted(c.Seq, c.Shard, c.Term)
	if _, r := h.Next(1400 * ms); r == nil || until() != 0 {
		t.Fatal("a late answer undid the Release, or it is not told")
	}
	if _, r := h.Next(1600 * ms); r == nil {
		t.Fatal("the Release is told once only")
	}
	h.SetView(1700*ms, holderView(2, "run0", 2))
	h.SetView(1700*ms, holderView(1, "run0", 1)) // late
	d, r := h.Next(1700 * ms)
	if r != nil || d == nil || d.Term != 2 {
		t.Fatalf("%+v %+v", d, r)
	}
	h.Granted(d.Seq, d.Shard, d.Term)
	h.SetView(1800*ms, holderView(2, "run1", 3)) // another life is primary
	if shard, _, u := h.Lease(); shard != "" || u != 0 || h.Release(1800*ms, Released{Shard: testShard(0), Term: 2}) {
		t.Fatal("the lease outlived its run")
	}
}

func TestWatchAccusesNobodyAtFirst(t *testing.T) {
	timing := testTiming()
	w := NewWatch(timing, testID(9))
	v := holderView(1, "run0", 1)
	sight := Sight{}
	look := func(topology.NodeID) Sight { return sight }
	if got := w.Report(0, v, look); len(got) != 0 {
		t.Fatalf("%v", got)
	}
	if got := w.Report(timing.NodeTimeout-1, v, look); len(got) != 0 {
		t.Fatalf("%v", got)
	}
	if got := w.Report(timing.NodeTimeout, v, look); len(got) != 1 || got[0].Refused || got[0].SilentNanos != timing.NodeTimeout {
		t.Fatalf("%v", got)
	}
	// Another life of the node says nothing for the one that is primary.
	sight = Sight{Run: "run1", At: timing.NodeTimeout}
	if got := w.Report(timing.NodeTimeout, v, look); len(got) != 1 || got[0].Run != "run0" {
		t.Fatalf("%v", got)
	}
	sight = Sight{Run: "run0", At: timing.NodeTimeout}
	if got := w.Report(timing.NodeTimeout+1, v, look); len(got) != 0 {
		t.Fatalf("%v", got)
	}
	sight.Refused = true
	if got := w.Report(timing.NodeTimeout+2, v, look); len(got) != 1 || !got[0].Refused {
		t.Fatalf("%v", got)
	}
}

// TestOneProposalATerm: an unknown outcome is asked for again under the same request,
// a refusal lets the primary renew.
func TestOneProposalATerm(t *testing.T) {
	v := topology.NewView()
	for i, e := range []topology.Entry{
		topology.FormCluster{ClusterID: string(testID(50)), Node: topology.Node{ID: testID(0), Incarnation: 1, Run: "0000000000000001"}, Shard: testShard(0)},
		topology.JoinNode{Node: topology.Node{ID: testID(1), Incarnation: 1, Run: "0000000000000002", Priority: 100}, Shard: testShard(1)},
		topology.SetReplicaOf{Node: testID(1), Incarnation: 1, Shard: testShard(0)},
	} {
		next, err := topology.Apply(v, uint64(i+1), e)
		if err != nil {
			t.Fatal(err)
		}
		v = next
	}
	s := v.ShardByID(testShard(0))
	l := NewLeader(testTiming(), testID(1), 3, 0, v, []topology.NodeID{testID(1)})
	now := 10_000 * ms
	renew := func() bool {
		id := uint64(now)
		actions := l.Renew(now, id, s.Primary, Ask{Seq: 1, Shard: s.ID, Term: s.Term, Run: s.PrimaryRun})
		granted := false
		for len(actions) > 0 {
			a := actions[0]
			actions = actions[1:]
			switch a := a.(type) {
			case SendEcho:
				actions = append(actions, l.Echo(now, testID(1), a.Seq, 3, nil)...)
			case AnswerAsk:
				granted = granted || a.ID == id && a.Granted
			}
		}
		return granted
	}
	if !renew() {
		t.Fatal("no lease for the primary")
	}
	now += 100 * ms
	if _, err := l.Force(now, Forced{s.ID, s.Term, testID(1), topology.PromoteForce}); err != nil {
		t.Fatal(err)
	}
	if renew() {
		t.Fatal("a lease after the decision")
	}
	if l.State(s.ID) != Confirm {
		t.Fatalf("%v before the lease is over", l.State(s.ID))
	}
	now += 1000 * ms
	proposal := func(actions []Action) *ProposeEntry {
		var out *ProposeEntry
		for _, a := range actions {
			if p, ok := a.(ProposeEntry); ok {
				if out != nil {
					t.Fatal("two proposals")
				}
				out = &p
			}
		}
		return out
	}
	first := proposal(l.Tick(now))
	if first == nil || first.Entry.RaftTerm != 3 || first.Entry.Candidate != testID(1) || proposal(l.Tick(now+ms)) != nil {
		t.Fatalf("%+v", first)
	}
	again := proposal(l.Proposed(now, s.ID, first.N, errors.New("timeout")))
	if again == nil || again.Entry.Request != first.Entry.Request {
		t.Fatalf("%+v", again)
	}
	if proposal(l.Proposed(now, s.ID, first.N+1, nil)) != nil || l.State(s.ID) != Propose {
		t.Fatal("the outcome of another proposal was taken")
	}
	now += 100 * ms
	if renew() {
		t.Fatal("a lease while the outcome is unknown")
	}
	l.Proposed(now, s.ID, first.N, topology.ErrStaleRun)
	now += 100 * ms
	if !renew() {
		t.Fatal("no lease after the refusal")
	}
}
