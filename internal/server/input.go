package server

import "github.com/redwingdb/redwing/internal/engine/bulk"

// Sizes of the read buffer.
const (
	firstRead = 4 << 10 // of a new connection
	usualRead = 16 << 10
	// keepRead is the largest buffer kept once it is empty.
	keepRead = 64 << 10
	// blockedRead bounds what is read ahead while the session waits.
	blockedRead = 64 << 10
)

// input is the read buffer: buf[r:w] are bytes that no command has used up. The bytes
// of a command that waits stay where they are: only space moves them, and not then.
type input struct {
	buf  []byte
	r, w int
}

// space returns room behind the unread bytes, need being the length that the present
// request is known to reach (0: unknown). pinned: the bytes must not be moved, since
// arguments in use alias them.
func (in *input) space(need int, pinned bool) []byte {
	if in.r == in.w && !pinned {
		in.r, in.w = 0, 0
		if cap(in.buf) > keepRead {
			in.buf = nil
		}
	}
	free := len(in.buf) - in.w
	unread := in.w - in.r
	if free >= 1024 && free >= min(need-unread, usualRead) {
		return in.buf[in.w:]
	}
	// Move to the front if that frees half the buffer, else double: each byte is moved
	// a bounded number of times however it arrives.
	if !pinned && unread <= len(in.buf)/2 && len(in.buf)-unread >= 1024 {
		in.w = bulk.Copy(in.buf, in.buf[in.r:in.w])
		in.r = 0
		if len(in.buf)-in.w >= min(need-unread, usualRead) {
			return in.buf[in.w:]
		}
	}
	size := max(firstRead, 2*unread)
	if need > 0 {
		// A length is announced: make room as the bytes really come, and not past it,
		// unless it is the least of many arguments.
		size = max(min(need+firstRead, max(usualRead, 4*unread)), unread+unread/4)
	}
	if in.w == len(in.buf) && size < usualRead && in.buf != nil {
		size = usualRead // a full read: the client pipelines
	}
	grown := make([]byte, size)
	in.w = bulk.Copy(grown, in.buf[in.r:in.w])
	in.r = 0
	in.buf = grown
	return in.buf[in.w:]
}
