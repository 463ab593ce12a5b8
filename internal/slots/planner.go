package slots

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// Load is a shard as the planner sees it: its slots, and the share it should have.
type Load struct {
	ID    string
	Slots Set
	// Weight is the share relative to the others'; 0 empties the shard.
	Weight float64
}

// Move is a planned move of slots between two shards.
type Move struct {
	From, To string
	Slots    Set
}

// ErrPlan is returned when no plan can do what was asked for.
var ErrPlan = errors.New("slots: no such plan")

// maxWeight keeps sums of weights exact enough to compare.
const maxWeight = 1e9

// Rebalance plans the moves that bring every shard to its share by weight of the
// slots that the shards own together. It moves as few slots as possible, is the same
// for the same loads in any order, and moves nothing while no shard is off its exact
// share by more than threshold percent of it (a shard of weight 0 with slots always
// is). Shares that are no whole numbers are rounded in favour of whoever has the
// slots already.
func Rebalance(loads []Load, threshold float64) ([]Move, error) {
	loads = sorted(loads)
	total, weight := 0, 0.0
	for _, l := range loads {
		if !(l.Weight >= 0 && l.Weight <= maxWeight) { // false for NaN too
			return nil, fmt.Errorf("weight %v of %s: %w", l.Weight, l.ID, ErrPlan)
		}
		total += l.Slots.Len()
		weight += l.Weight
	}
	if total == 0 {
		return nil, nil
	}
	if weight == 0 {
		return nil, fmt.Errorf("no shard has a weight: %w", ErrPlan)
	}
	shares := shares(loads, total, weight)
	off := false
	for i, l := range loads {
		exact := float64(total) * l.Weight / weight
		diff := float64(l.Slots.Len()) - exact
		off = off || max(diff, -diff) > exact*threshold/100 && l.Slots.Len() != shares[i]
	}
	if !off {
		return nil, nil
	}
	return settle(loads, shares), nil
}

// shares rounds each exact share down, then hands the rest out, one each, to those
// that own more than they got, by largest remainder, and after them to the others.
func shares(loads []Load, total int, weight float64) []int {
	out := make([]int, len(loads))
	remainder := make([]float64, len(loads))
	var order []int
	rest := total
	for i, l := range loads {
		exact := float64(total) * l.Weight / weight
		out[i] = int(exact)
		remainder[i] = exact - float64(out[i])
		rest -= out[i]
		if l.Weight > 0 {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		keepsA, keepsB := loads[a].Slots.Len() > out[a], loads[b].Slots.Len() > out[b]
		if keepsA != keepsB {
			if keepsA {
				return -1
			}
			return 1
		}
		return cmp.Compare(remainder[b], remainder[a])
	})
	for i := 0; rest > 0; i = (i + 1) % len(order) {
		out[order[i]]++
		rest--
	}
	return out
}

// settle moves the surplus of each shard to those that lack slots: the largest
// surplus to the largest lack first, so that few pairs exchange slots.
func settle(loads []Load, shares []int) (moves []Move) {
	type need struct{ i, n int }
	var donors, takers []need
	left := make([]Set, len(loads))
	for i, l := range loads {
		left[i] = l.Slots
		switch d := l.Slots.Len() - shares[i]; {
		case d > 0:
			donors = append(donors, need{i, d})
		case d < 0:
			takers = append(takers, need{i, -d})
		}
	}
	bySize := func(a, b need) int { return cmp.Compare(b.n, a.n) }
	slices.SortStableFunc(donors, bySize)
	slices.SortStableFunc(takers, bySize)
	for d, t := 0, 0; d < len(donors) && t < len(takers); {
		n := min(donors[d].n, takers[t].n)
		set := cutLowest(&left[donors[d].i], n)
		moves = append(moves, Move{loads[donors[d].i].ID, loads[takers[t].i].ID, set})
		donors[d].n -= n
		takers[t].n -= n
		if donors[d].n == 0 {
			d++
		}
		if takers[t].n == 0 {
			t++
		}
	}
	return moves
}

// Take plans the move of n slots from the sources to the shard to, from each in
// proportion to what it owns, the largest remainders rounded up.
func Take(sources []Load, to string, n int) ([]Move, error) {
	sources = slices.DeleteFunc(sorted(sources), func(l Load) bool { return l.ID == to || l.Slots.Empty() })
	have := 0
	for _, l := range sources {
		have += l.Slots.Len()
	}
	if n < 0 || n > have {
		return nil, fmt.Errorf("%d slots of %d: %w", n, have, ErrPlan)
	}
	if n == 0 {
		return nil, nil
	}
	counts := make([]int, len(sources))
	order := make([]int, len(sources))
	rest := n
	for i, l := range sources {
		order[i] = i
		counts[i] = n * l.Slots.Len() / have
		rest -= counts[i]
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(n*sources[b].Slots.Len()%have, n*sources[a].Slots.Len()%have)
	})
	for _, i := range order[:rest] {
		counts[i]++
	}
	var moves []Move
	for i, l := range sources {
		if counts[i] > 0 {
			moves = append(moves, Move{l.ID, to, cutLowest(&l.Slots, counts[i])})
		}
	}
	return moves, nil
}

// cutLowest takes the n lowest slots out of set and returns them.
func cutLowest(set *Set, n int) Set {
	var out Set
	for slot := range set.Each() {
		if n == 0 {
			break
		}
		out.Add(slot)
		n--
	}
	set.Subtract(&out)
	return out
}

func sorted(loads []Load) []Load {
	out := slices.Clone(loads)
	slices.SortFunc(out, func(a, b Load) int { return cmp.Compare(a.ID, b.ID) })
	return out
}
