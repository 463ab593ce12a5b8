package persist

import (
	"runtime"
	"time"

	"github.com/redwingdb/redwing/internal/clock"
)

const (
	// paceBurst is how long who writes a snapshot works without a rest. The system lets
	// others onto the core that they share as soon as he rests; if he never did it would
	// take turns of some milliseconds, in one of which he might hold a shard.
	paceBurst = 100 * time.Microsecond
	// paceLongest bounds a rest.
	paceLongest = time.Millisecond
	// paceCores: with more there is always one left for clients.
	paceCores = 4
)

// pace makes long work rest for as long as it has worked, again and again, where cores are
// few: it takes twice as long then, and clients wait a fraction of a millisecond for it
// instead of several (2 cores, 20,000 writes a second).
type pace struct{ since int64 }

func newPace() *pace { return &pace{clock.Mono()} }

// rest is called often by who works.
func (p *pace) rest() {
	worked := time.Duration(clock.Mono() - p.since)
	if worked < paceBurst {
		return
	}
	if runtime.NumCPU() <= paceCores {
		nap(min(worked, paceLongest))
	}
	p.since = clock.Mono()
}
