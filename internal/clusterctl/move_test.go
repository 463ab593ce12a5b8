package clusterctl

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/clusterctl/fakecluster"
	"github.com/redwingdb/redwing/internal/slots"
)

func reshard(t *testing.T, c *Conns, w *fakecluster.World, o ReshardOptions) *Plan {
	t.Helper()
	return must[*Plan](t)(PlanReshard(context.Background(), c, w.Node(0).Addr, o))
}

func TestReshard(t *testing.T) {
	w, c := fakecluster.Formed(t, 3, 0), dial(t)
	p := reshard(t, c, w, ReshardOptions{To: w.Node(2).Addr, Slots: 101})
	wantSteps(t, w, p, "n0 gives 51 slots to n2 (0-50)", "n1 gives 50 slots to n2 (5461-5510)")
	unchanged(t, w)
	w.SlowMoves(2)
	seen := &record{}
	if err := p.Apply(context.Background(), c, seen); err != nil {
		t.Fatal(err)
	}
	if got := w.Slots(w.Node(2)); got != "0-50 5461-5510 10922-16383" {
		t.Errorf("the target owns %s", got)
	}
	copying := func(phase string) bool {
		return strings.HasPrefix(phase, "2 moves, 1") && strings.HasSuffix(phase, " of 20 keys")
	}
	if len(seen.steps) != 2 || !slices.ContainsFunc(seen.moved, copying) || seen.moved[len(seen.moved)-1] != "done" {
		t.Errorf("progress %q %q", seen.steps, seen.moved)
	}
	// Both were begun before either was waited for; applied again they change nothing.
	want := []string{"0 CLUSTER MIGRATESLOTS", "1 CLUSTER MIGRATESLOTS"}
	p.basis = basis{}
	apply(t, c, p)
	if got := w.Changes(); !slices.Equal(got, want) {
		t.Errorf("changes %q, want %q", got, want)
	}
}

func TestReshardFrom(t *testing.T) {
	w, c := fakecluster.Formed(t, 3, 0), dial(t)
	p := reshard(t, c, w, ReshardOptions{To: w.Node(2).ID[:6], From: []string{w.Node(1).Addr, w.Node(1).ID}, Slots: 5461})
	wantSteps(t, w, p, "n1 gives 5461 slots to n2 (5461-10921)")
}

func TestReshardRefuses(t *testing.T) {
	w, c := fakecluster.Formed(t, 3, 1), dial(t)
	for word, o := range map[string]ReshardOptions{
		"own 10922":       {To: w.Node(2).Addr, Slots: 10923},
		"--slots 0":       {To: w.Node(2).Addr},
		"--slots -1":      {To: w.Node(2).Addr, Slots: -1},
		"no member":       {To: "127.0.0.1:1", Slots: 1},
		"is a replica":    {To: w.Node(3).Addr, Slots: 1},
		"give and take":   {To: w.Node(2).Addr, From: []string{w.Node(2).Addr}, Slots: 1},
		`no member "zz9"`: {To: w.Node(2).Addr, From: []string{"zz9"}, Slots: 1},
	} {
		_, err := PlanReshard(context.Background(), c, w.Node(0).Addr, o)
		wantErr(t, err, ErrUsage, word)
	}
	w.Node(1).Kill()
	_, err := PlanReshard(context.Background(), c, w.Node(0).Addr, ReshardOptions{To: w.Node(2).Addr, From: []string{w.Node(1).Addr}, Slots: 1})
	wantErr(t, err, nil, "has failed and cannot give")
	_, err = PlanReshard(context.Background(), c, w.Node(0).Addr, ReshardOptions{To: w.Node(1).Addr, Slots: 1})
	wantErr(t, err, nil, "has failed and cannot take")
	unchanged(t, w)
}

// The tool is interrupted while the moves run; the same command then follows them.
func TestInterruptedReshardIsFollowed(t *testing.T) {
	w, c := fakecluster.Formed(t, 3, 0), dial(t)
	w.SlowMoves(-1)
	o := ReshardOptions{To: w.Node(2).Addr, Slots: 100}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	w.OnMove(cancel)
	first := reshard(t, c, w, o)
	wantErr(t, first.Apply(ctx, c, &record{}), context.Canceled, "interrupted")

	again := reshard(t, c, w, o)
	if got := strings.Count(brief(w, again), "gives 50 slots"); got != 2 {
		t.Fatalf("plan:\n%s", brief(w, again))
	}
	w.SlowMoves(1)
	apply(t, c, again)
	if got := w.Slots(w.Node(2)); got != "0-49 5461-5510 10922-16383" {
		t.Errorf("the target owns %s", got)
	}
	if got := w.Changes(); len(got) != 2 {
		t.Errorf("moves were begun twice: %q", got)
	}
}

