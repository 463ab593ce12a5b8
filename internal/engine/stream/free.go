package stream

import (
	"unsafe"

	"github.com/redwingdb/redwing/internal/engine/arena"
)

// Free frees about n blocks of a stream that nobody uses any more, but not its root, and
// reports whether all are gone. It goes on where the last call stopped.
func (s Stream) Free(n int) bool {
	for s.groups.n > 0 {
		if !s.GroupAt(int(s.groups.n) - 1).free(&n) {
			return false
		}
		s.groups.remove(s.A, int(s.groups.n)-1)
	}
	return s.nodes.free(s.A, &n, func(value unsafe.Pointer) { s.A.Free(*(*arena.Ref)(value)) })
}

// free frees the group, *n blocks at most, and reports whether all is gone. It is in no
// list then.
func (g Group) free(n *int) bool {
	for g.g.consumers.n > 0 {
		if *n <= 0 {
			return false
		}
		last := int(g.g.consumers.n) - 1
		if !g.ConsumerAt(last).free(n) {
			return false
		}
		g.g.consumers.remove(g.a, last)
	}
	if !g.g.pending.free(g.a, n, nil) {
		return false
	}
	g.a.Free(g.ref)
	*n--
	return true
}
