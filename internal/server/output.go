package server

import (
	"github.com/redwingdb/redwing/internal/engine/bulk"
	"github.com/redwingdb/redwing/internal/resp"
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

// output is the FIFO of replies and the log offsets they wait for. The prefix whose
// offsets are durable may be sent; order is never changed.
//
//	Buf  [ sent | may be sent | withheld: mark, mark, ... ]
type output struct {
	w     resp.Writer
	sent  int
	marks []mark // ascending start
}

// mark says that the bytes from start on wait until the log is durable up to offset.
type mark struct {
	start  int
	offset int64
}

// withhold makes what was written from start on wait for offset.
func (o *output) withhold(start int, offset int64) {
	if start < len(o.w.Buf) {
		o.marks = append(o.marks, mark{start, offset})
	}
}

// sendable returns the bytes that may be sent now that the log is durable up to durable.
func (o *output) sendable(durable int64) []byte {
	done := 0
	for done < len(o.marks) && o.marks[done].offset <= durable {
		done++
	}
	if done > 0 {
		o.marks = append(o.marks[:0], o.marks[done:]...)
	}
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
