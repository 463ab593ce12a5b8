package commandtest

import (
	"fmt"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/effects"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/slots"
)

// Peer returns another client of r's keyspace, at the same time and in the same
// database. A command of one serves what the others are blocked on. All of them belong
// to one goroutine.
func (r *Runner) Peer() *Runner {
	p := newClient(r.Table, r.Keyspace, r.Ctx.Waits)
	p.DB, p.Now, p.Mode = r.DB, r.Now, r.Mode
	p.out.RESP3, p.Ctx.Events = r.out.RESP3, r.Ctx.Events
	return p
}

// Blocked reports whether the last command waits for keys still.
func (r *Runner) Blocked() bool { return r.wait != nil && !r.wait.Served() }

// Reply returns the reply of the last command, which blocked, once another client's
// command has served it; nil until then.
func (r *Runner) Reply() []byte {
	if r.wait == nil || !r.wait.Served() {
		return nil
	}
	o := r.wait.Outcome()
	r.wait = nil
	if o.Err != nil {
		text, ok := command.ErrorReply(o.Err)
		if !ok {
			panic(fmt.Sprintf("a served command returned %v", o.Err))
		}
		r.out.Buf = r.out.Buf[:0]
		r.out.Error(text)
		return r.out.Buf
	}
	return o.Reply
}

// TimeOut ends the wait of the last command as if its time had passed and returns its
// reply; nil if it does not wait.
func (r *Runner) TimeOut() []byte {
	w := r.wait
	if w == nil || !w.GiveUp() {
		return nil
	}
	r.wait = nil
	w.Drop()
	r.out.Buf = r.out.Buf[:0]
	w.TimedOut(&r.out)
	return r.out.Buf
}

// lock locks mask and what waiters need whom the present command may have to serve.
func (r *Runner) lock(mask engine.ShardMask) engine.ShardMask {
	for {
		r.Keyspace.Lock(mask)
		more := r.Ctx.WaitersNeed(mask)
		if more == mask {
			return mask
		}
		r.Keyspace.Unlock(mask)
		mask = more
	}
}

// serve takes up what the command that has run waits for, and serves who waits for what
// it has made ready. The effects of those become part of this runner's block.
func (r *Runner) serve(mask engine.ShardMask) error {
	r.Ctx.Emit(0)
	if w := r.Ctx.TakeWait(); w != nil {
		w.SetWake(func() {})
		r.wait = w
	}
	return r.Ctx.Serve(&command.Serving{Held: mask, Log: staged{r.Ctx.Block}})
}

// staged appends the blocks of served commands to that of the command that served them.
type staged struct{ to *effects.Block }

func (s staged) Active() bool { return true }

func (s staged) SlotOffset(slots.Slot) int64 { return 0 }

func (s staged) Append(b *effects.Block) int64 {
	shift := len(s.to.Buf)
	s.to.Buf = append(s.to.Buf, b.Buf...)
	for _, e := range b.Entries {
		e.Start += shift
		e.End += shift
		s.to.Entries = append(s.to.Entries, e)
	}
	return int64(len(s.to.Buf))
}
