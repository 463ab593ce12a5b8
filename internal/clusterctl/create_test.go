package clusterctl

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/clusterctl/fakecluster"
	"github.com/redwingdb/redwing/internal/slots"
)

// layoutText writes a layout as "primary<-replica,replica" with the slots covered.
func layoutText(p *Plan) string {
	var heads []string
	followers := map[string][]string{}
	for _, s := range p.Steps {
		switch s.Action {
		case AssignSlots:
			heads = append(heads, s.Node)
		case Replicate:
			followers[s.Target] = append(followers[s.Target], s.Node)
		}
	}
	for i, h := range heads {
		heads[i] = h + "<-" + strings.Join(followers[h], ",")
	}
	return strings.Join(heads, " ")
}

func TestLayout(t *testing.T) {
	for _, c := range []struct{ addrs, want string }{
		{"a:1", "a:1<-"},
		{"a:1 a:2 a:3 a:4 a:5 a:6", "a:1<-a:4 a:2<-a:5 a:3<-a:6"},
		{"a:1 b:1 c:1 a:2 b:2 c:2", "a:1<-b:2 b:1<-a:2 c:1<-c:2"},
		{"a:1 a:2 a:3 b:1 b:2 b:3", "a:1<-b:2 b:1<-a:3 a:2<-b:3"},
		{"a:1 b:1 c:1 d:1 e:1 f:1", "a:1<-d:1 b:1<-e:1 c:1<-f:1"},
		{"a:1 b:1 a:2 b:2", "a:1<-b:2 b:1<-a:2"},
		{"a:1 b:1 c:1 d:1 e:1", "a:1<-c:1,e:1 b:1<-d:1"},
	} {
		addrs := strings.Fields(c.addrs)
		p := layout(addrs, max(1, len(addrs)/2))
		if got := layoutText(p); got != c.want {
			t.Errorf("%s: %s, want %s", c.addrs, got, c.want)
		}
		var all slots.Set
		for _, s := range p.Steps {
			set := must[slots.Set](t)(parseRanges(s.Slots))
			if all.Intersects(&set) {
				t.Errorf("%s: %s is given twice", c.addrs, s.Slots)
			}
			all.Union(&set)
		}
		if all.Len() != slots.Count {
			t.Errorf("%s: %d slots are given", c.addrs, all.Len())
		}
	}
}

// Whatever the hosts are, no primary has two replicas more than another, and a replica
// shares its primary's host only where every primary with as few replicas is there.
func TestLayoutIsEven(t *testing.T) {
	for hosts := 1; hosts <= 4; hosts++ {
		for nodes := 1; nodes <= 14; nodes++ {
			for replicas := 0; replicas <= 3 && nodes/(replicas+1) > 0; replicas++ {
				var addrs []string
				for i := range nodes {
					addrs = append(addrs, fmt.Sprintf("h%d:%d", i%hosts, 7000+i))
				}
				count := map[string]int{}
				for _, s := range layout(addrs, nodes/(replicas+1)).Steps {
					switch s.Action {
					case AssignSlots:
						count[s.Node] += 0
					case Replicate:
						count[s.Target]++
					}
				}
				low, high := nodes, 0
				for _, n := range count {
					low, high = min(low, n), max(high, n)
				}
				if high-low > 1 || low < replicas {
					t.Errorf("%d hosts, %d nodes, %d replicas: from %d to %d replicas", hosts, nodes, replicas, low, high)
				}
			}
		}
	}
}

func TestCreate(t *testing.T) {
	w, c := fakecluster.New(t, 4), dial(t)
	p := must[*Plan](t)(PlanCreate(context.Background(), c, w.Addrs(), 1))
	wantSteps(t, w, p,
		"n0 takes 8192 slots (0-8191)",
		"n1 joins the cluster of n0",
		"n1 takes 8192 slots (8192-16383)",
		"n2 joins the cluster of n0",
		"n2 becomes a replica of n0",
		"n3 joins the cluster of n0",
		"n3 becomes a replica of n1",
		"n0 and the others agree and serve")
	unchanged(t, w)
	apply(t, c, p)
	before := w.Changes()
	apply(t, c, p) // every step again
	if got := w.Changes(); !slices.Equal(got, before) {
		t.Errorf("a second time: %q", got[len(before):])
	}
	again := must[*Plan](t)(PlanCreate(context.Background(), c, w.Addrs(), 1))
	wantSteps(t, w, again)
}

