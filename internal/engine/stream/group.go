package stream

import (
	"unsafe"

	"github.com/redwingdb/redwing/internal/engine/arena"
)

// Unknown stands for a group's number of entries read where it cannot be told.
const Unknown = -1

// groupBlock is a group at rest; its name stands behind it.
type groupBlock struct {
	named
	last      ID    // last delivered
	read      int64 // entries read up to last, or Unknown
	pending   tree  // id -> delivery
	consumers names
}

// consumerBlock is a consumer at rest; its name stands behind it.
type consumerBlock struct {
	named
	seen    int64 // Unix milliseconds of the last attempt to read or claim,
	active  int64 // of the last success; Unknown: never
	pending tree  // ids alone
	_       uint32
}

const (
	groupBytes    = int(unsafe.Sizeof(groupBlock{}))
	consumerBytes = int(unsafe.Sizeof(consumerBlock{}))
)

// Group is a consumer group in use, good until the groups of its stream change.
type Group struct {
	a     *arena.Arena
	ref   arena.Ref
	g     *groupBlock
	pasts *Pasts
}

func (s Stream) groupAt(ref arena.Ref) Group {
	return Group{s.A, ref, (*groupBlock)(s.A.At(ref)), s.Pasts}
}

// Regain returns g, which was found before it was decided to change s, for changes.
func (s Stream) Regain(g Group) Group {
	g.pasts = s.Pasts
	return g
}

// Group returns the group called name.
func (s Stream) Group(name []byte) (Group, bool) {
	i, ok := s.groups.find(s.A, name)
	if !ok {
		return Group{}, false
	}
	return s.groupAt(s.groups.refs(s.A)[i]), true
}

// GroupAt returns group i by the order of names.
func (s Stream) GroupAt(i int) Group { return s.groupAt(s.groups.refs(s.A)[i]) }

// CreateGroup makes a group, or reports that there is one of that name. On error nothing
// has changed.
func (s Stream) CreateGroup(name []byte, last ID, read int64) (g Group, created bool, err error) {
	i, ok := s.groups.find(s.A, name)
	if ok {
		return s.GroupAt(i), false, nil
	}
	ref, err := newNamed(s.A, groupBytes, name)
	if err != nil {
		return Group{}, false, err
	}
	s.groupsChange()
	s.Pasts.isBorn(ref)
	if err := s.groups.insert(s.A, i, ref); err != nil {
		s.A.Free(ref)
		return Group{}, false, err
	}
	g = s.groupAt(ref)
	g.g.last, g.g.read = last, read
	g.g.pending.width = deliveryBytes
	return g, true, nil
}

// DestroyGroup takes a group out, with all that it knows, and reports whether there was
// one.
func (s Stream) DestroyGroup(name []byte) bool {
	i, ok := s.groups.find(s.A, name)
	if !ok {
		return false
	}
	g := s.GroupAt(i)
	s.groupsChange()
	s.groups.remove(s.A, i)
	if s.Pasts.known(g.ref) {
		kept := &s.Pasts.newest().kept
		kept.groups = append(kept.groups, g.ref)
		return true
	}
	all := 1 << 62
	g.free(&all)
	return true
}

// Name returns the name, in place.
func (g Group) Name() []byte { return nameOf(g.a, g.ref) }

// Last returns the id last delivered.
func (g Group) Last() ID { return g.g.last }

// Read returns the number of entries read up to Last, or Unknown.
func (g Group) Read() int64 { return g.g.read }

// Advance sets the id last delivered and the number of entries read.
func (g Group) Advance(last ID, read int64) {
	g.pasts.factsChange(g.ref, [2]uint64{uint64(g.g.read)}, g.g.last, true)
	g.g.last, g.g.read = last, read
}

// Pending returns the number of pending entries.
func (g Group) Pending() int { return g.g.pending.len() }

// Consumers returns the number of consumers.
func (g Group) Consumers() int { return int(g.g.consumers.n) }

// Consumer is a consumer in use, good until the consumers of its group change.
type Consumer struct {
	a     *arena.Arena
	ref   arena.Ref
	c     *consumerBlock
	pasts *Pasts
}

func (g Group) consumerAt(ref arena.Ref) Consumer {
	return Consumer{g.a, ref, (*consumerBlock)(g.a.At(ref)), g.pasts}
}

// Consumer returns the consumer called name.
func (g Group) Consumer(name []byte) (Consumer, bool) {
	i, ok := g.g.consumers.find(g.a, name)
	if !ok {
		return Consumer{}, false
	}
	return g.ConsumerAt(i), true
}

// ConsumerAt returns consumer i by the order of names.
func (g Group) ConsumerAt(i int) Consumer { return g.consumerAt(g.g.consumers.refs(g.a)[i]) }

// CreateConsumer makes a consumer seen at nowMillis and never active, or reports that
// there is one of that name. On error nothing has changed.
func (g Group) CreateConsumer(name []byte, nowMillis int64) (c Consumer, created bool, err error) {
	i, ok := g.g.consumers.find(g.a, name)
	if ok {
		return g.ConsumerAt(i), false, nil
	}
	ref, err := newNamed(g.a, consumerBytes, name)
	if err != nil {
		return Consumer{}, false, err
	}
	g.consumersChange()
	g.pasts.isBorn(ref)
	if err := g.g.consumers.insert(g.a, i, ref); err != nil {
		g.a.Free(ref)
		return Consumer{}, false, err
	}
	c = g.consumerAt(ref)
	c.c.seen, c.c.active = nowMillis, Unknown
	return c, true, nil
}

// DeleteConsumer takes a consumer out, its pending entries too, and returns how many
// those were.
func (g Group) DeleteConsumer(name []byte) (pending int, found bool) {
	i, ok := g.g.consumers.find(g.a, name)
	if !ok {
		return 0, false
	}
	c := g.ConsumerAt(i)
	pending = c.Pending()
	for p := c.c.pending.front(g.a); p.ok(); p.step(g.a, true) {
		g.drop(p.id())
	}
	g.consumersChange()
	g.g.consumers.remove(g.a, i)
	if g.pasts.known(c.ref) {
		kept := &g.pasts.newest().kept
		kept.consumers = append(kept.consumers, c.ref)
		return pending, true
	}
	all := 1 << 62
	c.free(&all)
	return pending, true
}

// free frees the consumer, *n blocks at most, and reports whether all is gone. It is in no
// list then.
func (c Consumer) free(n *int) bool {
	if !c.c.pending.free(c.a, n, nil) {
		return false
	}
	c.a.Free(c.ref)
	*n--
	return true
}

// Name returns the name, in place.
func (c Consumer) Name() []byte { return nameOf(c.a, c.ref) }

// Seen returns when the consumer last tried to read or claim, in Unix milliseconds.
func (c Consumer) Seen() int64 { return c.c.seen }

// Active returns when it last got something, or Unknown.
func (c Consumer) Active() int64 { return c.c.active }

// SetSeen and SetActive set those times.
func (c Consumer) SetSeen(atMillis int64) {
	c.changing()
	c.c.seen = atMillis
}

// SetActive is described at SetSeen.
func (c Consumer) SetActive(atMillis int64) {
	c.changing()
	c.c.active = atMillis
}

// changing must be called before the times of c change.
func (c Consumer) changing() {
	c.pasts.factsChange(c.ref, [2]uint64{uint64(c.c.seen), uint64(c.c.active)}, ID{}, false)
}

// Pending returns the number of the consumer's pending entries.
func (c Consumer) Pending() int { return c.c.pending.len() }

// Is reports whether c and d are the same consumer.
func (c Consumer) Is(d Consumer) bool { return c.ref == d.ref }
