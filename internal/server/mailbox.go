package server

import (
	"sync"

	"github.com/redwingdb/redwing/internal/pubsub"
)

// mailbox holds messages until the session's owner takes them, between two commands.
// Its bound is client-output-buffer-limit pubsub.
type mailbox struct {
	sync.Mutex
	msgs  []*pubsub.Message
	spare []*pubsub.Message
	bytes int64
	over  bool // past the limit: the session will be closed
}

// keepMail is the longest list of messages that is kept for the next ones.
const keepMail = 256

// Deliver implements pubsub.Subscriber: it leaves m for the owner, and wakes him.
func (s *Session) Deliver(m *pubsub.Message) {
	hard := s.srv.o.Settings.PubSubHard.Load()
	b := &s.mail
	b.Lock()
	b.bytes += int64(m.Size())
	switch {
	case b.over:
	case hard > 0 && b.bytes > hard:
		b.msgs, b.over = nil, true
	default:
		b.msgs = append(b.msgs, m)
	}
	b.Unlock()
	s.mailed.Store(true)
	s.post()
}

// takeMail puts the messages that have come into the output.
func (s *Session) takeMail() {
	s.mailed.Store(false)
	b := &s.mail
	b.Lock()
	msgs, over := b.msgs, b.over
	b.msgs, b.spare, b.bytes = b.spare[:0], nil, 0
	b.Unlock()
	if over {
		s.closed = true
		return
	}
	for _, m := range msgs {
		if m.Kind == pubsub.Gone {
			s.channelGone(m.Channel)
			continue
		}
		from := len(s.out.w.Buf)
		m.AppendTo(&s.out.w)
		s.withhold(from, m.Offset, ranPush)
	}
	if cap(msgs) <= keepMail {
		clear(msgs)
		b.Lock()
		b.spare = msgs[:0]
		b.Unlock()
	}
	s.checkOutput()
}

// checkOutput ends a session whose client does not take what it is sent.
func (s *Session) checkOutput() {
	set := s.srv.o.Settings
	hard := set.OutputHard.Load()
	if s.subscribes {
		hard = set.PubSubHard.Load()
	}
	if hard > 0 && int64(s.out.pending()) > hard {
		s.closed = true
	}
}

// softLimit returns the bytes of output that the session may hold for no longer than
// the seconds, 0: any.
func (s *Session) softLimit() (bytes, seconds int64) {
	set := s.srv.o.Settings
	if s.subscribes {
		return set.PubSubSoft.Load(), set.PubSubSoftSecs.Load()
	}
	return set.OutputSoft.Load(), set.OutputSoftSecs.Load()
}
