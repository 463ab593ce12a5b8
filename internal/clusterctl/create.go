package clusterctl

import (
	"context"
	"errors"
	"fmt"

	"github.com/redwingdb/redwing/internal/slots"
)

// PlanCreate makes the plan that turns fresh nodes into a cluster in which every
// primary has the given number of replicas: one node forms it, the others join.
// Primaries and their replicas are put on different hosts where there are enough.
// A cluster of the same nodes that is formed in part is finished.
func PlanCreate(ctx context.Context, c *Conns, addrs []string, replicas int) (*Plan, error) {
	if replicas < 0 {
		return nil, fmt.Errorf("%w: --replicas %d is negative", ErrUsage, replicas)
	}
	primaries := len(addrs) / (replicas + 1)
	if primaries < 1 {
		return nil, fmt.Errorf("%w: %d nodes are too few for %d replicas a primary", ErrUsage, len(addrs), replicas)
	}
	if err := checkAddrs(addrs); err != nil {
		return nil, err
	}
	f, err := findFound(ctx, c, addrs)
	if err != nil {
		return nil, err
	}
	p := layout(addrs, primaries)
	if err := f.prune(p, len(addrs)-primaries); err != nil {
		return nil, err
	}
	switch {
	case len(addrs) < 3:
		p.Notes = append(p.Notes, "one voter: the death of its node then has no automatic failover; 3 nodes or more have one")
	case replicas == 0:
		p.Notes = append(p.Notes, "no replicas: a dead primary takes its slots with it until it comes back")
	}
	return p, nil
}

func checkAddrs(addrs []string) error {
	var errs []error
	seen := map[string]bool{}
	for _, addr := range addrs {
		if _, _, err := splitAddr(addr); err != nil {
			errs = append(errs, fmt.Errorf("%w: %w", ErrUsage, err))
		} else if seen[addr] {
			errs = append(errs, fmt.Errorf("%w: %s is named twice", ErrUsage, addr))
		}
		seen[addr] = true
	}
	return errors.Join(errs...)
}

// found is what the nodes of a future cluster are now.
type found struct {
	addrs []string
	nodes map[string]*State // what each says, by address
	hub   string            // the node whose cluster the others join; "": all are fresh
}

func findFound(ctx context.Context, c *Conns, addrs []string) (*found, error) {
	states := make([]*State, len(addrs))
	errs := make([]error, len(addrs))
	each(len(addrs), func(i int) { states[i], errs[i] = c.State(ctx, addrs[i]) })
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	f := &found{addrs: addrs, nodes: map[string]*State{}}
	addrOf := map[string]string{} // by id
	for i, addr := range addrs {
		id := states[i].Self
		if other, twice := addrOf[id]; twice {
			return nil, fmt.Errorf("%w: %s and %s are the same node %s", ErrUsage, other, addr, shortID(id))
		}
		addrOf[id] = addr
		f.nodes[addr] = states[i]
		if f.hub == "" && states[i].formed() {
			f.hub = addr
		}
	}
	each(len(addrs), func(i int) { errs[i] = f.check(ctx, c, addrs[i], addrOf) })
	return f, errors.Join(errs...)
}

// formed reports whether the node that was asked is in a cluster of several nodes or
// owns slots.
func (s *State) formed() bool {
	covered := s.Covered()
	return len(s.Nodes) > 1 || !covered.Empty()
}

// check refuses a node that is a member of some other cluster or holds keys.
func (f *found) check(ctx context.Context, c *Conns, addr string, addrOf map[string]string) error {
	st := f.nodes[addr]
	for i := range st.Nodes {
		if n := &st.Nodes[i]; addrOf[n.ID] == "" {
			return fmt.Errorf("%s is already a member of a cluster with %s: take it out (clusterctl remove-node) or reset it (CLUSTER RESET) first", addr, n.Addr)
		}
	}
	if !st.formed() {
		return c.checkEmpty(ctx, addr)
	}
	if f.nodes[f.hub].Node(st.Self) == nil {
		return fmt.Errorf("%s and %s are members of different clusters", f.hub, addr)
	}
	return nil
}

