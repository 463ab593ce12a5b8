package engine

import (
	"math/rand/v2"
	"testing"

	"github.com/redwingdb/redwing/internal/engine/arena"
)

// Every entry is fired at its time for good, never early, through jumps of all sizes.
func TestWheelModel(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 11))
		a, err := arena.New(64 << 20)
		if err != nil {
			t.Fatal(err)
		}
		w := &wheel{}
		now := int64(1_700_000_000_000) + r.Int64N(1<<40)
		expiry, due := map[wheelEntry]int64{}, map[wheelEntry]int64{}
		for step := range 3000 {
			if r.IntN(3) > 0 {
				e := entryOf(uint32(r.IntN(1<<14)), r.Uint64())
				expiry[e] = now - 1000 + r.Int64N(1<<r.IntN(40)+1)
				if !w.insert(a, e, expiry[e], now) {
					t.Fatalf("seed %d: no space", seed)
				}
				// What comes after its tick was worked on has its turn in the next.
				due[e] = max(dueTick(expiry[e]), w.tick)
				continue
			}
			now += r.Int64N(1<<r.IntN(34) + 1)
			limit := 1 + r.IntN(50)
			for fired := limit; fired == limit; {
				fired = w.advance(a, now, limit, func(e wheelEntry) {
					at, ok := expiry[e]
					if !ok {
						t.Fatalf("seed %d step %d: fired %x twice", seed, step, e)
					}
					if now > at {
						delete(expiry, e)
					} else if !w.insert(a, e, at, now) {
						t.Fatalf("seed %d: no space", seed)
					}
				})
			}
			for e, at := range expiry {
				if due[e] <= now/tickMillis {
					t.Fatalf("seed %d step %d: %x is due since %d ms", seed, step, e, now-at)
				}
			}
			if w.n != len(expiry) {
				t.Fatalf("seed %d step %d: %d entries, model %d", seed, step, w.n, len(expiry))
			}
		}
		for !w.drain(a, 100) {
		}
		if w.n != 0 || a.Used() != 0 {
			t.Fatalf("seed %d: %d entries and %d bytes left when drained", seed, w.n, a.Used())
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWheelEntry(t *testing.T) {
	e := entryOf(16383, ^uint64(0))
	if e.local() != 16383 || e.hash() != 1<<50-1 {
		t.Fatalf("entry gives slot %d hash %x", e.local(), e.hash())
	}
}
