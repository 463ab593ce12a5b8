package resp

import (
	"slices"
	"strconv"

	"github.com/tidwall/redcon"

	"github.com/redwingdb/redwing/internal/double"
)

// Writer appends replies to Buf in RESP2 or RESP3. The caller owns Buf and takes
// it between commands; Writer keeps no other state, so what a reply costs is what
// its bytes cost. The zero value writes RESP2.
type Writer struct {
	Buf   []byte
	RESP3 bool
}

// Simple appends a simple string; s must hold no line break.
func (w *Writer) Simple(s string) { w.Buf = redcon.AppendString(w.Buf, s) }

// OK appends +OK.
func (w *Writer) OK() { w.Buf = append(w.Buf, "+OK\r\n"...) }

// Error appends an error reply.
func (w *Writer) Error(e *Error) {
	w.Buf = append(w.Buf, '-')
	w.Buf = append(w.Buf, e.text...)
	w.Buf = append(w.Buf, '\r', '\n')
}

// Int appends an integer.
func (w *Writer) Int(v int64) { w.Buf = redcon.AppendInt(w.Buf, v) }

// longPiece is the most that is copied at once: a memmove cannot be preempted, and one of
// 512 MB stops the whole process when the collector wants it.
const longPiece = 64 << 10

// Bulk appends a bulk string; b is copied.
func (w *Writer) Bulk(b []byte) {
	w.reserve(len(b) + bulkExtra)
	if n := byte(len(b)); len(b) < 100 {
		// Most are short, and replies of many elements cost little else.
		buf := w.Buf
		if n < 10 {
			buf = append(buf, '$', '0'+n, '\r', '\n')
		} else {
			buf = append(buf, '$', '0'+n/10, '0'+n%10, '\r', '\n')
		}
		w.Buf = append(append(buf, b...), '\r', '\n')
		return
	}
	if len(b) <= longPiece {
		w.Buf = redcon.AppendBulk(w.Buf, b)
		return
	}
	w.header('$', len(b))
	w.appendPieces(b)
	w.Buf = append(w.Buf, '\r', '\n')
}

// bulkExtra is more than what surrounds a bulk string.
const bulkExtra = 32

// reserve makes room for n bytes.
func (w *Writer) reserve(n int) {
	if cap(w.Buf)-len(w.Buf) < n {
		w.grow(n)
	}
}

// grow is reserve where there is no room. A long buffer becomes twice as long. It is made
// and copied in a way that can be preempted, which append's is not.
func (w *Writer) grow(n int) {
	old := w.Buf
	if len(old)+n <= longPiece {
		w.Buf = slices.Grow(old, n)
		return
	}
	w.Buf = make([]byte, 0, len(old)+max(n, len(old)))
	w.appendPieces(old)
}

// appendPieces appends b. REQUIRES: there is room.
func (w *Writer) appendPieces(b []byte) {
	for len(b) > 0 {
		n := min(len(b), longPiece)
		w.Buf = appendPiece(w.Buf, b[:n])
		b = b[n:]
	}
}

// appendPiece is a call of its own so that the goroutine can be preempted between two.
//
//go:noinline
func appendPiece(dst, src []byte) []byte { return append(dst, src...) }

// BulkString appends s as a bulk string.
func (w *Writer) BulkString(s string) { w.Buf = redcon.AppendBulkString(w.Buf, s) }

// BulkInt appends v as a bulk string of its decimal digits.
func (w *Writer) BulkInt(v int64) {
	var digits [20]byte
	w.Bulk(strconv.AppendInt(digits[:0], v, 10))
}

// Null appends the null of the protocol in use ($-1 in RESP2).
func (w *Writer) Null() {
	if w.RESP3 {
		w.Buf = append(w.Buf, "_\r\n"...)
		return
	}
	w.Buf = append(w.Buf, "$-1\r\n"...)
}

// NullArray appends the null that stands for an absent array (*-1 in RESP2).
func (w *Writer) NullArray() {
	if w.RESP3 {
		w.Buf = append(w.Buf, "_\r\n"...)
		return
	}
	w.Buf = append(w.Buf, "*-1\r\n"...)
}

// Array appends the header of an array of n replies.
func (w *Writer) Array(n int) { w.Buf = redcon.AppendArray(w.Buf, n) }

// Map appends the header of a map of n pairs; in RESP2 an array of 2n.
func (w *Writer) Map(n int) {
	if w.RESP3 {
		w.header('%', n)
		return
	}
	w.Array(2 * n)
}

// Set appends the header of a set of n replies; in RESP2 an array.
func (w *Writer) Set(n int) {
	if w.RESP3 {
		w.header('~', n)
		return
	}
	w.Array(n)
}

// Push appends the header of an out-of-band push of n replies; in RESP2 an array.
func (w *Writer) Push(n int) {
	if w.RESP3 {
		w.header('>', n)
		return
	}
	w.Array(n)
}

// Bool appends a boolean; in RESP2 the integer 1 or 0.
func (w *Writer) Bool(v bool) {
	switch {
	case w.RESP3 && v:
		w.Buf = append(w.Buf, "#t\r\n"...)
	case w.RESP3:
		w.Buf = append(w.Buf, "#f\r\n"...)
	case v:
		w.Int(1)
	default:
		w.Int(0)
	}
}

// Double appends a double, in RESP2 as a bulk string, printed as by double.Append.
func (w *Writer) Double(v float64) {
	var text [double.MaxBytes]byte
	b := double.Append(text[:0], v)
	if !w.RESP3 {
		w.Bulk(b)
		return
	}
	w.Buf = append(w.Buf, ',')
	w.Buf = append(w.Buf, b...)
	w.Buf = append(w.Buf, '\r', '\n')
}

// Verbatim appends text of a three-letter format ("txt", "mkd"); in RESP2 a bulk string.
func (w *Writer) Verbatim(format, text string) {
	if !w.RESP3 {
		w.BulkString(text)
		return
	}
	w.header('=', len(text)+4)
	w.Buf = append(w.Buf, format...)
	w.Buf = append(w.Buf, ':')
	w.Buf = append(w.Buf, text...)
	w.Buf = append(w.Buf, '\r', '\n')
}

func (w *Writer) header(kind byte, n int) {
	w.Buf = append(w.Buf, kind)
	w.Buf = strconv.AppendInt(w.Buf, int64(n), 10)
	w.Buf = append(w.Buf, '\r', '\n')
}

// AppendCommand appends a request: an array of bulk strings. It is how effects
// and requests to other nodes are written.
func AppendCommand(dst []byte, args ...[]byte) []byte {
	dst = redcon.AppendArray(dst, len(args))
	for _, a := range args {
		dst = redcon.AppendBulk(dst, a)
	}
	return dst
}
