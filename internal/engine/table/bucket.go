package table

import (
	"math/bits"
	"unsafe"

	"github.com/redwingdb/redwing/internal/engine/arena"
)

const (
	// BucketBytes is the length of a bucket.
	BucketBytes = 64
	bucketSlots = 12
)

// bucket is one cache line: twelve one-byte tags, the refs they stand for, and the
// overflow bucket of the chain, if any. A tag of 0 is an empty place. Chains are dense:
// only the last bucket has empty places, and they come last.
type bucket struct {
	tags [bucketSlots]uint8
	refs [bucketSlots]arena.Ref
	next arena.Ref
}

// tagOf takes bits 42 to 49 of the hash, which indices (bits 0 to 31) do not use and
// which the expiry wheel keeps.
func tagOf(hash uint64) uint8 {
	if t := uint8(hash >> 42); t != 0 {
		return t
	}
	return 1
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// zeroBytes returns the high bit of each byte of x that is zero, exactly: no borrow
// runs into the next byte, so that an empty place can never match.
func zeroBytes(x uint64) uint64 {
	return ^((x&^highs + ^uint64(highs)) | x | ^uint64(highs))
}

// match returns a mask of the places whose tag is tag, one bit a place.
func (b *bucket) match(tag uint8) (low, high uint64) {
	pattern := ones * uint64(tag)
	t := unsafe.Pointer(&b.tags)
	low = zeroBytes(*(*uint64)(t) ^ pattern)
	high = zeroBytes(uint64(*(*uint32)(unsafe.Add(t, 8))) ^ pattern&0xffffffff | 0xff<<32)
	return low, high & 0x80808080
}

// len returns the number of records in b.
func (b *bucket) len() int {
	low, high := b.match(0)
	if low != 0 {
		return bits.TrailingZeros64(low) / 8
	}
	if high != 0 {
		return 8 + bits.TrailingZeros64(high)/8
	}
	return bucketSlots
}

// bucketAt returns bucket i of the array arr.
func bucketAt(a *arena.Arena, arr arena.Ref, i uint32) *bucket {
	return (*bucket)(unsafe.Add(a.At(arr), uintptr(i)*BucketBytes))
}

// overflow returns the overflow bucket ref.
func overflow(a *arena.Arena, ref arena.Ref) *bucket { return (*bucket)(a.At(ref)) }

// EachRef calls f with every ref of the chain of bucket i of the array arr, until f
// returns false.
func EachRef(a *arena.Arena, arr arena.Ref, i uint32, f func(arena.Ref) bool) {
	for b := bucketAt(a, arr, i); ; b = overflow(a, b.next) {
		for j := range b.len() {
			if !f(b.refs[j]) {
				return
			}
		}
		if b.next == 0 {
			return
		}
	}
}
