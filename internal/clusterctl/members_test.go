package clusterctl

import (
	"context"
	"slices"
	"testing"

	"github.com/redwingdb/redwing/internal/clusterctl/fakecluster"
)

func TestAddNode(t *testing.T) {
	w, c := fakecluster.Formed(t, 2, 0), dial(t)
	seed, fresh := w.Node(0).Addr, w.Add()
	p := must[*Plan](t)(PlanAddNode(context.Background(), c, seed, fresh.Addr, ""))
	wantSteps(t, w, p, "n2 joins the cluster of n0")
	p = must[*Plan](t)(PlanAddNode(context.Background(), c, seed, fresh.Addr, w.Node(1).ID[:4]))
	wantSteps(t, w, p, "n2 joins the cluster of n0", "n2 becomes a replica of n1")
	unchanged(t, w)
	apply(t, c, p)
	p.basis = basis{}
	apply(t, c, p)
	if got := w.Changes(); !slices.Equal(got, []string{"2 CLUSTER MEET", "2 CLUSTER REPLICATE"}) {
		t.Errorf("changes %q", got)
	}
	wantSteps(t, w, must[*Plan](t)(PlanAddNode(context.Background(), c, seed, fresh.Addr, w.Node(1).Addr)))
	wantSteps(t, w, must[*Plan](t)(PlanAddNode(context.Background(), c, seed, fresh.Addr, "")))
	wantSteps(t, w, must[*Plan](t)(PlanAddNode(context.Background(), c, seed, fresh.Addr, w.Node(0).Addr)), "n2 becomes a replica of n0")
}

func TestAddNodeFinishesWhatWasBegun(t *testing.T) {
	w, c := fakecluster.Formed(t, 2, 0), dial(t)
	fresh := w.Add()
	p := must[*Plan](t)(PlanAddNode(context.Background(), c, w.Node(0).Addr, fresh.Addr, w.Node(1).Addr))
	p.Steps = p.Steps[:1]
	apply(t, c, p)
	wantSteps(t, w, must[*Plan](t)(PlanAddNode(context.Background(), c, w.Node(0).Addr, fresh.Addr, w.Node(1).Addr)), "n2 becomes a replica of n1")
}

func TestAddNodeRefuses(t *testing.T) {
	w, c := fakecluster.Formed(t, 2, 1), dial(t)
	other, full, fresh := fakecluster.Formed(t, 2, 0), w.Add(), w.Add()
	full.SetKeys(3)
	for _, x := range []struct {
		addr, replicaOf string
		kind            error
		word            string
	}{
		{full.Addr, "", nil, "not empty"},
		{other.Node(0).Addr, "", nil, "another cluster"},
		{"127.0.0.1:1", "", ErrUnreachable, "connection refused"},
		{"nowhere", "", ErrUsage, "host:port"},
		{fresh.Addr, "nobody", ErrUsage, "no member"},
		{fresh.Addr, w.Node(2).Addr, ErrUsage, "is a replica"},
		{w.Node(0).Addr, w.Node(1).Addr, nil, "owns 8192 slots"},
		{w.Node(0).Addr, w.Node(0).Addr, ErrUsage, "itself"},
	} {
		_, err := PlanAddNode(context.Background(), c, w.Node(0).Addr, x.addr, x.replicaOf)
		wantErr(t, err, x.kind, x.word)
	}
	w.Node(1).Kill()
	_, err := PlanAddNode(context.Background(), c, w.Node(0).Addr, fresh.Addr, w.Node(1).Addr)
	wantErr(t, err, nil, "has failed")
	unchanged(t, w)
}

func TestRemovePrimary(t *testing.T) {
	w, c := fakecluster.Formed(t, 3, 1), dial(t)
	p := must[*Plan](t)(PlanRemoveNode(context.Background(), c, w.Node(1).Addr, w.Node(1).Addr))
	wantSteps(t, w, p,
		"n1 gives 2731 slots to n0 (5461-8191)",
		"n1 gives 2730 slots to n2 (8192-10921)",
		"n4 becomes a replica of n0",
		"n1 leaves the cluster and is reset",
		"n1 is removed from the cluster")
	w.Node(1).SetKeys(5)
	apply(t, c, p)
	report := must[*Report](t)(Check(context.Background(), c, w.Node(0).Addr))
	if !report.Healthy() || report.Nodes != 5 || report.Shards != 2 {
		t.Errorf("%+v", report)
	}
	// It can be taken into a cluster again: it is fresh and empty.
	if err := c.checkEmpty(context.Background(), w.Node(1).Addr); err != nil {
		t.Error(err)
	}
	before := len(w.Changes())
	p.basis = basis{}
	p.Steps = p.Steps[2:] // a source that is no member any more has nothing to give
	apply(t, c, p)
	if got := w.Changes(); len(got) != before {
		t.Errorf("a second time: %q", got[before:])
	}
}

