package stream

import (
	"cmp"
	"encoding/binary"
	"math"
	"strconv"
)

// ID is the id of an entry: Unix milliseconds and a number within them.
type ID struct{ Ms, Seq uint64 }

// MaxID is the greatest id.
var MaxID = ID{math.MaxUint64, math.MaxUint64}

// Compare returns -1, 0 or 1.
func (x ID) Compare(y ID) int {
	if x.Ms != y.Ms {
		return cmp.Compare(x.Ms, y.Ms)
	}
	return cmp.Compare(x.Seq, y.Seq)
}

// Less reports whether x comes before y.
func (x ID) Less(y ID) bool { return x.Ms < y.Ms || x.Ms == y.Ms && x.Seq < y.Seq }

// IsZero reports whether x is 0-0, which no entry has.
func (x ID) IsZero() bool { return x == ID{} }

// Next returns the id behind x, and false if x is the greatest.
func (x ID) Next() (ID, bool) {
	if x.Seq++; x.Seq == 0 {
		x.Ms++
		return x, x.Ms != 0
	}
	return x, true
}

// Prev returns the id before x, and false if x is 0-0.
func (x ID) Prev() (ID, bool) {
	if x.Seq == 0 {
		return ID{x.Ms - 1, math.MaxUint64}, x.Ms != 0
	}
	return ID{x.Ms, x.Seq - 1}, true
}

// IDText is the length of the longest formatted id.
const IDText = 20 + 1 + 20

// Append appends "ms-seq" to dst.
func (x ID) Append(dst []byte) []byte {
	dst = strconv.AppendUint(dst, x.Ms, 10)
	dst = append(dst, '-')
	return strconv.AppendUint(dst, x.Seq, 10)
}

// String returns "ms-seq".
func (x ID) String() string { return string(x.Append(nil)) }

// Bytes returns the id as 16 bytes that sort as ids do: the keys of nodes and pending
// entries in RDB files.
func (x ID) Bytes() (b [16]byte) {
	binary.BigEndian.PutUint64(b[:], x.Ms)
	binary.BigEndian.PutUint64(b[8:], x.Seq)
	return b
}

// IDFromBytes is the inverse of Bytes; b has at least 16 bytes.
func IDFromBytes(b []byte) ID {
	return ID{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])}
}
