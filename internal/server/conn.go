package server

import (
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// writeChunk is what the writer of a slow client takes at a time.
const writeChunk = 64 << 10

// conn is the goroutine driver: a goroutine that reads, a mutex that makes its holder
// the owner of the Session, and goroutines for what comes rarely: a wake, and output
// that the socket does not take at once.
type conn struct {
	srv *Server
	nc  net.Conn
	raw *rawIO // nil where the socket has no descriptor of its own (TLS)

	// room is signalled when a waiting session may read again or has ended.
	room chan struct{}

	mu struct {
		sync.Mutex
		s       *Session
		writing bool // a goroutine is sending
		gone    bool // the session has been closed
		noRoom  bool // the reader waits for room
		alarm   *time.Timer
	}
}

// serveConn serves nc in a goroutine of its own.
func (srv *Server) serveConn(nc net.Conn) {
	c := &conn{srv: srv, nc: nc, raw: newRawIO(nc), room: make(chan struct{}, 1)}
	srv.mu.Lock()
	if srv.mu.stopping {
		srv.mu.Unlock()
		nc.Close()
		return
	}
	srv.mu.conns[c] = struct{}{}
	srv.mu.Unlock()
	srv.count.Add(1)
	srv.stats.connections.Add(1)
	c.mu.Lock() // others find the session as soon as it is in the list
	c.mu.s = srv.newSession(c)
	c.mu.Unlock()
	srv.spawn(c.serve)
}

// serve reads until the client or the session ends.
func (c *conn) serve() {
	defer c.srv.count.Add(-1)
	s := c.mu.s
	c.mu.Lock()
	for !c.mu.gone {
		space := s.ReadSpace()
		if space == nil {
			c.mu.noRoom = true
			c.mu.Unlock()
			<-c.room
			c.mu.Lock()
			continue
		}
		c.mu.Unlock()
		n, err := c.read(space)
		c.mu.Lock()
		if c.mu.gone {
			break
		}
		if n > 0 {
			s.Advance(n)
		}
		if err != nil && !s.Hijacked() {
			if os.IsTimeout(err) {
				c.nc.SetReadDeadline(time.Time{}) // a kick that came to nothing
			} else {
				s.EOF()
			}
		}
		c.flushLocked()
		if err != nil && s.eof && !c.mu.gone {
			// The client will send no more; what is under way ends by itself.
			c.mu.noRoom = true
			c.mu.Unlock()
			<-c.room
			c.mu.Lock()
		}
		if s.Hijacked() && !c.mu.writing {
			c.handOverLocked()
			break
		}
	}
	c.mu.Unlock()
	c.srv.mu.Lock()
	delete(c.srv.mu.conns, c)
	c.srv.mu.Unlock()
}

func (c *conn) read(space []byte) (int, error) {
	if c.raw != nil {
		return c.raw.read(space)
	}
	return c.nc.Read(space)
}

// flushLocked sends what may be sent and ends what has ended. REQUIRES: c.mu held.
func (c *conn) flushLocked() {
	s := c.mu.s
	c.Flush()
	switch {
	case c.mu.gone:
	case s.closed || s.Ended() && !c.mu.writing:
		c.endLocked()
	case c.mu.noRoom && (s.wait == ready || s.hijack != nil):
		c.roomLocked()
	case s.hijack != nil:
		// The reader hands the socket over; it may sit in a read.
		c.nc.SetReadDeadline(time.Unix(1, 0))
	}
}

// sendLocked writes b without waiting; what the socket does not take is left to a
// goroutine. REQUIRES: c.mu held, nobody writing.
func (c *conn) sendLocked(b []byte) {
	if c.raw != nil {
		n, err := c.raw.write(b)
		if err != nil {
			c.endLocked()
			return
		}
		c.mu.s.Sent(n)
		if n == len(b) {
			return
		}
	}
	c.mu.writing = true
	c.srv.spawn(c.writeOut)
}

// writeOut sends until nothing is left to send.
func (c *conn) writeOut() {
	var chunk []byte
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.mu.gone {
		b := c.mu.s.Sendable()
		if len(b) == 0 {
			break
		}
		chunk = append(chunk[:0], b[:min(len(b), writeChunk)]...)
		c.mu.Unlock()
		n, err := c.nc.Write(chunk)
		c.mu.Lock()
		if c.mu.gone {
			break
		}
		c.mu.s.Sent(n)
		if err != nil {
			c.endLocked()
			break
		}
	}
	c.mu.writing = false
	if !c.mu.gone {
		c.flushLocked()
	}
}

// endLocked closes the session and the socket. REQUIRES: c.mu held, the session not
// gone.
func (c *conn) endLocked() {
	c.mu.gone = true
	c.stopAlarmLocked()
	c.mu.s.Close()
	c.nc.Close() // ends reads and writes under way
	c.roomLocked()
}

// handOverLocked gives the socket to the command that asked for it.
func (c *conn) handOverLocked() {
	s := c.mu.s
	take := s.hijack
	unread := append([]byte(nil), s.in.buf[s.in.r:s.in.w]...)
	c.mu.gone = true
	c.stopAlarmLocked()
	s.Close()
	c.nc.SetReadDeadline(time.Time{})
	c.srv.spawn(func() {
		defer c.srv.untake(c.nc)
		c.srv.take(c.nc)
		take(c.nc, unread)
	})
}

// roomLocked lets a reader go on that waits for room.
func (c *conn) roomLocked() {
	if c.mu.noRoom {
		c.mu.noRoom = false
		select {
		case c.room <- struct{}{}:
		default:
		}
	}
}

// Post implements Conn.
func (c *conn) Post() { go c.Do(c.mu.s.Wake) }

// Flush implements Conn.
func (c *conn) Flush() {
	if !c.mu.gone && !c.mu.writing {
		if b := c.mu.s.Sendable(); len(b) > 0 {
			c.sendLocked(b)
		}
	}
}

// Do implements Conn.
func (c *conn) Do(f func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.doLocked(f)
}

// TryDo implements Conn.
func (c *conn) TryDo(f func()) bool {
	if !c.mu.TryLock() {
		return false
	}
	defer c.mu.Unlock()
	return c.doLocked(f)
}

func (c *conn) doLocked(f func()) bool {
	if c.mu.gone {
		return false
	}
	f()
	c.flushLocked()
	return true
}

// Alarm implements Conn. REQUIRES: c.mu held, as by every owner.
func (c *conn) Alarm(at time.Time) {
	c.stopAlarmLocked()
	if !at.IsZero() {
		c.mu.alarm = time.AfterFunc(time.Until(at), c.mu.s.post)
	}
}

func (c *conn) stopAlarmLocked() {
	if c.mu.alarm != nil {
		c.mu.alarm.Stop()
		c.mu.alarm = nil
	}
}

// shutdown ends the connection from outside.
func (c *conn) shutdown() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.mu.gone {
		c.endLocked()
	}
}

// RemoteAddr implements Conn.
func (c *conn) RemoteAddr() net.Addr { return c.nc.RemoteAddr() }

// LocalAddr implements Conn.
func (c *conn) LocalAddr() net.Addr { return c.nc.LocalAddr() }

// FD implements Conn.
func (c *conn) FD() int {
	fd := -1
	if sc, ok := c.nc.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			raw.Control(func(p uintptr) { fd = int(p) })
		}
	}
	return fd
}