func TestRemoveReplica(t *testing.T) {
	w, c := fakecluster.Formed(t, 2, 1), dial(t)
	p := must[*Plan](t)(PlanRemoveNode(context.Background(), c, w.Node(0).Addr, w.Node(3).ID))
	wantSteps(t, w, p, "n3 leaves the cluster and is reset", "n3 is removed from the cluster")
	apply(t, c, p)
	if got := w.Changes(); slices.Contains(got, "3 FLUSHALL") {
		t.Errorf("a replica was flushed: %q", got)
	}
	_, err := PlanRemoveNode(context.Background(), c, w.Node(0).Addr, w.Node(3).ID)
	wantErr(t, err, ErrUsage, "no member")
}

func TestRemoveDeadNode(t *testing.T) {
	w, c := fakecluster.Formed(t, 2, 1), dial(t)
	w.Node(3).Kill()
	p := must[*Plan](t)(PlanRemoveNode(context.Background(), c, w.Node(0).Addr, w.Node(3).Addr))
	wantSteps(t, w, p, "n3 is removed from the cluster")
	if len(p.Notes) != 1 {
		t.Errorf("notes %q", p.Notes)
	}
	apply(t, c, p)
	apply(t, c, &Plan{Steps: p.Steps})
	if got := w.Changes(); !slices.Equal(got, []string{"0 CLUSTER FORGET"}) {
		t.Errorf("changes %q", got)
	}
}

func TestRemoveNodeRefuses(t *testing.T) {
	w, c := fakecluster.Formed(t, 2, 1), dial(t)
	remove := func(n *fakecluster.Node) error {
		_, err := PlanRemoveNode(context.Background(), c, w.Node(0).Addr, n.Addr)
		return err
	}
	w.SlowMoves(-1)
	begin(t, w, c, ReshardOptions{To: w.Node(1).Addr, Slots: 10})
	wantErr(t, remove(w.Node(1)), nil, "10 slots are moving to")
	p := must[*Plan](t)(PlanRemoveNode(context.Background(), c, w.Node(0).Addr, w.Node(0).Addr))
	wantSteps(t, w, p,
		"n0 gives 10 slots to n1 (0-9)", "n0 gives 8182 slots to n1 (10-8191)", "n2 becomes a replica of n1",
		"n0 leaves the cluster and is reset", "n0 is removed from the cluster")
	w.EndMoves("")
	w.Node(3).Kill()
	wantErr(t, remove(w.Node(1)), nil, w.Node(3).Addr, "bring it back or remove it")
	w.Node(1).Kill()
	wantErr(t, remove(w.Node(1)), nil, "does not answer")
	wantErr(t, remove(w.Node(0)), nil, "nobody can take them")

	single := fakecluster.New(t, 1)
	_, err := PlanRemoveNode(context.Background(), c, single.Node(0).Addr, single.Node(0).Addr)
	wantErr(t, err, nil, "only live member")
}

// Emptying a node is for good: it is not done to a node that somebody needs.
func TestResetHoldsBack(t *testing.T) {
	w, c := fakecluster.Formed(t, 2, 1), dial(t)
	for name, s := range map[string]Step{
		"slots":      {Action: Reset, Node: w.Node(0).Addr, NodeID: w.Node(0).ID},
		"other node": {Action: Reset, Node: w.Node(3).Addr, NodeID: w.Node(2).ID},
	} {
		t.Run(name, func(t *testing.T) {
			wantErr(t, (&Plan{Steps: []Step{s}}).Apply(context.Background(), c, &record{}), ErrStalePlan)
			unchanged(t, w)
		})
	}
}
