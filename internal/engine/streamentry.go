package engine

import (
	"bytes"
	"unsafe"

	"github.com/redwingdb/redwing/internal/engine/stream"
)

// bytesOf returns the bytes of *v, which holds no pointer.
func bytesOf[T any](v *T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(v)), unsafe.Sizeof(*v))
}

// structIn returns what bytesOf gave; b is aligned to 8 bytes.
func structIn[T any](b []byte) *T { return (*T)(unsafe.Pointer(unsafe.SliceData(b))) }

// bytesOfAll is bytesOf for several.
func bytesOfAll[T any](v []T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), uintptr(len(v))*unsafe.Sizeof(v[0]))
}

// allIn returns what bytesOfAll gave; b is aligned to 8 bytes.
func allIn[T any](b []byte) []T {
	var v T
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b))/unsafe.Sizeof(v))
}

// EntryStream is a stream of an Entry, which is gone through in order and once: its nodes,
// then its groups, of each its pending entries, then those of each consumer. What is left
// out is passed over.
type EntryStream struct {
	stream.Counters
	Nodes, Groups int

	r *streamReader
}

// streamReader goes through the parts of a stream behind its header.
type streamReader struct {
	parts Parts
	nodes int // still to come
}

// Stream returns what an Entry of TypeStream holds.
func (e *Entry) Stream() EntryStream {
	r := &streamReader{parts: e.parts}
	b, ok := r.parts.Next()
	if !ok { // the error of reading it is that of the Each methods
		return EntryStream{r: r}
	}
	h := structIn[streamHeader](b)
	r.nodes = int(h.nodes)
	return EntryStream{Counters: h.Counters, Nodes: int(h.nodes), Groups: int(h.groups), r: r}
}

// EachNode calls f with every node, until f returns an error, which it returns.
func (x EntryStream) EachNode(f func(master stream.ID, lp []byte) error) error {
	for ; x.r.nodes > 0; x.r.nodes-- {
		b, ok := x.r.parts.Next()
		if !ok {
			break
		}
		id := *structIn[stream.ID](b)
		lp, ok := x.r.parts.Next()
		if !ok {
			break
		}
		if err := f(id, lp); err != nil {
			return err
		}
	}
	return x.r.parts.Err()
}

// EntryGroup is a consumer group of an EntryStream.
type EntryGroup struct {
	Name      []byte
	Last      stream.ID
	Read      int64 // stream.Unknown where it is
	Pending   int
	Consumers []EntryConsumer // by the order of names

	left *groupLeft
}

// EntryConsumer is a consumer of an EntryGroup.
type EntryConsumer struct {
	Name         []byte
	Seen, Active int64 // Unix milliseconds; Active may be stream.Unknown
	Pending      int

	number int
	left   *groupLeft
}

// groupLeft is how much of a group is still to come.
type groupLeft struct {
	r       *streamReader
	pending int
	owned   []int // by consumer
}

// EachGroup calls f with every group by the order of names, until f returns an error,
// which it returns.
func (x EntryStream) EachGroup(f func(g EntryGroup) error) error {
	if err := x.EachNode(func(stream.ID, []byte) error { return nil }); err != nil {
		return err
	}
	for range x.Groups {
		g, ok := x.r.group()
		if !ok {
			break
		}
		if err := f(g); err != nil {
			return err
		}
		g.left.passOver()
	}
	return x.r.parts.Err()
}

// group reads the headers of a group and of its consumers. Names are copied, since they
// are wanted longer than the next part.
func (r *streamReader) group() (g EntryGroup, ok bool) {
	b, ok := r.parts.Next()
	if !ok {
		return g, false
	}
	h := *structIn[groupHeader](b)
	name, ok := r.parts.Next()
	if !ok {
		return g, false
	}
	g = EntryGroup{
		Name: bytes.Clone(name), Last: h.last, Read: h.read, Pending: int(h.pending),
		Consumers: make([]EntryConsumer, 0, h.consumers),
		left:      &groupLeft{r: r, pending: int(h.pending), owned: make([]int, 0, h.consumers)},
	}
	for range h.consumers {
		if b, ok = r.parts.Next(); !ok {
			return g, false
		}
		h := *structIn[consumerHeader](b)
		if name, ok = r.parts.Next(); !ok {
			return g, false
		}
		g.Consumers = append(g.Consumers, EntryConsumer{bytes.Clone(name), h.seen, h.active, int(h.pending), len(g.Consumers), g.left})
		g.left.owned = append(g.left.owned, int(h.pending))
	}
	return g, true
}

func (l *groupLeft) passOver() {
	_ = l.eachPending(func(*pendingPart) error { return nil })
	_ = l.eachOwned(len(l.owned), func(stream.ID) error { return nil })
}

func (l *groupLeft) eachPending(f func(x *pendingPart) error) error {
	for l.pending > 0 {
		b, ok := l.r.parts.Next()
		if !ok {
			break
		}
		run := allIn[pendingPart](b)
		l.pending -= len(run)
		for i := range run {
			if err := f(&run[i]); err != nil {
				return err
			}
		}
	}
	return l.r.parts.Err()
}

// eachOwned calls f with what the first n consumers have still to come.
func (l *groupLeft) eachOwned(n int, f func(id stream.ID) error) error {
	for i := range l.owned[:n] {
		for l.owned[i] > 0 {
			b, ok := l.r.parts.Next()
			if !ok {
				return l.r.parts.Err()
			}
			run := allIn[stream.ID](b)
			l.owned[i] -= len(run)
			for _, id := range run {
				if err := f(id); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// EachPending calls f with every pending entry of the group by their ids, until f returns
// an error, which it returns. consumer is whose it is, by number, or -1.
func (g EntryGroup) EachPending(f func(id stream.ID, timeMillis int64, count uint64, consumer int) error) error {
	return g.left.eachPending(func(x *pendingPart) error { return f(x.id, x.time, x.count, int(x.owner)) })
}

// EachConsumer calls f with every consumer by the order of names, until f returns an
// error, which it returns. The group's own pending entries cannot be gone through any more.
func (g EntryGroup) EachConsumer(f func(c EntryConsumer) error) error {
	nothing := func(stream.ID) error { return nil }
	if err := g.left.eachPending(func(*pendingPart) error { return nil }); err != nil {
		return err
	}
	for i, c := range g.Consumers {
		if err := g.left.eachOwned(i, nothing); err != nil {
			return err
		}
		if err := f(c); err != nil {
			return err
		}
	}
	return nil
}

// EachPending calls f with the id of every pending entry of the consumer, until f returns
// an error, which it returns. It is called in the EachConsumer that has given c.
func (c EntryConsumer) EachPending(f func(id stream.ID) error) error {
	return c.left.eachOwned(c.number+1, f)
}