func TestRunningMovesCount(t *testing.T) {
	w, c := fakecluster.Formed(t, 3, 0), dial(t)
	w.SlowMoves(-1)
	begin(t, w, c, ReshardOptions{To: w.Node(2).Addr, From: []string{w.Node(0).Addr}, Slots: 10})
	p := reshard(t, c, w, ReshardOptions{To: w.Node(2).Addr, From: []string{w.Node(0).Addr}, Slots: 30})
	wantSteps(t, w, p, "n0 gives 10 slots to n2 (0-9)", "n0 gives 20 slots to n2 (10-29)")
	// Towards another target, or from another source, they do not; but they stay where they are.
	p = reshard(t, c, w, ReshardOptions{To: w.Node(1).Addr, From: []string{w.Node(0).Addr}, Slots: 5})
	wantSteps(t, w, p, "n0 gives 5 slots to n1 (10-14)")
	_, err := PlanReshard(context.Background(), c, w.Node(0).Addr, ReshardOptions{To: w.Node(1).Addr, From: []string{w.Node(0).Addr}, Slots: 5452})
	wantErr(t, err, ErrUsage, "own 5451")
}

// begin starts moves and leaves them running.
func begin(t *testing.T, w *fakecluster.World, c *Conns, o ReshardOptions) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	w.OnMove(cancel)
	wantErr(t, reshard(t, c, w, o).Apply(ctx, c, &record{}), context.Canceled)
}

func TestStalePlan(t *testing.T) {
	w, c := fakecluster.Formed(t, 3, 1), hasty(t)
	p := reshard(t, c, w, ReshardOptions{To: w.Node(2).Addr, Slots: 10})
	w.FailOver(w.Node(0), w.Node(3))
	wantErr(t, p.Apply(context.Background(), c, &record{}), ErrStalePlan, "run the command again")
	unchanged(t, w)
}

// A move that ends well between showing the plan and carrying it out is no change; one
// that fails is.
func TestPlanOutlivesRunningMoves(t *testing.T) {
	for _, message := range []string{"", "gone wrong"} {
		w, c := fakecluster.Formed(t, 3, 0), hasty(t)
		w.SlowMoves(-1)
		begin(t, w, c, ReshardOptions{To: w.Node(2).Addr, From: []string{w.Node(0).Addr}, Slots: 10})
		p := reshard(t, c, w, ReshardOptions{To: w.Node(2).Addr, From: []string{w.Node(0).Addr}, Slots: 10})
		w.EndMoves(message)
		err := p.Apply(context.Background(), c, &record{})
		if message == "" && err != nil {
			t.Errorf("a success: %v", err)
		}
		if message != "" {
			wantErr(t, err, ErrStalePlan)
		}
	}
}

func TestMoveOfSlotsThatAreGone(t *testing.T) {
	w, c := fakecluster.Formed(t, 2, 0), hasty(t)
	p := reshard(t, c, w, ReshardOptions{To: w.Node(1).Addr, Slots: 10})
	p.basis = basis{} // as if it happened behind the check of the whole
	w.Node(0).Disown(slots.Range{From: 3, To: 3})
	wantErr(t, p.Apply(context.Background(), c, &record{}), ErrStalePlan, "no longer owns all")
	unchanged(t, w)
}

// Shards move slots, not nodes: both ends may fail over before and during the move.
func TestMoveFollowsFailovers(t *testing.T) {
	w, c := fakecluster.Formed(t, 2, 1), dial(t)
	p := reshard(t, c, w, ReshardOptions{To: w.Node(1).Addr, Slots: 10})
	p.basis = basis{}
	w.FailOver(w.Node(0), w.Node(2))
	w.SlowMoves(3)
	w.OnMove(func() { w.FailOver(w.Node(1), w.Node(3)) })
	apply(t, c, p)
	if got := w.Slots(w.Node(3)); got != "0-9 8192-16383" {
		t.Errorf("the target owns %s", got)
	}
	if got := w.Changes(); !slices.Equal(got, []string{"2 CLUSTER MIGRATESLOTS"}) {
		t.Errorf("changes %q", got)
	}
}

func TestFailedMove(t *testing.T) {
	w, c := fakecluster.Formed(t, 2, 0), dial(t)
	w.SlowMoves(-1)
	w.OnMove(func() { w.EndMoves("target ran out of memory") })
	p := reshard(t, c, w, ReshardOptions{To: w.Node(1).Addr, Slots: 10})
	wantErr(t, p.Apply(context.Background(), c, &record{}), nil, "ended before 10 slots had moved: failed target ran out of memory")
	// What has failed before does not count against the next try.
	w.SlowMoves(0)
	apply(t, c, reshard(t, c, w, ReshardOptions{To: w.Node(1).Addr, Slots: 10}))
}

