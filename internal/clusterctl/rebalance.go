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

// PlanRebalance makes the plan that gives every primary its share of the slots.
func PlanRebalance(ctx context.Context, c *Conns, seed string, o RebalanceOptions) (*Plan, error) {
	st, err := c.State(ctx, seed)
	if err != nil {
		return nil, err
	}
	weight := map[string]float64{}
	for name, w := range o.Weights {
		n, err := st.primary(name)
		if err != nil {
			return nil, err
		}
		weight[n.ID] = w
	}
	var parties []*Node
	var loads []slots.Load
	for _, n := range st.Primaries() {
		w, named := weight[n.ID]
		if n.Failed() || n.Slots.Empty() && !o.UseEmpty && !named {
			continue
		}
		if !named {
			w = 1
		}
		parties = append(parties, n)
		loads = append(loads, slots.Load{Slots: n.Slots, Weight: w})
	}
	p := &Plan{Title: fmt.Sprintf("rebalance %d primaries", len(parties))}
	if level(loads, o.Threshold) {
		return p, nil
	}
	for _, t := range slots.Rebalance(loads) {
		p.Steps = append(p.Steps, moveStep(parties[t.From], parties[t.To], &t.Slots))
	}
	return p, nil
}

// level reports whether every party is within threshold percent of its share.
func level(loads []slots.Load, threshold float64) bool {
	shares := slots.Shares(loads)
	for i, share := range shares {
		off := float64(loads[i].Slots.Len() - share)
		if max(off, -off) > float64(share)*threshold/100 {
			return false
		}
	}
	return true
}
