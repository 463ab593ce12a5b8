package listpack

// Needle is an element that many entries are compared with.
type Needle struct {
	elem    []byte
	num     int64
	numeric bool
}

// NewNeedle returns the needle of elem, which it keeps.
func NewNeedle(elem []byte) Needle {
	n := Needle{elem: elem}
	n.num, n.numeric = parseInt(elem)
	return n
}

// Is reports whether the needle is the value that Value has returned.
func (n *Needle) Is(str []byte, v int64, isInt bool) bool {
	if isInt {
		return n.numeric && v == n.num
	}
	return len(str) == len(n.elem) && equal(str, n.elem)
}

// DeleteEqual takes entries out that are the needle, in place: the first skipped ones
// stay, and at most limit go. It returns how many went, and needs no more than one
// pass however many those are.
func DeleteEqual(lp []byte, n *Needle, skipped, limit int) (gone int) {
	total := Bytes(lp)
	read, write := headerBytes, headerBytes // entries from keep to read are still to be moved to write
	keep := read
	for lp[read] != end && gone < limit {
		next := skip(lp, read)
		if n.Is(Value(lp, read)) {
			if skipped > 0 {
				skipped--
			} else {
				write += copy(lp[write:], lp[keep:read])
				keep = next
				gone++
			}
		}
		read = next
	}
	if gone > 0 {
		write += copy(lp[write:], lp[keep:total])
		setHeader(lp, write, -gone)
	}
	return gone
}

// CountEqual returns how many entries are the needle.
func CountEqual(lp []byte, n *Needle) (found int) {
	for off := headerBytes; lp[off] != end; off = skip(lp, off) {
		if n.Is(Value(lp, off)) {
			found++
		}
	}
	return found
}
