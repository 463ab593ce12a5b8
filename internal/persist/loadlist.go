package persist

import (
	"strconv"

	"github.com/redwingdb/redwing/internal/engine/listpack"
)

// pushAtOnce bounds the elements of a list that are pushed together.
const pushAtOnce = 128

// Element implements rdb.Sink.
func (l *Loader) Element(b []byte) error {
	l.lock()
	defer l.unlock()
	return l.push(append(l.elems[:0], b))
}

// push adds elements at the end of the list. elems is kept for the next time.
func (l *Loader) push(elems [][]byte) error {
	if l.opens() {
		if _, err := l.list.Open(&l.Access, l.slot, l.key); err != nil {
			return err
		}
	}
	err := l.list.Push(false, elems...)
	clear(elems)
	l.elems = elems[:0]
	return err
}

// Elements implements rdb.Sink.
func (l *Loader) Elements(lp []byte) error {
	l.lock()
	defer l.unlock()
	elems, ints := l.elems[:0], l.ints[:0]
	for off := listpack.First(lp); off >= 0; off = listpack.Next(lp, off) {
		str, v, isInt := listpack.Value(lp, off)
		if isInt {
			from := len(ints)
			ints = strconv.AppendInt(ints, v, 10)
			str = ints[from:] // stays where it is when ints moves
		}
		if elems = append(elems, str); len(elems) < pushAtOnce {
			continue
		}
		if err := l.push(elems); err != nil {
			return err
		}
		elems, ints = l.elems, ints[:0]
	}
	l.ints = ints
	if len(elems) == 0 {
		return nil
	}
	return l.push(elems)
}
