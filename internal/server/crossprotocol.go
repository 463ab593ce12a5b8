package server

import (
	"time"

	"go.uber.org/zap"

	"github.com/redwingdb/redwing/internal/command"
)

// securityWarnEvery is how often the log tells of cross-protocol attacks.
const securityWarnEvery = time.Minute

// isCrossProtocol reports whether a request of this name is a line of HTTP: a web page
// that makes its visitor's browser talk to a server in the visitor's network. No such
// command may come to be. Source: Redis 7.2, server.c, processCommand.
func isCrossProtocol(name []byte) bool {
	return command.Is(name, "post") || command.Is(name, "host:")
}

// abortCrossProtocol closes the connection at once, without the replies that have not
// been sent: the lines behind this one are the attacker's.
func (s *Session) abortCrossProtocol() {
	s.closed = true
	s.srv.stats.rejected.Add(1)
	last := s.srv.securityWarned.Load()
	if last != 0 && s.now-last < int64(securityWarnEvery) || !s.srv.securityWarned.CompareAndSwap(last, s.now) {
		return
	}
	s.srv.log.Warn("possible security attack: somebody sends POST or Host: lines, most likely cross-protocol scripting; connection closed",
		zap.String("addr", s.peerText()))
}
