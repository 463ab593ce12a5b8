package admin

import (
	"sync"
	"time"
)

// rateSamples is how many samples a rate is averaged over, as in Redis.
const rateSamples = 16

// Rates turns counters into rates per second. Its owner calls Sample regularly,
// every 100 ms to every second.
type Rates struct {
	mu struct {
		sync.Mutex
		samples [rateSamples]sample
		n       int // samples taken
	}
}

type sample struct {
	mono                 int64 // clock.Mono
	commands, netIn, out int64
}

// Sample notes the counters at mono (clock.Mono).
func (r *Rates) Sample(mono int64, t Totals) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.samples[r.mu.n%rateSamples] = sample{mono, t.Commands, t.NetInBytes, t.NetOutBytes}
	r.mu.n++
}

// perSecond returns the rates between the oldest and the newest sample.
func (r *Rates) perSecond() (commands, inBytes, outBytes float64) {
	if r == nil {
		return 0, 0, 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.n < 2 {
		return 0, 0, 0
	}
	last := r.mu.samples[(r.mu.n-1)%rateSamples]
	first := r.mu.samples[max(0, r.mu.n-rateSamples)%rateSamples]
	seconds := time.Duration(last.mono - first.mono).Seconds()
	if seconds <= 0 {
		return 0, 0, 0
	}
	rate := func(a, b int64) float64 { return max(0, float64(b-a)/seconds) } // a reset goes backwards
	return rate(first.commands, last.commands), rate(first.netIn, last.netIn), rate(first.out, last.out)
}