// A creation may be cut short behind any step.
func TestCreateFinishesWhatWasBegun(t *testing.T) {
	for cut := 1; cut < 8; cut++ {
		t.Run(fmt.Sprint(cut), func(t *testing.T) {
			w, c := fakecluster.New(t, 4), dial(t)
			p := must[*Plan](t)(PlanCreate(context.Background(), c, w.Addrs(), 1))
			all := strings.Split(brief(w, p), "\n")
			p.Steps = p.Steps[:cut]
			apply(t, c, p)
			rest := must[*Plan](t)(PlanCreate(context.Background(), c, w.Addrs(), 1))
			if cut < 7 {
				wantSteps(t, w, rest, all[cut:]...)
			} else {
				wantSteps(t, w, rest)
			}
			apply(t, c, rest)
			report := must[*Report](t)(Check(context.Background(), c, w.Node(3).Addr))
			if !report.Healthy() || report.Shards != 2 {
				t.Errorf("%+v", report)
			}
		})
	}
}

// After a failover the roles differ from the plan's, but the cluster is complete.
func TestCreateLeavesACompleteClusterAlone(t *testing.T) {
	w, c := fakecluster.Formed(t, 2, 1), dial(t)
	w.FailOver(w.Node(0), w.Node(2))
	wantSteps(t, w, must[*Plan](t)(PlanCreate(context.Background(), c, w.Addrs(), 1)))
}

func TestCreateRefuses(t *testing.T) {
	type world = fakecluster.World
	for _, c := range []struct {
		name  string
		make  func(t *testing.T) (w *world, addrs []string, replicas int)
		kind  error
		words []string
	}{
		{"negative", func(t *testing.T) (*world, []string, int) { w := fakecluster.New(t, 1); return w, w.Addrs(), -1 }, ErrUsage, []string{"negative"}},
		{"too few", func(t *testing.T) (*world, []string, int) { w := fakecluster.New(t, 1); return w, w.Addrs(), 1 }, ErrUsage, []string{"too few"}},
		{"bad address", func(t *testing.T) (*world, []string, int) {
			w := fakecluster.New(t, 1)
			return w, []string{w.Addrs()[0], "localhost"}, 0
		}, ErrUsage, []string{`"localhost"`, "host:port"}},
		{"twice", func(t *testing.T) (*world, []string, int) {
			w := fakecluster.New(t, 2)
			return w, append(w.Addrs(), w.Addrs()[0]), 0
		}, ErrUsage, []string{"named twice"}},
		{"same node", func(t *testing.T) (*world, []string, int) {
			w := fakecluster.New(t, 2)
			return w, append(w.Addrs(), strings.Replace(w.Addrs()[0], "127.0.0.1", "localhost", 1)), 0
		}, ErrUsage, []string{"are the same node"}},
		{"keys", func(t *testing.T) (*world, []string, int) {
			w := fakecluster.New(t, 3)
			w.Node(1).SetKeys(7)
			return w, w.Addrs(), 0
		}, nil, []string{"not empty", "7 keys"}},
		{"dead", func(t *testing.T) (*world, []string, int) {
			w := fakecluster.New(t, 3)
			w.Node(0).Kill()
			w.Node(2).Kill()
			return w, w.Addrs(), 0
		}, ErrUnreachable, []string{"connection refused"}},
		{"member of another", func(t *testing.T) (*world, []string, int) {
			w := fakecluster.Formed(t, 3, 0)
			return w, append(w.Addrs()[:2], w.Add().Addr), 0
		}, nil, []string{"already a member of a cluster with"}},
		{"two clusters", func(t *testing.T) (*world, []string, int) {
			w := fakecluster.New(t, 4)
			c := dial(t)
			for _, half := range [][]string{w.Addrs()[:2], w.Addrs()[2:]} {
				apply(t, c, must[*Plan](t)(PlanCreate(context.Background(), c, half, 0)))
			}
			return w, w.Addrs(), 0
		}, nil, []string{"members of different clusters"}},
		{"made otherwise", func(t *testing.T) (*world, []string, int) {
			w := fakecluster.Formed(t, 2, 0)
			return w, append(w.Addrs(), w.Add().Addr), 0
		}, nil, []string{"made otherwise already"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, addrs, replicas := c.make(t)
			before := len(w.Changes())
			_, err := PlanCreate(context.Background(), dial(t), addrs, replicas)
			wantErr(t, err, c.kind, c.words...)
			if got := w.Changes(); len(got) != before {
				t.Errorf("changes: %q", got)
			}
		})
	}
}

func TestCreateNotes(t *testing.T) {
	w := fakecluster.New(t, 3)
	for n, word := range map[int]string{1: "one voter", 3: "no replicas"} {
		p := must[*Plan](t)(PlanCreate(context.Background(), dial(t), w.Addrs()[:n], 0))
		if len(p.Notes) != 1 || !strings.Contains(p.Notes[0], word) {
			t.Errorf("%d nodes: %q", n, p.Notes)
		}
	}
}

func TestCreateTimesOut(t *testing.T) {
	w, c := fakecluster.New(t, 2), hasty(t)
	p := must[*Plan](t)(PlanCreate(context.Background(), c, w.Addrs(), 1))
	w.Node(1).Unlink()
	err := p.Apply(context.Background(), c, &record{})
	wantErr(t, err, ErrTimeout, "replicate", "not linked")
}
