package rdb

import (
	"fmt"

	"github.com/redwingdb/redwing/internal/engine/listpack"
	"github.com/redwingdb/redwing/internal/engine/stream"
)

// node validates a node and counts its entries. Ids must ascend, from the nodes before on.
func (s *streamReader) node(first StreamID, lp []byte) error {
	live, _, last, err := stream.Validate(stream.ID{Ms: first.MS, Seq: first.Seq}, lp)
	switch {
	case err != nil:
		return damaged(err)
	case s.any && !s.top.Less(first):
		return fmt.Errorf("%w: stream nodes out of order", ErrFormat)
	}
	if s.live == 0 && live > 0 {
		s.info.First = firstLive(first, lp)
	}
	s.live += uint64(live)
	s.top, s.any = StreamID{last.Ms, last.Seq}, true
	return nil
}

// firstLive returns the id of the first entry of a valid node that is not deleted
// (t_stream.c):
//
//	count deleted fields name ... 0                                   the node's head
//	flags ms seq { value ... | fields name value ... } entries-before   an entry
//
// ms and seq are what its id is above the node's; flag 1 says deleted, flag 2 that its
// names are the head's.
func firstLive(first StreamID, lp []byte) StreamID {
	off := listpack.First(lp)
	next := func() int64 {
		_, v, _ := listpack.Value(lp, off)
		off = listpack.Next(lp, off)
		return v
	}
	skip := func(n int64) {
		for range n {
			off = listpack.Next(lp, off)
		}
	}
	next()
	next()
	names := next()
	skip(names + 1)
	for off >= 0 {
		flags := next()
		id := StreamID{first.MS + uint64(next()), first.Seq + uint64(next())}
		if flags&1 == 0 {
			return id
		}
		if flags&2 == 0 {
			skip(2 * next())
		} else {
			skip(names)
		}
		next()
	}
	return first
}
