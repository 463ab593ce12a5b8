package node

import (
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/config"
	"github.com/redwingdb/redwing/internal/engine"
)

func TestEvictTime(t *testing.T) {
	for tenacity, want := range map[int64]time.Duration{
		0: 0, 1: 50 * time.Microsecond, 10: 500 * time.Microsecond, 11: 575 * time.Microsecond,
		20: 2022 * time.Microsecond, 50: evictMost, 99: evictMost, 100: evictMost,
	} {
		if got := evictTime(tenacity); got != want {
			t.Errorf("tenacity %d: %v, want %v", tenacity, got, want)
		}
	}
}

func TestReclaimShare(t *testing.T) {
	for _, c := range []struct {
		effort int64
		behind time.Duration
		want   float64
	}{{1, 0, 0.25}, {10, 0, 0.43}, {1, 3 * time.Second, 0.5}, {10, time.Hour, 0.86}} {
		if got := reclaimShare(c.effort, c.behind); got < c.want-1e-9 || got > c.want+1e-9 {
			t.Errorf("effort %d, %v behind: %v, want %v", c.effort, c.behind, got, c.want)
		}
	}
}

func TestDefragPercent(t *testing.T) {
	c, err := config.Parse(nil, []string{"--activedefrag", "yes", "--active-defrag-cycle-min", "5"})
	if err != nil {
		t.Fatal(err)
	}
	const mb = 1 << 20
	for free, want := range map[int64]int64{
		0: 0, 99 * mb: 0, 100 * mb: 5, 550 * mb: 15, 1000 * mb: 25, 5000 * mb: 25,
	} {
		st := engine.Stats{ArenaBytes: 1000 * mb, ActiveBytes: 1000*mb + free}
		if got := defragPercent(c, st); got != want {
			t.Errorf("%d MB free of 1000: %d%%, want %d%%", free/mb, got, want)
		}
	}
	// More than the least number of bytes, but less than the least part.
	if got := defragPercent(c, engine.Stats{ArenaBytes: 10_000 * mb, ActiveBytes: 10_900 * mb}); got != 0 {
		t.Errorf("%d%% for a part of 9%%", got)
	}
	if err := c.Set([]config.Pair{{Name: "activedefrag", Value: "no"}}); err != nil {
		t.Fatal(err)
	}
	if got := defragPercent(c, engine.Stats{ArenaBytes: mb, ActiveBytes: 10_000 * mb}); got != 0 {
		t.Errorf("%d%% while it is off", got)
	}
}
