package server

import (
	"github.com/redwingdb/redwing/internal/engine/bulk"
	"github.com/redwingdb/redwing/internal/resp"
	"github.com/redwingdb/redwing/internal/topology"
)

// Bounds of output that waits.
const (
	// withheldMax and withheldBytes bound the replies that wait to become durable; at
	// either the session runs no further command.
	withheldMax   = 1024
	withheldBytes = 1 << 20
	// flushBytes of unsent replies are sent before more commands run.
	flushBytes = 64 << 10
	// keepOut is the largest output buffer kept by an idle session, in bytes.
	keepOut = 64 << 10
)

// output is the FIFO of replies and of what they wait for. The prefix that waits for
// nothing any more may be sent; order is never changed.
//
//	Buf  [ sent | may be sent | withheld reply, others behind it | withheld reply ... ]
//	                          mark.start      mark.end
type output struct {
	w     resp.Writer
	sent  int
	marks []mark // ascending
}

// mark says what the reply from start to end, and with it all behind it, waits for.
type mark struct {
	start, end int
	durable    int64 // the log must be durable up to here; 0: it need not
	confirm    int64 // the in-sync copies must have confirmed up to here; 0: they need not
	// Of a mark with confirm: whose word counts, how long it is waited for (clock.Mono),
	// and what ran.
	shard    topology.ShardID
	term     uint64
	deadline int64
	ran      ran
}

// withhold makes what was written from m.start on wait for m.
func (o *output) withhold(m mark) bool {
	m.end = len(o.w.Buf)
	if m.start < m.end {
		o.marks = append(o.marks, m)
		return true
	}
	return false
}

// settle takes the marks off from the front that judge has decided about: done, with the
// reply as it stands, or with an error in its place (one without text: with nothing).
func (o *output) settle(judge func(m *mark) (done bool, instead *resp.Error)) {
	n, changed := 0, false
	var buf []byte // what the output becomes, as far as copied: up to `from` of the old one
	from := 0
	for ; n < len(o.marks); n++ {
		m := &o.marks[n]
		done, instead := judge(m)
		if !done {
			break
		}
		if instead == nil {
			continue
		}
		if !changed {
			changed = true
			buf = make([]byte, 0, cap(o.w.Buf))
		}
		buf = bulk.Append(buf, o.w.Buf[from:m.start])
		if instead != errNothing {
			w := resp.Writer{Buf: buf, RESP3: o.w.RESP3}
			w.Error(instead)
			buf = w.Buf
		}
		from = m.end
	}
	if n > 0 {
		o.marks = append(o.marks[:0], o.marks[n:]...)
	}
	if changed {
		shift := len(buf) - from
		o.w.Buf = bulk.Append(buf, o.w.Buf[from:])
		for i := range o.marks {
			o.marks[i].start += shift
			o.marks[i].end += shift
		}
	}
}

// sendable returns the bytes before the first mark.
func (o *output) sendable() []byte {
	if len(o.marks) > 0 {
		return o.w.Buf[o.sent:o.marks[0].start]
	}
	return o.w.Buf[o.sent:]
}

// advance notes that n bytes of what sendable returned are gone.
func (o *output) advance(n int) {
	o.sent += n
	if o.sent == len(o.w.Buf) {
		o.sent = 0
		if cap(o.w.Buf) > keepOut {
			o.w.Buf = nil
		}
		o.w.Buf = o.w.Buf[:0]
		return
	}
	// Keep a long tail from dragging what is gone along with it.
	if o.sent > keepOut && o.sent > len(o.w.Buf)/2 {
		n := bulk.Copy(o.w.Buf, o.w.Buf[o.sent:])
		o.w.Buf = o.w.Buf[:n]
		for i := range o.marks {
			o.marks[i].start -= o.sent
			o.marks[i].end -= o.sent
		}
		o.sent = 0
	}
}

// drop takes back what was written from start on.
func (o *output) drop(start int) {
	o.w.Buf = o.w.Buf[:start]
	for n := len(o.marks); n > 0 && o.marks[n-1].start >= start; n-- {
		o.marks = o.marks[:n-1]
	}
}

// pending returns the number of bytes not sent yet.
func (o *output) pending() int { return len(o.w.Buf) - o.sent }

// full reports whether so much is withheld that no command may run.
func (o *output) full() bool {
	return len(o.marks) >= withheldMax ||
		len(o.marks) > 0 && len(o.w.Buf)-o.marks[0].start >= withheldBytes
}
