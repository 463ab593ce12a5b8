package server

import (
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// writeChunk is what the writer of a slow client takes at a time.
const writeChunk = 64 << 10

// conn is a connection and its driver, a loop that it shares with others (loopconn.go) or
// goroutines of its own: one that reads, and one for output that the socket does not take
// at once. Its mutex makes its holder the owner of the Session.
type conn struct {
	srv           *Server
	local, remote net.Addr
	loop          *loop // drives it while looped is set, and brings its posts; nil: none
	looped        atomic.Bool

	// room is signalled when a waiting session may read again or has ended.
	room chan struct{}

	mu struct {
		sync.Mutex
		s       *Session
		nc      net.Conn // nil in a loop
		raw     *rawIO   // nil where nc has no descriptor of its own (TLS)
		fd      int      // in a loop: the socket
		watched uint32   // in a loop: the events it waits for
		calm    int      // light turns since it left the loop
		writing bool     // a goroutine is sending, or the loop waits for room to send
		gone    bool     // the session has been closed
		noRoom  bool     // nothing is read until the session goes on
		alarm   *time.Timer
	}
}

// serveConn serves nc, in a loop where there is one for it.
func (srv *Server) serveConn(nc net.Conn) {
	c := &conn{srv: srv, local: nc.LocalAddr(), remote: nc.RemoteAddr(), room: make(chan struct{}, 1)}
	c.mu.Lock() // others find the session as soon as it is in the list
	defer c.mu.Unlock()
	srv.mu.Lock()
	if srv.mu.stopping {
		srv.mu.Unlock()
		nc.Close()
		return
	}
	if n := len(srv.mu.loops); n > 0 {
		c.loop = srv.mu.loops[srv.mu.nextLoop%n]
		srv.mu.nextLoop++
	}
	srv.mu.conns[c] = struct{}{}
	srv.mu.Unlock()
	srv.count.Add(1)
	srv.stats.connections.Add(1)
	c.mu.nc, c.mu.raw, c.mu.fd = nc, newRawIO(nc), -1
	c.mu.s = srv.newSession(c)
	if !c.enterLocked() {
		srv.spawn(c.serve)
	}
}

// serve reads until the client or the session ends, or a loop takes over.
func (c *conn) serve() {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.mu.s
	for !c.mu.gone {
		n, err := 0, error(nil)
		nc, raw := c.mu.nc, c.mu.raw
		if !s.cut {
			space := s.ReadSpace()
			if space == nil {
				c.awaitRoomLocked()
				continue
			}
			c.mu.Unlock()
			n, err = read(nc, raw, space)
			c.mu.Lock()
			if c.mu.gone {
				break
			}
		}
		if n > 0 || s.cut {
			s.Advance(n)
		}
		if err != nil && !s.Hijacked() {
			if os.IsTimeout(err) {
				nc.SetReadDeadline(time.Time{}) // a kick that came to nothing
			} else {
				s.EOF()
			}
		}
		c.commitLocked()
		c.flushLocked()
		if err != nil && s.eof && !c.mu.gone {
			c.awaitRoomLocked() // the client will send no more; what is under way ends by itself
		}
		if c.mu.gone {
			break
		}
		if s.Hijacked() && !c.mu.writing {
			c.handOverLocked()
			break
		}
		if c.calmLocked() && c.enterLocked() {
			break
		}
	}
}

// calmLocked counts light turns and reports whether a loop may have the connection back.
func (c *conn) calmLocked() bool {
	s := c.mu.s
	if c.mu.writing || s.eof || s.hijack != nil || s.wait != ready || s.heavy() {
		c.mu.calm = 0
		return false
	}
	c.mu.calm++
	return c.mu.calm >= calmTurns
}

// awaitRoomLocked waits until the session may read again or has ended. REQUIRES: c.mu
// held; it is let go meanwhile.
func (c *conn) awaitRoomLocked() {
	c.mu.noRoom = true
	c.mu.Unlock()
	<-c.room
	c.mu.Lock()
}

func read(nc net.Conn, raw *rawIO, space []byte) (int, error) {
	if raw != nil {
		return raw.read(space)
	}
	return nc.Read(space)
}

// commitLocked has what was written committed before it is acknowledged. A sync, which may
// take long, is left to others: a loop does it behind the turns of all its connections.
// REQUIRES: c.mu held.
func (c *conn) commitLocked() {
	if !c.srv.o.Settings.AwaitDurable.Load() {
		c.srv.commit(true)
	} else if !c.looped.Load() {
		c.srv.commit(false)
	}
}

// flushLocked sends what may be sent and ends what has ended. REQUIRES: c.mu held.
func (c *conn) flushLocked() {
	s := c.mu.s
	c.Flush()
	switch {
	case c.mu.gone:
	case s.closed || s.Ended() && !c.mu.writing:
		c.endLocked()
	case c.looped.Load():
		c.settleLoopLocked()
	case c.mu.noRoom && (s.wait == ready || s.hijack != nil):
		c.roomLocked()
	case s.hijack != nil:
		// The reader hands the socket over; it may sit in a read.
		c.mu.nc.SetReadDeadline(time.Unix(1, 0))
	}
}

// sendLocked writes b without waiting; what the socket does not take is left to the loop,
// when it has room, or to a goroutine. REQUIRES: c.mu held, nobody writing.
func (c *conn) sendLocked(b []byte) {
	looped := c.looped.Load()
	if looped || c.mu.raw != nil {
		var n int
		var err error
		if looped {
			n, err = writeFD(c.mu.fd, b)
		} else {
			n, err = c.mu.raw.write(b)
		}
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
	if !looped {
		c.srv.spawn(c.writeOut)
	}
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
		nc := c.mu.nc
		c.mu.Unlock()
		n, err := nc.Write(chunk)
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
	c.goneLocked()
	if c.looped.Load() {
		c.looped.Store(false)
		c.loop.put(c.mu.fd, nil)
		closeFD(c.mu.fd) // which the loop forgets by itself
		c.mu.fd = -1
	} else if c.mu.nc != nil { // else it was lost on the way out of the loop
		c.mu.nc.Close() // ends reads and writes under way
	}
	c.roomLocked()
}

// handOverLocked gives the socket to the command that asked for it.
func (c *conn) handOverLocked() {
	s := c.mu.s
	take := s.hijack
	unread := append([]byte(nil), s.in.buf[s.in.r:s.in.w]...)
	nc := c.mu.nc
	c.goneLocked()
	nc.SetReadDeadline(time.Time{})
	c.srv.spawn(func() {
		defer c.srv.untake(nc)
		c.srv.take(nc)
		take(nc, unread)
	})
}

// goneLocked ends the session; what becomes of the socket is the caller's.
func (c *conn) goneLocked() {
	c.mu.gone = true
	c.stopAlarmLocked()
	c.mu.s.Close()
	c.srv.count.Add(-1)
	c.srv.mu.Lock()
	delete(c.srv.mu.conns, c)
	c.srv.mu.Unlock()
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

// Post implements Conn. Others may know the session before the connection does.
func (c *conn) Post() {
	if c.looped.Load() {
		c.loop.post(c)
	} else {
		go c.wakeSession()
	}
}

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
	c.commitLocked()
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
func (c *conn) RemoteAddr() net.Addr { return c.remote }

// LocalAddr implements Conn.
func (c *conn) LocalAddr() net.Addr { return c.local }

// FD implements Conn. REQUIRES: c.mu held, as by every owner.
func (c *conn) FD() int {
	if c.looped.Load() {
		return c.mu.fd
	}
	fd := -1
	if sc, ok := c.mu.nc.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			raw.Control(func(p uintptr) { fd = int(p) })
		}
	}
	return fd
}
