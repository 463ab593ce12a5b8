package clusterctl

import (
	"context"
	"fmt"

	"github.com/redwingdb/redwing/internal/slots"
)

// RebalanceOptions say how PlanRebalance shares the slots out.
type RebalanceOptions struct {
	// Weights by member (id, prefix of an id, or address); 1 where nothing is said.
	Weights map[string]float64
	// UseEmpty gives slots to primaries that have none.
	UseEmpty bool
	// Threshold is how many percent of its share a primary may be off before anything
	// is moved.
	Threshold float64
}

// PlanRebalance makes the plan that gives every primary its share of the slots. Moves
// that run already count as done and are followed.
func PlanRebalance(ctx context.Context, c *Conns, seed string, o RebalanceOptions) (*Plan, error) {
	st, b, err := survey(ctx, c, seed)
	if err != nil {
		return nil, err
	}
	weight := map[string]float64{}
	for name, w := range o.Weights {
		n, err := st.primary(name)
		if err != nil {
			return nil, err
		}
		if _, twice := weight[n.ID]; twice {
			return nil, fmt.Errorf("%w: --weight names %s twice", ErrUsage, n.Addr)
		}
		weight[n.ID] = w
	}
	var loads []slots.Load
	for _, n := range st.ahead(b.jobs).Primaries() {
		w, named := weight[n.ID]
		if n.Failed() || n.Slots.Empty() && !o.UseEmpty && !named {
			continue
		}
		if !named {
			w = 1
		}
		loads = append(loads, slots.Load{ID: n.ID, Slots: n.Slots, Weight: w})
	}
	moves, err := slots.Rebalance(loads, o.Threshold)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	if err := b.checkFree(moves); err != nil {
		return nil, err
	}
	p := &Plan{Title: fmt.Sprintf("rebalance %d primaries", len(loads)), basis: b}
	running, n := b.runningSteps(st, func(_, _ *Node) bool { return true })
	if n > 0 {
		p.Notes = append(p.Notes, runningNote(n))
	}
	p.Steps = append(running, moveSteps(st, moves)...)
	return p, nil
}

// checkFree refuses moves of slots that are moving already.
func (b *basis) checkFree(moves []slots.Move) error {
	for i := range moves {
		if moves[i].Slots.Intersects(&b.inFlight) {
			return fmt.Errorf("slots that would have to move are moving already: wait (clusterctl migrations --watch) or cancel those moves first")
		}
	}
	return nil
}

// moveSteps turns the planner's moves into steps.
func moveSteps(st *State, moves []slots.Move) []Step {
	var out []Step
	for _, m := range moves {
		out = append(out, moveStep(st.Node(m.From), st.Node(m.To), &m.Slots))
	}
	return out
}

func moveStep(from, to *Node, set *slots.Set) Step {
	return Step{Action: MoveSlots, Node: from.Addr, NodeID: from.ID, Target: to.Addr, TargetID: to.ID, Slots: set.String(), Count: set.Len()}
}
