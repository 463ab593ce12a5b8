package listpack

import "encoding/binary"

// A listpack that lies in a buffer with free bytes before it can get and lose its first
// entries without moving the others: its header moves instead.
//
//	buffer | free | header | first | second ... | 0xFF | free |
//	       | free ........ | header | second ... | 0xFF | free |

// PushFront puts elem before the first entry of the listpack at buf[start:], which has at
// least EntryBytes(elem) free bytes before it, and returns where the listpack starts now.
// elem must not lie in buf.
func PushFront(buf []byte, start int, elem []byte) int {
	total := Bytes(buf[start:])
	n := binary.LittleEndian.Uint16(buf[start+4:])
	first := start + headerBytes
	to := start - EntryBytes(elem)
	AppendEntry(buf[to+headerBytes:to+headerBytes:first], elem)
	binary.LittleEndian.PutUint16(buf[to+4:], n)
	setHeader(buf[to:], total+start-to, 1)
	return to
}

// PopFront takes the first entry of the listpack at buf[start:] out and returns where the
// listpack starts now.
func PopFront(buf []byte, start int) int {
	lp := buf[start:]
	total, n := Bytes(lp), binary.LittleEndian.Uint16(lp[4:])
	gone := skip(lp, headerBytes) - headerBytes
	lp = lp[gone:]
	binary.LittleEndian.PutUint16(lp[4:], n)
	setHeader(lp, total-gone, -1)
	return start + gone
}

// Rotate makes the last entry the first, or with front the first one the last. scratch, if
// long enough for the entry, saves an allocation.
func Rotate(lp []byte, front bool, scratch []byte) {
	last := End(lp)
	from := headerBytes
	if !front {
		from = Prev(lp, last)
	}
	to := skip(lp, from)
	entry := append(scratch[:0], lp[from:to]...)
	if front {
		copy(lp[headerBytes:], lp[to:last])
		copy(lp[last-len(entry):], entry)
	} else {
		copy(lp[headerBytes+len(entry):], lp[headerBytes:from])
		copy(lp[headerBytes:], entry)
	}
}
