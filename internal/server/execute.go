package server

import (
	"go.uber.org/zap"

	"github.com/redwingdb/redwing/internal/clock"
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/resp"
	"github.com/redwingdb/redwing/internal/slots"
)

// errInternal answers a handler that broke its contract.
var errInternal = resp.NewError("ERR internal error")

// dispatch takes the present request from its name to its reply, or to what it waits
// for.
func (s *Session) dispatch() {
	s.start = len(s.out.w.Buf)
	spec, refusal := s.srv.o.Table.Resolve(s.args)
	if refusal != nil {
		s.refuseUnresolved(refusal)
		return
	}
	s.spec = spec
	admitted, e := s.gate(spec)
	switch admitted {
	case refused:
		s.refuse(spec, e)
	case sentAway:
		s.sendAway(spec, e)
	case parkedAtGate:
	case queueIt:
		s.tx.enqueue(spec, s.args, s.route.keyArg, s.route.slot)
		s.out.w.Simple("QUEUED")
		s.finishReply()
	case runIt:
		s.execute(spec)
	}
}

// execute runs the present command, which has passed the gates.
func (s *Session) execute(spec *command.Spec) {
	c := &s.ctx
	c.Begin(spec, s.args, s.route.keyArg, s.route.slot)
	c.Owner, c.InExec, c.Block = false, false, nil
	c.MaxBulkBytes = s.parser.MaxBulk
	c.KeepDeadline(s.again)
	flags := spec.Flags
	if flags&(command.OnlyPlain|command.OnlyCluster|command.OffLoop|command.RunsQueue) != 0 {
		if s.executeSpecial(spec) {
			return
		}
		flags = s.tx.union(flags)
	}

	var mask engine.ShardMask
	switch {
	case flags&command.RunsQueue != 0:
		mask = s.lockMaskOfQueue()
	case s.route.keyArg != 0 && spec.ShardsFor == nil && spec.Shards == command.ShardsOfKeys:
		mask = c.Keyspace.Mask(s.route.slot)
	default:
		mask, _ = c.LockMask()
	}
	if mask != 0 && !c.Keyspace.TryLock(mask, &s.waiter) {
		s.parkRetry()
		return
	}
	if flags&command.Write != 0 && s.srv.waits.Active() {
		var ok bool
		if mask, ok = s.lockForWaiters(mask); !ok {
			return
		}
	}
	if s.srv.cluster != nil {
		if goOn, refusal := s.recheck(flags); !goOn {
			c.Keyspace.Unlock(mask)
			if refusal != nil {
				s.sendAway(spec, refusal)
			}
			return
		}
	}
	if flags&streamed != 0 && s.srv.pause.holders.Load() != 0 {
		// Raised since the gates; its end posts to every session.
		c.Keyspace.Unlock(mask)
		s.parkRetry()
		return
	}
	if flags&command.Write != 0 && s.srv.isReplica() && s.srv.o.Settings.ReplicaReads.Load() {
		// It became a replica since the gates: from the first shard lock after that
		// nothing but its primary's stream may change data.
		c.Keyspace.Unlock(mask)
		s.refuse(spec, resp.ErrReadOnly)
		return
	}
	c.Use(s.db, s.wall, s.srv.accessModeFor(flags))
	if log := s.srv.o.Log; log != nil && log.Active() {
		s.block.Reset()
		c.Block = &s.block
	}
	err := spec.Run(c)
	if err == command.ErrSlow {
		s.executeOwning(mask)
		return
	}
	offset := s.endRun(err, mask)
	if c.Pending() && s.serveWaiters(mask) != nil {
		s.serveOwning(mask, err, offset)
		return
	}
	c.Keyspace.Unlock(mask)
	if c.RepliesLater() {
		s.goOffLoop(func() error { c.ReplyNow(); return err }, func(err error) { s.finish(err, offset) })
		return
	}
	s.finish(err, offset)
}

// endRun stages what the command has left to stage and appends its effects as one
// block. It returns the offset that the reply waits for. REQUIRES: the command's
// shards locked or owned.
func (s *Session) endRun(err error, mask engine.ShardMask) (offset int64) {
	c := &s.ctx
	if err == nil {
		c.End()
	}
	if w := c.TakeWait(); w != nil {
		s.waitFor(w)
	}
	if c.Block != nil && !c.Block.Empty() {
		offset = s.srv.o.Log.Append(c.Block)
		s.lastWrite = offset
	} else if mask != 0 && s.waitsForAny() {
		offset = s.newestOffset()
	}
	if c.Eventful() > 0 {
		c.Emit(offset)
	}
	return offset
}

// newestOffset returns the newest effect offset of the slots that the present command
// touched: a read waits for the writes it saw. REQUIRES: their shards locked or owned.
func (s *Session) newestOffset() (offset int64) {
	log := s.srv.o.Log
	if log == nil {
		return 0
	}
	if s.route.keyArg != 0 {
		return log.SlotOffset(s.route.slot)
	}
	each := func(spec *command.Spec, args [][]byte) {
		if spec.Shards == command.ShardsAll {
			offset = log.Offset() // it may have seen anything
			return
		}
		s.keys, _ = spec.AppendKeys(s.keys[:0], args)
		for _, k := range s.keys {
			offset = max(offset, log.SlotOffset(slots.Of(args[k.Arg])))
		}
	}
	if !s.spec.Has(command.RunsQueue) {
		each(s.spec, s.args)
		return offset
	}
	for i := range s.tx.cmds {
		each(s.tx.cmds[i].spec, s.tx.cmds[i].args)
	}
	return offset
}

