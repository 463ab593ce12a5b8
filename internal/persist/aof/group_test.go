package aof

import (
	"testing"
	"time"
)

// TestGroup plays clients that each write again a while after they were answered, in
// virtual time: a sync serves most of them, and a lone client never waits.
func TestGroup(t *testing.T) {
	const fsync, bytes = 500 * time.Microsecond, 60
	// play returns how many writes a sync has served, and how long the waits for others
	// were, for clients that think for so long.
	play := func(clients int, think func(client, turn int) time.Duration) (served float64, waited time.Duration) {
		var g group
		var now time.Duration
		var log int64 // bytes written so far, all of them by clients that wait
		due := make([]time.Duration, clients)
		turn := 0
		writes := func(until time.Duration) {
			for i := range due {
				if due[i] >= 0 && due[i] <= until {
					log += bytes
					due[i] = -1 // waits for a sync
				}
			}
		}
		next := func() time.Duration {
			soonest := time.Duration(-1)
			for _, d := range due {
				if d >= 0 && (soonest < 0 || d < soonest) {
					soonest = d
				}
			}
			return soonest
		}
		syncs, total := 0, 0
		for now < 2*time.Second {
			if writes(now); log == g.syncedAt {
				now = next()
				continue
			}
			if want, limit := g.wait(log); limit > 0 {
				end := now + limit
				began := now
				for log < want {
					d := next()
					if d < 0 || d > end {
						now = end
						break
					}
					now = max(now, d)
					writes(now)
				}
				g.met(log >= want)
				waited += now - began
			}
			at := log
			waiting := []int{}
			for i := range due {
				if due[i] < 0 {
					waiting = append(waiting, i)
				}
			}
			now += fsync
			writes(now)
			g.synced(at, log, int64(fsync))
			for _, i := range waiting {
				turn++
				due[i] = now + think(i, turn)
			}
			syncs++
			total += len(waiting)
		}
		return float64(total) / float64(syncs), waited
	}
	// Clients of a benchmark: they come back one behind the other.
	served, _ := play(50, func(i, _ int) time.Duration { return time.Duration(i%50) * 8 * time.Microsecond })
	if served < 40 {
		t.Errorf("a sync serves %.1f of 50 clients", served)
	}
	if served, waited := play(1, func(int, int) time.Duration { return 50 * time.Microsecond }); served != 1 || waited != 0 {
		t.Errorf("a lone client: %.1f a sync, waited %v in 2 s", served, waited)
	}
	// Some that come and go as they like: the waits that come to nothing are given up.
	if _, waited := play(3, func(i, turn int) time.Duration { return time.Duration(1+(i*7+turn*13)%40) * time.Millisecond }); waited > 60*time.Millisecond {
		t.Errorf("clients that do not come back soon waited %v in 2 s", waited)
	}
}
