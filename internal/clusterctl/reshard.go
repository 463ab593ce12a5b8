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

// PlanReshard makes the plan that moves a number of slots to one primary. Slots that
// are on their way from the sources to it already count: the command that began them,
// run again, follows them.
func PlanReshard(ctx context.Context, c *Conns, seed string, o ReshardOptions) (*Plan, error) {
	st, b, err := survey(ctx, c, seed)
	if err != nil {
		return nil, err
	}
	to, err := st.primary(o.To)
	if err != nil {
		return nil, err
	}
	if to.Failed() {
		return nil, fmt.Errorf("%s has failed and cannot take slots", to.Addr)
	}
	from, err := st.sources(o.From, to)
	if err != nil {
		return nil, err
	}
	running, moving := b.runningSteps(st, func(f, t *Node) bool {
		return t.ID == to.ID && slices.ContainsFunc(from, func(n *Node) bool { return n.ID == f.ID })
	})
	loads := make([]slots.Load, len(from))
	have := moving
	for i, n := range from {
		loads[i] = slots.Load{ID: n.ID, Slots: b.free(n)}
		have += loads[i].Slots.Len()
	}
	if o.Slots < 1 || o.Slots > have {
		return nil, fmt.Errorf("%w: --slots %d: the sources own %d", ErrUsage, o.Slots, have)
	}
	moves, err := slots.Take(loads, to.ID, max(0, o.Slots-moving))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	p := &Plan{Title: fmt.Sprintf("move %d slots to %s", o.Slots, to.Addr), basis: b}
	if moving > 0 {
		p.Notes = append(p.Notes, runningNote(moving))
	}
	p.Steps = append(running, moveSteps(st, moves)...)
	return p, nil
}

// sources returns the primaries that give: the named ones, or all others with slots
// that live.
func (s *State) sources(names []string, to *Node) ([]*Node, error) {
	var out []*Node
	for _, name := range names {
		n, err := s.primary(name)
		switch {
		case err != nil:
			return nil, err
		case n.ID == to.ID:
			return nil, fmt.Errorf("%w: %s cannot both give and take", ErrUsage, n.Addr)
		case n.Failed():
			return nil, fmt.Errorf("%s has failed and cannot give slots", n.Addr)
		case !slices.Contains(out, n):
			out = append(out, n)
		}
	}
	if len(names) == 0 {
		out = slices.DeleteFunc(s.Primaries(), func(n *Node) bool { return n.ID == to.ID || n.Failed() || n.Slots.Empty() })
	}
	return out, nil
}

// primary returns the primary that an operator names.
func (s *State) primary(name string) (*Node, error) {
	n, err := s.Find(name)
	if err == nil && !n.IsPrimary() {
		return nil, fmt.Errorf("%w: %s is a replica", ErrUsage, n.Addr)
	}
	return n, err
}
