package stream

import (
	"unsafe"

	"github.com/redwingdb/redwing/internal/engine/arena"
)

// A block of a tree, leaf or inner: sorted ids, and behind them a value of fixed width
// for each. The values of an inner block are the refs of its children, its ids lower
// bounds of what lies under them.
//
//	| n u16 | room u16 | prev u32 | next u32 | 0 u32 | id x room | value x room |
type blockHead struct {
	n, room    uint16
	prev, next arena.Ref // leaves: the neighbours
	_          uint32
}

const (
	blockHeadBytes = int(unsafe.Sizeof(blockHead{}))
	idBytes        = int(unsafe.Sizeof(ID{}))
	refBytes       = 4
	// maxBlockBytes bounds what one insertion moves. Small trees have one small block.
	maxBlockBytes = 2048
)

// roomOf returns how many entries of width bytes fit into a block of at least want of
// them, its last bytes used: the arena rounds up to a class anyway.
func roomOf(want, width int) int {
	entry := idBytes + width
	most := (maxBlockBytes - blockHeadBytes) / entry
	if want >= most {
		return most
	}
	return min(most, (arena.ClassSize(blockHeadBytes+want*entry)-blockHeadBytes)/entry)
}

func mostOf(width int) int { return (maxBlockBytes - blockHeadBytes) / (idBytes + width) }

// block is a block at its address.
type block struct {
	*blockHead
	width int
}

func blockAt(a *arena.Arena, ref arena.Ref, width int) block {
	return block{(*blockHead)(a.At(ref)), width}
}

func newBlock(a *arena.Arena, want, width int) (arena.Ref, block, error) {
	room := roomOf(want, width)
	ref, err := a.Alloc(blockHeadBytes + room*(idBytes+width))
	if err != nil {
		return 0, block{}, err
	}
	b := blockAt(a, ref, width)
	*b.blockHead = blockHead{room: uint16(room)}
	return ref, b, nil
}

func (b block) len() int   { return int(b.n) }
func (b block) full() bool { return b.n == b.room }

// ids returns the ids in place.
func (b block) ids() []ID {
	return unsafe.Slice((*ID)(unsafe.Add(unsafe.Pointer(b.blockHead), blockHeadBytes)), b.room)[:b.n]
}

// value returns the address of value i.
func (b block) value(i int) unsafe.Pointer {
	return unsafe.Add(unsafe.Pointer(b.blockHead), blockHeadBytes+int(b.room)*idBytes+i*b.width)
}

func (b block) values(from, to int) []byte {
	return unsafe.Slice((*byte)(b.value(from)), (to-from)*b.width)
}

// ref returns value i of a block whose values are refs.
func (b block) ref(i int) *arena.Ref { return (*arena.Ref)(b.value(i)) }

// seek returns the number of ids that are less than id.
func (b block) seek(id ID) int {
	ids := b.ids()
	lo, hi := 0, len(ids)
	for lo < hi {
		if m := int(uint(lo+hi) >> 1); ids[m].Less(id) {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return lo
}

// child returns which child of an inner block covers id: the last whose bound is not
// greater, or the first.
func (b block) child(id ID) int {
	i := b.seek(id)
	if i < b.len() && b.ids()[i] == id {
		return i
	}
	return max(0, i-1)
}

// open makes a gap at i. REQUIRES: not full.
func (b block) open(i int, id ID) {
	n := b.len()
	b.n++
	ids := b.ids()
	copy(ids[i+1:], ids[i:n])
	ids[i] = id
	if i < n && b.width > 0 {
		copy(b.values(i+1, n+1), b.values(i, n))
	}
}

// close takes entry i out.
func (b block) close(i int) {
	n := b.len()
	ids := b.ids()
	copy(ids[i:], ids[i+1:])
	if b.width > 0 {
		copy(b.values(i, n-1), b.values(i+1, n))
	}
	b.n--
}

// moveTo appends the entries from i on to to, which has room for them.
func (b block) moveTo(to block, i int) {
	n, at := b.len(), to.len()
	to.n += uint16(n - i)
	copy(to.ids()[at:], b.ids()[i:])
	if b.width > 0 {
		copy(to.values(at, to.len()), b.values(i, n))
	}
	b.n = uint16(i)
}
