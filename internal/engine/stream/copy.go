package stream

import (
	"github.com/redwingdb/redwing/internal/engine/arena"
)

// CopyTo makes to, an empty stream in the same or another arena, a deep copy of s. On
// error to holds a part of it, for Free.
func (s Stream) CopyTo(to Stream) error {
	for p := s.nodes.front(s.A); p.ok(); p.step(s.A, true) {
		if err := to.AddNode(p.id(), bytesAt(s.A, *p.ref())); err != nil {
			return err
		}
	}
	to.Last, to.First, to.MaxDeleted, to.Added = s.Last, s.First, s.MaxDeleted, s.Added
	for i := range s.Groups() {
		if err := s.GroupAt(i).copyTo(to); err != nil {
			return err
		}
	}
	return nil
}

func (g Group) copyTo(s Stream) error {
	to, _, err := s.CreateGroup(g.Name(), g.g.last, g.g.read)
	if err != nil {
		return err
	}
	twins := make(map[arena.Ref]Consumer, g.Consumers())
	for i := range g.Consumers() {
		c := g.ConsumerAt(i)
		twin, _, err := to.CreateConsumer(c.Name(), c.c.seen)
		if err != nil {
			return err
		}
		twin.c.active = c.c.active
		twins[c.ref] = twin
	}
	for p := g.g.pending.front(g.a); p.ok(); p.step(g.a, true) {
		x := g.pendingAt(p)
		if err := to.Deliver(x.ID, twins[x.Consumer.ref], x.Time, x.Count); err != nil {
			return err
		}
	}
	return nil
}