func (c *Conns) checkEmpty(ctx context.Context, addr string) error {
	keys, err := c.Do(ctx, addr, "DBSIZE")
	if err != nil {
		return err
	}
	if n, ok := keys.(int64); ok && n > 0 {
		return fmt.Errorf("%s is not empty: it holds %d keys", addr, n)
	}
	return nil
}

// prune takes out of p what is there already, and refuses a cluster that has become
// something else than p would make of it.
func (f *found) prune(p *Plan, replicas int) error {
	if f.hub == "" {
		return nil
	}
	st := f.nodes[f.hub]
	covered := st.Covered()
	if len(st.Nodes) == len(f.addrs) && covered.Len() == slots.Count && len(st.Nodes)-len(st.Primaries()) == replicas {
		p.Steps = nil
		return nil
	}
	var left []Step
	for _, s := range p.Steps {
		todo, err := f.todo(st, s)
		if err != nil {
			return err
		}
		if todo.Action != "" {
			left = append(left, todo)
		}
	}
	p.Steps = left
	return nil
}

// todo returns what is left of a step, the zero Step if nothing is.
func (f *found) todo(st *State, s Step) (Step, error) {
	me := st.Node(f.nodes[s.Node].Self)
	switch s.Action {
	case Meet:
		if me != nil {
			return Step{}, nil
		}
		s.Target = f.hub
	case AssignSlots:
		return f.slotsLeft(st, s, me)
	case Replicate:
		if me == nil {
			return s, nil
		}
		if !me.IsPrimary() {
			return Step{}, nil // whoever its primary is by now
		}
		if !me.Slots.Empty() {
			return Step{}, fmt.Errorf("%s should become a replica but owns %d slots: the cluster is made otherwise already", s.Node, me.Slots.Len())
		}
	}
	return s, nil
}

func (f *found) slotsLeft(st *State, s Step, me *Node) (Step, error) {
	rest, err := parseRanges(s.Slots)
	if err != nil {
		return s, err
	}
	if me != nil {
		if !me.IsPrimary() {
			return s, fmt.Errorf("%s should become a primary but is a replica: the cluster is made otherwise already", s.Node)
		}
		rest.Subtract(&me.Slots)
	}
	for i := range st.Nodes {
		if n := &st.Nodes[i]; n != me && n.Slots.Intersects(&rest) {
			return s, fmt.Errorf("%s should own slots that %s owns: the cluster is made otherwise already; clusterctl add-node and rebalance change it", s.Node, n.Addr)
		}
	}
	if rest.Empty() {
		return Step{}, nil
	}
	s.Slots, s.Count = rest.String(), rest.Len()
	return s, nil
}

// layout spreads primaries over hosts, cuts the slots evenly, and gives each replica
// to the primary with the fewest replicas that lives on another host if one does.
func layout(addrs []string, primaries int) *Plan {
	order := interleaveHosts(addrs)
	heads, tail := order[:primaries], order[primaries:]
	p := &Plan{Title: fmt.Sprintf("create a cluster of %d primaries and %d replicas", primaries, len(tail))}
	for i, addr := range heads {
		if i > 0 {
			p.Steps = append(p.Steps, Step{Action: Meet, Node: addr, Target: heads[0]})
		}
		from, to := i*slots.Count/primaries, (i+1)*slots.Count/primaries-1
		r := slots.Range{From: slots.Slot(from), To: slots.Slot(to)}
		p.Steps = append(p.Steps, Step{Action: AssignSlots, Node: addr, Slots: r.String(), Count: r.Len()})
	}
	load := make([]int, primaries)
	for _, addr := range tail {
		best := 0
		for i := range heads {
			if betterPrimary(load, heads, addr, i, best) {
				best = i
			}
		}
		load[best]++
		p.Steps = append(p.Steps,
			Step{Action: Meet, Node: addr, Target: heads[0]},
			Step{Action: Replicate, Node: addr, Target: heads[best]})
	}
	p.Steps = append(p.Steps, Step{Action: Verify, Node: heads[0], Nodes: len(addrs)})
	return p
}

// betterPrimary reports whether the replica rather goes to primary i than to best.
func betterPrimary(load []int, heads []string, replica string, i, best int) bool {
	if load[i] != load[best] {
		return load[i] < load[best]
	}
	return hostOf(heads[i]) != hostOf(replica) && hostOf(heads[best]) == hostOf(replica)
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
