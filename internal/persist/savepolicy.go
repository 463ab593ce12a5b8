package persist

// SavePoint says to save when there were at least Changes changes and the last save was
// more than Seconds ago.
type SavePoint struct{ Seconds, Changes int64 }

// retrySeconds is how long a save that has failed is not tried again by itself (Redis 7.2,
// CONFIG_BGSAVE_RETRY_DELAY).
const retrySeconds = 5

// savePolicy decides when the node saves by itself. It is pure: it has no clock, and times
// are Unix seconds.
//
//	ok --failed--> failing --succeeded--> ok
//
// A save that was called off (FLUSHALL, the end of the node) is neither.
type savePolicy struct {
	last      int64 // the last save that succeeded, or the start of the node
	tried     int64 // when the last one began
	failing   bool
	scheduled bool // one was asked for and waits
}

// due reports whether a save is to begin now, with so many changes since the last one.
func (p *savePolicy) due(now, changes int64, points []SavePoint) bool {
	if p.failing && now-p.tried <= retrySeconds {
		return false
	}
	if p.scheduled {
		return true
	}
	for _, at := range points {
		if changes >= at.Changes && now-p.last > at.Seconds {
			return true
		}
	}
	return false
}

// began notes that a save has begun, which is what was scheduled.
func (p *savePolicy) began(now int64) { p.tried, p.scheduled = now, false }

// succeeded notes that a save has ended well.
func (p *savePolicy) succeeded(now int64) { p.last, p.failing = now, false }

// failed notes that one has not.
func (p *savePolicy) failed() { p.failing = true }
