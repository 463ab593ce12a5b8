package server

import (
	"time"

	"github.com/redwingdb/redwing/internal/clock"
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/engine/bulk"
	"github.com/redwingdb/redwing/internal/resp"
	"github.com/redwingdb/redwing/internal/slots"
)

// longestWait is what a deadline that is further away is cut to.
const longestWait = 100 * 365 * 24 * time.Hour

// waitFor parks the session, once the command has ended, until it is served or gives up.
// REQUIRES: the command's shards locked or owned.
func (s *Session) waitFor(w *command.Wait) {
	w.SetWake(s.wake)
	p := &parkedBlock{wait: w, onEnd: func() { s.endWait(w) }}
	if at := w.Deadline(); at != 0 {
		left := longestWait
		if ms := at - s.ctx.Now(); ms < int64(longestWait/time.Millisecond) {
			left = time.Duration(ms) * time.Millisecond
		}
		p.deadline = time.Now().Add(left)
	}
	s.toPark = p
}

// endWait takes w out of the queues of its keys. REQUIRES: no shard locked by this
// session.
func (s *Session) endWait(w *command.Wait) {
	w.Abandon()
	if !w.TryDrop() {
		s.srv.spawn(w.Drop)
	}
}

// resumeWait looks what has become of a command that waits for keys.
func (s *Session) resumeWait(w *command.Wait, timedOut bool) {
	switch {
	case w.Served():
		s.takeOutcome(w.Outcome())
		s.resumed()
	case w.ToRetry():
		s.retryWait(w)
	case s.parked.force == forceError || s.parked.force == forceClose:
		if w.GiveUp() {
			if s.parked.force == forceError {
				s.out.w.Error(errUnblocked)
			} else {
				s.out.w.Error(errDemoted)
				s.ending = true
			}
			s.resumed()
		}
	case timedOut && w.GiveUp():
		w.TimedOut(&s.out.w)
		s.resumed()
	}
}

// retryWait runs the command again from its gates; it keeps its deadline.
func (s *Session) retryWait(w *command.Wait) {
	s.unpark()
	s.again = w
	s.wait = ready
	s.dispatch()
	s.used()
}

// takeOutcome makes what came of the present command, which a writer ran, its reply.
func (s *Session) takeOutcome(o command.Outcome) {
	s.ctx.Hits += o.Hits
	s.ctx.Misses += o.Misses
	if o.LastWrite > 0 {
		s.lastWrite = o.LastWrite
	}
	if o.Err != nil {
		s.replyError(&s.out.w, s.start, s.spec, o.Err)
	} else {
		s.out.w.Buf = bulk.Append(s.out.w.Buf, o.Reply)
	}
	what := ranRead
	if s.spec.Has(command.Write) {
		what = ranWrite
	}
	s.withhold(s.start, o.Offset, what)
}

// waitersNeed returns mask and the shards that those need whom the present command may
// have to serve. REQUIRES: the shards of mask locked.
func (s *Session) waitersNeed(mask engine.ShardMask) engine.ShardMask {
	c := &s.ctx
	if !s.spec.Has(command.RunsQueue) {
		return c.WaitersNeed(mask)
	}
	more := mask
	for i := range s.tx.cmds {
		if q := &s.tx.cmds[i]; q.spec.Has(command.Write) {
			c.Begin(q.spec, q.args, q.keyArg, q.slot)
			more |= c.WaitersNeed(mask)
		}
	}
	c.Begin(s.spec, s.args, 0, 0)
	return more
}

// lockForWaiters turns the locks of mask into those of the union with what the waiters
// need whom the present command may have to serve. ok is false if the session was parked
// instead; nothing is locked then. REQUIRES: the shards of mask locked.
func (s *Session) lockForWaiters(mask engine.ShardMask) (_ engine.ShardMask, ok bool) {
	ks := s.ctx.Keyspace
	for {
		more := s.waitersNeed(mask)
		if more == mask {
			return mask, true
		}
		ks.Unlock(mask)
		mask = more
		if !ks.TryLock(mask, &s.waiter) {
			s.parkRetry()
			return 0, false
		}
	}
}

