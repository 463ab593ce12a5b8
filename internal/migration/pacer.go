package migration

import "time"

const (
	// paceHold is the longest that a writer of moving slots is delayed at once.
	paceHold = 5 * time.Millisecond
	// paceOpenMin is the shortest time that writers run between two delays.
	paceOpenMin = 250 * time.Microsecond
	// paceStep is how often the pacer looks at the lag while it delays nobody.
	paceStep = 5 * time.Millisecond
	// dutySteps is how many steps it takes from no delay to the strongest.
	dutySteps = 16
)

// pacer is the back-pressure on the source's writers of moving slots: pulses of a hold
// on writes, at most paceHold each, whose share of the time grows while the effects that
// the target has not applied do not get fewer, and shrinks when they do. At its strongest
// writers run for paceOpenMin in every 5.25 ms, so any rate is cut to a twentieth. It is
// pure: the driver sets the holds and waits.
type pacer struct {
	free int64 // bytes of lag below which nobody is delayed
	last int64 // lag at the last step
	duty int   // 0: none, dutySteps: the strongest
}

// step takes the lag in bytes and returns how long to hold writers now and how long to
// let them run afterwards.
func (p *pacer) step(lag int64) (hold, open time.Duration) {
	switch {
	case lag <= p.free/2:
		p.duty = 0
	case lag <= p.free:
		p.duty = max(0, p.duty-1)
	case lag >= p.last-p.last/64: // not shrinking by 1.5 % a step
		p.duty = min(dutySteps, p.duty+1)
	case lag < p.last-p.last/8 && p.duty > 1: // shrinking fast
		p.duty--
	}
	p.last = lag
	if p.duty == 0 {
		return 0, paceStep
	}
	// The open time halves every fourth step: 4 ms, ... 250 us.
	open = max(paceOpenMin, 4*time.Millisecond>>(p.duty/4))
	hold = min(paceHold, paceHold*time.Duration(p.duty)/4)
	return hold, open
}

// active reports whether writers are being delayed.
func (p *pacer) active() bool { return p.duty > 0 }
