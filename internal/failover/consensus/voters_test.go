package consensus

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/redwingdb/redwing/internal/topology"
)

func voterOf(name, zone string) server {
	return server{id: raft.ServerID(name + "/1"), node: topology.NodeID(name), zone: zone, voter: true, member: true}
}

func spareOf(name, zone string) server {
	s := voterOf(name, zone)
	s.voter = false
	return s
}

func bad(s server) server  { s.bad = true; return s }
func lost(s server) server { s.bad, s.lost = true, true; return s }
func self(s server) server { s.self = true; return s }
func gone(s server) server { s.member = false; return s }

func TestNextStep(t *testing.T) {
	a, b, c, d := self(voterOf("a", "1")), voterOf("b", "2"), voterOf("c", "3"), voterOf("d", "1")
	x, y, z := spareOf("x", "1"), spareOf("y", "4"), spareOf("z", "2")
	cases := []struct {
		name    string
		servers []server
		nodes   int
		spares  []server
		want    string
	}{
		{"one of one", []server{a}, 1, nil, " "},
		{"one of two", []server{a}, 2, []server{x}, " "},
		{"two more for three", []server{a}, 3, []server{x, y}, "add y"},
		{"not to two when only one answers", []server{a}, 3, []server{x}, " "},
		{"the third", []server{a, b}, 3, []server{x}, "add x"},
		{"another zone first", []server{a, b}, 4, []server{x, z, y}, "add y"},
		{"five from five on", []server{a, b, c}, 5, []server{x, y}, "add y"},
		{"not to four", []server{a, b, c}, 5, []server{x}, " "},
		{"down to one", []server{a, b, c}, 2, nil, "remove c"},
		{"never the leader itself", []server{self(voterOf("z", "9")), b}, 2, nil, "remove b"},
		{"dead voter replaced", []server{a, b, bad(c)}, 4, []server{x}, "add x instead of c/1"},
		{"dead voter without a spare stays", []server{a, b, bad(c)}, 3, nil, " "},
		{"lost store without a spare goes and comes again", []server{a, b, lost(c)}, 3, nil, "remove c"},
		{"lost store with a spare", []server{a, b, lost(c)}, 4, []server{x}, "add x instead of c/1"},
		{"removed node goes", []server{a, b, gone(c)}, 2, nil, "remove c"},
		{"spare left over", []server{a, b, c, spareOf("x", "1")}, 4, nil, "remove x"},
		{"leaving leader hands over", []server{bad(a), b, c, d}, 4, nil, "transfer a"},
		{"the one voter leaves", []server{bad(a)}, 2, []server{x}, "add x"},
		{"and then hands over", []server{bad(a), voterOf("x", "1")}, 2, nil, "transfer a"},
	}
	for _, tc := range cases {
		s := nextStep(tc.servers, tc.nodes, tc.spares)
		got := fmt.Sprint(s.what, " ", s.node)
		if s.instead != "" {
			got += fmt.Sprint(" instead of ", s.instead)
		}
		if got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

// TestVoterSetsConverge: from any start, steps lead to the right number of good voters
// and end there, the leader stays one, and on the way no voter is given up without need.
func TestVoterSetsConverge(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	for round := range 2000 {
		n := 1 + rng.IntN(9)
		var servers, spares []server
		for i := range n {
			s := voterOf(fmt.Sprint("n", i), fmt.Sprint(rng.IntN(3)))
			switch {
			case i == 0:
				servers = append(servers, self(s))
			case rng.IntN(2) == 0:
				s.bad = rng.IntN(4) == 0
				servers = append(servers, s)
			default:
				s.voter = false
				spares = append(spares, s)
			}
		}
		steps := 0
		for ; steps < 40; steps++ {
			s := nextStep(servers, n, spares)
			if s.what == stepNone {
				break
			}
			remove := func(id raft.ServerID) {
				i := slices.IndexFunc(servers, func(x server) bool { return x.id == id })
				if servers[i].self {
					t.Fatalf("seed %d round %d: the leader was removed", seed, round)
				}
				servers = slices.Delete(servers, i, i+1)
			}
			switch s.what {
			case stepAdd:
				i := slices.IndexFunc(spares, func(x server) bool { return x.id == s.id })
				added := spares[i]
				spares = slices.Delete(spares, i, i+1)
				if s.instead != "" {
					remove(s.instead)
				}
				added.voter = true
				servers = append(servers, added)
			case stepRemove:
				remove(s.id)
			default:
				t.Fatalf("seed %d round %d: %v", seed, round, s)
			}
		}
		good := 0
		for _, s := range servers {
			if !s.bad {
				good++
			}
		}
		if steps == 40 || good > topology.VotersFor(n) || good < topology.VotersFor(n) && len(spares) > 1 {
			t.Fatalf("seed %d round %d: %d steps, %d good voters of %d nodes, %d spares left", seed, round, steps, good, n, len(spares))
		}
	}
}
