package slots

import (
	"errors"
	"math"
	"reflect"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

// drawLoads draws up to eight shards that own some of the first 1024 slots.
func drawLoads(t *rapid.T) []Load {
	loads := make([]Load, rapid.IntRange(1, 8).Draw(t, "shards"))
	for i := range loads {
		loads[i].ID = strconv.Itoa(i)
		loads[i].Weight = float64(rapid.IntRange(0, 3).Draw(t, "weight"))
	}
	for from := Slot(0); from < 1024; from += 16 {
		if i := rapid.IntRange(-1, len(loads)-1).Draw(t, "owner"); i >= 0 {
			loads[i].Slots.AddRange(Range{from, from + Slot(rapid.IntRange(0, 15).Draw(t, "length"))})
		}
	}
	return loads
}

// apply carries moves out and fails if one gives what is not there.
func apply(t *rapid.T, loads []Load, moves []Move) map[string]Set {
	after := map[string]Set{}
	for _, l := range loads {
		after[l.ID] = l.Slots
	}
	for _, m := range moves {
		from, to := after[m.From], after[m.To]
		if m.Slots.Empty() || !from.Contains(&m.Slots) || m.From == m.To {
			t.Fatalf("%s gives %s to %s, owning %s", m.From, m.Slots.String(), m.To, from.String())
		}
		from.Subtract(&m.Slots)
		to.Union(&m.Slots)
		after[m.From], after[m.To] = from, to
	}
	return after
}

func TestRebalance(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		loads := drawLoads(t)
		total, weight := 0, 0.0
		for _, l := range loads {
			total += l.Slots.Len()
			weight += l.Weight
		}
		moves, err := Rebalance(loads, 0)
		if total > 0 && weight == 0 {
			if !errors.Is(err, ErrPlan) {
				t.Fatalf("without weights: %v", err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		after := apply(t, loads, moves)
		moved, must := 0, 0
		for _, m := range moves {
			moved += m.Slots.Len()
		}
		for _, l := range loads {
			s := after[l.ID]
			exact := 0.0
			if total > 0 {
				exact = float64(total) * l.Weight / weight
			}
			if diff := math.Abs(float64(s.Len()) - exact); diff >= 1 {
				t.Fatalf("shard %s ends with %d slots, its exact share is %v", l.ID, s.Len(), exact)
			}
			must += max(0, l.Slots.Len()-s.Len())
		}
		if moved != must {
			t.Fatalf("%d slots move, %d would do", moved, must)
		}
		slices.Reverse(loads)
		if again, _ := Rebalance(loads, 0); !reflect.DeepEqual(again, moves) {
			t.Fatalf("the plan depends on the order of the shards")
		}
	})
}

func TestRebalanceLeavesLevelAlone(t *testing.T) {
	loads := []Load{
		{ID: "a", Slots: SetOf(Range{0, 8300}), Weight: 1},
		{ID: "b", Slots: SetOf(Range{8301, Count - 1}), Weight: 1},
	}
	if moves, err := Rebalance(loads, 2); err != nil || moves != nil {
		t.Fatalf("within 2 percent: %v, %v", moves, err)
	}
	if moves, err := Rebalance(loads, 1); err != nil || len(moves) != 1 || moves[0].Slots.Len() != 109 {
		t.Fatalf("beyond 1 percent: %v, %v", moves, err)
	}
}

func TestTake(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		loads := drawLoads(t)
		have := 0
		for _, l := range loads[1:] {
			have += l.Slots.Len()
		}
		n := rapid.IntRange(0, have+1).Draw(t, "n")
		moves, err := Take(loads, "0", n)
		if n > have {
			if !errors.Is(err, ErrPlan) {
				t.Fatalf("%d of %d: %v", n, have, err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		after := apply(t, loads, moves)
		if got := after["0"]; got.Len() != loads[0].Slots.Len()+n {
			t.Fatalf("the taker has %d slots, had %d, was to get %d", got.Len(), loads[0].Slots.Len(), n)
		}
		for _, l := range loads[1:] {
			s := after[l.ID]
			exact := float64(n) * float64(l.Slots.Len()) / float64(max(1, have))
			if diff := math.Abs(float64(l.Slots.Len()-s.Len()) - exact); diff >= 1 {
				t.Fatalf("shard %s gives %d slots, its exact part is %v", l.ID, l.Slots.Len()-s.Len(), exact)
			}
		}
	})
}
