//go:build race || arenacheck

package arena

import (
	"bytes"
	"fmt"
	"unsafe"
)

// Checked says whether blocks are poisoned and dereferences checked.
const Checked = true

const (
	poisonFree = 0xDB
	poisonNew  = 0xCD
)

// checker knows every allocated block and fills free ones with poison, so that uses
// after free, double frees and refs into the middle of blocks stop the test at once.
type checker struct{ live map[Ref]int }

func (c *checker) init() { c.live = map[Ref]int{} }

func (c *checker) deref(ref Ref) {
	if _, ok := c.live[ref]; !ok {
		panic(fmt.Sprintf("arena: ref %#x is not an allocated block", uint32(ref)))
	}
}

func (c *checker) allocated(ref Ref, p unsafe.Pointer, size int) {
	if _, ok := c.live[ref]; ok {
		panic(fmt.Sprintf("arena: block %#x allocated twice", uint32(ref)))
	}
	c.live[ref] = size
	fill(p, size, poisonNew)
}

// unpoison checks that nobody wrote into a block while it was free. The first bytes
// hold the link of the free list.
func (c *checker) unpoison(ref Ref, p unsafe.Pointer, size int) {
	b := unsafe.Slice((*byte)(p), size)[4:]
	if b[0] != poisonFree || !bytes.Equal(b[1:], b[:len(b)-1]) {
		panic(fmt.Sprintf("arena: block %#x written while free: %x", uint32(ref), b))
	}
}

func (c *checker) freed(ref Ref, p unsafe.Pointer, size int) {
	if got, ok := c.live[ref]; !ok || got != size {
		panic(fmt.Sprintf("arena: free of %#x as %d bytes, allocated %d (%v)", uint32(ref), size, got, ok))
	}
	delete(c.live, ref)
	fill(p, size, poisonFree)
}

func (c *checker) freedSpan(ref Ref, p unsafe.Pointer, size int) {
	c.deref(ref)
	delete(c.live, ref)
	fill(p, size, poisonFree)
}

func fill(p unsafe.Pointer, n int, with byte) {
	b := unsafe.Slice((*byte)(p), n)
	b[0] = with
	for done := 1; done < n; done *= 2 {
		copy(b[done:], b[:done])
	}
}
