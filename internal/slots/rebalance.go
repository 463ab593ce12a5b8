package slots

import (
	"cmp"
	"slices"
)

// Load is one party of a rebalance: the slots it owns and the weight of its share.
// Weight 0 gives everything away; negative counts as 0.
type Load struct {
	Slots  Set
	Weight float64
}

// Transfer moves slots between two parties, named by their index.
type Transfer struct {
	From, To int
	Slots    Set
}

// Rebalance returns the transfers after which every party owns its share of all the
// slots that the parties own together, by weight. It moves the fewest slots possible,
// at most one transfer for each pair, and depends on nothing but loads. It returns nil
// if no party has a weight.
func Rebalance(loads []Load) []Transfer {
	shares := Shares(loads)
	if shares == nil {
		return nil
	}
	surplus := make([]int, len(loads)) // negative: wants
	for i := range loads {
		surplus[i] = loads[i].Slots.Len() - shares[i]
	}
	var out []Transfer
	to := 0
	for from := range loads {
		left := loads[from].Slots
		for surplus[from] > 0 {
			for surplus[to] >= 0 { // surpluses sum up to 0, so somebody wants
				to++
			}
			n := min(surplus[from], -surplus[to])
			set := lowest(&left, n)
			left.Subtract(&set)
			out = append(out, Transfer{from, to, set})
			surplus[from] -= n
			surplus[to] += n
		}
	}
	return out
}

// Shares returns how many of the slots that the parties own together are each one's
// share by weight: rounded down, what remains going to the largest remainders, the
// earlier party first. It returns nil if no party has a weight.
func Shares(loads []Load) []int {
	total, weights := 0, 0.0
	for i := range loads {
		total += loads[i].Slots.Len()
		weights += max(0, loads[i].Weight)
	}
	if weights == 0 {
		return nil
	}
	shares := make([]int, len(loads))
	order := make([]int, 0, len(loads))
	remainder := make([]float64, len(loads))
	rest := total
	for i := range loads {
		w := max(0, loads[i].Weight)
		exact := float64(total) * w / weights
		shares[i] = int(exact)
		remainder[i] = exact - float64(shares[i])
		rest -= shares[i]
		if w > 0 {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(remainder[b], remainder[a]) })
	for i := 0; rest > 0; i++ {
		shares[order[i%len(order)]]++
		rest--
	}
	return shares
}

// lowest returns the n lowest slots of set.
func lowest(set *Set, n int) Set {
	var out Set
	for slot := range set.Each() {
		if n == 0 {
			break
		}
		out.Add(slot)
		n--
	}
	return out
}
