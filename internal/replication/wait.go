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

// waiter is a client blocked by WAIT or WAITAOF.
type waiter struct {
	offset int64
	want   int64 // copies
	aof    bool  // the copies, and this node, must have synced it to disk
	local  int64 // 1: this node must have
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
	return r.await(c, c.Args[2], &waiter{want: want})
}

// await answers w's command, at once or when what it waits for has come. timeout is in
// milliseconds, 0: for ever.
func (r *Replication) await(c *command.Ctx, timeout []byte, w *waiter) error {
	millis, ok := command.ParseInt(timeout)
	switch {
	case !ok:
		return errTimeout
	case millis < 0:
		return errNegative
	case millis > math.MaxInt64-c.Now():
		return errTimeoutRange
	}
	if why := r.refuses(w); why != nil {
		return why
	}
	if c.Client != nil {
		w.offset = c.Client.LastWrite()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.replica.Load() { // who waits from now on is woken by Follow
		return errWaitReplica
	}
	local, copies := r.countLocked(w)
	if w.met(local, copies) || c.InExec || c.Client == nil {
		w.answer(c.Out, local, copies)
		return nil
	}
	var deadline time.Time
	if millis > 0 {
		deadline = time.Now().Add(time.Duration(min(millis, longestWaitMillis)) * time.Millisecond)
	}
	w.wake = c.Client.Block(deadline,
		func(out *resp.Writer, timedOut bool) bool { return r.resumeWait(w, out, timedOut) },
		func() { r.endWait(w) })
	r.mu.waiters[w] = struct{}{}
	r.waiting.Add(1)
	if r.mu.getAckAt <= w.offset {
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
	if why := r.refuses(w); why != nil {
		out.Error(why)
		return true
	}
	r.mu.Lock()
	local, copies := r.countLocked(w)
	w.woken = false
	r.mu.Unlock()
	if !w.met(local, copies) && !timedOut {
		return false
	}
	w.answer(out, local, copies)
	return true
}

// met reports whether w waits for no more than that.
func (w *waiter) met(local, copies int64) bool { return copies >= w.want && local >= w.local }

func (w *waiter) answer(out *resp.Writer, local, copies int64) {
	if w.aof {
		out.Array(2)
		out.Int(local)
	}
	out.Int(copies)
}

func (r *Replication) endWait(w *waiter) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.mu.waiters[w]; ok {
		delete(r.mu.waiters, w)
		r.waiting.Add(-1)
	}
}

// countLocked counts who has what w waits for: this node (0 or 1), and the copies.
func (r *Replication) countLocked(w *waiter) (local, copies int64) {
	for _, a := range r.mu.replicas {
		at := a.ackOffset
		if w.aof {
			at = a.syncedOffset
		}
		if a.state == stateOnline && at >= w.offset {
			copies++
		}
	}
	if w.aof {
		local = r.syncedLocally(w.offset)
	}
	return local, copies
}

// ackedLocked wakes who waited for what has just been acknowledged.
func (r *Replication) ackedLocked() {
	if r.waiting.Load() == 0 {
		return
	}
	for w := range r.mu.waiters {
		if !w.woken && w.met(r.countLocked(w)) {
			w.woken = true
			w.wake()
		}
	}
}

// wakeWaitersLocked wakes all: what they wait for may never come.
func (r *Replication) wakeWaitersLocked() {
	for w := range r.mu.waiters {
		w.wake()
	}
}
