package clusterctl

import (
	"context"
	"fmt"

	"github.com/redwingdb/redwing/internal/slots"
)

// PlanAddNode makes the plan that brings the fresh node at addr into the cluster of
// seed: as an empty primary, or as a replica of the member that replicaOf names (id,
// prefix of an id, or address). What is done already is left out.
func PlanAddNode(ctx context.Context, c *Conns, seed, addr, replicaOf string) (*Plan, error) {
	st, b, err := survey(ctx, c, seed)
	if err != nil {
		return nil, err
	}
	own, err := c.State(ctx, addr)
	if err != nil {
		return nil, err
	}
	me := st.Node(own.Self)
	p := &Plan{Title: "add " + addr + " to the cluster", basis: b}
	if me == nil {
		if own.formed() {
			return nil, fmt.Errorf("%s is already a member of another cluster: reset it first (CLUSTER RESET)", addr)
		}
		if err := c.checkEmpty(ctx, addr); err != nil {
			return nil, err
		}
		p.Steps = append(p.Steps, Step{Action: Meet, Node: addr, Target: seed})
	}
	if replicaOf == "" {
		if me == nil {
			p.Notes = append(p.Notes, "the node will own no slots; clusterctl rebalance --use-empty gives it its share")
		}
		return p, nil
	}
	primary, err := st.primary(replicaOf)
	if err != nil {
		return nil, err
	}
	switch {
	case primary.Failed():
		return nil, fmt.Errorf("%s has failed and cannot take a replica", primary.Addr)
	case me == nil:
	case me.ID == primary.ID:
		return nil, fmt.Errorf("%w: %s cannot be a replica of itself", ErrUsage, me.Addr)
	case me.Primary == primary.ID:
		return p, nil
	case !me.Slots.Empty():
		return nil, fmt.Errorf("%s is a member that owns %d slots and cannot become a replica", me.Addr, me.Slots.Len())
	}
	p.Steps = append(p.Steps, Step{Action: Replicate, Node: addr, NodeID: own.Self, Target: primary.Addr, TargetID: primary.ID})
	return p, nil
}

// PlanRemoveNode makes the plan that takes a member out: its slots move to the other
// primaries by their load, its replicas go to the primary that then has the fewest,
// then it is reset, or only forgotten if it is dead.
func PlanRemoveNode(ctx context.Context, c *Conns, seed, name string) (*Plan, error) {
	st, b, err := survey(ctx, c, seed)
	if err != nil {
		return nil, err
	}
	node, err := st.Find(name)
	if err != nil {
		return nil, err
	}
	p := &Plan{Title: "remove " + node.Addr + " (" + node.ShortID() + ") from the cluster", basis: b}
	_, errAlive := c.Text(ctx, node.Addr, "PING")
	if ctx.Err() != nil {
		return nil, errAlive
	}
	alive := errAlive == nil
	if !node.Slots.Empty() {
		if !alive {
			return nil, fmt.Errorf("%s owns %d slots and does not answer: bring it back, or fail over to a replica, first", node.Addr, node.Slots.Len())
		}
		if err := p.drain(st, node); err != nil {
			return nil, err
		}
	}
	if node.IsPrimary() {
		steps, err := rehome(st, node)
		if err != nil {
			return nil, err
		}
		p.Steps = append(p.Steps, steps...)
	}
	other := otherMember(st, node, seed)
	if other == "" {
		return nil, fmt.Errorf("%s is the only live member: there is no cluster to take it out of", node.Addr)
	}
	if alive {
		p.Steps = append(p.Steps, Step{Action: Reset, Node: node.Addr, NodeID: node.ID})
	} else {
		p.Notes = append(p.Notes, node.Addr+" does not answer: it is taken out without being reset")
	}
	p.Steps = append(p.Steps, Step{Action: Forget, Node: other, Target: node.Addr, TargetID: node.ID})
	return p, nil
}

// drain levels the other primaries that own slots with what node gives up.
func (p *Plan) drain(st *State, node *Node) error {
	if steps, n := p.basis.runningSteps(st, func(_, to *Node) bool { return to.ID == node.ID }); len(steps) > 0 {
		return fmt.Errorf("%d slots are moving to %s now: wait (clusterctl migrations --watch) or cancel that first", n, node.Addr)
	}
	running, n := p.basis.runningSteps(st, func(from, _ *Node) bool { return from.ID == node.ID })
	if n > 0 {
		p.Notes = append(p.Notes, runningNote(n))
	}
	ahead := st.ahead(p.basis.jobs)
	loads := []slots.Load{{ID: node.ID, Slots: ahead.Node(node.ID).Slots}} // weight 0: everything goes
	for _, o := range ahead.Primaries() {
		if o.ID != node.ID && !o.Slots.Empty() && !o.Failed() {
			loads = append(loads, slots.Load{ID: o.ID, Slots: o.Slots, Weight: 1})
		}
	}
	if len(loads) == 1 {
		return fmt.Errorf("%s is the only primary with slots: nobody can take them", node.Addr)
	}
	moves, err := slots.Rebalance(loads, 0)
	if err != nil {
		return err
	}
	if err := p.basis.checkFree(moves); err != nil {
		return err
	}
	p.Steps = append(p.Steps, append(running, moveSteps(st, moves)...)...)
	return nil
}

// rehome gives the replicas of node to other primaries.
func rehome(st *State, node *Node) ([]Step, error) {
	var steps []Step
	extra := map[string]int{}
	for _, r := range st.ReplicasOf(node.ID) {
		if r.Failed() {
			return nil, fmt.Errorf("%s, a replica of %s, has failed: bring it back or remove it first", r.Addr, node.Addr)
		}
		var best *Node
		for _, n := range st.Primaries() {
			if n.ID == node.ID || n.Slots.Empty() || n.Failed() {
				continue
			}
			if best == nil || len(st.ReplicasOf(n.ID))+extra[n.ID] < len(st.ReplicasOf(best.ID))+extra[best.ID] {
				best = n
			}
		}
		if best == nil {
			return nil, fmt.Errorf("no other primary can take the replica %s", r.Addr)
		}
		extra[best.ID]++
		steps = append(steps, Step{Action: Replicate, Node: r.Addr, NodeID: r.ID, Target: best.Addr, TargetID: best.ID})
	}
	return steps, nil
}

// otherMember returns the address of a member to which node's removal can be told:
// seed if that is another node.
func otherMember(st *State, node *Node, seed string) string {
	if st.Self != node.ID {
		return seed
	}
	for i := range st.Nodes {
		// A replica refuses to forget its primary.
		if n := &st.Nodes[i]; n.ID != node.ID && !n.Failed() && n.IsPrimary() {
			return n.Addr
		}
	}
	return ""
}
