package server

import (
	"net"
	"time"
)

// Conn is what a Session asks of its driver. Exactly one party at a time, the owner,
// calls the Session: whoever holds the connection's mutex.
//
// The driver's side of the bargain, all of it as the owner:
//
//	buf := s.ReadSpace()   where the next bytes go; nil: read no more until Wake
//	s.Advance(n)           n bytes of it are filled: run what is complete
//	s.EOF()                the peer will send no more
//	s.Wake()               after Post or the alarm
//	s.Sendable(), s.Sent   after each of these: send what may be sent
//	s.Ended()              after sending: close the socket and call s.Close
//	s.Hijacked()           after sending all: hand the socket over, call s.Close
type Conn interface {
	// Post has the owner call Session.Wake soon. It may be called by any goroutine, the
	// owner too, and never blocks.
	Post()
	// Do runs f as the owner and returns false without running it if the connection is
	// gone. It may block shortly; the owner must not call it.
	Do(f func()) bool
	// TryDo is Do that gives up where it would have to wait for the owner.
	TryDo(f func()) bool
	// Alarm has the owner call Session.Wake at the given time instead of any earlier
	// alarm; zero: never. Called by the owner.
	Alarm(at time.Time)
	// Flush sends what may be sent, without waiting, in the midst of a run of commands.
	// Called by the owner; the session may be closed when it returns.
	Flush()
	// RemoteAddr and LocalAddr are as CLIENT LIST shows them.
	RemoteAddr() net.Addr
	LocalAddr() net.Addr
	// FD returns the socket's descriptor for CLIENT LIST, or -1.
	FD() int
}
