package transfer

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of what is under way to one node.
const (
	sendMost    = 4 << 20 // bytes not sent yet
	pendingMost = 8192    // requests without an answer
)

// owner is a connection to a node that owns slots: one goroutine sends what was put, one
// reads the answers. What a primary has done its replicas may not have yet, and if it dies
// then it is lost. So the keys of answered requests are kept until WAIT, sent behind them,
// says that a replica has them; if the connection ends before, they count as not written.
type owner struct {
	t  *Target
	c  *Conn
	id clientID
	// replicated: the node has replicas.
	replicated bool
	// doubtful is set when the node has answered that it does not serve: the connection is
	// made anew before it is used again, since others are then asked for as well.
	doubtful atomic.Bool
	running  sync.WaitGroup
	done     chan struct{} // it has ended, and all that it leaves undone is told

	mu struct {
		sync.Mutex
		room  sync.Cond // there is room again, or it has ended
		work  sync.Cond // there is something to send, or it has ended
		out   []byte
		queue []*request // put and not answered, oldest first
		alone int        // requests since the last WAIT
		every int        // after how many the next one comes
		// unsafe are answered requests that no WAIT has confirmed, oldest first.
		unsafe    []*request
		forgotten bool // there were too many of them
		ended     error
	}
	waits sync.Cond // for the reader: queue is not empty, or it has ended
}

// Bounds of what replicas may not have yet.
const (
	waitEvery     = 1024 // requests; twice as many after each WAIT that no replica has met
	waitEveryMost = 64 << 10
	// waitMillis is how long the node waits for a replica before it goes on.
	waitMillis = "200"
	// unsafeMost is how many requests are kept. If replicas follow as badly as that, the
	// death of the node ends the copying.
	unsafeMost = 1 << 20
)

// request is a request on its way.
type request struct {
	s    *Sender // nil: the owner's own WAIT
	keys [][]byte
	// answered: the node has carried it out.
	answered bool
	done     chan answer // where the answer goes if somebody waits for it
}

type answer struct {
	reply Reply
	err   error
}

func newOwner(t *Target, c *Conn, id clientID, replicated bool) *owner {
	o := &owner{t: t, c: c, id: id, replicated: replicated, done: make(chan struct{})}
	o.mu.every = waitEvery
	o.mu.room.L, o.mu.work.L, o.waits.L = &o.mu, &o.mu, &o.mu
	o.running.Add(1) // close, which comes once
	o.running.Go(o.write)
	o.running.Go(o.read)
	go func() {
		o.running.Wait()
		close(o.done)
	}()
	return o
}

func (o *owner) closed() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.mu.ended != nil
}

