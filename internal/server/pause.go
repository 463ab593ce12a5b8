package server

import (
	"sync/atomic"
	"time"

	"github.com/redwingdb/redwing/internal/clock"
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/resp"
)

// pause is what CLIENT PAUSE and the holders hold back. The first is a word, so that until
// when and what change at once: the time in Unix milliseconds, doubled, plus one where
// everything is held. 0: nothing is.
type pause struct {
	word atomic.Int64
	// holders are those who hold writes until they lower their hold, whatever CLIENT
	// UNPAUSE says.
	holders atomic.Uint32
}

// Holder is one of those who hold the writes of all clients, each for itself: a bit.
type Holder uint32

// The holders.
const (
	FailoverHolds Holder = 1 << iota
	ShutdownHolds
	LoadingHolds
)

// maxPause bounds the end of a pause: its word must not overflow.
const maxPause = 1<<62 - 1

// Texts of CLIENT PAUSE. Source: Redis 7.2, timeout.c and networking.c.
var (
	errPauseTimeout = resp.NewError("ERR timeout is not an integer or out of range")
	errPauseRange   = resp.NewError("ERR timeout is out of range")
	errPauseSign    = resp.NewError("ERR timeout is negative")
	errPauseMode    = resp.NewError("ERR CLIENT PAUSE mode must be WRITE or ALL")
)

// streamed are the flags of what a pause of writes holds: what is published is part of the
// stream to replicas, too.
const streamed = command.Write | command.MayReplicate | command.PubSub

// holds reports whether a command with these flags waits at nowMillis. While nothing is
// paused it is two atomic loads.
func (p *pause) holds(flags command.Flags, nowMillis int64) bool {
	if flags&streamed != 0 && p.holders.Load() != 0 {
		return true
	}
	w := p.word.Load()
	if w == 0 || w>>1 <= nowMillis {
		return false
	}
	return w&1 != 0 || flags&streamed != 0
}

// active reports whether anything is held now.
func (p *pause) active() bool {
	if p.holders.Load() != 0 {
		return true
	}
	w := p.word.Load()
	return w != 0 && w>>1 > clock.WallMillis()
}

// Paused reports whether CLIENT PAUSE or a holder holds writes back: no key expires or
// is evicted meanwhile (Redis 7.2, PAUSE_ACTIONS_CLIENT_WRITE_SET).
func (srv *Server) Paused() bool { return srv.pause.active() }

// HoldWrites holds the writes of all clients for who, or ends that hold. When it returns
// with on, every write has run that will not wait, and all of them are in the log.
func (srv *Server) HoldWrites(who Holder, on bool) {
	if !on {
		srv.pause.holders.And(^uint32(who))
		srv.RetryParked()
		return
	}
	srv.pause.holders.Or(uint32(who))
	// A writer looks at the hold again with its shards locked.
	all := srv.o.Keyspace.AllShards()
	srv.o.Keyspace.Own(all)
	srv.o.Keyspace.Disown(all)
}

// RetryParked has every client that waits at a gate look again.
func (srv *Server) RetryParked() {
	for _, s := range srv.sessions() {
		s.post()
	}
}

// until returns the end of the pause in Unix milliseconds.
func (p *pause) until() int64 { return p.word.Load() >> 1 }

// extend pauses until at least untilMillis; a pause that is under way becomes neither
// shorter nor weaker.
func (p *pause) extend(untilMillis, nowMillis int64, all bool) {
	for {
		old := p.word.Load()
		end, mode := min(untilMillis, maxPause), int64(0)
		if all {
			mode = 1
		}
		if old>>1 > nowMillis {
			end, mode = max(end, old>>1), mode|old&1
		}
		if p.word.CompareAndSwap(old, end<<1|mode) {
			return
		}
	}
}

// parkPaused makes the session pass its gates again when the pause has ended.
func (s *Session) parkPaused() {
	s.parkRetry()
	left := min(s.srv.pause.until()-s.wall, int64(longestWait/time.Millisecond))
	if left <= 0 {
		return // the end of the hold wakes it
	}
	s.conn.Alarm(time.Now().Add(time.Duration(left+1) * time.Millisecond))
}

func runClientPause(c *command.Ctx) error {
	all := true
	switch {
	case len(c.Args) == 3:
	case len(c.Args) > 4:
		return unknownClientWords(c)
	case command.Is(c.Args[3], "write"):
		all = false
	case !command.Is(c.Args[3], "all"):
		return errPauseMode
	}
	ms, ok := command.ParseInt(c.Args[2])
	switch {
	case !ok:
		return errPauseTimeout
	case ms < 0:
		return errPauseSign
	case ms > 1<<63-1-c.Now():
		return errPauseRange
	}
	session(c).srv.pause.extend(c.Now()+ms, c.Now(), all)
	c.Out.OK()
	return nil
}

func runClientUnpause(c *command.Ctx) error {
	srv := session(c).srv
	srv.pause.word.Store(0)
	srv.RetryParked()
	c.Out.OK()
	return nil
}

// unknownClientWords is the reply to more words than a subcommand of CLIENT takes.
func unknownClientWords(c *command.Ctx) error {
	return command.QuoteError("ERR unknown subcommand or wrong number of arguments for '" + string(c.Args[1]) + "'. Try CLIENT HELP.")
}
