package server

import (
	"time"

	"github.com/redwingdb/redwing/internal/clock"
	"github.com/redwingdb/redwing/internal/engine/bulk"
	"github.com/redwingdb/redwing/internal/resp"
)

// Block implements command.Client: it parks the session behind the command that is
// running.
func (s *Session) Block(deadline time.Time, resume func(out *resp.Writer, timedOut bool) bool, onEnd func()) (wake func()) {
	s.toPark = &parkedBlock{deadline: deadline, resume: resume, onEnd: onEnd}
	return s.wake
}

// parkBlocked makes the session wait for what its command blocked on. The wake may
// have come already: to a command under the connection's lock it is still to be handled,
// but that of one which ran off-loop has found nobody, so another look is asked for.
func (s *Session) parkBlocked() {
	s.wait = blocked
	s.parked, s.toPark = s.toPark, nil
	s.srv.stats.blocked.Add(1)
	if w := s.parked.wait; w != nil && (w.Served() || w.ToRetry()) {
		s.post()
	}
	if !s.parked.deadline.IsZero() {
		s.conn.Alarm(s.parked.deadline)
	}
}

// tryResume asks the blocked command whether it is done.
func (s *Session) tryResume() {
	p := s.parked
	timedOut := p.force == forceTimeout || !p.deadline.IsZero() && !time.Now().Before(p.deadline)
	s.start = len(s.out.w.Buf)
	switch {
	case p.wait != nil:
		s.resumeWait(p.wait, timedOut)
		return
	case p.force == forceError:
		s.out.w.Error(errUnblocked)
	case !p.resume(&s.out.w, timedOut) && !timedOut:
		return
	}
	s.resumed()
}

// resumed ends a block with the reply that stands in the output from s.start on.
func (s *Session) resumed() {
	s.unpark()
	s.finishReply()
	s.wait = ready
	s.used()
}

// dropBlock forgets a block that never came to be.
func (s *Session) dropBlock() {
	p := s.toPark
	s.toPark = nil
	if p.onEnd != nil {
		p.onEnd()
	}
}

// unpark ends a block for whatever reason.
func (s *Session) unpark() {
	p := s.parked
	s.parked = nil
	s.srv.stats.blocked.Add(-1)
	if !p.deadline.IsZero() {
		s.conn.Alarm(time.Time{})
	}
	if p.onEnd != nil {
		p.onEnd()
	}
}

// goOffLoop runs work where nobody waits for it; the session waits until end, which
// runs as the owner behind it.
func (s *Session) goOffLoop(work func() error, end func(error)) {
	s.wait = offLoop
	s.side.RESP3 = s.out.w.RESP3
	s.ctx.Out = &s.side
	s.srv.spawn(func() {
		err := work()
		if !s.conn.Do(func() { s.endOffLoop(err, end) }) {
			s.abandon()
		}
	})
}

// endOffLoop takes the reply of an off-loop run over and goes on with the input.
func (s *Session) endOffLoop(err error, end func(error)) {
	s.tick()
	s.start = len(s.out.w.Buf)
	if len(s.out.w.Buf) == 0 {
		s.out.w.Buf, s.side.Buf = s.side.Buf, s.out.w.Buf
	} else {
		s.out.w.Buf = bulk.Append(s.out.w.Buf, s.side.Buf)
	}
	s.out.w.RESP3 = s.side.RESP3
	if cap(s.side.Buf) > keepOut {
		s.side.Buf = nil
	}
	s.side.Buf = s.side.Buf[:0]
	s.ctx.Out = &s.out.w
	s.wait = ready
	end(err)
	s.used()
	s.run()
}

// abandon frees what an off-loop run left to a session that has been closed meanwhile.
// The goroutine of the run is the last to know the session.
func (s *Session) abandon() {
	if s.toPark != nil {
		s.dropBlock()
	}
	s.unwatch()
	s.tally.flush(s.srv)
}

// parkRetry makes the session wait for a wake and run its command again from its gates.
func (s *Session) parkRetry() { s.wait = retry }

// idleSince returns for how long nothing came from the client.
func (s *Session) idleNanos() int64 { return clock.Mono() - s.seen }