// put hands a request over; false if the connection has ended before.
func (o *owner) put(s *Sender, op Op, done chan answer) bool {
	r := &request{s: s, done: done, keys: make([][]byte, len(op.Keys))}
	for i, k := range op.Keys {
		r.keys[i] = bytes.Clone(k)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.mu.ended == nil && (len(o.mu.out) > sendMost || len(o.mu.queue) >= pendingMost) {
		o.mu.room.Wait()
	}
	if o.mu.ended != nil {
		return false
	}
	o.mu.out = appendOp(o.mu.out, op)
	o.mu.queue = append(o.mu.queue, r)
	if o.mu.alone++; o.replicated && o.mu.alone >= o.mu.every {
		o.waitLocked(nil)
	}
	o.mu.work.Signal()
	o.waits.Signal()
	return true
}

// waitLocked puts a WAIT behind what was put; the answer goes to done as well, if that is
// not nil. REQUIRES: o.mu held.
func (o *owner) waitLocked(done chan answer) {
	o.mu.alone = 0
	o.mu.out = appendOp(o.mu.out, Op{Args: [][]byte{word("WAIT"), word("1"), word(waitMillis)}})
	o.mu.queue = append(o.mu.queue, &request{done: done})
}

// confirm waits until a replica has all that the node has answered, until deadline at least
// once; ok is false if none has. An owner that ends meanwhile has nothing to confirm: what is
// not safe has failed.
func (o *owner) confirm(deadline time.Time) (ok bool) {
	for {
		done := make(chan answer, 1)
		o.mu.Lock()
		switch {
		case o.mu.ended != nil:
			o.mu.Unlock()
			<-o.done
			return true
		case len(o.mu.unsafe) == 0 && !o.mu.forgotten:
			o.mu.Unlock()
			return true
		}
		o.waitLocked(done)
		o.mu.work.Signal()
		o.waits.Signal()
		o.mu.Unlock()
		switch a := <-done; {
		case a.reply.Int > 0: // what others have sent since is theirs to confirm
			return true
		case a.reply.Kind == ':' && time.Now().After(deadline):
			return false
		}
	}
}

// close ends the connection; what is not answered fails with why.
func (o *owner) close(why error) {
	o.mu.Lock()
	if o.mu.ended != nil {
		o.mu.Unlock()
		return
	}
	o.mu.ended = why
	forgotten := o.mu.forgotten
	left := append(o.mu.unsafe, o.mu.queue...)
	o.mu.unsafe, o.mu.queue, o.mu.out = nil, nil, nil
	o.mu.room.Broadcast()
	o.mu.work.Broadcast()
	o.waits.Broadcast()
	o.mu.Unlock()
	o.c.Close()
	if forgotten {
		o.t.fail(fmt.Errorf("%s: %w: its replicas have not followed, and what it has taken may be lost with it", o.c.Addr(), why))
	}
	defer o.running.Done()
	for _, r := range left {
		switch {
		case r.s == nil && r.done == nil:
		case r.s == nil:
			r.done <- answer{err: why}
		case r.answered:
			r.s.Failed(r.keys, why)
		default:
			r.s.answered(r, Reply{}, why)
		}
	}
}

// write sends what was put.
func (o *owner) write() {
	var buf []byte
	for {
		o.mu.Lock()
		for o.mu.ended == nil && len(o.mu.out) == 0 {
			o.mu.work.Wait()
		}
		if o.mu.ended != nil {
			o.mu.Unlock()
			return
		}
		buf, o.mu.out = o.mu.out, buf[:0]
		o.mu.room.Broadcast()
		o.mu.Unlock()
		if err := o.c.write(buf); err != nil {
			o.close(err)
			return
		}
		if cap(buf) > 2*sendMost {
			buf = nil // a large value is behind us
		}
	}
}

// read takes the answers.
func (o *owner) read() {
	for {
		o.mu.Lock()
		for o.mu.ended == nil && len(o.mu.queue) == 0 {
			o.waits.Wait()
		}
		ended := o.mu.ended != nil
		o.mu.Unlock()
		if ended {
			return
		}
		reply, err := o.c.Reply()
		if err != nil {
			o.close(err)
			return
		}
		o.mu.Lock()
		if o.mu.ended != nil {
			o.mu.Unlock()
			return // the request has failed already
		}
		r := o.mu.queue[0]
		o.mu.queue[0] = nil
		if o.mu.queue = o.mu.queue[1:]; len(o.mu.queue) == pendingMost-1 {
			o.mu.room.Broadcast()
		}
		o.keepLocked(r, reply)
		o.mu.Unlock()
		if r.s == nil {
			if r.done != nil {
				r.done <- answer{reply: reply}
			}
			if reply.Kind == '-' { // it is no primary any more
				o.close(o.t.judge(o, reply.Text))
				return
			}
			continue
		}
		if reply.Kind == '-' {
			r.s.answered(r, reply, o.t.judge(o, reply.Text))
		} else {
			r.s.answered(r, reply, nil)
		}
	}
}

// keepLocked keeps a request that was carried out until a replica has it; an answer to WAIT
// says that. REQUIRES: o.mu held.
func (o *owner) keepLocked(r *request, reply Reply) {
	switch {
	case !o.replicated:
	case r.s == nil && reply.Int >= 1:
		clear(o.mu.unsafe)
		o.mu.unsafe, o.mu.every, o.mu.forgotten = o.mu.unsafe[:0], waitEvery, false
	case r.s == nil:
		o.mu.every = min(2*o.mu.every, waitEveryMost)
	case reply.Kind != '-' && r.done == nil && !o.mu.forgotten:
		r.answered = true
		if o.mu.unsafe = append(o.mu.unsafe, r); len(o.mu.unsafe) >= unsafeMost {
			o.mu.unsafe, o.mu.forgotten = nil, true
		}
	}
}

// clientID is a connection as the node knows it.
type clientID struct{ id, addr string }

// identify asks a node for the id of a connection.
func identify(c *Conn) (clientID, error) {
	r, err := c.Do("CLIENT", "INFO")
	if err != nil {
		return clientID{}, err
	}
	var id clientID
	for _, word := range strings.Fields(r.String()) {
		if v, ok := strings.CutPrefix(word, "id="); ok {
			id.id = v
		} else if v, ok := strings.CutPrefix(word, "addr="); ok {
			id.addr = v
		}
	}
	if _, err := strconv.ParseInt(id.id, 10, 64); err != nil || id.addr == "" {
		return id, errors.New(c.Addr() + ": CLIENT INFO has no id")
	}
	return id, nil
}

// kill has the node of c carry out nothing more of an earlier connection: what was sent on
// it may stand in its buffers still, and must not come behind what is sent from now on. A
// node that has started anew since may have given the id to somebody else, but not with the
// same address.
func (id clientID) kill(c *Conn) error {
	_, err := c.Do("CLIENT", "KILL", "ID", id.id, "ADDR", id.addr)
	return err
}
