package transfer

import "time"

// patience decides when what has failed is tried again, and when no more:
//
//	failed: after a tenth of a second, then after twice as long each time, up to five seconds
//	worked: the next failure is the first again
//	failing for longer than the limit: no more
type patience struct {
	limit time.Duration
	since time.Time // of the first failure of the row
	tries int       // failures of the row
}

const (
	firstPause = 100 * time.Millisecond
	mostPause  = 5 * time.Second
)

// failed counts a failure at now and says how long to wait; more is false if the limit
// would pass meanwhile.
func (p *patience) failed(now time.Time) (pause time.Duration, more bool) {
	if p.tries == 0 {
		p.since = now
	}
	pause = min(firstPause<<min(p.tries, 10), mostPause)
	p.tries++
	return pause, now.Add(pause).Sub(p.since) <= p.limit
}

// worked ends a row of failures.
func (p *patience) worked() { p.tries = 0 }
