package engine

import (
	"bytes"
	"strconv"
	"unsafe"

	"github.com/redwingdb/redwing/internal/double"
	"github.com/redwingdb/redwing/internal/engine/listpack"
)

// A sorted set in a listpack: member, score, member, score ... in order. A score that is
// an integer is kept as one (zero without a sign), any other as its text (Redis 7.2,
// t_zset.c, zzlInsertAt).

// findMember returns the offset of a member, or -1.
func findMember(lp, member []byte) int {
	return listpack.Find(lp, listpack.First(lp), member, 1)
}

// nextPair returns the offset of the member behind the one at off, or -1.
func nextPair(lp []byte, off int) int { return listpack.Next(lp, listpack.Next(lp, off)) }

// prevPair returns the offset of the member before the one at off (End for the last), or -1.
func prevPair(lp []byte, off int) int {
	if off = listpack.Prev(lp, off); off >= 0 {
		off = listpack.Prev(lp, off)
	}
	return off
}

// scoreAt returns the score that is the entry at off.
func scoreAt(lp []byte, off int) float64 {
	s, v, isInt := listpack.Value(lp, off)
	if isInt {
		return float64(v)
	}
	// Not kept by ParseFloat. What a hostile dump may hold instead of a number reads as 0.
	f, _ := strconv.ParseFloat(unsafe.String(unsafe.SliceData(s), len(s)), 64)
	return f
}

// appendScore appends the text of a score, which a listpack takes as an integer if it is one.
func appendScore(dst []byte, score float64) []byte {
	if i, ok := double.Integer(score); ok {
		return strconv.AppendInt(dst, i, 10)
	}
	return double.Append(dst, score)
}

// appendPair appends a member and its score to a listpack in a Go slice.
func appendPair(lp, member []byte, score float64) []byte {
	lp = listpack.Append(lp, member)
	if i, ok := double.Integer(score); ok {
		return listpack.AppendInt(lp, i)
	}
	var text [double.MaxBytes]byte
	return listpack.Append(lp, double.Append(text[:0], score))
}

// insertPair adds a new member in its place.
func (z *ZSet) insertPair(lp, member []byte, score float64) error {
	var text [double.MaxBytes]byte
	edit := listpack.Insert(lp, placeOf(lp, member, score), member, appendScore(text[:0], score))
	return z.Edit(&edit)
}

// placeOf returns the offset of the first member that is not before (score, member).
func placeOf(lp, member []byte, score float64) int {
	var digits [intDigits]byte
	for off := listpack.First(lp); off >= 0; off = nextPair(lp, off) {
		s := scoreAt(lp, listpack.Next(lp, off))
		if s > score || s == score && bytes.Compare(listpack.Get(lp, off, digits[:0]), member) >= 0 {
			return off
		}
	}
	return listpack.End(lp)
}

// movePair gives the member at off, whose score is at at, another score.
func (z *ZSet) movePair(lp []byte, off, at int, member []byte, score float64) error {
	var text [double.MaxBytes]byte
	value := appendScore(text[:0], score)
	to := placeOf(lp, member, score)
	if to == off || to == behind(lp, at) {
		edit := listpack.Replace(lp, at, value)
		return z.Edit(&edit)
	}
	// Inserted first: deleting needs no space.
	edit := listpack.Insert(lp, to, member, value)
	grown := edit.Delta()
	if err := z.Edit(&edit); err != nil {
		return err
	}
	if to < off {
		off += grown
	}
	edit = listpack.Delete(z.Packed(), off, 2)
	_ = z.Edit(&edit)
	return nil
}

// eachScored calls f with every member and score of a listpack until f returns false.
func eachScored(lp []byte, f func(member []byte, score float64) bool) {
	var digits [intDigits]byte
	for off := listpack.First(lp); off >= 0; off = listpack.Next(lp, off) {
		member := listpack.Get(lp, off, digits[:0])
		off = listpack.Next(lp, off)
		if !f(member, scoreAt(lp, off)) {
			return
		}
	}
}

// behind returns the offset behind the entry at off: of the next one, or the end.
func behind(lp []byte, off int) int {
	if off = listpack.Next(lp, off); off < 0 {
		return listpack.End(lp)
	}
	return off
}
