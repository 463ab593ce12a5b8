package transfer

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/redwingdb/redwing/internal/engine/listpack"
	"github.com/redwingdb/redwing/internal/persist/rdb"
)

// streamParts is a stream while it is read. In its RDB form numbers stand in front of what
// they count, so groups and consumers are gathered.
type streamParts struct {
	nodes     []streamNode
	bytes     int
	info      rdb.StreamInfo
	groups    *rdb.Writer // the groups that are complete
	n         uint64
	open      bool // a group is being read
	consumers *rdb.Writer
	members   uint64
	pending   map[rdb.StreamID]rdb.PendingInfo // of the open group, in commands
	group     []byte
	consumer  []byte
}

type streamNode struct {
	first rdb.StreamID
	lp    []byte
}

// Node implements rdb.StreamSink. Past the limit the entries go out as XADD.
func (e *Encoder) Node(first rdb.StreamID, lp []byte) error {
	e.kind = rdb.KindStream3
	s := &e.stream
	if e.begun {
		return e.entries(first, lp)
	}
	s.nodes = append(s.nodes, streamNode{first, bytes.Clone(lp)})
	if s.bytes += len(lp) + 32; s.bytes < e.limit() {
		return nil
	}
	e.begun = true
	if err := e.makeStream(); err != nil {
		return err
	}
	for _, n := range s.nodes {
		if err := e.entries(n.first, n.lp); err != nil {
			return err
		}
	}
	s.nodes = nil
	return nil
}

// makeStream makes room for a stream in parts: an empty one.
func (e *Encoder) makeStream() error {
	w := rdb.NewBody()
	w.Count(0)
	w.Stream(rdb.StreamInfo{})
	w.Count(0)
	return e.restoreBody(w.Body(), false)
}

// entries emits the entries of a node that are not deleted (t_stream.c):
//
//	count deleted fields name ... 0                                   the node's head
//	flags ms seq { value ... | fields name value ... } pieces         an entry
//
// ms and seq are what its id is above the node's; flag 1 says deleted, flag 2 that its
// names are the head's. The reader has validated it.
func (e *Encoder) entries(first rdb.StreamID, lp []byte) error {
	if e.skip {
		return nil
	}
	off := listpack.First(lp)
	text := func() []byte {
		b := bytes.Clone(listpack.Get(lp, off, nil))
		off = listpack.Next(lp, off)
		return b
	}
	number := func() int64 {
		_, v, _ := listpack.Value(lp, off)
		off = listpack.Next(lp, off)
		return v
	}
	number()
	number()
	names := make([][]byte, number())
	for i := range names {
		names[i] = text()
	}
	number()
	for off >= 0 {
		flags := number()
		id := rdb.StreamID{MS: first.MS + uint64(number()), Seq: first.Seq + uint64(number())}
		args := [][]byte{word("XADD"), e.key, idText(id)}
		if flags&2 != 0 {
			for _, n := range names {
				args = append(args, n, text())
			}
		} else {
			for range number() {
				args = append(args, text(), text())
			}
		}
		number()
		if flags&1 != 0 {
			continue
		}
		if err := e.emit(args...); err != nil {
			return err
		}
	}
	return nil
}

func idText(id rdb.StreamID) []byte {
	b := strconv.AppendUint(nil, id.MS, 10)
	return strconv.AppendUint(append(b, '-'), id.Seq, 10)
}

// Stream implements rdb.StreamSink.
func (e *Encoder) Stream(in rdb.StreamInfo) error {
	e.kind = rdb.KindStream3
	s := &e.stream
	s.info, s.groups, s.consumers = in, rdb.NewBody(), rdb.NewBody()
	if !e.begun || e.skip {
		return nil
	}
	return e.emit(word("XSETID"), e.key, idText(in.Last), word("ENTRIESADDED"),
		strconv.AppendUint(nil, in.EntriesAdded, 10), word("MAXDELETEDID"), idText(in.MaxDeleted))
}

// Group implements rdb.StreamSink.
func (e *Encoder) Group(name []byte, g rdb.GroupInfo) error {
	s := &e.stream
	s.closeGroup()
	s.open = true
	if !e.begun {
		s.groups.Group(name, g)
		return nil
	}
	s.group, s.pending = bytes.Clone(name), map[rdb.StreamID]rdb.PendingInfo{}
	if e.skip {
		return nil
	}
	return e.emit(word("XGROUP"), word("CREATE"), e.key, s.group, idText(g.Last), word("ENTRIESREAD"), strconv.AppendInt(nil, g.EntriesRead, 10))
}

// closeGroup puts the consumers behind the group that they are of.
func (s *streamParts) closeGroup() {
	if !s.open {
		return
	}
	s.groups.Count(s.members)
	s.groups.Append(s.consumers.Body())
	s.consumers.ResetBody()
	s.n, s.members, s.open = s.n+1, 0, false
}

// Pending implements rdb.StreamSink.
func (e *Encoder) Pending(p rdb.PendingInfo) error {
	if e.begun {
		e.stream.pending[p.ID] = p
	} else {
		e.stream.groups.Pending(p)
	}
	return nil
}

// Consumer implements rdb.StreamSink.
func (e *Encoder) Consumer(name []byte, c rdb.ConsumerInfo) error {
	s := &e.stream
	if !e.begun {
		s.members++
		s.consumers.Consumer(rdb.KindStream3, name, c)
		return nil
	}
	s.consumer = bytes.Clone(name)
	if e.skip {
		return nil
	}
	return e.emit(word("XGROUP"), word("CREATECONSUMER"), e.key, s.group, s.consumer)
}

// Owned implements rdb.StreamSink. Of a stream in parts, a pending entry that the stream
// has no longer is left out: no command can make it.
func (e *Encoder) Owned(id rdb.StreamID) error {
	s := &e.stream
	if !e.begun {
		s.consumers.Owned(id)
		return nil
	}
	if e.skip {
		return nil
	}
	p := s.pending[id]
	return e.emit(word("XCLAIM"), e.key, s.group, s.consumer, word("0"), idText(id),
		word("TIME"), strconv.AppendInt(nil, p.DeliveredAt, 10),
		word("RETRYCOUNT"), strconv.AppendUint(nil, p.Deliveries, 10), word("FORCE"), word("JUSTID"))
}

// endStream emits the stream, or of one in parts its expiry.
func (e *Encoder) endStream() error {
	s := &e.stream
	switch {
	case e.skip:
		return nil
	case e.begun:
		return e.expire()
	}
	s.closeGroup()
	w := e.elems
	w.Count(uint64(len(s.nodes)))
	for _, n := range s.nodes {
		w.StreamNode(n.first, n.lp)
	}
	w.Stream(s.info)
	w.Count(s.n)
	w.Append(s.groups.Body())
	if len(w.Body()) > wholeMost {
		return fmt.Errorf("key %.64q: the consumer groups of the stream are too large to be copied", e.key)
	}
	return e.restoreBody(w.Body(), true)
}
