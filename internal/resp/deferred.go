package resp

import "strconv"

// Deferred is the place of a header whose number becomes known only behind the replies
// that it counts.
type Deferred struct{ at, width int }

// Defer leaves room for the header of an aggregate of about likely replies.
func (w *Writer) Defer(likely int) Deferred {
	d := Deferred{at: len(w.Buf)}
	w.header('*', likely)
	d.width = len(w.Buf) - d.at
	return d
}

// SetArray makes the header that of an array of n replies. It costs more where n has not
// as many digits as was likely: what lies behind moves.
func (w *Writer) SetArray(d Deferred, n int) { w.resolve(d, '*', n) }

// SetMap makes the header that of a map of n pairs, in RESP2 an array of n replies, which
// the caller makes pairs of.
func (w *Writer) SetMap(d Deferred, n int) {
	if w.RESP3 {
		w.resolve(d, '%', n)
		return
	}
	w.resolve(d, '*', n)
}

func (w *Writer) resolve(d Deferred, kind byte, n int) {
	var room [24]byte
	head := append(room[:0], kind)
	head = strconv.AppendInt(head, int64(n), 10)
	head = append(head, '\r', '\n')
	if more := len(head) - d.width; more != 0 {
		w.shift(d.at+d.width, more)
	}
	copy(w.Buf[d.at:], head)
}

// shift moves what lies from off on by some bytes, in pieces: see longPiece.
func (w *Writer) shift(off, by int) {
	n := len(w.Buf) - off
	if by < 0 {
		for done := 0; done < n; done += longPiece {
			end := min(n, done+longPiece)
			movePiece(w.Buf[off+by+done:], w.Buf[off+done:off+end])
		}
		w.Buf = w.Buf[:len(w.Buf)+by]
		return
	}
	for range by {
		w.Buf = append(w.Buf, 0)
	}
	for end := n; end > 0; end -= longPiece {
		start := max(0, end-longPiece)
		movePiece(w.Buf[off+by+start:], w.Buf[off+start:off+end])
	}
}

//go:noinline
func movePiece(dst, src []byte) { copy(dst, src) }
