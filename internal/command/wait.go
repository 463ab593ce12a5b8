package command

import (
	"encoding/binary"
	"sync/atomic"

	"github.com/redwingdb/redwing/internal/effects"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/resp"
)

// Wait is a command that blocked on keys. Its client owns it; whoever serves it holds
// the shards it needs. One word decides between them:
//
//	waiting --a writer runs it--> serving --it has its reply--> served
//	                              serving --nothing for it yet--> waiting
//	waiting --its gates may have closed--> retry
//	waiting --timeout, UNBLOCK, disconnect: GiveUp--> over
//
// A GiveUp that comes while it is served is remembered (missed): its client is woken
// when the writer has found nothing for it. An Abandon then ends it (abandoned).
type Wait struct {
	table *Waits
	state atomic.Uint32
	wake  func()

	// What follows is set before anybody else can see the Wait.
	ctx       Ctx
	out       resp.Writer
	block     effects.Block
	places    []waitPlace
	need      engine.ShardMask // the shards that the command locks
	targets   []watchKey       // keys that it may make ready
	typ       engine.Type
	whenGone  bool
	deadline  int64
	onTimeout func(out *resp.Writer)

	// The outcome, for its client once it is served.
	err       error
	offset    int64
	lastWrite int64
}

const (
	waitWaiting uint32 = iota
	waitServing
	waitMissed    // serving, and a GiveUp has come meanwhile
	waitAbandoned // serving, and nobody wants what comes of it
	waitServed
	waitRetry
	waitOver
)

// SetWake says how the client is woken once the wait is served or to be tried again.
// wake is called with shards locked and never blocks. It is called with the shards of
// the command that blocked still locked.
func (w *Wait) SetWake(wake func()) { w.wake = wake }

// Spec returns the command that waits.
func (w *Wait) Spec() *Spec { return w.ctx.Spec }

// Client returns the connection that waits.
func (w *Wait) Client() Client { return w.ctx.Client }

// Args returns its arguments; the bytes are the Wait's own.
func (w *Wait) Args() [][]byte { return w.ctx.Args }

// Deadline returns the Unix millisecond at which it gives up, 0: never.
func (w *Wait) Deadline() int64 { return w.deadline }

// TimedOut appends the reply of a wait that has timed out.
func (w *Wait) TimedOut(out *resp.Writer) { w.onTimeout(out) }

// Served reports whether the command has run: its Outcome is there.
func (w *Wait) Served() bool { return w.state.Load() == waitServed }

// ToRetry reports whether the command is to be run again from its gates.
func (w *Wait) ToRetry() bool { return w.state.Load() == waitRetry }

// GiveUp takes the wait from those who might serve it. It returns false if it has been
// served, is to be tried again, or is being served right now; in each case its wake has
// come or will.
func (w *Wait) GiveUp() bool {
	for {
		switch s := w.state.Load(); s {
		case waitWaiting:
			if w.state.CompareAndSwap(s, waitOver) {
				return true
			}
		case waitServing:
			if w.state.CompareAndSwap(s, waitMissed) {
				return false
			}
		default:
			return s == waitOver
		}
	}
}

// Abandon says that nobody will look at w again. Its client calls TryDrop behind it.
func (w *Wait) Abandon() {
	for {
		next := waitOver
		s := w.state.Load()
		switch s {
		case waitWaiting:
		case waitServing, waitMissed:
			next = waitAbandoned
		default:
			return
		}
		if w.state.CompareAndSwap(s, next) {
			return
		}
	}
}

// claim takes w for one run of its command.
func (w *Wait) claim() bool { return w.state.CompareAndSwap(waitWaiting, waitServing) }

// release gives w back: there was nothing for it.
func (w *Wait) release() {
	switch {
	case w.state.CompareAndSwap(waitServing, waitWaiting):
	case w.state.CompareAndSwap(waitMissed, waitWaiting):
		w.wake()
	default:
		w.state.Store(waitOver)
	}
}

// again sends w back to its gates. REQUIRES: the shard of one of its keys locked.
func (w *Wait) again() {
	if w.state.CompareAndSwap(waitWaiting, waitRetry) {
		w.wake()
	}
}

// Outcome is what came of a served command.
type Outcome struct {
	Reply []byte
	Err   error
	// Offset is what the reply waits for, LastWrite the log offset behind what the
	// command wrote itself, 0: nothing.
	Offset, LastWrite int64
	Hits, Misses      int64
}

// Outcome returns what came of the command. REQUIRES: Served.
func (w *Wait) Outcome() Outcome {
	return Outcome{w.out.Buf, w.err, w.offset, w.lastWrite, w.ctx.Hits, w.ctx.Misses}
}

// TryDrop takes w out of the queues of its keys where no shard has an owner. It returns
// false if one has; Drop, which may block, then does the rest. REQUIRES: no shard locked
// by the caller; w given up, abandoned, served or to be tried again.
func (w *Wait) TryDrop() bool {
	done := true
	for i := range w.places {
		m := w.table.ks.Mask(w.places[i].slot)
		if !w.table.ks.TryLock(m, nil) {
			done = false
			continue
		}
		w.table.leave(&w.places[i])
		w.table.ks.Unlock(m)
	}
	return done
}

// Drop is TryDrop that parks while a shard has an owner.
func (w *Wait) Drop() {
	for i := range w.places {
		m := w.table.ks.Mask(w.places[i].slot)
		w.table.ks.Lock(m)
		w.table.leave(&w.places[i])
		w.table.ks.Unlock(m)
	}
}

// leaveAll takes w out of all queues. REQUIRES: w.need locked or owned.
func (w *Wait) leaveAll() {
	for i := range w.places {
		w.table.leave(&w.places[i])
	}
}

func watchDB(id watchKey) int { return int(binary.LittleEndian.Uint32([]byte(id[:4]))) }
