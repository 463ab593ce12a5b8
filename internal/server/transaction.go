package server

import (
	"github.com/redwingdb/redwing/internal/clock"
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/resp"
	"github.com/redwingdb/redwing/internal/slots"
)

// transaction is what MULTI has gathered, and what is watched.
//
//	closed --MULTI--> open --EXEC, DISCARD, RESET--> closed
//	open --a command refused--> open, dirty: EXEC will abort
type transaction struct {
	open  bool
	dirty bool
	cmds  []queued
	bytes int           // memory of the queue, against client-query-buffer-limit
	flags command.Flags // those that any queued command has
	lacks command.Flags // those that any queued command has not
	next  int           // EXEC: the command to run next
	watch *command.Watch
}

// queued is a command of a transaction; its arguments are copies.
type queued struct {
	spec   *command.Spec
	args   [][]byte
	keyArg int
	slot   slots.Slot
	mask   engine.ShardMask // set by EXEC
}

// enqueue copies a request to the end of the queue.
func (t *transaction) enqueue(spec *command.Spec, args [][]byte, keyArg int, slot slots.Slot) {
	size := 0
	for _, a := range args {
		size += len(a)
	}
	slab := make([]byte, 0, size)
	q := queued{spec: spec, args: make([][]byte, len(args)), keyArg: keyArg, slot: slot}
	for i, a := range args {
		from := len(slab)
		slab = append(slab, a...)
		q.args[i] = slab[from:len(slab):len(slab)]
	}
	t.cmds = append(t.cmds, q)
	t.bytes += size + 24*len(args) + 64
	t.flags |= spec.Flags
	t.lacks |= ^spec.Flags
}

// union returns the flags of EXEC with those of its queue: it writes if any command
// does, and may run on a stale or loading node only if all may. Other commands' flags
// stay as they are.
func (t *transaction) union(flags command.Flags) command.Flags {
	if flags&command.RunsQueue == 0 || !t.open {
		return flags
	}
	flags |= t.flags & (command.Write | command.MayReplicate | command.ReadOnly | command.DenyOOM | command.OffLoop)
	return flags &^ (t.lacks & (command.Stale | command.Loading))
}

// lockMaskOfQueue returns the shards of all queued commands and watched keys.
func (s *Session) lockMaskOfQueue() (m engine.ShardMask) {
	c := &s.ctx
	for i := range s.tx.cmds {
		q := &s.tx.cmds[i]
		c.Begin(q.spec, q.args, q.keyArg, q.slot)
		q.mask, _ = c.LockMask()
		m |= q.mask
	}
	c.Begin(s.spec, s.args, 0, 0)
	if s.tx.watch != nil {
		m |= s.tx.watch.Mask()
	}
	return m
}

// runExec is EXEC's handler. It returns ErrSlow when a queued command does, and goes on
// with that command when it is called again as an owner.
func runExec(c *command.Ctx) error {
	s := session(c)
	tx := &s.tx
	if !tx.open {
		return resp.ErrExecNoMulti
	}
	if tx.next == 0 && !c.Owner {
		if done, err := s.beginExec(c); done {
			return err
		}
	}
	c.InExec = true
	for ; tx.next < len(tx.cmds); tx.next++ {
		q := &tx.cmds[tx.next]
		var err error
		switch {
		case c.Owner && (q.mask == 0 || q.spec.Has(command.PubSub)):
			// It may change the connection, which belongs to its owner.
			s.conn.Do(func() { err = s.runQueued(c, q) })
		default:
			err = s.runQueued(c, q)
		}
		if err != nil {
			c.Begin(s.spec, s.args, 0, 0)
			return err
		}
	}
	if tx.watch != nil {
		tx.watch.DropLocked(tx.watch.Mask())
	}
	c.Begin(s.spec, s.args, 0, 0)
	return nil
}

// beginExec does what comes before the first command; done if there is none to run.
// REQUIRES: the shards of the watched keys locked.
func (s *Session) beginExec(c *command.Ctx) (done bool, err error) {
	tx := &s.tx
	failed := tx.watch != nil && tx.watch.Failed(func(db int) engine.Access {
		return c.Keyspace.Access(db, c.Now(), s.srv.accessMode())
	})
	if tx.watch != nil && (tx.dirty || failed) {
		tx.watch.DropLocked(tx.watch.Mask())
	}
	switch {
	case tx.dirty:
		return true, resp.ErrExecAbort
	case failed:
		c.Out.NullArray()
		return true, nil
	}
	c.Out.Array(len(tx.cmds))
	return false, nil
}

