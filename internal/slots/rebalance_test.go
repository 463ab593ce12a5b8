package slots

import (
	"testing"

	"pgregory.net/rapid"
)

// TestRebalance draws owners and weights and checks that every party ends with its
// share, that nothing moves twice, and that no more moves than must.
func TestRebalance(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 9).Draw(t, "parties")
		loads := make([]Load, n)
		for slot := range Slot(Count) {
			if i := rapid.IntRange(-1, n-1).Draw(t, "owner"); slot%16 == 0 && i >= 0 {
				loads[i].Slots.AddRange(Range{slot, slot + 15})
			} else if slot%16 == 0 {
				continue
			}
			if slot >= 64*16 { // enough ranges to be interesting, few enough to be quick
				break
			}
		}
		weighted := false
		for i := range loads {
			loads[i].Weight = float64(rapid.IntRange(0, 3).Draw(t, "weight"))
			weighted = weighted || loads[i].Weight > 0
		}
		transfers := Rebalance(loads)
		if !weighted {
			if transfers != nil {
				t.Fatalf("transfers without weights: %v", transfers)
			}
			return
		}
		shares := Shares(loads)
		moved, must := 0, 0
		after := make([]Set, n)
		for i := range loads {
			after[i] = loads[i].Slots
			must += max(0, loads[i].Slots.Len()-shares[i])
		}
		for _, tr := range transfers {
			if !after[tr.From].Contains(&tr.Slots) || tr.Slots.Empty() {
				t.Fatalf("%d gives slots it does not have: %v", tr.From, tr.Slots.String())
			}
			after[tr.From].Subtract(&tr.Slots)
			after[tr.To].Union(&tr.Slots)
			moved += tr.Slots.Len()
		}
		for i := range after {
			if after[i].Len() != shares[i] {
				t.Fatalf("party %d ends with %d slots, its share is %d", i, after[i].Len(), shares[i])
			}
		}
		if moved != must {
			t.Fatalf("%d slots move, %d would do", moved, must)
		}
	})
}
