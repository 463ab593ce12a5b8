package replication

import (
	"math"
	"time"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/resp"
)

var (
	errWaitReplica  = resp.NewError("ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if a replica is configured to be writable (which is not the default) writes to replicas are just local and are not propagated.")
	errTimeout      = resp.NewError("ERR timeout is not an integer or out of range")
	errTimeoutRange = resp.NewError("ERR timeout is out of range")
	errNegative     = resp.NewError("ERR timeout is negative")
	errUnblocked    = resp.NewError("UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)")
)

// longestWaitMillis is a hundred years: longer ones do not fit a time.Duration.
const longestWaitMillis = 100 * 365 * 24 * 3600 * 1000

// waiter is a client blocked by WAIT.
type waiter struct {
	offset int64
	want   int64
	wake   func()
	woken  bool // guarded by r.mu: woken since it last looked
}

// wait is WAIT numreplicas timeout: it returns how many replicas have acknowledged the
// writes of this connection, waiting until there are numreplicas of them.
func (r *Replication) wait(c *command.Ctx) error {
	if r.replica.Load() { // whatever the arguments are
		return errWaitReplica
	}
	want, ok := command.ParseInt(c.Args[1])
	if !ok {
		return resp.ErrNotInteger
	}
	millis, ok := command.ParseInt(c.Args[2])
	switch {
	case !ok:
		return errTimeout
	case millis < 0:
		return errNegative
	case millis > math.MaxInt64-c.Now():
		return errTimeoutRange
	}
	var offset int64
	if c.Client != nil {
		offset = c.Client.LastWrite()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.replica.Load() { // who waits from now on is woken by Follow
		return errWaitReplica
	}
	n := r.ackedByLocked(offset)
	if n >= want || c.InExec || c.Client == nil {
		c.Out.Int(n)
		return nil
	}
	w := &waiter{offset: offset, want: want}
	var deadline time.Time
	if millis > 0 {
		deadline = time.Now().Add(time.Duration(min(millis, longestWaitMillis)) * time.Millisecond)
	}
	w.wake = c.Client.Block(deadline,
		func(out *resp.Writer, timedOut bool) bool { return r.resumeWait(w, out, timedOut) },
		func() { r.endWait(w) })
	r.mu.waiters[w] = struct{}{}
	r.waiting.Add(1)
	if r.mu.getAckAt <= offset {
		// The replicas are asked once they have seen the write; one question does for
		// all who waited for less.
		r.mu.getAckAt = r.o.Log.AppendControl([]byte("REPLCONF"), []byte("GETACK"), []byte("*"))
	}
	return nil
}

func (r *Replication) resumeWait(w *waiter, out *resp.Writer, timedOut bool) bool {
	if r.replica.Load() {
		out.Error(errUnblocked)
		return true
	}
	r.mu.Lock()
	n := r.ackedByLocked(w.offset)
	w.woken = false
	r.mu.Unlock()
	if n < w.want && !timedOut {
		return false
	}
	out.Int(n)
	return true
}

func (r *Replication) endWait(w *waiter) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.mu.waiters[w]; ok {
		delete(r.mu.waiters, w)
		r.waiting.Add(-1)
	}
}

// ackedByLocked counts the replicas that have acknowledged offset.
func (r *Replication) ackedByLocked(offset int64) (n int64) {
	for a := range r.mu.replicas {
		if a.state == stateOnline && a.ackOffset >= offset {
			n++
		}
	}
	return n
}

// ackedLocked wakes who waited for what has just been acknowledged.
func (r *Replication) ackedLocked() {
	if r.waiting.Load() == 0 {
		return
	}
	for w := range r.mu.waiters {
		if !w.woken && r.ackedByLocked(w.offset) >= w.want {
			w.woken = true
			w.wake()
		}
	}
}

// wakeWaitersLocked wakes all: the role has changed.
func (r *Replication) wakeWaitersLocked() {
	for w := range r.mu.waiters {
		w.wake()
	}
}
