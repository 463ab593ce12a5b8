package consensus

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/redwingdb/redwing/internal/bus"
	"github.com/redwingdb/redwing/internal/topology"
)

// The View stream (docs/format/bus.md). The subscriber sends its index once; then only
// the source speaks, at least every keepAlive:
//
//	len:4 type:1 body:len-1
//	'V' View                           the whole
//	'D' prev:8 index:8 entry           apply entry to the View of index prev
//	'K' index:8 live:1 leader          nothing new; live: the source is in touch with a leader
const (
	streamView  = 'V'
	streamDelta = 'D'
	streamKeep  = 'K'
)

// streamQueue bounds changes waiting for one subscriber; past it the whole is sent.
const streamQueue = 64

// viewChange is a published View and, if it follows from the one before, its entry.
type viewChange struct {
	view  *topology.View
	prev  uint64
	entry []byte
}

// outStream is one subscriber of this node's View stream.
type outStream struct {
	ch chan viewChange
}

// offer never blocks; a change that finds no room makes the next delta not fit, and the
// source then sends the whole.
func (s *outStream) offer(ch viewChange) {
	select {
	case s.ch <- ch:
	default:
	}
}

var errStream = errors.New("consensus: malformed view stream")

// live reports whether this node's own raft is in touch with a leader, or leads.
func (c *Consensus) live() bool {
	m := c.member()
	if m == nil {
		return false
	}
	_, id := m.raft.LeaderWithID()
	return id != ""
}

// serveStream sends the Views to one subscriber.
func (c *Consensus) serveStream(conn net.Conn, _ bus.Peer) {
	defer conn.Close()
	conn.SetReadDeadline(time.Now().Add(time.Second))
	var have [8]byte
	if _, err := io.ReadFull(conn, have[:]); err != nil {
		return
	}
	at := binary.BigEndian.Uint64(have[:])
	s := &outStream{ch: make(chan viewChange, streamQueue)}
	c.pub.mu.Lock()
	if c.pub.mu.closed || !c.live() {
		c.pub.mu.Unlock()
		return
	}
	c.pub.mu.streams[s] = struct{}{}
	v := c.view.Load()
	c.pub.mu.Unlock()
	defer func() {
		c.pub.mu.Lock()
		delete(c.pub.mu.streams, s)
		c.pub.mu.Unlock()
	}()
	// Whoever is ahead of us by another source keeps what it has.
	send := func(b []byte) bool {
		conn.SetWriteDeadline(time.Now().Add(time.Second))
		_, err := conn.Write(b)
		return err == nil
	}
	buf := c.appendKeep(nil)
	if v.Index > at {
		buf = appendView(buf, v)
		at = v.Index
	}
	tick := time.NewTicker(keepAlive)
	defer tick.Stop()
	for {
		if !send(buf) {
			return
		}
		buf = buf[:0]
		select {
		case <-c.ctx.Done():
			return
		case <-tick.C:
			if cur := c.View(); cur.Index > at && len(s.ch) == 0 {
				buf, at = appendView(buf, cur), cur.Index // an offer found no room
			}
			buf = c.appendKeep(buf)
		case ch := <-s.ch:
			switch {
			case ch.view.Index <= at:
			case ch.entry != nil && ch.prev == at:
				buf = appendDelta(buf, ch)
				at = ch.view.Index
			default:
				buf, at = appendView(buf, ch.view), ch.view.Index
			}
		}
	}
}

func appendHead(b []byte, typ byte, n int) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(1+n))
	return append(b, typ)
}

func appendView(b []byte, v *topology.View) []byte {
	data := topology.EncodeView(v)
	return append(appendHead(b, streamView, len(data)), data...)
}

func appendDelta(b []byte, ch viewChange) []byte {
	b = appendHead(b, streamDelta, 16+len(ch.entry))
	b = binary.BigEndian.AppendUint64(b, ch.prev)
	b = binary.BigEndian.AppendUint64(b, ch.view.Index)
	return append(b, ch.entry...)
}

func (c *Consensus) appendKeep(b []byte) []byte {
	leader := c.Leader()
	b = appendHead(b, streamKeep, 9+len(leader))
	b = binary.BigEndian.AppendUint64(b, c.View().Index)
	live := byte(0)
	if c.live() {
		live = 1
	}
	return append(append(b, live), leader...)
}

// streamMessage is one message of a View stream, parsed.
type streamMessage struct {
	typ         byte
	view        *topology.View
	prev, index uint64
	entry       topology.Entry
	raw         []byte
	live        bool
	leader      topology.NodeID
}

func readStream(r *bufio.Reader) (m streamMessage, err error) {
	var h [5]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return m, err
	}
	n := binary.BigEndian.Uint32(h[:])
	if n < 1 || n > maxViewBytes {
		return m, fmt.Errorf("%w: length %d", errStream, n)
	}
	// CopyN grows with what arrives, so a lying length costs its sender the bytes.
	body, err := io.ReadAll(io.LimitReader(r, int64(n)-1))
	if err != nil {
		return m, err
	}
	if len(body) != int(n)-1 {
		return m, io.ErrUnexpectedEOF
	}
	return parseStream(h[4], body)
}

func parseStream(typ byte, body []byte) (m streamMessage, err error) {
	m.typ = typ
	switch typ {
	case streamView:
		m.view, err = topology.DecodeView(body)
		return m, err
	case streamDelta:
		if len(body) < 16 {
			return m, errStream
		}
		m.prev, m.index, m.raw = binary.BigEndian.Uint64(body), binary.BigEndian.Uint64(body[8:]), body[16:]
		m.entry, err = topology.DecodeEntry(m.raw)
		return m, err
	case streamKeep:
		if len(body) < 9 || len(body) > 9+64 {
			return m, errStream
		}
		m.index, m.live, m.leader = binary.BigEndian.Uint64(body), body[8] == 1, topology.NodeID(body[9:])
		return m, nil
	}
	return m, fmt.Errorf("%w: type %d", errStream, typ)
}
