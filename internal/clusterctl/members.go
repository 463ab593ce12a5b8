package clusterctl

import (
	"context"
	"fmt"

	"github.com/redwingdb/redwing/internal/slots"
)

// PlanAddNode makes the plan that brings the fresh node at addr into the cluster of
// seed: as an empty primary, or as a replica of the member that replicaOf names (id,
// prefix of an id, or address).
func PlanAddNode(ctx context.Context, c *Conns, seed, addr, replicaOf string) (*Plan, error) {
	st, err := c.State(ctx, seed)
	if err != nil {
		return nil, err
	}
	if err := c.checkFresh(ctx, addr, []string{addr}); err != nil {
		own, errOwn := c.State(ctx, addr)
		if errOwn != nil || st.Node(own.Self) == nil {
			return nil, err
		}
	}
	p := &Plan{Title: "add " + addr + " to the cluster"}
	p.Steps = append(p.Steps, Step{Action: "meet", Node: addr, Target: seed})
	if replicaOf == "" {
		p.Notes = append(p.Notes, "the node will own no slots; clusterctl rebalance --use-empty gives it its share")
		return p, nil
	}
	primary := st.Node(replicaOf)
	if primary == nil {
		return nil, fmt.Errorf("%w: no member %q", ErrUsage, replicaOf)
	}
	if !primary.IsPrimary() {
		return nil, fmt.Errorf("%w: %s is itself a replica", ErrUsage, primary.Addr)
	}
	p.Steps = append(p.Steps, Step{Action: "replicate", Node: addr, Target: primary.Addr, TargetID: primary.ID})
	return p, nil
}

// PlanRemoveNode makes the plan that takes a member out: its slots move to the other
// primaries by their load, its replicas go to the primary that then has the fewest,
// then it is reset, or forgotten if it is dead.
func PlanRemoveNode(ctx context.Context, c *Conns, seed, name string) (*Plan, error) {
	st, err := c.State(ctx, seed)
	if err != nil {
		return nil, err
	}
	node := st.Node(name)
	if node == nil {
		return nil, fmt.Errorf("%w: no member %q", ErrUsage, name)
	}
	p := &Plan{Title: "remove " + node.Addr + " (" + node.ShortID() + ") from the cluster"}
	_, errAlive := c.Text(ctx, node.Addr, "PING")
	alive := errAlive == nil
	if !node.Slots.Empty() {
		if !alive {
			return nil, fmt.Errorf("%s owns %d slots and does not answer: fail it over or bring it back first", node.Addr, node.Slots.Len())
		}
		moves, err := drain(st, node)
		if err != nil {
			return nil, err
		}
		p.Steps = append(p.Steps, moves...)
	}
	if node.IsPrimary() {
		steps, err := rehome(st, node)
		if err != nil {
			return nil, err
		}
		p.Steps = append(p.Steps, steps...)
	}
	if alive {
		p.Steps = append(p.Steps, Step{Action: "reset", Node: node.Addr, NodeID: node.ID})
	}
	if other := otherMember(st, node, seed); other != "" {
		p.Steps = append(p.Steps, Step{Action: "forget", Node: other, Target: node.Addr, TargetID: node.ID})
	}
	return p, nil
}

// drain levels the other primaries that own slots with what node gives up.
func drain(st *State, node *Node) ([]Step, error) {
	loads := []slots.Load{{ID: node.ID, Slots: node.Slots}} // weight 0: everything goes
	for _, n := range st.Primaries() {
		if n.ID != node.ID && !n.Slots.Empty() && !n.Failed() {
			loads = append(loads, slots.Load{ID: n.ID, Slots: n.Slots, Weight: 1})
		}
	}
	if len(loads) == 1 {
		return nil, fmt.Errorf("%s is the only primary with slots: nobody can take them", node.Addr)
	}
	moves, err := slots.Rebalance(loads, 0)
	if err != nil {
		return nil, err
	}
	return moveSteps(st, moves), nil
}

// rehome gives the replicas of node to other primaries.
func rehome(st *State, node *Node) ([]Step, error) {
	var steps []Step
	extra := map[string]int{}
	for _, r := range st.ReplicasOf(node.ID) {
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
		steps = append(steps, Step{Action: "replicate", Node: r.Addr, NodeID: r.ID, Target: best.Addr, TargetID: best.ID})
	}
	return steps, nil
}

// otherMember returns the address of a member to which node's removal can be told:
// seed if that is another node.
func otherMember(st *State, node *Node, seed string) string {
	if me := st.Node(st.Self); me != nil && me.ID != node.ID {
		return seed
	}
	for i := range st.Nodes {
		if n := &st.Nodes[i]; n.ID != node.ID && !n.Failed() {
			return n.Addr
		}
	}
	return ""
}
