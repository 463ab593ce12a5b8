package command

import (
	"iter"

	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/slots"
)

// EachKey goes over the keys that stand at every step-th argument from first on: their
// places and slots. The memory behind a few of them at a time is fetched before the first
// is given, so that looking each of them up does not wait for memory by itself. REQUIRES:
// their shards locked.
func (c *Ctx) EachKey(first, step int) iter.Seq2[int, slots.Slot] {
	return func(yield func(int, slots.Slot) bool) {
		var in [engine.PrefetchMax]slots.Slot
		var keys [engine.PrefetchMax][]byte
		for i := first; i < len(c.Args); {
			n := 0
			for at := i; at < len(c.Args) && n < len(in); at += step {
				in[n], keys[n] = c.Slot(at), c.Args[at]
				n++
			}
			if n > 1 {
				c.DB.Prefetch(in[:n], keys[:n])
			}
			for j := range n {
				if !yield(i, in[j]) {
					return
				}
				i += step
			}
		}
	}
}
