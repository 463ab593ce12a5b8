package persist

// Bounds of automatic rewrites that fail (Redis 7.2, AOF_REWRITE_LIMITE_THRESHOLD and
// AOF_REWRITE_LIMITE_MAX_MINUTES).
const (
	rewriteFailures   = 3
	rewriteMaxMinutes = 60
	// retryMaxSeconds bounds the pause between two tries to bring a broken append-only file
	// back.
	retryMaxSeconds = 60
)

// rewritePolicy decides when the append-only file is rewritten by itself. It is pure: it
// has no clock, and times are Unix seconds.
//
//	a file that grows      at once, up to three failures; then behind 1, 2, 4 .. 60 minutes
//	a file that is broken  behind 0, 1, 2, 4 .. 60 seconds: nothing is acknowledged meanwhile
type rewritePolicy struct {
	scheduled bool // one was asked for and waits
	failures  int  // since the last success
	tried     int64
	minutes   int64 // the present pause, 0: none
	next      int64 // its end, 0: it is over
}

// asked notes that a user has asked for a rewrite: it is tried at once.
func (p *rewritePolicy) asked() { p.scheduled, p.failures = true, 0 }

// limited reports whether rewrites wait since they fail again and again. paused is how many
// minutes the pause that begins with this call takes, 0: none begins.
func (p *rewritePolicy) limited(now int64) (yes bool, paused int64) {
	switch {
	case p.failures < rewriteFailures:
		p.minutes, p.next = 0, 0
		return false, 0
	case p.next != 0 && now < p.next:
		return true, 0
	case p.next != 0:
		p.next = 0
		return false, 0
	}
	p.minutes = min(max(1, 2*p.minutes), rewriteMaxMinutes)
	p.next = now + 60*p.minutes
	return true, p.minutes
}

// grown reports whether a file of size bytes, base behind its last rewrite, is due.
func grown(size, base, percent, minBytes int64) bool {
	return percent > 0 && size > minBytes && size*100/max(base, 1)-100 >= percent
}

// retry reports whether it is time for another try to bring a broken file back.
func (p *rewritePolicy) retry(now int64) bool {
	if p.failures == 0 {
		return true
	}
	return now-p.tried >= min(retryMaxSeconds, int64(1)<<min(p.failures-1, 10))
}

func (p *rewritePolicy) began(now int64) { p.tried, p.scheduled = now, false }

func (p *rewritePolicy) ended(ok bool) {
	if ok {
		p.failures = 0
		return
	}
	p.failures++
}
