package stream

import (
	"unsafe"

	"github.com/redwingdb/redwing/internal/engine/arena"
)

// Root is a stream at rest. The zero value is an empty stream that never had an entry,
// once Init was called.
type Root struct {
	Last       ID     // of the last entry ever added, or what XSETID made it
	First      ID     // of the first entry, 0-0 if there is none
	MaxDeleted ID     // the greatest that was deleted other than by trimming
	Added      uint64 // entries ever added
	length     uint64
	nodes      tree  // master id -> block of the node
	groups     names // of blocks of groups
	last       tail
}

// tail is what appending wants to know of the last node, which is found here without a
// look at the tree or at the arena's pages. Whoever changes nodes in any other way clears
// it.
type tail struct {
	ref    arena.Ref // of the block; 0: not known
	room   uint32    // bytes that it holds; 0: ask, for snapshots may have pinned it
	master ID
}

// RootBytes is the size of a Root.
const RootBytes = int(unsafe.Sizeof(Root{}))

// Init makes a cleared r ready.
func (r *Root) Init() { r.nodes.width = refBytes }

// Stream is a stream in use: its root and the arena it lies in.
type Stream struct {
	A *arena.Arena
	*Root
	Pasts *Pasts // who looks back at it; nil: nobody does, or it is not to be changed
}

// Len returns the number of entries.
func (s Stream) Len() int { return int(s.length) }

// Nodes returns the number of nodes.
func (s Stream) Nodes() int { return s.nodes.len() }

// Groups returns the number of consumer groups.
func (s Stream) Groups() int { return int(s.groups.n) }

// EachNode calls f with every node, its master id and its bytes in place, until f returns
// false.
func (s Stream) EachNode(f func(master ID, lp []byte) bool) {
	for p := s.nodes.front(s.A); p.ok(); p.step(s.A, true) {
		if !f(p.id(), bytesAt(s.A, *p.ref())) {
			return
		}
	}
}

// AddNode appends a node, whose bytes have passed Validate, behind those that are there.
// Last, First and the other counters are the caller's to set.
func (s Stream) AddNode(master ID, lp []byte) error {
	s.last = tail{}
	ref, err := copyNode(s.A, lp)
	if err != nil {
		return err
	}
	if p := s.nodes.find(s.A, master); p.ok() {
		s.length -= uint64(number(bytesAt(s.A, *p.ref()), liveAt))
		s.dropNode(p)
		*p.ref() = ref
		s.length += uint64(number(lp, liveAt))
		return nil
	}
	s.Pasts.change(0, &s.nodes, master, nil)
	p, _, err := s.nodes.put(s.A, master)
	if err != nil {
		s.A.Free(ref)
		return err
	}
	*p.ref() = ref
	s.length += uint64(number(lp, liveAt))
	return nil
}

// findFirst sets First to the id of the first entry.
func (s Stream) findFirst() {
	s.First = ID{}
	var it Iter
	if it.Start(s, ID{}, MaxID, false); it.Next() {
		s.First = it.ID
	}
}

// Top returns the id of the last entry, which is not Last if that was deleted.
func (s Stream) Top() (ID, bool) {
	var it Iter
	it.Start(s, ID{}, MaxID, true)
	ok := it.Next()
	return it.ID, ok
}
