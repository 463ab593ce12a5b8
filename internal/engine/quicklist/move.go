package quicklist

import "github.com/redwingdb/redwing/internal/engine/arena"

// MoveBlocks gives the refs of the ring and of about n nodes to move, which may copy each
// block elsewhere and returns its ref from now on. pos is 0 first and then what the last
// call returned.
func (l List) MoveBlocks(pos uint64, n int, move func(arena.Ref) arena.Ref) (next uint64, done bool) {
	if l.h.size == 0 {
		return 0, true
	}
	if pos == 0 {
		l.h.ring = move(l.h.ring)
	}
	for ; n > 0 && pos < uint64(l.h.nodes); n, pos = n-1, pos+1 {
		at := l.node(uint32(pos))
		at.ref = move(at.ref)
	}
	return pos, pos >= uint64(l.h.nodes)
}
