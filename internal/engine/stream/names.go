package stream

import (
	"bytes"
	"unsafe"

	"github.com/redwingdb/redwing/internal/engine/arena"
	"github.com/redwingdb/redwing/internal/engine/bulk"
)

// names is a list of blocks, sorted by the names that they carry: the groups of a stream
// and the consumers of a group. Both are few, or at least seldom new, so that a sorted
// array serves.
type names struct {
	arr     arena.Ref // of n refs; 0: none yet
	n, room uint32
}

// named is how a block with a name begins; the name stands at its end.
type named struct {
	nameLen, nameAt uint32
}

func nameOf(a *arena.Arena, ref arena.Ref) []byte {
	p := a.At(ref)
	h := (*named)(p)
	return unsafe.Slice((*byte)(unsafe.Add(p, h.nameAt)), h.nameLen)
}

// newNamed returns a block of size bytes, cleared, with name behind them.
func newNamed(a *arena.Arena, size int, name []byte) (arena.Ref, error) {
	ref, err := allocNode(a, size+len(name))
	if err != nil {
		return 0, err
	}
	b := a.Bytes(ref, size+len(name))
	clear(b[:size])
	bulk.Copy(b[size:], name)
	*(*named)(a.At(ref)) = named{uint32(len(name)), uint32(size)}
	return ref, nil
}

func (l *names) refs(a *arena.Arena) []arena.Ref {
	if l.n == 0 {
		return nil
	}
	return unsafe.Slice((*arena.Ref)(a.At(l.arr)), l.n)
}

// find returns where name is, or belongs.
func (l *names) find(a *arena.Arena, name []byte) (i int, ok bool) {
	refs := l.refs(a)
	lo, hi := 0, len(refs)
	for lo < hi {
		m := int(uint(lo+hi) >> 1)
		switch c := bytes.Compare(nameOf(a, refs[m]), name); {
		case c == 0:
			return m, true
		case c < 0:
			lo = m + 1
		default:
			hi = m
		}
	}
	return lo, false
}

// insert puts ref at i. On error nothing has changed.
func (l *names) insert(a *arena.Arena, i int, ref arena.Ref) error {
	if l.n == l.room {
		size := arena.ClassSize(refBytes * max(2, int(l.n+l.n/2)))
		arr, err := allocNode(a, size)
		if err != nil {
			return err
		}
		if l.arr != 0 {
			bulk.Copy(a.Bytes(arr, size), a.Bytes(l.arr, refBytes*int(l.n)))
			a.Free(l.arr)
		}
		l.arr, l.room = arr, uint32(size/refBytes)
	}
	l.n++
	refs := l.refs(a)
	copy(refs[i+1:], refs[i:])
	refs[i] = ref
	return nil
}

// remove takes entry i out, which is left to the caller to free.
func (l *names) remove(a *arena.Arena, i int) {
	refs := l.refs(a)
	copy(refs[i:], refs[i+1:])
	if l.n--; l.n == 0 {
		a.Free(l.arr)
		*l = names{}
	}
}