// runQueued runs one command of the queue and appends its reply. The only error it
// returns is ErrSlow. REQUIRES: the shards of q locked or owned.
func (s *Session) runQueued(c *command.Ctx, q *queued) error {
	start := len(c.Out.Buf)
	c.UseInExec(s.db, c.Now(), s.srv.accessModeFor(s.tx.flags))
	c.Begin(q.spec, q.args, q.keyArg, q.slot)
	events := c.Eventful()
	var err error
	if e := s.srv.wrongMode(q.spec); e != nil {
		err = e
	} else {
		err = q.spec.Run(c)
	}
	switch err {
	case nil:
		c.End()
	case command.ErrSlow:
		c.ForgetEvents(events)
		return err
	default:
		s.replyError(c.Out, start, q.spec, err)
	}
	if !c.Owner {
		now := clock.Mono()
		s.tally.note(s.srv, q.spec, now-s.now)
		s.now = now
	}
	return nil
}

// execOffLoop runs a queue that holds commands which may block on other nodes: each
// command by itself, as an owner of its shards.
func (s *Session) execOffLoop() error {
	c, tx := &s.ctx, &s.tx
	var watched engine.ShardMask
	if tx.watch != nil {
		watched = tx.watch.Mask()
		c.Keyspace.Lock(watched)
	}
	done, err := s.beginExec(c)
	if watched != 0 {
		if !done {
			tx.watch.DropLocked(watched)
		}
		c.Keyspace.Unlock(watched)
	}
	if done {
		return err
	}
	c.InExec, c.Owner = true, true
	log := s.srv.o.Log
	for i := range tx.cmds {
		q := &tx.cmds[i]
		c.Begin(q.spec, q.args, q.keyArg, q.slot)
		mask, _ := c.LockMask()
		switch {
		case q.spec.Has(command.OffLoop):
			err = s.runQueued(c, q)
		case mask == 0 || q.spec.Has(command.PubSub):
			s.conn.Do(func() { err = s.runQueued(c, q) })
		default:
			mask = s.ownForWaiters(mask)
			if log != nil && log.Active() {
				s.block.Reset()
				c.Block = &s.block
			}
			err = s.runQueued(c, q)
			if c.Block != nil && !c.Block.Empty() {
				s.lastWrite = log.Append(c.Block)
			}
			c.Block = nil
			c.Emit(s.lastWrite)
			if c.Pending() {
				_ = s.serveWaiters(mask) // an owner is never asked to become one
			}
			c.Keyspace.Disown(mask)
		}
		if err != nil {
			return err
		}
	}
	c.Begin(s.spec, s.args, 0, 0)
	return nil
}

// endTx closes the transaction; its watch has been dropped, or is dropped here.
func (s *Session) endTx() {
	if s.tx.watch != nil {
		s.unwatch()
	}
	s.tx = transaction{}
}

// discard closes the transaction without running it. REQUIRES: no shard locked.
func (s *Session) discard() { s.endTx() }

// unwatch forgets the watched keys. REQUIRES: no shard locked by this session.
func (s *Session) unwatch() {
	w := s.tx.watch
	s.tx.watch = nil
	if w != nil && !w.TryDrop() {
		s.srv.spawn(w.Drop)
	}
}

func runMulti(c *command.Ctx) error {
	s := session(c)
	if s.tx.open {
		return resp.ErrNestedMulti
	}
	s.tx.open = true
	c.Out.OK()
	return nil
}

func runDiscard(c *command.Ctx) error {
	s := session(c)
	if !s.tx.open {
		return resp.ErrDiscardNoMulti
	}
	s.discard()
	c.Out.OK()
	return nil
}

func runWatch(c *command.Ctx) error {
	s := session(c)
	if s.tx.open {
		return resp.ErrWatchInMulti
	}
	if s.tx.watch == nil {
		s.tx.watch = s.srv.watches.NewWatch()
	}
	for i := 1; i < len(c.Args); i++ {
		s.tx.watch.Add(&c.DB, c.Slot(i), c.Args[i])
	}
	c.Out.OK()
	return nil
}

func runUnwatch(c *command.Ctx) error {
	s := session(c)
	if !c.InExec { // EXEC forgets them itself, and holds their shards here
		s.unwatch()
	}
	c.Out.OK()
	return nil
}
