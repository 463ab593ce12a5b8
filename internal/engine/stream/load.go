package stream

import (
	"fmt"
)

// Load appends a node of any origin, which is validated. Until Finish, Last is the
// greatest id met.
func (s Stream) Load(master ID, lp []byte) error {
	_, _, last, err := Validate(master, lp)
	if err != nil {
		return err
	}
	if !s.Last.Less(master) {
		return fmt.Errorf("%w: %v behind an entry %v", ErrCorrupt, master, s.Last)
	}
	if err := s.AddNode(master, lp); err != nil {
		return err
	}
	s.Last = master
	if s.Last.Less(last) {
		s.Last = last
	}
	return nil
}

// Counters are what a stream knows beside its entries.
type Counters struct {
	Last, First, MaxDeleted ID
	Added, Length           uint64
}

// Counters returns those of s.
func (s Stream) Counters() Counters {
	return Counters{s.Last, s.First, s.MaxDeleted, s.Added, s.length}
}

// Finish ends loading with what was stored beside the nodes. First is found, not taken.
func (s Stream) Finish(c Counters) error {
	if c.Length != s.length || c.Last.Less(s.Last) {
		return fmt.Errorf("%w: %d entries up to %v, should be %d up to %v", ErrCorrupt, s.length, s.Last, c.Length, c.Last)
	}
	s.Last, s.MaxDeleted, s.Added = c.Last, c.MaxDeleted, c.Added
	s.findFirst()
	return nil
}

// Expect makes id pending for a consumer that Assign will name. It reports false if it is
// already.
func (g Group) Expect(id ID, timeMillis int64, count uint64) (bool, error) {
	if g.pasts != nil && !g.g.pending.find(g.a, id).ok() {
		g.pasts.change(g.ref, &g.g.pending, id, nil)
	}
	p, added, err := g.g.pending.put(g.a, id)
	if added {
		(*delivery)(p.value()).set(timeMillis, count, 0)
	}
	return added, err
}

// Assign gives an expected entry to c. It reports false if id is not expected, or no more.
func (g Group) Assign(id ID, c Consumer) (bool, error) {
	p := g.g.pending.find(g.a, id)
	if !p.ok() || (*delivery)(p.value()).consumer != 0 {
		return false, nil
	}
	if err := c.own(id); err != nil {
		return false, err
	}
	g.pasts.change(g.ref, &g.g.pending, id, p.value())
	(*delivery)(p.value()).consumer = c.ref
	return true, nil
}

// DropExpected takes out what nobody was assigned, of which nothing may be left behind
// loading, and returns how many those were.
func (g Group) DropExpected() (dropped int) {
	owned := 0
	for i := range g.Consumers() {
		owned += g.ConsumerAt(i).Pending()
	}
	if owned == g.Pending() {
		return 0
	}
	for p := g.g.pending.front(g.a); p.ok(); {
		id := p.id()
		if (*delivery)(p.value()).consumer != 0 {
			p.step(g.a, true)
			continue
		}
		g.drop(id)
		dropped++
		p = g.g.pending.ceil(g.a, id)
	}
	return dropped
}
