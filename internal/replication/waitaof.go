package replication

import (
	"strconv"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/resp"
)

// Texts of WAITAOF. Source: Redis 7.2, replication.c.
var (
	errWaitAOFReplica = resp.NewError("ERR WAITAOF cannot be used with replica instances. Please also note that writes to replicas are just local and are not propagated.")
	errWaitAOFOff     = resp.NewError("ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.")
	errWaitAOFLocal   = resp.NewError("ERR value is out of range, value must between 0 and 1")
)

// AOF is the append-only file as replication sees it. Its methods take no lock.
type AOF interface {
	// Enabled reports whether there is to be one (appendonly).
	Enabled() bool
	// Synced returns the offset up to which the effect log is on disk; ok is false where
	// that is not known: there is no file, or not yet.
	Synced() (offset int64, ok bool)
}

// noAOF is that of a node without one.
type noAOF struct{}

func (noAOF) Enabled() bool         { return false }
func (noAOF) Synced() (int64, bool) { return 0, false }

// waitAOF is WAITAOF numlocal numreplicas timeout: it returns whether this node (1 or 0),
// and how many replicas, have the writes of this connection on disk, waiting until they
// are as many as told.
func (r *Replication) waitAOF(c *command.Ctx) error {
	w := &waiter{aof: true}
	var ok bool
	if w.local, ok = command.ParseInt(c.Args[1]); !ok {
		return resp.ErrNotInteger
	}
	if w.local < 0 || w.local > 1 {
		return errWaitAOFLocal
	}
	if w.want, ok = command.ParseInt(c.Args[2]); !ok {
		return resp.ErrNotInteger
	}
	if w.want < 0 {
		return resp.ErrPositiveOutOfRange
	}
	return r.await(c, c.Args[3], w)
}

// refuses returns why w cannot be waited for here.
func (r *Replication) refuses(w *waiter) *resp.Error {
	switch {
	case !w.aof:
		return nil // WAIT has looked before its arguments
	case r.replica.Load():
		return errWaitAOFReplica
	case w.local > 0 && !r.o.AOF.Enabled():
		return errWaitAOFOff
	}
	return nil
}

// syncedLocally returns 1 if the log is on disk up to offset, else 0.
func (r *Replication) syncedLocally(offset int64) int64 {
	if at, ok := r.o.AOF.Synced(); ok && at >= offset {
		return 1
	}
	return 0
}

// Synced says that more of the log is on disk, or that the append-only file has come or
// gone. It never waits for long: it may be called under the lock of the file.
func (r *Replication) Synced() {
	if r.asked.Swap(false) {
		select {
		case r.ackNow <- struct{}{}:
		default:
		}
	}
	if r.waiting.Load() == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for w := range r.mu.waiters {
		if w.aof && !w.woken && (w.met(r.countLocked(w)) || r.refuses(w) != nil) {
			w.woken = true
			w.wake()
		}
	}
}

// ack acknowledges what has been applied, and what of it is on disk.
func (st *stream) ack() error {
	r := st.r
	words := []string{"REPLCONF", "ACK", strconv.FormatInt(r.acknowledged(), 10)}
	if at, ok := r.o.AOF.Synced(); ok {
		words = append(words, "FACK", strconv.FormatInt(at, 10))
	}
	return st.send(words...)
}

// acknowledged is how far this copy may say that it has the stream.
func (r *Replication) acknowledged() int64 {
	end := r.o.Log.Offset()
	if r.o.InSync.diskOnly() {
		at, _ := r.o.AOF.Synced()
		end = min(end, at)
	}
	return end
}
