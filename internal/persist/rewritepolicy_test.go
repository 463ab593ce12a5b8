package persist

import "testing"

func TestRewritePolicy(t *testing.T) {
	for _, c := range []struct {
		size, base, percent, min int64
		want                     bool
	}{
		{100, 50, 100, 0, true},
		{99, 50, 100, 0, false},
		{100, 50, 0, 0, false}, // never
		{100, 50, 100, 100, false},
		{101, 50, 100, 100, true},
		{2, 0, 100, 0, true},
		{64<<20 + 1, 64 << 20, 100, 64 << 20, false},
	} {
		if got := grown(c.size, c.base, c.percent, c.min); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}

	// Automatic ones that fail: three at once, then behind 1, 2, 4 .. 60 minutes.
	var p rewritePolicy
	now, tries := int64(1000), []int64{}
	for range 12 {
		for {
			limited, _ := p.limited(now)
			if !limited {
				break
			}
			now++
		}
		tries = append(tries, now-1000)
		p.began(now)
		p.ended(false)
	}
	want, at := []int64{0, 0, 0}, int64(0)
	for _, minutes := range []int64{1, 2, 4, 8, 16, 32, 60, 60, 60} {
		at += 60 * minutes
		want = append(want, at)
	}
	for i := range want {
		if tries[i] != want[i] {
			t.Fatalf("tried at %v, want %v", tries, want)
		}
	}
	p.asked()
	if limited, _ := p.limited(now); limited || !p.scheduled {
		t.Error("one that is asked for waits")
	}
	if p.began(now); p.scheduled {
		t.Error("it is still scheduled")
	}

	// A broken file is tried at once, then behind 1, 2, 4 .. 60 seconds.
	p, now, tries = rewritePolicy{}, 1000, nil
	for range 9 {
		for !p.retry(now) {
			now++
		}
		tries = append(tries, now-1000)
		p.began(now)
		p.ended(false)
	}
	want, at = []int64{0}, 0
	for _, seconds := range []int64{1, 2, 4, 8, 16, 32, 60, 60} {
		at += seconds
		want = append(want, at)
	}
	for i := range want {
		if tries[i] != want[i] {
			t.Fatalf("tried at %v, want %v", tries, want)
		}
	}
	if p.ended(true); !p.retry(now) || p.failures != 0 {
		t.Error("a success is not forgotten")
	}
}
