package command

import (
	"encoding/binary"
	"math/bits"
)

// index finds specs by name in any letter case without allocating: open addressing
// over at most half-full cells, hashed from the length and the first and last eight
// bytes. It is built once and then only read.
type index struct {
	cells []*Spec
	mask  uint32
}

func newIndex(specs []*Spec) index {
	if len(specs) == 0 {
		return index{}
	}
	n := 1 << bits.Len(uint(2*len(specs)))
	x := index{cells: make([]*Spec, n), mask: uint32(n - 1)}
	for _, s := range specs {
		i := nameHash([]byte(s.Name)) & x.mask
		for x.cells[i] != nil {
			i = (i + 1) & x.mask
		}
		x.cells[i] = s
	}
	return x
}

// find returns the spec called name, or nil.
func (x *index) find(name []byte) *Spec {
	if x.cells == nil {
		return nil
	}
	for i := nameHash(name) & x.mask; x.cells[i] != nil; i = (i + 1) & x.mask {
		if s := x.cells[i]; equalLower(s.Name, name) {
			return s
		}
	}
	return nil
}

// nameHash hashes name so that letter case does not matter. Setting bit 5 folds more
// than letters, which the comparison then tells apart.
func nameHash(name []byte) uint32 {
	const fold = 0x2020202020202020
	var lo, hi uint64
	switch n := len(name); {
	case n >= 8:
		lo = binary.LittleEndian.Uint64(name) | fold
		hi = binary.LittleEndian.Uint64(name[n-8:]) | fold
	case n >= 4:
		lo = uint64(binary.LittleEndian.Uint32(name)) | fold
		hi = uint64(binary.LittleEndian.Uint32(name[n-4:])) | fold
	default:
		for _, c := range name {
			lo = lo<<8 | uint64(c|0x20)
		}
	}
	h := (lo^uint64(len(name)))*0x9e3779b97f4a7c15 ^ hi*0xc2b2ae3d27d4eb4f
	return uint32(h >> 32)
}

// equalLower reports whether b in lower case is the lower-case string lower.
func equalLower(lower string, b []byte) bool {
	if len(lower) != len(b) {
		return false
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}
