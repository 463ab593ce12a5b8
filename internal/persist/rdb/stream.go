package rdb

import (
	"encoding/binary"
	"fmt"
	"math"
)

// streamReader reads one stream (rdb.c, rdbLoadObject) and holds what its parts must
// agree about.
type streamReader struct {
	*Reader
	kind Kind
	sink Sink
	info StreamInfo
	live uint64 // entries that are there
	top  StreamID
	any  bool // top is the id of an entry

	nacks map[StreamID]bool // pending entries of the group being read; true: has its consumer
}

func (r *Reader) stream(k Kind, sink Sink) error {
	s := &streamReader{Reader: r, kind: k, sink: sink}
	if err := s.nodes(); err != nil {
		return err
	}
	if err := s.head(); err != nil {
		return err
	}
	groups, err := r.plainLength()
	if err != nil {
		return err
	}
	for ; groups > 0; groups-- {
		if err := s.group(); err != nil {
			return err
		}
	}
	return nil
}

func (s *streamReader) nodes() error {
	n, err := s.plainLength()
	if err != nil {
		return err
	}
	for ; n > 0; n-- {
		if s.a, err = s.str(s.a[:0]); err != nil {
			return err
		}
		if len(s.a) != 16 {
			return fmt.Errorf("%w: stream node with an id of %d bytes", ErrFormat, len(s.a))
		}
		first := streamID(s.a)
		if s.b, err = s.str(s.b[:0]); err != nil {
			return err
		}
		if err := s.node(first, s.b); err != nil {
			return err
		}
		if err := s.sink.Node(first, s.b); err != nil {
			return err
		}
	}
	return nil
}

// streamID reads the 16 bytes of an id, big-endian so that they sort.
func streamID(b []byte) StreamID {
	return StreamID{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])}
}

func (r *Reader) lengthsID() (id StreamID, err error) {
	if id.MS, err = r.plainLength(); err != nil {
		return id, err
	}
	id.Seq, err = r.plainLength()
	return id, err
}

func (r *Reader) rawID() (StreamID, error) {
	b, err := r.fixed(16)
	if err != nil {
		return StreamID{}, err
	}
	return streamID(b), nil
}

// millis reads a time; one before 1970 becomes 0, unless it is the -1 that says never.
func (r *Reader) millis() (int64, error) {
	b, err := r.fixed(8)
	if err != nil {
		return 0, err
	}
	return max(-1, int64(binary.LittleEndian.Uint64(b))), nil
}

// head reads what stands behind the nodes. Versions before redis 7.0 leave it to the
// reader to reckon the counters.
func (s *streamReader) head() (err error) {
	in := &s.info
	if in.Length, err = s.plainLength(); err != nil {
		return err
	}
	if in.Last, err = s.lengthsID(); err != nil {
		return err
	}
	found := in.First
	if s.kind == KindStream {
		in.EntriesAdded = in.Length
	} else {
		if in.First, err = s.lengthsID(); err != nil {
			return err
		}
		if in.MaxDeleted, err = s.lengthsID(); err != nil {
			return err
		}
		if in.EntriesAdded, err = s.plainLength(); err != nil {
			return err
		}
	}
	if s.o.Partial {
		return s.sink.Stream(*in)
	}
	switch {
	case in.Length != s.live:
		return fmt.Errorf("%w: stream of %d entries says %d", ErrFormat, s.live, in.Length)
	case s.any && in.Last.Less(s.top):
		return fmt.Errorf("%w: stream's last id is before its last entry", ErrFormat)
	case in.EntriesAdded > math.MaxInt64 || in.EntriesAdded < in.Length:
		return fmt.Errorf("%w: stream of %d entries, %d ever added", ErrFormat, in.Length, in.EntriesAdded)
	}
	in.First = found // what is there, not what is said of it
	return s.sink.Stream(*in)
}

func (s *streamReader) group() (err error) {
	if s.a, err = s.str(s.a[:0]); err != nil {
		return err
	}
	var g GroupInfo
	if g.Last, err = s.lengthsID(); err != nil {
		return err
	}
	if s.kind == KindStream {
		g.EntriesRead = s.estimateRead(g.Last)
	} else {
		n, err := s.plainLength()
		if err != nil {
			return err
		}
		if g.EntriesRead = int64(n); g.EntriesRead < -1 {
			return fmt.Errorf("%w: a group has read %d entries", ErrFormat, g.EntriesRead)
		}
	}
	return s.members(g)
}

// members reads the pending entries and consumers of the group whose name is in s.a. The
// name is given on before the pending entries, their number being only what is said.
func (s *streamReader) members(g GroupInfo) (err error) {
	if g.Pending, err = s.plainLength(); err != nil {
		return err
	}
	if err := s.sink.Group(s.a, g); err != nil {
		return err
	}
	if s.nacks == nil {
		s.nacks = map[StreamID]bool{}
	}
	clear(s.nacks)
	for n := g.Pending; n > 0; n-- {
		var p PendingInfo
		if p.ID, err = s.rawID(); err != nil {
			return err
		}
		if p.DeliveredAt, err = s.millis(); err != nil {
			return err
		}
		if p.Deliveries, err = s.plainLength(); err != nil {
			return err
		}
		if _, twice := s.nacks[p.ID]; twice {
			return fmt.Errorf("%w: a pending entry", ErrDuplicate)
		}
		s.nacks[p.ID] = false
		if err := s.sink.Pending(p); err != nil {
			return err
		}
	}
	consumers, err := s.plainLength()
	if err != nil {
		return err
	}
	owned := uint64(0)
	for ; consumers > 0; consumers-- {
		n, err := s.consumer()
		if err != nil {
			return err
		}
		owned += n
	}
	if owned != g.Pending {
		return fmt.Errorf("%w: %d pending entries, %d of them with a consumer", ErrFormat, g.Pending, owned)
	}
	return nil
}

func (s *streamReader) consumer() (owned uint64, err error) {
	if s.b, err = s.str(s.b[:0]); err != nil {
		return 0, err
	}
	var c ConsumerInfo
	if c.SeenAt, err = s.millis(); err != nil {
		return 0, err
	}
	c.ActiveAt = c.SeenAt
	if s.kind == KindStream3 {
		if c.ActiveAt, err = s.millis(); err != nil {
			return 0, err
		}
	}
	if c.Pending, err = s.plainLength(); err != nil {
		return 0, err
	}
	if err := s.sink.Consumer(s.b, c); err != nil {
		return 0, err
	}
	for ; owned < c.Pending; owned++ {
		id, err := s.rawID()
		if err != nil {
			return 0, err
		}
		if taken, ok := s.nacks[id]; !ok || taken {
			return 0, fmt.Errorf("%w: a consumer's entry is not pending, or another's", ErrFormat)
		}
		s.nacks[id] = true
		if err := s.sink.Owned(id); err != nil {
			return 0, err
		}
	}
	return owned, nil
}

// estimateRead reckons how many entries a group has read that is at id, in a stream of
// which nothing is known but what is there (t_stream.c,
// streamEstimateDistanceFromFirstEverEntry, for a stream without deletions).
func (s *streamReader) estimateRead(id StreamID) int64 {
	in := &s.info
	switch {
	case in.EntriesAdded == 0:
		return 0
	case in.Last == id:
		return int64(in.EntriesAdded)
	case id.Less(in.First):
		return 0
	case id == in.First:
		return 1
	}
	return -1
}
