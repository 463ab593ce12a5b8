package clusterctl

import (
	"cmp"
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
	have := 0
	for _, n := range from {
		have += n.Slots.Len()
	}
	if o.Slots < 1 || o.Slots > have {
		return nil, fmt.Errorf("%w: --slots %d: the sources own %d", ErrUsage, o.Slots, have)
	}
	p := &Plan{Title: fmt.Sprintf("move %d slots to %s", o.Slots, to.Addr)}
	for i, n := range proportionalShares(from, o.Slots, have) {
		if n == 0 {
			continue
		}
		set := firstSlots(&from[i].Slots, n)
		p.Steps = append(p.Steps, moveStep(from[i], to, &set))
	}
	return p, nil
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

// proportionalShares cuts want into one share a source, by the slots that each owns
// of have, the largest remainders rounded up.
func proportionalShares(from []*Node, want, have int) []int {
	shares := make([]int, len(from))
	rest := want
	order := make([]int, len(from))
	for i, n := range from {
		order[i] = i
		shares[i] = want * n.Slots.Len() / have
		rest -= shares[i]
	}
	remainder := func(i int) int { return want * from[i].Slots.Len() % have }
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(remainder(b), remainder(a)) })
	for _, i := range order[:rest] {
		shares[i]++
	}
	return shares
}

// firstSlots returns the n lowest slots of set.
func firstSlots(set *slots.Set, n int) slots.Set {
	var out slots.Set
	for slot := range set.Each() {
		if n == 0 {
			break
		}
		out.Add(slot)
		n--
	}
	return out
}