// ownForWaiters is lockForWaiters for a run off-loop, which becomes the owner.
func (s *Session) ownForWaiters(mask engine.ShardMask) engine.ShardMask {
	c := &s.ctx
	for {
		c.Keyspace.Lock(mask)
		more := c.WaitersNeed(mask)
		if more == mask {
			c.Keyspace.OwnLocked(mask)
			return mask
		}
		c.Keyspace.Unlock(mask)
		mask = more
	}
}

// serveWaiters serves those who wait for keys that the session's command has made ready.
// It returns ErrSlow if an owner must do it. REQUIRES: the shards of mask locked or
// owned, the command's effects appended.
func (s *Session) serveWaiters(mask engine.ShardMask) error {
	serving := s.srv.serving(mask)
	return s.ctx.Serve(&serving)
}

// serveOwning goes on serving as the owner of the shards; the reply follows behind it.
// REQUIRES: the shards of mask locked; they become owned.
func (s *Session) serveOwning(mask engine.ShardMask, err error, offset int64) {
	s.own(mask)
	s.goOffLoop(func() error {
		_ = s.serveWaiters(mask) // an owner is never asked to become one
		s.ctx.Keyspace.Disown(mask)
		if s.ctx.RepliesLater() {
			s.ctx.ReplyNow()
		}
		return err
	}, func(err error) { s.finish(err, offset) })
}

// serving is what is lent to commands that are served under the locks of held.
func (srv *Server) serving(held engine.ShardMask) command.Serving {
	s := command.Serving{Held: held, Admit: srv.admits, Confirm: srv.confirm, Later: srv.serveLater}
	if srv.o.Log != nil {
		s.Log = srv.o.Log
	}
	return s
}

// serveLater serves the waiters of a key in a goroutine of its own, with all shards
// that they need. It takes no lock.
func (srv *Server) serveLater(db int, slot slots.Slot, key []byte) {
	srv.spawn(func() {
		ks := srv.o.Keyspace
		c := &command.Ctx{Keyspace: ks, Watches: srv.watches, Waits: srv.waits, Events: srv.o.Events, Out: &resp.Writer{}, Owner: true}
		mask := ks.Mask(slot)
		for {
			ks.Lock(mask)
			more := srv.waits.WaiterNeeds(db, slot, key, mask)
			if more == mask {
				break
			}
			ks.Unlock(mask)
			mask = more
		}
		ks.OwnLocked(mask)
		c.DB = ks.Access(db, clock.WallMillis(), engine.ModePrimary)
		c.ReadyIn(db, slot, key)
		serving := srv.serving(mask)
		_ = c.Serve(&serving) // an owner is never asked to become one
		ks.Disown(mask)
	})
}

// admits passes a command that waits through its gates again, as far as they may have
// closed since it blocked. REQUIRES: the shards of w locked or owned.
func (srv *Server) admits(w *command.Wait) bool {
	spec := w.Spec()
	if srv.isReplica() {
		return false
	}
	if srv.cluster != nil {
		v := srv.routeWait(w)
		if v.Kind != Serve || v.Shard != nil && len(v.Shard.Open) > 0 {
			return false
		}
		hold := srv.cluster.Held(v.Slot)
		if hold == HoldAll || hold == HoldWrites && spec.Has(command.Write) {
			return false
		}
	}
	// The gate of memory may evict, which takes locks: it is not asked here.
	return srv.condition(spec, spec.Flags&^command.DenyOOM, false, w.Client().(*Session)) == nil
}

// routeWait routes a command that waits by the present View. Its session changes
// nothing that is asked here while it waits.
func (srv *Server) routeWait(w *command.Wait) Verdict {
	at := srv.viewNow()
	s := w.Client().(*Session)
	var keys []KeySlot
	refs, _ := w.Spec().AppendKeys(nil, w.Args())
	for _, k := range refs {
		keys = append(keys, KeySlot{k.Arg, slots.Of(w.Args()[k.Arg])})
	}
	return Route(at.view, at.self, w.Spec().Flags, keys, s.access(), Lease{clock.Mono(), srv.leaseUntil}, nil)
}

// confirm returns the reply of a command that was served if the lease ended before it
// had run.
func (srv *Server) confirm(w *command.Wait) error {
	if srv.cluster == nil || srv.routeWait(w).Kind == Serve {
		return nil
	}
	if w.Spec().Has(command.Write) {
		return resp.ErrUncertain
	}
	return resp.ErrClusterDown
}