// finish ends a command that ran: its error becomes the reply, the lease is checked,
// the time is taken, and the reply waits for offset where replies wait.
func (s *Session) finish(err error, offset int64) {
	spec := s.spec
	if err != nil {
		s.replyError(&s.out.w, s.start, spec, err)
		if s.toPark != nil {
			s.dropBlock()
		}
	}
	before := s.now
	s.now = clock.Mono()
	s.tally.note(s.srv, spec, s.now-before)
	if s.route.leased {
		if e := s.leaseOver(s.tx.union(spec.Flags)); e != nil {
			if s.toPark != nil {
				s.dropBlock()
			}
			s.toTake = nil
			s.out.w.Buf = s.out.w.Buf[:s.start]
			s.out.w.Error(e)
			offset = 0 // nothing can make it surer
		}
	}
	if s.srv.cluster != nil {
		s.noteSlot(s.now - before)
	}
	what := ranRead
	if s.tx.union(spec.Flags)&command.Write != 0 {
		what = ranWrite
	}
	if spec.Flags&command.RunsQueue != 0 {
		s.endTx()
	}
	if s.toPark != nil {
		s.parkBlocked()
	}
	if s.toTake != nil {
		s.hijack, s.toTake = s.toTake, nil
	}
	s.withhold(s.start, offset, what)
	s.finishReply()
}

// replyError makes the error of a handler the reply that begins at start of out.
func (s *Session) replyError(out *resp.Writer, start int, spec *command.Spec, err error) {
	out.Buf = out.Buf[:start]
	e, ok := command.ErrorReply(err)
	if !ok {
		s.srv.log.Error("handler failed", zap.String("command", spec.FullName()), zap.Error(err))
		e = errInternal
	}
	s.srv.stats.errors.Add(1)
	out.Error(e)
}

// finishReply drops a reply that CLIENT REPLY wants dropped, and ends ASKING.
func (s *Session) finishReply() {
	if s.asking && s.spec != nil && !s.tx.open && s.spec.Run != nil && s.spec.Name != "asking" {
		s.asking = false
	}
	switch s.replies {
	case replyOn:
		return
	case replySkip:
		s.replies = replySkipNext
	case replySkipNext:
		s.replies = replyOn
	}
	s.out.drop(s.start)
}

// executeOwning runs a command again that asked for it, as the owner of its shards,
// where nobody waits for it. REQUIRES: the shards of mask locked; they become owned.
func (s *Session) executeOwning(mask engine.ShardMask) {
	c := &s.ctx
	if mask == 0 {
		s.finish(errInternal, 0)
		return
	}
	s.own(mask)
	if !s.spec.Has(command.RunsQueue) {
		c.ForgetEvents(0)
	}
	var offset int64
	s.goOffLoop(func() error {
		err := s.spec.Run(c)
		offset = s.endRun(err, mask)
		if c.Pending() {
			_ = s.serveWaiters(mask) // an owner is never asked to become one
		}
		c.Keyspace.Disown(mask)
		return err
	}, func(err error) { s.finish(err, offset) })
}

// own turns the locks of mask into ownership before the command goes off-loop. What it
// has replied so far, as an EXEC does, goes with it.
func (s *Session) own(mask engine.ShardMask) {
	s.ctx.Keyspace.OwnLocked(mask)
	s.ctx.Owner = true
	s.side.Buf = append(s.side.Buf[:0], s.out.w.Buf[s.start:]...)
	s.out.w.Buf = s.out.w.Buf[:s.start]
}

// executeSpecial handles commands that only one mode has, and those that hold no
// shard and may block. done is false if the command goes the common way.
func (s *Session) executeSpecial(spec *command.Spec) (done bool) {
	if e := s.srv.wrongMode(spec); e != nil {
		s.finish(e, 0)
		return true
	}
	c := &s.ctx
	switch {
	case spec.Has(command.OffLoop):
		c.Use(s.db, s.wall, s.srv.accessMode())
		s.goOffLoop(func() error { return spec.Run(c) }, func(err error) { s.finish(err, 0) })
		return true
	case spec.Has(command.RunsQueue) && s.tx.flags&command.OffLoop != 0 && !s.tx.dirty:
		c.Use(s.db, s.wall, s.srv.accessMode())
		before := s.lastWrite
		s.goOffLoop(s.execOffLoop, func(err error) {
			offset := s.lastWrite
			if offset == before {
				offset = 0
			}
			s.finish(err, offset)
		})
		return true
	}
	return false
}

// wrongMode returns why a command is refused in plain or cluster mode, or nil.
func (srv *Server) wrongMode(spec *command.Spec) *resp.Error {
	switch {
	case spec.Has(command.OnlyCluster) && srv.cluster == nil:
		return resp.ErrClusterDisabled
	case spec.Has(command.OnlyPlain) && srv.cluster != nil:
		return resp.NewError("ERR " + upper(topName(spec)) + " is not allowed in cluster mode")
	}
	return nil
}

func (srv *Server) isReplica() bool {
	r := srv.o.Replica
	return r != nil && r.IsReplica()
}

// accessMode says how expired keys are met: a replica hides them, as does a primary
// whose writes are paused.
func (srv *Server) accessMode() engine.AccessMode {
	if srv.isReplica() || srv.pause.active() {
		return engine.ModeReplica
	}
	return engine.ModePrimary
}

// accessModeFor is accessMode for a command with these flags: one that may write to a
// replica (replica-read-only no) deletes the expired keys that it meets, as in Redis.
func (srv *Server) accessModeFor(flags command.Flags) engine.AccessMode {
	if flags&command.Write != 0 {
		return engine.ModePrimary // it would not run on any other replica
	}
	return srv.accessMode()
}
