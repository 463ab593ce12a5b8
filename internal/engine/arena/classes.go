package arena

import "math/bits"

// Size classes: every 8 bytes up to 256, then 8 to a doubling up to MaxBlock, so that
// rounding costs at most one ninth. All powers of two from 8 are classes.
const (
	fineLimit   = 256
	fineClasses = fineLimit / Unit
	numClasses  = fineClasses + 7*8
)

// maxSlabPages bounds a slab; a slab of the largest class holds 8 blocks.
const maxSlabPages = 64

func classOf(size int) int {
	if size <= fineLimit {
		return (max(size, 1) - 1) / Unit
	}
	s := uint(size - 1)
	exp := bits.Len(s) - 1 // 8 to 14
	return fineClasses + (exp-8)*8 + int(s>>(exp-3)&7)
}

func classBytes(class int) int {
	if class < fineClasses {
		return (class + 1) * Unit
	}
	class -= fineClasses
	return (9 + class&7) << (class>>3 + 5)
}

// slabPages returns the length of the next slab of class: at least one page and eight
// blocks, growing with what the class holds already, so that an empty node stays small
// and a full one has few slabs.
func slabPages(class int, held uint32) uint32 {
	least := uint32(1)
	if b := classBytes(class); b > 512 {
		least = uint32(8*b+pageSize-1) / pageSize
	}
	return min(max(least, held/4), maxSlabPages)
}

// ClassSize returns the bytes that a block of size bytes occupies.
func ClassSize(size int) int {
	if size > MaxBlock {
		return int(pagesOf(int64(size))) << pageShift
	}
	return classBytes(classOf(size))
}
