package replication

import (
	"slices"
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

// Reconfigured makes changed settings hold at once.
func (r *Replication) Reconfigured() { r.tidy() }

func (r *Replication) tidy() {
	set := r.settings()
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.mono()
	r.forgetHandshakesLocked(handshakeLife)
	if b := r.o.Log.Backlog(); b.On && b.Size != set.BacklogBytes {
		r.o.Log.SetBacklog(true, set.BacklogBytes)
	}
	for _, a := range slices.Clone(r.mu.replicas) {
		r.checkReplicaLocked(a, now, set)
	}
	r.countGoodLocked()
	r.o.Log.Tolerate(set.ServeWritable)
	if r.replica.Load() {
		return
	}
	if len(r.mu.replicas) > 0 {
		// A failover waits for replicas that have all of the stream: it gets no longer.
		if since(now, r.mu.lastPing) >= set.PingPeriod && r.mu.failover == nil {
			r.mu.lastPing = now
			r.o.Log.AppendControl([]byte("PING"))
		}
		return
	}
	if set.BacklogTTL > 0 && !r.o.InSync.allowed() && since(now, r.mu.noReplicas) > set.BacklogTTL && r.o.Log.Backlog().On {
		// What is written from now on may not be counted, so the history ends here. It ends
		// past what any replica can have: what this node holds is newer.
		r.o.Log.AppendControl([]byte("PING"))
		r.o.Log.SetBacklog(false, 0)
		r.mu.history = newHistory()
	}
}

// checkReplicaLocked drops a replica that is silent, over its soft limit for too long, or
// has been over the hard one, which is the log reader's. REQUIRES: r.mu held.
func (r *Replication) checkReplicaLocked(a *attached, now int64, set Settings) {
	if a.reader == nil {
		return
	}
	if a.reader.Lost() { // what is being written to it would wait for the timeout
		a.endLocked("over the hard output limit")
		return
	}
	// While it is sent a snapshot, its writes and its loading have timeouts of their own.
	if a.state == stateOnline && a.acks && since(now, a.ackAt) > set.Timeout {
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