func TestStalledMove(t *testing.T) {
	w, c := fakecluster.Formed(t, 2, 0), hasty(t)
	w.SlowMoves(-1)
	p := reshard(t, c, w, ReshardOptions{To: w.Node(1).Addr, Slots: 10})
	wantErr(t, p.Apply(context.Background(), c, &record{}), ErrTimeout, "no progress", "go on in the cluster")
}

func TestRefusedMove(t *testing.T) {
	w, c := fakecluster.Formed(t, 2, 0), hasty(t)
	p := reshard(t, c, w, ReshardOptions{To: w.Node(1).Addr, Slots: 10})
	w.Fail("CLUSTER MIGRATESLOTS", "ERR Slot 3 is open by CLUSTER SETSLOT")
	wantErr(t, p.Apply(context.Background(), c, &record{}), nil, "step 1 of 1 (move-slots)", w.Node(0).Addr+": CLUSTER MIGRATESLOTS", "Slot 3 is open")
}

// The second of two moves is refused: the first goes on, and the operator is told.
func TestMoveRefusedInTheMiddle(t *testing.T) {
	w, c := fakecluster.Formed(t, 3, 0), hasty(t)
	w.SlowMoves(-1)
	w.OnMove(func() { w.Fail("CLUSTER MIGRATESLOTS", "ERR no more moves") })
	p := reshard(t, c, w, ReshardOptions{To: w.Node(2).Addr, Slots: 10})
	wantErr(t, p.Apply(context.Background(), c, &record{}), nil, "no more moves", "1 moves begun before it go on")
}

func TestRebalance(t *testing.T) {
	w, c := fakecluster.Formed(t, 4, 0), dial(t)
	plan := func(o RebalanceOptions) *Plan {
		t.Helper()
		return must[*Plan](t)(PlanRebalance(context.Background(), c, w.Node(0).Addr, o))
	}
	wantSteps(t, w, plan(RebalanceOptions{Threshold: 2}))
	p := plan(RebalanceOptions{Weights: map[string]float64{w.Node(3).Addr: 0}})
	apply(t, c, p)
	wantSteps(t, w, plan(RebalanceOptions{}))
	wantSteps(t, w, plan(RebalanceOptions{UseEmpty: true}),
		"n0 gives 1366 slots to n3 (0-1365)", "n1 gives 1365 slots to n3 (4096-5460)", "n2 gives 1365 slots to n3 (8192-9556)")
	double := plan(RebalanceOptions{Weights: map[string]float64{w.Node(3).ID: 2}})
	apply(t, c, double)
	if set := must[slots.Set](t)(parseRanges(w.Slots(w.Node(3)))); set.Len() != 6553 && set.Len() != 6554 {
		t.Errorf("weight 2 of 5 is %d slots", set.Len())
	}
}

func TestRebalanceRefuses(t *testing.T) {
	w, c := fakecluster.Formed(t, 2, 1), dial(t)
	for word, weights := range map[string]map[string]float64{
		"no member":    {"nobody": 1},
		"is a replica": {w.Node(2).Addr: 1},
		"twice":        {w.Node(0).Addr: 1, w.Node(0).ID: 2},
		"no shard":     {w.Node(0).Addr: 0, w.Node(1).Addr: 0},
	} {
		_, err := PlanRebalance(context.Background(), c, w.Node(0).Addr, RebalanceOptions{Weights: weights})
		wantErr(t, err, ErrUsage, word)
	}
}

// Run again while its moves run, rebalance follows them and begins nothing.
func TestInterruptedRebalanceIsFollowed(t *testing.T) {
	w, c := fakecluster.Formed(t, 3, 0), dial(t)
	o := RebalanceOptions{Weights: map[string]float64{w.Node(2).Addr: 0}}
	w.SlowMoves(-1)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	w.OnMove(cancel)
	p := must[*Plan](t)(PlanRebalance(context.Background(), c, w.Node(0).Addr, o))
	want := strings.Split(brief(w, p), "\n")
	wantErr(t, p.Apply(ctx, c, &record{}), context.Canceled)
	again := must[*Plan](t)(PlanRebalance(context.Background(), c, w.Node(0).Addr, o))
	got := strings.Split(brief(w, again), "\n")
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("plan %q, want %q", got, want)
	}
	w.SlowMoves(0)
	apply(t, c, again)
	if got := w.Slots(w.Node(2)); got != "" {
		t.Errorf("still owns %s", got)
	}
	// Against the flow there is no plan.
	w.SlowMoves(-1)
	begin(t, w, c, ReshardOptions{To: w.Node(2).Addr, Slots: 3000})
	_, err := PlanRebalance(context.Background(), c, w.Node(0).Addr, o)
	wantErr(t, err, nil, "moving already")
}
