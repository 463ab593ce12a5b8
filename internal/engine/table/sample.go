package table

import (
	"math/bits"

	"github.com/redwingdb/redwing/internal/engine/arena"
)

// Sample visits records beginning at a bucket drawn by the 64 random bits of draw, and
// goes on from bucket to bucket, round the end, until visit returns false, it has passed
// all buckets, or most of them.
func (t *Table) Sample(draw uint64, most int, visit func(arena.Ref, Rec) bool) {
	x := t.Arrays()
	total := uint64(x[0].Buckets) + uint64(x[1].Buckets)
	if total == 0 {
		return
	}
	bucket, _ := bits.Mul64(draw, total)
	for n := min(total, uint64(most)); n > 0; n-- {
		arr, i := &x[0], bucket
		if i >= uint64(arr.Buckets) {
			arr, i = &x[1], i-uint64(arr.Buckets)
		}
		if arr.Uses(uint32(i)) {
			goOn := true
			EachRef(t.A, arr.Ref, uint32(i), func(ref arena.Ref) bool {
				goOn = visit(ref, RecAt(t.A, ref))
				return goOn
			})
			if !goOn {
				return
			}
		}
		if bucket++; bucket == total {
			bucket = 0
		}
	}
}
