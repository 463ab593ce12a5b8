package stream

import (
	"github.com/redwingdb/redwing/internal/engine/arena"
	"github.com/redwingdb/redwing/internal/engine/bulk"
	"github.com/redwingdb/redwing/internal/engine/listpack"
)

// A node is a listpack in Redis' own form (t_stream.c), named by its master id, which is
// the one of the first entry it ever had:
//
//	master  | live | deleted | fields | name ... | 0 |
//	entry   | flags | ms - master | seq - master | fields | name | value | ... | pieces |
//	        | flags | ms - master | seq - master | value | ... | pieces |     (sameFields)
//
// pieces is the number of listpack entries before it that make up the entry, so that a
// node can be walked backwards; the master's 0 ends that walk.
const (
	flagDeleted    = 1
	flagSameFields = 2

	masterPieces = 4 // live, deleted, fields, 0
	entryPieces  = 3 // flags, ms, seq
)

// number returns the integer at off.
func number(lp []byte, off int) int64 {
	_, v, _ := listpack.Value(lp, off)
	return v
}

// behind returns the offset behind the n entries from off on, End for the last.
func behind(lp []byte, off, n int) int {
	for ; n > 0; n-- {
		if off = listpack.Next(lp, off); off < 0 {
			return listpack.End(lp)
		}
	}
	return off
}

// head is the master entry of a node.
type head struct {
	live, deleted int64
	fields        int
	deletedAt     int // offsets: of the count of deleted entries,
	names         int // of the first name,
	term          int // of the closing 0
}

const liveAt = 6 // the first entry of a listpack

func readHead(lp []byte) (h head) {
	h.live = number(lp, liveAt)
	h.deletedAt = listpack.Next(lp, liveAt)
	h.deleted = number(lp, h.deletedAt)
	at := listpack.Next(lp, h.deletedAt)
	h.fields = int(number(lp, at))
	h.names = listpack.Next(lp, at)
	h.term = behind(lp, h.names, h.fields)
	return h
}

// item is one entry of a node.
type item struct {
	id     ID
	flags  int64
	off    int // offset of the flags
	body   int // of the first name, or with sameFields the first value
	fields int
}

// readItem reads the entry whose flags are at off.
func readItem(lp []byte, off int, master ID, h *head) (x item) {
	x.off, x.flags, x.fields = off, number(lp, off), h.fields
	off = listpack.Next(lp, off)
	ms := number(lp, off)
	off = listpack.Next(lp, off)
	x.id = ID{master.Ms + uint64(ms), master.Seq + uint64(number(lp, off))}
	off = listpack.Next(lp, off)
	if x.flags&flagSameFields == 0 {
		x.fields = int(number(lp, off))
		off = listpack.Next(lp, off)
	}
	x.body = off
	return x
}

// pieces returns the offset of the count that ends the entry.
func (x *item) pieces(lp []byte) int {
	if x.flags&flagSameFields != 0 {
		return behind(lp, x.body, x.fields)
	}
	return behind(lp, x.body, 2*x.fields)
}

// next returns the offset behind the entry: of the next one's flags, or -1.
func (x *item) next(lp []byte) int { return listpack.Next(lp, x.pieces(lp)) }

// previous returns the offset of the flags of the entry that ends with the count at off,
// or -1 if that is the master's 0.
func previous(lp []byte, off int) int {
	n := number(lp, off)
	if n == 0 {
		return -1
	}
	for ; n > 0; n-- {
		off = listpack.Prev(lp, off)
	}
	return off
}

// bytesAt returns the listpack of the node in block ref.
func bytesAt(a *arena.Arena, ref arena.Ref) []byte {
	head := a.Bytes(ref, listpack.EmptyBytes)
	return a.Bytes(ref, listpack.Bytes(head))
}

// roomAt returns the bytes that the block of a node can hold where it is.
func roomAt(a *arena.Arena, ref arena.Ref) int {
	n := a.Size(ref)
	if n <= arena.MaxBlock {
		return int(n)
	}
	if a.Pinned(ref) {
		return 0 // a snapshot reads it
	}
	return int(a.SpanRoom(ref))
}

// spanReserve bounds the addresses that a node of more than arena.MaxBlock reserves.
const spanReserve = 64 << 20

func allocNode(a *arena.Arena, size int) (arena.Ref, error) {
	if size > arena.MaxBlock {
		return a.AllocSpan(int64(size), spanReserve)
	}
	return a.Alloc(size)
}

// reserve returns the block of the node ref with room for n bytes, which may be another
// one than before, of want bytes then.
func reserve(a *arena.Arena, ref *arena.Ref, n, want int) ([]byte, error) {
	lp := bytesAt(a, *ref)
	if n <= roomAt(a, *ref) {
		if n > arena.MaxBlock {
			a.GrowSpan(*ref, int64(max(n, len(lp))))
		}
		return a.Bytes(*ref, n), nil
	}
	to, err := allocNode(a, max(n, want))
	if err != nil {
		return nil, err
	}
	bulk.Copy(a.Bytes(to, len(lp)), lp)
	a.Free(*ref)
	*ref = to
	return a.Bytes(to, n), nil
}

// edit applies e to the node in block ref.
func edit(a *arena.Arena, ref *arena.Ref, e *listpack.Edit) error {
	n := max(e.Len(), e.Len()-e.Delta())
	buf, err := reserve(a, ref, n, n)
	if err == nil {
		e.Apply(buf)
	}
	return err
}

// setNumber replaces the integer at off by v; small ones, nearly all, in place. REQUIRES:
// the node may be changed in place.
func setNumber(a *arena.Arena, ref *arena.Ref, off int, v int64) error {
	lp := bytesAt(a, *ref)
	if v >= 0 && v < 128 && lp[off] < 128 {
		lp[off] = byte(v)
		return nil
	}
	e := listpack.ReplaceInt(lp, off, v)
	return edit(a, ref, &e)
}

// widening returns how many bytes more w takes than v, if any.
func widening(v, w int64) int { return max(0, listpack.IntEntryBytes(w)-listpack.IntEntryBytes(v)) }

// shrink moves the node to the smallest block that holds it, if that is smaller.
func shrink(a *arena.Arena, ref *arena.Ref) {
	lp := bytesAt(a, *ref)
	if int64(arena.ClassSize(len(lp))) >= a.Size(*ref) {
		return
	}
	to, err := allocNode(a, len(lp))
	if err != nil {
		return // it stays where it is
	}
	bulk.Copy(a.Bytes(to, len(lp)), lp)
	a.Free(*ref)
	*ref = to
}
