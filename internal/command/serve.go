package command

import (
	"errors"

	"github.com/redwingdb/redwing/internal/effects"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/slots"
)

// Serving is what the party that made keys ready lends to those who are served.
type Serving struct {
	// Held are the shards it has locked or owns.
	Held engine.ShardMask
	// Log takes the effects of the commands that are served; nil: nobody reads them.
	Log Appender
	// Admit passes a command through its gates again. One that it refuses is sent back
	// to its client, which asks the gates itself and gets their reply. nil: all pass.
	Admit func(w *Wait) bool
	// Confirm may replace the reply of a command that has run by an error. nil: none.
	Confirm func(w *Wait) error
	// Later has the waiters of a key served by somebody who holds all they need. It is
	// called for those who need more than Held.
	Later func(db int, slot slots.Slot, key []byte)
}

// Appender is what serving asks of an effects.Log.
type Appender interface {
	Active() bool
	Append(b *effects.Block) (offset int64)
	SlotOffset(slot slots.Slot) int64
}

// Pending reports whether keys became ready since the last Serve.
func (c *Ctx) Pending() bool { return len(c.readied) > 0 }

// Serve runs the commands that wait for the keys which c made ready, in the order in
// which they blocked, and of the keys which those make ready in turn. Each is a run of
// its own: what it changes is appended to the log behind all before it. It returns
// ErrSlow when one of them needs an owner of its shards: the caller becomes one, sets
// c.Owner and calls Serve again. REQUIRES: the shards of s.Held locked or owned, c's own
// effects appended.
//
// The loop ends: each turn serves the waiters of one key, a served one leaves, and only
// who is served makes further keys ready.
//
// Source of the rules: Redis 7.2, blocked.c, handleClientsBlockedOnKeys.
func (c *Ctx) Serve(s *Serving) error {
	for len(c.readied) > 0 {
		q := c.readied[0]
		if err := c.serveQueue(q, s); err != nil {
			return err
		}
		c.readied = append(c.readied[:0], c.readied[1:]...)
	}
	return nil
}

// serveQueue offers the key of q to its waiters until it has nothing left.
func (c *Ctx) serveQueue(q *waitQueue, s *Serving) error {
	q.ready = false
	db, key := q.db(), []byte(q.id[4:])
	a := c.Keyspace.Access(db, c.Now(), engine.ModePrimary)
	for p, last := q.first, q.last; p != nil; {
		w, next := p.w, p.next
		r, there := a.Peek(q.slot, key)
		switch {
		case !there && q.gone == 0:
			return nil
		case there && r.Type() == w.typ || w.whenGone:
			if err := c.serveOne(w, q, s); err != nil {
				q.ready = true
				return err
			}
		}
		if p == last {
			return nil
		}
		p = next
	}
	return nil
}

// serveOne runs the command of w, which waits in q, if nobody else has it.
func (c *Ctx) serveOne(w *Wait, q *waitQueue, s *Serving) error {
	if w.need&^s.Held != 0 {
		if s.Later != nil && w.state.Load() == waitWaiting {
			s.Later(q.db(), q.slot, []byte(q.id[4:]))
		}
		return nil
	}
	if !w.claim() {
		return nil // its client gives up
	}
	if s.Admit != nil && !s.Admit(w) {
		w.release()
		w.again()
		return nil
	}
	d := &w.ctx
	d.Owner = c.Owner
	d.Block = nil
	if s.Log != nil && s.Log.Active() {
		w.block.Reset()
		d.Block = &w.block
	}
	d.Use(d.DB.DB(), c.Now(), engine.ModePrimary)
	d.Begin(d.Spec, d.Args, d.keyArg, d.keySlot)
	d.Held = w.need
	err := d.Spec.Run(d)
	switch {
	case err == nil && d.TakeWait() != nil, errors.Is(err, ErrSlow):
		if d.Block != nil && !d.Block.Empty() {
			s.Log.Append(d.Block) // a consumer that was made anew, though there is nothing for it
		}
		w.out.Buf = w.out.Buf[:0]
		d.ForgetEvents(0)
		w.release()
		return err
	case err == nil:
		d.End()
	}
	if d.Block != nil && !d.Block.Empty() {
		w.lastWrite = s.Log.Append(d.Block)
		w.offset = w.lastWrite
	}
	if s.Log != nil {
		w.offset = max(w.offset, s.Log.SlotOffset(q.slot))
	}
	d.Emit(w.offset)
	w.leaveAll()
	c.readied = append(c.readied, d.readied...)
	d.readied = nil
	if err == nil && s.Confirm != nil {
		err = s.Confirm(w)
	}
	w.err = err
	w.state.Store(waitServed)
	w.wake()
	return nil
}

// RetryReady sends who waits for a key that c made ready back to its gates instead of
// serving it: where a stream is applied nobody else's command may run in between, and
// only reads can wait there. REQUIRES: as for Serve.
func (c *Ctx) RetryReady() {
	for _, q := range c.readied {
		q.ready = false
		a := c.In(q.db())
		r, there := a.Peek(q.slot, []byte(q.id[4:]))
		for p := q.first; p != nil; p = p.next {
			if there && r.Type() == p.w.typ || p.w.whenGone {
				p.w.again()
			}
		}
	}
	c.readied = c.readied[:0]
}
