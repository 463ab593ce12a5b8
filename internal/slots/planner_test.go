package slots

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func drawLoads(t *rapid.T) []Load {
	n := rapid.IntRange(1, 9).Draw(t, "shards")
	loads := make([]Load, n)
	for i := range loads {
		loads[i] = Load{ID: fmt.Sprintf("s%d", i), Weight: float64(rapid.IntRange(0, 4).Draw(t, "weight"))}
	}
	loads[rapid.IntRange(0, n-1).Draw(t, "heavy")].Weight = 1
	for s := 0; s < Count; {
		end := min(Count, s+rapid.IntRange(1, 4000).Draw(t, "run"))
		if owner := rapid.IntRange(0, n).Draw(t, "owner"); owner < n { // n: unowned
			loads[owner].Slots.AddRange(Range{Slot(s), Slot(end - 1)})
		}
		s = end
	}
	return loads
}

// carryOut applies moves and fails on any that cannot be.
func carryOut(t *rapid.T, loads []Load, moves []Move) map[string]Set {
	have := map[string]Set{}
	for _, l := range loads {
		have[l.ID] = l.Slots
	}
	for _, m := range moves {
		from, to := have[m.From], have[m.To]
		if m.From == m.To || m.Slots.Empty() || !from.Contains(&m.Slots) || to.Intersects(&m.Slots) {
			t.Fatalf("move %s to %s of %s", m.From, m.To, m.Slots.String())
		}
		from.Subtract(&m.Slots)
		to.Union(&m.Slots)
		have[m.From], have[m.To] = from, to
	}
	return have
}

func TestRebalanceProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		loads := drawLoads(t)
		moves, err := Rebalance(loads, 0)
		if err != nil {
			t.Fatal(err)
		}
		have := carryOut(t, loads, moves)
		total, weight, moved, least := 0, 0.0, 0, 0
		for _, l := range loads {
			total += l.Slots.Len()
			weight += l.Weight
		}
		for _, m := range moves {
			moved += m.Slots.Len()
		}
		for i := range loads {
			after := have[loads[i].ID]
			exact := float64(total) * loads[i].Weight / weight
			if d := math.Abs(float64(after.Len()) - exact); d >= 1+1e-9 {
				t.Fatalf("%s has %d slots, its share is %v", loads[i].ID, after.Len(), exact)
			}
			least += max(0, loads[i].Slots.Len()-after.Len())
			loads[i].Slots = after
		}
		if moved != least {
			t.Fatalf("%d slots moved where %d would do", moved, least)
		}
		if len(moves) >= len(loads) && len(moves) > 0 {
			t.Fatalf("%d moves between %d shards", len(moves), len(loads))
		}
		if again, _ := Rebalance(loads, 0); len(again) != 0 {
			t.Fatalf("the second plan moves %d sets", len(again))
		}
	})
}

func TestRebalanceIgnoresOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		loads := drawLoads(t)
		a, _ := Rebalance(loads, 2)
		shuffled := rapid.Permutation(loads).Draw(t, "order")
		b, _ := Rebalance(shuffled, 2)
		if !slices.Equal(a, b) {
			t.Fatal("the plan depends on the order of the shards")
		}
	})
}

func TestRebalanceThreshold(t *testing.T) {
	loads := []Load{
		{"a", SetOf(Range{0, 8191 + 80}), 1},
		{"b", SetOf(Range{8191 + 81, Count - 1}), 1},
	}
	if moves, err := Rebalance(loads, 2); err != nil || len(moves) != 0 {
		t.Errorf("1 %% off with a threshold of 2: %v %v", moves, err)
	}
	moves, err := Rebalance(loads, 0.5)
	if err != nil || len(moves) != 1 || moves[0].From != "a" || moves[0].To != "b" || moves[0].Slots.Len() != 80 {
		t.Errorf("1 %% off with a threshold of 0.5: %v %v", moves, err)
	}
	loads[0].Weight = 0
	if moves, _ := Rebalance(loads, 50); len(moves) != 1 || moves[0].Slots.Len() != 8272 {
		t.Errorf("weight 0: %v", moves)
	}
	loads[1].Weight = 0
	if _, err := Rebalance(loads, 0); err == nil {
		t.Error("nobody has a weight, and there is a plan")
	}
	loads[1].Weight = math.NaN()
	if _, err := Rebalance(loads, 0); err == nil {
		t.Error("a weight that is no number was taken")
	}
}

func TestTakeProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		loads := drawLoads(t)
		to := loads[0].ID
		have := 0
		for _, l := range loads[1:] {
			have += l.Slots.Len()
		}
		n := rapid.IntRange(0, have).Draw(t, "n")
		moves, err := Take(loads, to, n)
		if err != nil {
			t.Fatal(err)
		}
		after := carryOut(t, loads, moves)
		got := after[to]
		if got.Len() != loads[0].Slots.Len()+n {
			t.Fatalf("%d slots came, %d were asked for", got.Len()-loads[0].Slots.Len(), n)
		}
		for _, l := range loads[1:] {
			left := after[l.ID]
			exact := float64(n) * float64(l.Slots.Len()) / float64(max(1, have))
			if d := math.Abs(float64(l.Slots.Len()-left.Len()) - exact); d >= 1+1e-9 {
				t.Fatalf("%s gives %d, its share is %v", l.ID, l.Slots.Len()-left.Len(), exact)
			}
		}
		if _, err := Take(loads, to, have+1); err == nil {
			t.Fatal("more slots taken than there are")
		}
	})
}
