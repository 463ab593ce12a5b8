// Package arena is the memory of one data shard: blocks named by 32-bit refs inside
// one reserved address range that the garbage collector never looks at. It owns the
// range, the size classes and the pages; it knows nothing of what lies in a block and
// takes no lock. The engine calls it with the shard locked; the few exceptions say so.
//
//	range   | page 0 unused | run | run | run | ... top ......... limit |
//	run     slab (blocks of one size class) | span (one long block) | free
//	ref     offset from the base in units of 8 bytes; 0 is no block
//
// The base never moves and nothing is unmapped before Close, so a pointer stays good
// for as long as its block does.
package arena

import (
	"errors"
	"fmt"
	"sync/atomic"
	"unsafe"
)

// Ref names a block: its distance from the arena's base in units of 8 bytes.
type Ref uint32

const (
	// Unit is the number of bytes that a step of a Ref stands for.
	Unit = 8
	// MaxBlock is the longest block, in bytes, that lies in a slab; longer ones are spans.
	MaxBlock = 32 << 10
	// MaxBytes is the largest arena: what 32 bits of units reach.
	MaxBytes = 32 << 30

	pageShift = 12
	pageSize  = 1 << pageShift
	pageUnits = pageSize / Unit
)

// ErrNoSpace is returned when the reserved range has no room for a block.
var ErrNoSpace = errors.New("arena: reserved range exhausted")

// Arena is the memory of one data shard. Its owner serialises all calls.
type Arena struct {
	mem     memory
	runs    []run  // by run id; id 0 is no run
	freeIDs uint32 // head of the unused run ids, linked by next
	partial [numClasses]uint32
	pages   [numClasses]uint32 // pages in slabs, by class
	// kept are the slabs that were left without a live block last; some have been used again.
	kept     [keptSlabs]uint32
	nextKept int
	bins     freeBins
	top      uint32       // first page never used
	limit    uint32       // pages in the range
	dirty    atomic.Int64 // pages in free runs that may be resident
	active   atomic.Int64 // pages in slabs, and counted pages of spans
	check    checker

	used    atomic.Int64 // bytes of allocated blocks; written by the owner, read by anyone
	told    int64        // of used, what the account has been told
	slack   int64        // how far told may be off
	account *Account     // may be nil
}

// New reserves an arena of limitBytes, at most MaxBytes (0: MaxBytes). Reserving costs
// addresses, not memory; RLIMIT_AS or vm.overcommit_memory=2 may refuse it.
func New(limitBytes int64) (*Arena, error) {
	if limitBytes <= 0 || limitBytes > MaxBytes {
		limitBytes = MaxBytes
	}
	a := &Arena{runs: make([]run, 1, 16), top: 1}
	if err := a.mem.reserve(limitBytes); err != nil {
		return nil, fmt.Errorf("arena: reserve %d bytes: %w", limitBytes, err)
	}
	a.limit = a.mem.pages()
	a.check.init()
	return a, nil
}

// Close gives the whole range back. No pointer into the arena may be used after it.
func (a *Arena) Close() error { return a.mem.release() }

// Used returns the bytes of all allocated blocks, rounded to their classes. It may be
// called without the owner's lock.
func (a *Arena) Used() int64 { return a.used.Load() }

// ActiveBytes returns the bytes of the pages that hold blocks: Used and what lies free
// between blocks. It may be called without the owner's lock.
func (a *Arena) ActiveBytes() int64 { return a.active.Load() << pageShift }

// Limit returns the bytes of the reserved range.
func (a *Arena) Limit() int64 { return int64(a.limit) << pageShift }

// At returns the address of the block ref. With checks on it panics unless ref is an
// allocated block.
func (a *Arena) At(ref Ref) unsafe.Pointer {
	if Checked {
		a.check.deref(ref)
	}
	return a.mem.at(ref)
}

// Alloc returns a block of at least size bytes, of undefined contents. Blocks of whole
// multiples of 64 bytes are aligned to 64.
func (a *Arena) Alloc(size int) (Ref, error) {
	if size > MaxBlock {
		return a.AllocSpan(int64(size), int64(size))
	}
	class := classOf(size)
	id := a.partial[class]
	if id == 0 {
		if id = a.newSlab(class); id == 0 {
			return 0, ErrNoSpace
		}
	}
	r := &a.runs[id]
	var ref Ref
	if r.freeHead != 0 {
		ref = r.freeHead
		p := a.mem.at(ref)
		r.freeHead = *(*Ref)(p)
		if Checked {
			a.check.unpoison(ref, p, classBytes(class))
		}
	} else {
		ref = Ref(r.start*pageUnits + r.bump*uint32(classBytes(class)/Unit))
		r.bump++
	}
	r.used++
	if r.used == r.blocks {
		a.unlinkPartial(class, id)
	}
	a.usedBy(int64(classBytes(class)))
	if Checked {
		a.check.allocated(ref, a.mem.at(ref), classBytes(class))
	}
	return ref, nil
}

// Free gives back the block or span ref. A pinned span goes when its last pin does.
func (a *Arena) Free(ref Ref) {
	id := a.mem.runOf(uint32(ref) / pageUnits)
	r := &a.runs[id]
	if r.kind == runSpan {
		a.freeSpan(ref, id)
		return
	}
	class := int(r.class)
	p := a.mem.at(ref)
	if Checked {
		a.check.freed(ref, p, classBytes(class))
	}
	*(*Ref)(p) = r.freeHead
	r.freeHead = ref
	if r.used == r.blocks {
		a.linkPartial(class, id)
	}
	r.used--
	a.usedBy(-int64(classBytes(class)))
	if r.used == 0 {
		a.slabEmptied(class, id)
	}
}

// Size returns the bytes that ref occupies: its class, or the counted pages of a span.
func (a *Arena) Size(ref Ref) int64 {
	r := &a.runs[a.mem.runOf(uint32(ref)/pageUnits)]
	if r.kind == runSpan {
		return int64(r.used) << pageShift
	}
	return int64(classBytes(int(r.class)))
}

// Fits reports whether a block allocated for oldSize bytes would be no larger or
// smaller if allocated for newSize: whether it can be reused in place.
func Fits(oldSize, newSize int) bool {
	return oldSize <= MaxBlock && newSize <= MaxBlock && classOf(oldSize) == classOf(newSize)
}
