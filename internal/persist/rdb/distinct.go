package rdb

import (
	"bytes"
	"hash/maphash"
	"strconv"

	"github.com/redwingdb/redwing/internal/engine/listpack"
)

// distinct finds an element that comes twice within one listpack. It is an open hash
// table over the elements that are really there, so its size needs no trust.
type distinct struct {
	seed  maphash.Seed
	table []uint32 // 1 + index into elems, 0: free
	elems [][]byte
	ints  []byte // integers as text
	mask  uint32
}

// quadratic is up to how many elements each is compared with each.
const quadratic = 16

// begin makes ready for at most n elements.
func (d *distinct) begin(n int) {
	d.elems, d.ints, d.mask = d.elems[:0], d.ints[:0], 0
	if n <= quadratic {
		return
	}
	if d.seed == (maphash.Seed{}) {
		d.seed = maphash.MakeSeed()
	}
	size := 1
	for size < 2*n {
		size *= 2
	}
	if cap(d.table) < size {
		d.table = make([]uint32, size)
	}
	d.table = d.table[:size]
	clear(d.table)
	d.mask = uint32(size - 1)
}

// trim lets go of memory that one large value took.
func (d *distinct) trim() {
	if cap(d.elems) > 4096 {
		d.table, d.elems, d.ints = nil, nil, nil
	}
}

// add takes the entry of lp at off and reports whether its text is new.
func (d *distinct) add(lp []byte, off int) bool {
	text, v, isInt := listpack.Value(lp, off)
	if isInt {
		from := len(d.ints)
		d.ints = strconv.AppendInt(d.ints, v, 10)
		text = d.ints[from:] // stays where it is when ints moves
	}
	d.elems = append(d.elems, text)
	if d.mask == 0 {
		for _, other := range d.elems[:len(d.elems)-1] {
			if bytes.Equal(other, text) {
				return false
			}
		}
		return true
	}
	i := uint32(maphash.Bytes(d.seed, text)) & d.mask
	for ; d.table[i] != 0; i = (i + 1) & d.mask {
		if bytes.Equal(d.elems[d.table[i]-1], text) {
			return false
		}
	}
	d.table[i] = uint32(len(d.elems))
	return true
}
