package bus

import (
	"bufio"
	"errors"
	"net"
	"sync/atomic"
	"time"
)

const (
	// maxCallsPerConn bounds the handlers that run at once for one connection.
	maxCallsPerConn = 256
	// outQueue bounds frames waiting to be written on one connection.
	outQueue = 512
	// writeTimeout closes a connection whose other end takes nothing.
	writeTimeout = 2 * time.Second
	// callerSilence closes an accepted connection for calls that brought not even pings.
	callerSilence = 30 * time.Second
	// flushBytes is when queued frames are written even though more are waiting.
	flushBytes = 256 << 10
)

// serveCalls answers the calls of one connection until it closes.
func (b *Bus) serveCalls(c *conn, proto Protocol) {
	set := 0
	if proto == ProtoOpen {
		set = 1
		c.SetDeadline(time.Now().Add(time.Minute)) // one call, then it is closed
	}
	out := make(chan frame, outQueue)
	done := make(chan struct{})
	defer close(done)
	if !b.spawn(func() { b.writeFrames(c, out, done, 0) }) {
		c.Close()
		return
	}
	defer c.Close()
	var running atomic.Int64
	r := bufio.NewReaderSize(c, 16<<10)
	for {
		if proto == ProtoRPC {
			c.SetReadDeadline(time.Now().Add(callerSilence))
		}
		f, err := readFrame(r)
		if err != nil {
			if errors.Is(err, errFrame) {
				b.drop(DropFrame)
			}
			return
		}
		switch f.typ {
		case framePing:
			reply(out, done, frame{typ: framePong, id: f.id})
		case frameRequest:
			h := b.callKinds[set][f.kind].Load()
			switch {
			case h == nil:
				b.drop(DropProtocol)
				reply(out, done, frame{typ: frameNone, kind: f.kind, id: f.id})
			case running.Load() >= maxCallsPerConn:
				reply(out, done, frame{typ: frameBusy, kind: f.kind, id: f.id})
			default:
				running.Add(1)
				ok := b.spawn(func() {
					defer running.Add(-1)
					answer := frame{typ: frameReply, kind: f.kind, id: f.id}
					p, err := (*h)(c.peer, f.payload)
					if err == nil && len(p) > MaxPayload {
						err = errFrame
					}
					if err != nil {
						answer.typ, p = frameError, []byte(err.Error())
					}
					answer.payload = p
					reply(out, done, answer)
				})
				if !ok {
					return
				}
			}
		default: // answers belong to the other direction
			b.drop(DropFrame)
			return
		}
	}
}

// reply queues a frame unless the connection has ended. A full queue holds up the
// reader, and so the caller that does not read its answers.
func reply(out chan<- frame, done <-chan struct{}, f frame) {
	select {
	case out <- f:
	case <-done:
	}
}

// writeFrames writes queued frames, several at a time, until done; with ping > 0 it
// sends a ping whenever nothing else was sent for so long.
func (b *Bus) writeFrames(c net.Conn, out <-chan frame, done <-chan struct{}, ping time.Duration) {
	var tick <-chan time.Time
	if ping > 0 {
		t := time.NewTicker(ping)
		defer t.Stop()
		tick = t.C
	}
	var buf []byte
	wrote := false
	for {
		buf = buf[:0]
		select {
		case <-done:
			return
		case f := <-out:
			buf = appendFrame(buf, f)
		case <-tick:
			if wrote {
				wrote = false
				continue
			}
			buf = appendFrame(buf, frame{typ: framePing})
		}
	more:
		for len(buf) < flushBytes {
			select {
			case f := <-out:
				buf = appendFrame(buf, f)
			default:
				break more
			}
		}
		c.SetWriteDeadline(time.Now().Add(writeTimeout))
		if _, err := c.Write(buf); err != nil {
			c.Close() // the reader notices
			return
		}
		wrote = true
		if cap(buf) > 4*flushBytes {
			buf = nil
		}
	}
}
