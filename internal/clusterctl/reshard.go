package clusterctl

import (
	"context"
	"fmt"
	"slices"

	"github.com/redwingdb/redwing/internal/slots"
)

// ReshardOptions say what PlanReshard moves. Members are named by id, prefix of an
// id, or address.
type ReshardOptions struct {
	From  []string // empty: every other primary, each by its share of the slots
	To    string
	Slots int
}

// PlanReshard makes the plan that moves a number of slots to one primary.
func PlanReshard(ctx context.Context, c *Conns, seed string, o ReshardOptions) (*Plan, error) {
	st, err := c.State(ctx, seed)
	if err != nil {
		return nil, err
	}
	to, err := st.primary(o.To)
	if err != nil {
		return nil, err
	}
	var from []*Node
	for _, name := range o.From {
		n, err := st.primary(name)
		if err != nil {
			return nil, err
		}
		from = append(from, n)
	}
	if len(from) == 0 {
		from = st.Primaries()
	}
	from = slices.DeleteFunc(from, func(n *Node) bool { return n.ID == to.ID || n.Slots.Empty() })
	loads := make([]slots.Load, len(from))
	have := 0
	for i, n := range from {
		loads[i] = slots.Load{ID: n.ID, Slots: n.Slots}
		have += n.Slots.Len()
	}
	if o.Slots < 1 || o.Slots > have {
		return nil, fmt.Errorf("%w: --slots %d: the sources own %d", ErrUsage, o.Slots, have)
	}
	moves, err := slots.Take(loads, to.ID, o.Slots)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	return &Plan{Title: fmt.Sprintf("move %d slots to %s", o.Slots, to.Addr), Steps: moveSteps(st, moves)}, nil
}

func (s *State) primary(name string) (*Node, error) {
	n := s.Node(name)
	switch {
	case n == nil:
		return nil, fmt.Errorf("%w: no member %q", ErrUsage, name)
	case !n.IsPrimary():
		return nil, fmt.Errorf("%w: %s is a replica", ErrUsage, n.Addr)
	}
	return n, nil
}
