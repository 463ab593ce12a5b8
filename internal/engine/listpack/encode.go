package listpack

import (
	"encoding/binary"

	"github.com/redwingdb/redwing/internal/engine/bulk"
)

// Append appends elem to the listpack lp, the whole of a Go slice, which grows. The
// canonical decimal form of an int64 is kept as an integer.
func Append(lp, elem []byte) []byte {
	return closed(AppendEntry(lp[:len(lp)-1], elem))
}

// AppendInt is Append of an integer.
func AppendInt(lp []byte, v int64) []byte {
	return closed(AppendIntEntry(lp[:len(lp)-1], v))
}

func closed(lp []byte) []byte {
	lp = append(lp, end)
	setHeader(lp, len(lp), 1)
	return lp
}

// setHeader writes a new length in bytes and changes the count by delta. Once it is
// unknown it stays so, as in Redis.
func setHeader(lp []byte, total, delta int) {
	binary.LittleEndian.PutUint32(lp, uint32(total))
	if n := count(lp); n != unknown {
		binary.LittleEndian.PutUint16(lp[4:], uint16(min(n+delta, unknown)))
	}
}

// AppendEntry appends the bare entry of elem to dst: a piece for InsertEntries.
func AppendEntry(dst, elem []byte) []byte {
	if v, ok := parseInt(elem); ok {
		return AppendIntEntry(dst, v)
	}
	n := len(elem)
	switch {
	case n < 1<<6:
		dst = append(dst, tagString6|byte(n))
	case n < 1<<12:
		dst = append(dst, tagString12|byte(n>>8), byte(n))
	default:
		dst = binary.LittleEndian.AppendUint32(append(dst, tagString32), uint32(n))
	}
	return appendBack(bulk.Append(dst, elem), stringSize(n))
}

// AppendIntEntry is AppendEntry of an integer.
func AppendIntEntry(dst []byte, v int64) []byte {
	n := intSize(v)
	switch n {
	case 1:
		dst = append(dst, byte(v))
	case 2:
		dst = append(dst, tagInt13|byte(v>>8)&0x1F, byte(v))
	case 9:
		dst = binary.LittleEndian.AppendUint64(append(dst, tagInt64), uint64(v))
	default:
		dst = append(dst, byte(tagInt16+n-3))
		for shift := 0; shift < 8*(n-1); shift += 8 {
			dst = append(dst, byte(v>>shift))
		}
	}
	return append(dst, byte(n))
}

// EntryBytes returns the bytes of the entry that elem becomes.
func EntryBytes(elem []byte) int {
	if v, ok := parseInt(elem); ok {
		return intSize(v) + 1
	}
	n := stringSize(len(elem))
	return n + backBytes(n)
}

// IntEntryBytes returns the bytes of the entry that v becomes.
func IntEntryBytes(v int64) int { return intSize(v) + 1 }

func stringSize(n int) int {
	switch {
	case n < 1<<6:
		return 1 + n
	case n < 1<<12:
		return 2 + n
	}
	return 5 + n
}

func intSize(v int64) int {
	switch {
	case v >= 0 && v < 1<<7:
		return 1
	case v >= -1<<12 && v < 1<<12:
		return 2
	case v == int64(int16(v)):
		return 3
	case v >= -1<<23 && v < 1<<23:
		return 4
	case v == int64(int32(v)):
		return 5
	}
	return 9
}

func appendBack(dst []byte, n int) []byte {
	for shift, mark := 7*(backBytes(n)-1), byte(0); shift >= 0; shift, mark = shift-7, 128 {
		dst = append(dst, byte(n>>shift)&127|mark)
	}
	return dst
}

// parseInt returns the integer of which b is the one canonical decimal form (listpack.c,
// lpStringToInt64).
func parseInt(b []byte) (int64, bool) {
	n := len(b)
	if n == 0 || n > 20 {
		return 0, false
	}
	first := b[0]
	if first > '9' || first < '0' && first != '-' {
		return 0, false
	}
	if n == 1 {
		return int64(first - '0'), first != '-'
	}
	if first == '-' {
		b = b[1:]
	}
	if b[0] == '0' || len(b) > 19 {
		return 0, false
	}
	var u uint64 // 19 digits fit
	for _, c := range b {
		if c -= '0'; c > 9 {
			return 0, false
		} else {
			u = u*10 + uint64(c)
		}
	}
	if first == '-' {
		return int64(-u), u <= 1<<63
	}
	return int64(u), u < 1<<63
}
