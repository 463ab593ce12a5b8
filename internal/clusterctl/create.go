package clusterctl

import (
	"context"
	"fmt"
	"net"

	"github.com/redwingdb/redwing/internal/slots"
)

// PlanCreate makes the plan that turns fresh nodes into a cluster in which every
// primary has the given number of replicas: addrs[0] forms it, the others join.
// Primaries and their replicas are put on different hosts where there are enough.
func PlanCreate(ctx context.Context, c *Conns, addrs []string, replicas int) (*Plan, error) {
	if replicas < 0 {
		return nil, fmt.Errorf("%w: --replicas %d is negative", ErrUsage, replicas)
	}
	primaries := len(addrs) / (replicas + 1)
	if primaries < 1 {
		return nil, fmt.Errorf("%w: %d nodes are too few for %d replicas a primary", ErrUsage, len(addrs), replicas)
	}
	for _, addr := range addrs {
		if err := c.checkFresh(ctx, addr, addrs); err != nil {
			return nil, err
		}
	}
	p := layout(addrs, primaries)
	switch {
	case len(addrs) < 3:
		p.Notes = append(p.Notes, "one voter: the death of its node then has no automatic failover; 3 nodes or more have one")
	case replicas == 0:
		p.Notes = append(p.Notes, "no replicas: a dead primary takes its slots with it until it comes back")
	}
	return p, nil
}

// checkFresh refuses a node that is a member of some other cluster or holds keys.
// A node that a run of the same plan has already brought in is let through.
func (c *Conns) checkFresh(ctx context.Context, addr string, addrs []string) error {
	st, err := c.State(ctx, addr)
	if err != nil {
		return err
	}
	for _, n := range st.Nodes {
		if n.ID != st.Self && !containsAddr(addrs, n.Addr) {
			return fmt.Errorf("%s is already a member of a cluster with %s; reset it first (CLUSTER RESET)", addr, n.Addr)
		}
	}
	if len(st.Nodes) > 1 {
		return nil
	}
	keys, err := c.Do(ctx, addr, "DBSIZE")
	if err != nil {
		return err
	}
	if n, ok := keys.(int64); ok && n > 0 {
		return fmt.Errorf("%s is not empty: it holds %d keys", addr, n)
	}
	return nil
}

func containsAddr(addrs []string, addr string) bool {
	host, port, err := splitAddr(addr)
	if err != nil {
		return false
	}
	for _, a := range addrs {
		h, p, err := splitAddr(a)
		if err == nil && p == port && (h == host || sameHost(h, host)) {
			return true
		}
	}
	return false
}

// sameHost reports whether two host names have an address in common.
func sameHost(a, b string) bool {
	as, errA := net.LookupHost(a)
	bs, errB := net.LookupHost(b)
	if errA != nil || errB != nil {
		return false
	}
	for _, x := range as {
		for _, y := range bs {
			if x == y {
				return true
			}
		}
	}
	return false
}

// layout spreads primaries over hosts, cuts the slots evenly, and gives each replica
// to the primary with the fewest replicas that lives on another host if one does.
func layout(addrs []string, primaries int) *Plan {
	order := interleaveHosts(addrs)
	heads, tail := order[:primaries], order[primaries:]
	p := &Plan{Title: fmt.Sprintf("create a cluster of %d primaries and %d replicas", primaries, len(tail))}
	for i, addr := range heads {
		if i > 0 {
			p.Steps = append(p.Steps, Step{Action: "meet", Node: addr, Target: heads[0]})
		}
		from, to := i*slots.Count/primaries, (i+1)*slots.Count/primaries-1
		r := slots.Range{From: slots.Slot(from), To: slots.Slot(to)}
		p.Steps = append(p.Steps, Step{Action: "assign-slots", Node: addr, Slots: r.String(), Count: r.Len()})
	}
	load := make([]int, primaries)
	for _, addr := range tail {
		best := -1
		for i := range heads {
			if best < 0 || betterPrimary(load, heads, addr, i, best) {
				best = i
			}
		}
		load[best]++
		p.Steps = append(p.Steps,
			Step{Action: "meet", Node: addr, Target: heads[0]},
			Step{Action: "replicate", Node: addr, Target: heads[best]})
	}
	return p
}

func betterPrimary(load []int, heads []string, replica string, i, best int) bool {
	if load[i] != load[best] {
		return load[i] < load[best]
	}
	return hostOf(heads[i]) != hostOf(replica) && hostOf(heads[best]) == hostOf(replica)
}

func hostOf(addr string) string {
	host, _, _ := splitAddr(addr) // a bad address fails long before a layout is made
	return host
}

// interleaveHosts orders addresses so that hosts take turns.
func interleaveHosts(addrs []string) []string {
	var hosts []string
	byHost := map[string][]string{}
	for _, a := range addrs {
		h := hostOf(a)
		if _, ok := byHost[h]; !ok {
			hosts = append(hosts, h)
		}
		byHost[h] = append(byHost[h], a)
	}
	out := make([]string, 0, len(addrs))
	for len(out) < len(addrs) {
		for _, h := range hosts {
			if q := byHost[h]; len(q) > 0 {
				out, byHost[h] = append(out, q[0]), q[1:]
			}
		}
	}
	return out
}
