package replication

import (
	"time"
)

// housePeriod is how often timeouts are looked at.
const housePeriod = time.Second

// keepHouse pings replicas, drops those that are silent or too far behind, and gives
// the backlog back when nobody has come for it.
func (r *Replication) keepHouse() {
	for {
		select {
		case <-r.ctx.Done():
			return
		case <-r.o.Clock.After(housePeriod):
		}
		r.tidy()
	}
}

func (r *Replication) tidy() {
	set := r.settings()
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.mono()
	r.forgetHandshakesLocked(handshakeLife)
	if b := r.o.Log.Backlog(); b.On && b.Size != set.BacklogBytes {
		r.o.Log.SetBacklog(true, set.BacklogBytes)
	}
	for a := range r.mu.replicas {
		r.checkReplicaLocked(a, now, set)
	}
	r.countGoodLocked()
	if r.replica.Load() {
		return
	}
	if len(r.mu.replicas) > 0 {
		if since(now, r.mu.lastPing) >= set.PingPeriod {
			r.mu.lastPing = now
			r.o.Log.AppendControl([]byte("PING"))
		}
		return
	}
	if set.BacklogTTL > 0 && since(now, r.mu.noReplicas) > set.BacklogTTL && r.o.Log.Backlog().On {
		// What is written from now on is not counted, so the history ends here.
		r.o.Log.SetBacklog(false, 0)
		r.mu.history = newHistory()
	}
}

// checkReplicaLocked drops a replica that is silent or over its soft limit. (The hard
// limit is the log reader's.) REQUIRES: r.mu held.
func (r *Replication) checkReplicaLocked(a *attached, now int64, set Settings) {
	if a.state != stateOnline {
		return // its writes and its loading have timeouts of their own
	}
	if a.acks && since(now, a.ackAt) > set.Timeout {
		a.endLocked("no acknowledgement within the timeout")
		return
	}
	if set.OutputSoftBytes == 0 || a.reader.Lag() <= set.OutputSoftBytes {
		a.softSince = 0
		return
	}
	if a.softSince == 0 {
		a.softSince = now
	}
	if since(now, a.softSince) > set.OutputSoftTime {
		a.endLocked("over the soft output limit for too long")
	}
}
