package table

import (
	"math/bits"
	"unsafe"
)

// PrefetchBucket asks the processor for the bucket that Find will look at first. It
// reads nothing but the header, so it does not wait for memory.
func (t *Table) PrefetchBucket(hash uint64) {
	if t.H.arr != 0 {
		arr, index := t.place(hash)
		prefetchBucket(unsafe.Pointer(bucketAt(t.A, arr, index)))
	}
}

// PrefetchRecords asks for the records that Find will compare the key with, as far as
// the first bucket tells. It waits for the bucket: PrefetchBucket comes first, some
// time before.
func (t *Table) PrefetchRecords(hash uint64) {
	if t.H.arr == 0 {
		return
	}
	arr, index := t.place(hash)
	b := bucketAt(t.A, arr, index)
	low, high := b.match(tagOf(hash))
	for ; low != 0; low &= low - 1 {
		prefetchRecord(t.A.At(b.refs[bits.TrailingZeros64(low)/8]))
	}
	for ; high != 0; high &= high - 1 {
		prefetchRecord(t.A.At(b.refs[8+bits.TrailingZeros64(high)/8]))
	}
}
