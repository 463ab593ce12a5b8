package server

// A connection that a loop drives has a descriptor in place of a net.Conn. It leaves the
// loop for a goroutine of its own where it would hold the others up, and comes back after
// a while of light turns:
//
//	accepted --> in a loop --heavy, or handed over--> goroutine --calmTurns light ones--> in a loop
const (
	// heavyBytes is how long a request that is under way, or unsent output, makes a
	// connection too heavy for a loop.
	heavyBytes = 512 << 10
	// heavyNanos is how long a turn does.
	heavyNanos = 2_000_000
	// calmTurns is after how many light turns a goroutine gives its connection to a loop.
	calmTurns = 256
)

// heavy reports whether the session, as its present or last turn has left it, holds up
// others that share a loop with it.
func (s *Session) heavy() bool {
	return s.parser.Need() > heavyBytes || s.out.pending() > heavyBytes || s.now-s.turn > heavyNanos
}

// enterLocked gives the socket to the connection's loop, and reports whether it did.
// REQUIRES: c.mu held, nobody reading or writing.
func (c *conn) enterLocked() bool {
	if c.loop == nil || c.mu.raw == nil {
		return false
	}
	fd, err := dupFD(c.mu.nc)
	if err != nil {
		return false // no descriptor to be had: it is served all the same
	}
	c.mu.fd, c.mu.watched = fd, 0
	c.loop.put(fd, c)
	if !c.watchLocked(watchIn) {
		c.loop.put(fd, nil)
		closeFD(fd)
		return false
	}
	c.mu.nc.Close() // the socket lives on under its second descriptor
	c.mu.nc, c.mu.raw = nil, nil
	c.mu.calm = 0
	c.mu.s.shared = true
	c.looped.Store(true)
	return true
}

// leaveLocked takes the socket back from the loop. It returns false where that failed and
// the connection has ended. REQUIRES: c.mu held, the connection in the loop.
func (c *conn) leaveLocked() bool {
	c.looped.Store(false)
	c.mu.s.shared = false
	c.watchLocked(0)
	c.loop.put(c.mu.fd, nil)
	nc, err := connOf(c.mu.fd)
	c.mu.fd = -1
	if err != nil {
		c.endLocked()
		return false
	}
	c.mu.nc, c.mu.raw = nc, newRawIO(nc)
	return true
}

// watchLocked has the loop wait for events. REQUIRES: c.mu held.
func (c *conn) watchLocked(events uint32) bool {
	if events == c.mu.watched {
		return true
	}
	if c.loop.watch(c.mu.fd, c.mu.watched, events) != nil {
		return false
	}
	c.mu.watched = events
	return true
}

// turn reads once and runs what is complete. The loop calls it when the socket is ready,
// and endTurn a little later: replies leave together, when all turns have been taken.
func (c *conn) turn(events uint32) {
	if !c.lockLooped() {
		return // what was announced is of a connection that has gone meanwhile
	}
	defer c.mu.Unlock()
	if c.mu.writing && events&^watchIn != 0 {
		c.mu.writing = false
		c.Flush()
		if c.mu.gone {
			return
		}
	}
	s := c.mu.s
	if events&^watchOut != 0 && !c.mu.noRoom {
		if space := s.ReadSpace(); space != nil {
			switch n, err := readFD(c.mu.fd, space); {
			case err == nil:
				s.Advance(n)
			case err != errWouldBlock && !s.Hijacked():
				c.mu.noRoom = true // what is under way ends by itself
				s.EOF()
			}
		} else {
			c.mu.noRoom = true
		}
	}
}

// endTurn sends what the turn has left to send. Who has taken the connection from the loop
// meanwhile has done that.
func (c *conn) endTurn() {
	if c.lockLooped() {
		c.flushLocked()
		c.mu.Unlock()
	}
}

// lockLooped takes c.mu if the connection is the loop's, and reports whether it is. That of
// one which has left is not waited for: its runs may be long.
func (c *conn) lockLooped() bool {
	if !c.looped.Load() {
		return false
	}
	c.mu.Lock()
	if c.mu.gone || !c.looped.Load() {
		c.mu.Unlock()
		return false
	}
	return true
}

// settleLoopLocked decides how a turn of a connection in the loop ends. REQUIRES: c.mu
// held, what the socket takes sent.
func (c *conn) settleLoopLocked() {
	s := c.mu.s
	switch {
	case s.Hijacked() && !c.mu.writing:
		if c.leaveLocked() {
			c.handOverLocked()
		}
		return
	case s.cut || s.heavy():
		writing := c.mu.writing
		if !c.leaveLocked() {
			return
		}
		if c.mu.noRoom = false; writing {
			c.srv.spawn(c.writeOut)
		}
		c.srv.spawn(c.serve)
		return
	}
	if c.mu.noRoom && s.wait == ready && !s.eof {
		c.mu.noRoom = false
	}
	var events uint32
	if !c.mu.noRoom {
		events |= watchIn
	}
	if c.mu.writing {
		events |= watchOut
	}
	if !c.watchLocked(events) {
		c.endLocked()
	}
}

// wakeFromLoop is the end of a Post.
func (c *conn) wakeFromLoop() {
	if c.looped.Load() {
		c.wakeSession()
	} else {
		go c.wakeSession() // it is no longer the loop's: its turns may be long
	}
}

func (c *conn) wakeSession() { c.Do(func() { c.mu.s.Wake() }) }
