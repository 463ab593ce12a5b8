package persist

import (
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/engine/stream"
	"github.com/redwingdb/redwing/internal/persist/rdb"
)

// openStream opens the stream, which is made with the first piece.
func (l *Loader) openStream() (stream.Stream, error) {
	if l.opens() {
		found, err := l.stream.Open(&l.Access, l.slot, l.key)
		if err == nil && !found {
			err = l.stream.Make()
		}
		if err != nil {
			return stream.Stream{}, err
		}
	}
	return l.stream.Edit(), nil
}

// Node implements rdb.StreamSink.
func (l *Loader) Node(first rdb.StreamID, lp []byte) error {
	l.lock()
	defer l.unlock()
	s, err := l.openStream()
	if err != nil {
		return err
	}
	return engine.StoreError(s.AddNode(inID(first), lp))
}

// Stream implements rdb.StreamSink. Of a stream in pieces the last nodes make the length.
func (l *Loader) Stream(in rdb.StreamInfo) error {
	l.lock()
	defer l.unlock()
	s, err := l.openStream()
	if err != nil {
		return err
	}
	if l.Continue && uint64(s.Len()) != in.Length {
		return nil
	}
	return s.Finish(stream.Counters{
		Last: inID(in.Last), First: inID(in.First), MaxDeleted: inID(in.MaxDeleted),
		Added: in.EntriesAdded, Length: in.Length,
	})
}

// Group implements rdb.StreamSink.
func (l *Loader) Group(name []byte, g rdb.GroupInfo) error {
	l.lock()
	defer l.unlock()
	s, err := l.openStream()
	if err != nil {
		return err
	}
	l.group = append(l.group[:0], name...)
	_, created, err := s.CreateGroup(name, inID(g.Last), g.EntriesRead)
	if l.Continue {
		return engine.StoreError(err)
	}
	return once(created, engine.StoreError(err))
}

// openGroup opens the group named last.
func (l *Loader) openGroup() (g stream.Group, err error) {
	s, err := l.openStream()
	if err != nil {
		return g, err
	}
	g, ok := s.Group(l.group)
	if !ok {
		return g, rdb.ErrFormat // somebody took it away
	}
	return g, nil
}

// Pending implements rdb.StreamSink.
func (l *Loader) Pending(p rdb.PendingInfo) error {
	l.lock()
	defer l.unlock()
	g, err := l.openGroup()
	if err != nil {
		return err
	}
	added, err := g.Expect(inID(p.ID), p.DeliveredAt, p.Deliveries)
	return once(added, engine.StoreError(err))
}

// Consumer implements rdb.StreamSink.
func (l *Loader) Consumer(name []byte, c rdb.ConsumerInfo) error {
	l.lock()
	defer l.unlock()
	g, err := l.openGroup()
	if err != nil {
		return err
	}
	l.owner = append(l.owner[:0], name...)
	consumer, created, err := g.CreateConsumer(name, c.SeenAt)
	if err != nil {
		return engine.StoreError(err)
	}
	if !created && !l.Continue {
		return rdb.ErrDuplicate
	}
	consumer.SetActive(c.ActiveAt)
	return nil
}

// Owned implements rdb.StreamSink.
func (l *Loader) Owned(id rdb.StreamID) error {
	l.lock()
	defer l.unlock()
	g, err := l.openGroup()
	if err != nil {
		return err
	}
	c, ok := g.Consumer(l.owner)
	if !ok {
		return rdb.ErrFormat // somebody took it away
	}
	assigned, err := g.Assign(inID(id), c)
	return once(assigned, engine.StoreError(err))
}
