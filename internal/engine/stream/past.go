package stream

import (
	"unsafe"

	"github.com/redwingdb/redwing/internal/engine/arena"
)

// Past is a stream as it was at one instant, while the stream goes on changing: what a
// snapshot reads. Its trees are read in order of ids, a few at a time, and each change of
// an entry that has not been read yet first notes what the entry was:
//
//	tree of the stream   |  3  |  5  |  9' | 12  |       9 was changed, 7 deleted, 12 is new
//	what was             |  7 = v  |  9 = v  | 12 = none |
//	as read              |  3  |  5  |  7  |  9  |
//
// A change notes at most one entry a tree that it touches, whose value is a few words: of
// a node the ref of its block, which is left as it is, the node going on in a copy. Groups
// and consumers note their counters, and the lists of them are copied, before their first
// change. Groups and consumers that go stay readable; those that are new are nobody's
// past. All of it REQUIRES the lock of the stream's shard.
type Past struct {
	Counters
	Nodes, Groups int

	s         Stream
	grew      func(bytes int)
	keeps     func(bytes int64)
	trees     map[*tree]*treePast
	groups    []arena.Ref // nil: as they are
	consumers map[arena.Ref][]arena.Ref
	facts     map[arena.Ref][2]uint64 // of groups and consumers, in their own words
	delivered map[arena.Ref]ID        // of groups
	born      map[arena.Ref]struct{}  // groups and consumers that are newer
	kept      Kept
	failed    bool
}

// treePast is what is known of a tree of which an entry has changed or was read.
type treePast struct {
	count int  // entries
	was   tree // id -> | there u32 | value |
	from  ID   // ids before have been read
	done  bool // all have
}

const thereBytes = 4

// notedBytes is about what a note takes beside its value.
const notedBytes = idBytes + thereBytes + 8

// LookBack returns what s is now. It says nothing of s once that has changed, unless it is
// added to the Pasts of s.
func LookBack(s Stream) *Past {
	return &Past{Counters: s.Counters(), Nodes: s.Nodes(), Groups: s.Groups(), s: s}
}

// Failed reports whether no space was left to keep something. What is read then is wrong.
func (p *Past) Failed() bool { return p.failed }

func (p *Past) grown(bytes int) {
	if p.grew != nil {
		p.grew(bytes)
	}
}

func (p *Past) keep(a *arena.Arena, ref arena.Ref) {
	p.kept.blocks = append(p.kept.blocks, ref)
	p.keeps(a.Size(ref))
}

// tree returns what is known of t, as it is now if that is nothing yet.
func (p *Past) tree(t *tree) *treePast {
	x := p.trees[t]
	if x == nil {
		x = &treePast{count: t.len()}
		x.was.width = thereBytes + t.width
		if p.trees == nil {
			p.trees = map[*tree]*treePast{}
		}
		p.trees[t] = x
		p.grown(128)
	}
	return x
}

// wants reports whether a change of the entry id of t is to be noted.
func (p *Past) wants(t *tree, id ID) bool {
	if p.failed {
		return false
	}
	x := p.trees[t]
	return x == nil || !x.done && !id.Less(x.from) && !x.was.find(p.s.A, id).ok()
}

// note notes an entry that is wanted: its value, or nil if it is not there.
func (p *Past) note(t *tree, id ID, value unsafe.Pointer) {
	x := p.tree(t)
	at, _, err := x.was.put(p.s.A, id)
	if err != nil {
		p.failed = true
		return
	}
	to := at.leaf.values(at.i, at.i+1)
	clear(to)
	if value != nil {
		*(*uint32)(at.value()) = 1
		copy(to[thereBytes:], unsafe.Slice((*byte)(value), t.width))
	}
	p.grown(notedBytes + int(t.width))
}

// each calls f with the entries of t that have not been read, until it returns false, and
// reports whether there are no more. It looks at about n entries at most.
func (p *Past) each(t *tree, n int, f func(id ID, value unsafe.Pointer) bool) (done bool) {
	x, a := p.tree(t), p.s.A
	now, was := t.ceil(a, x.from), x.was.ceil(a, x.from)
	for ; n > 0 && !x.done; n-- {
		var id ID
		var value unsafe.Pointer
		switch {
		case !now.ok() && !was.ok():
			x.done = true
			return true
		case !was.ok() || now.ok() && now.id().Less(was.id()):
			id, value = now.id(), now.value()
			now.step(a, true)
		default:
			id = was.id()
			if *(*uint32)(was.value()) != 0 {
				value = unsafe.Add(was.value(), thereBytes)
			}
			if now.ok() && now.id() == id {
				now.step(a, true)
			}
			was.step(a, true)
		}
		more := false
		if x.from, more = id.Next(); !more {
			x.done = true
		}
		if value != nil && !f(id, value) {
			break
		}
	}
	return x.done
}

// EachNode calls f with the nodes that have not been given yet, the ref of their blocks
// and how many bytes they have there, until f returns false, and reports whether there are
// no more. It looks at about n entries at most.
func (p *Past) EachNode(n int, f func(master ID, ref arena.Ref, bytes int) bool) (done bool) {
	return p.each(&p.s.nodes, n, func(id ID, value unsafe.Pointer) bool {
		ref := *(*arena.Ref)(value)
		return f(id, ref, len(bytesAt(p.s.A, ref)))
	})
}

// PastGroup is a group of a Past.
type PastGroup struct {
	Name      []byte
	Last      ID
	Read      int64
	Pending   int
	Consumers []arena.Ref // by the order of their names

	g Group
}

// Group returns group i by the order of names.
func (p *Past) Group(i int) PastGroup {
	refs := p.groups
	if refs == nil {
		refs = p.s.groups.refs(p.s.A)
	}
	g := p.s.groupAt(refs[i])
	x := PastGroup{Name: g.Name(), Last: g.Last(), Read: g.Read(), Pending: p.tree(&g.g.pending).count, g: g}
	if read, ok := p.facts[g.ref]; ok {
		x.Last, x.Read = p.delivered[g.ref], int64(read[0])
	}
	var ok bool
	if x.Consumers, ok = p.consumers[g.ref]; !ok {
		x.Consumers = append(x.Consumers, g.g.consumers.refs(p.s.A)...)
	}
	return x
}

// PastConsumer is a consumer of a PastGroup.
type PastConsumer struct {
	Name         []byte
	Seen, Active int64
	Pending      int

	c Consumer
}

// Consumer returns the consumer ref of g.
func (p *Past) Consumer(g *PastGroup, ref arena.Ref) PastConsumer {
	c := g.g.consumerAt(ref)
	x := PastConsumer{Name: c.Name(), Seen: c.Seen(), Active: c.Active(), Pending: p.tree(&c.c.pending).count, c: c}
	if times, ok := p.facts[ref]; ok {
		x.Seen, x.Active = int64(times[0]), int64(times[1])
	}
	return x
}

// EachPending is EachNode for the pending entries of a group; consumer may be 0.
func (p *Past) EachPending(g *PastGroup, n int, f func(id ID, timeMillis int64, count uint64, consumer arena.Ref) bool) (done bool) {
	return p.each(&g.g.g.pending, n, func(id ID, value unsafe.Pointer) bool {
		d := (*delivery)(value)
		return f(id, d.time(), d.count(), d.consumer)
	})
}

// EachOwned is EachNode for the pending entries of a consumer.
func (p *Past) EachOwned(c *PastConsumer, n int, f func(id ID) bool) (done bool) {
	return p.each(&c.c.c.pending, n, func(id ID, _ unsafe.Pointer) bool { return f(id) })
}

// Kept is what a stream has given up and a Past may still read.
type Kept struct {
	blocks    []arena.Ref // of nodes
	groups    []arena.Ref
	consumers []arena.Ref
	trees     []tree
}

// Free frees about n blocks of what nobody reads any more and reports whether all are
// gone.
func (k *Kept) Free(a *arena.Arena, n int) (done bool) {
	for ; len(k.blocks) > 0 && n > 0; n-- {
		a.Free(k.blocks[len(k.blocks)-1])
		k.blocks = k.blocks[:len(k.blocks)-1]
	}
	for len(k.groups) > 0 {
		if !(Stream{A: a}).groupAt(k.groups[len(k.groups)-1]).free(&n) {
			return false
		}
		k.groups = k.groups[:len(k.groups)-1]
	}
	for len(k.consumers) > 0 {
		if !(Group{a: a}).consumerAt(k.consumers[len(k.consumers)-1]).free(&n) {
			return false
		}
		k.consumers = k.consumers[:len(k.consumers)-1]
	}
	for len(k.trees) > 0 {
		if !k.trees[len(k.trees)-1].free(a, &n, nil) {
			return false
		}
		k.trees = k.trees[:len(k.trees)-1]
	}
	return len(k.blocks) == 0
}

// Pasts are those of one stream, the oldest first. A stream that is changed while it has
// some must have them set (Stream.Pasts).
type Pasts struct{ all []*Past }

// Add adds what the stream is now. grew hears how many bytes notes take, and keeps of the
// bytes of each node that is kept for p or an older past.
func (ps *Pasts) Add(p *Past, grew func(bytes int), keeps func(bytes int64)) {
	p.grew, p.keeps = grew, keeps
	ps.all = append(ps.all, p)
}

// End takes p out and returns what nobody reads any more. What a past has kept may be read
// by older ones alone.
func (ps *Pasts) End(p *Past) Kept {
	var gone Kept
	for i := range ps.all {
		if ps.all[i] != p {
			continue
		}
		if i == 0 {
			gone = p.kept
		} else {
			to := &ps.all[i-1].kept
			to.blocks = append(to.blocks, p.kept.blocks...)
			to.groups = append(to.groups, p.kept.groups...)
			to.consumers = append(to.consumers, p.kept.consumers...)
		}
		ps.all = append(ps.all[:i], ps.all[i+1:]...)
		break
	}
	for _, x := range p.trees {
		if x.was.root != 0 {
			gone.trees = append(gone.trees, x.was)
		}
	}
	p.trees = nil
	return gone
}

// newest returns the past that keeps what the stream gives up now.
func (ps *Pasts) newest() *Past { return ps.all[len(ps.all)-1] }

// knows reports whether p has the group or consumer owner, 0 being the stream itself, and
// looks at anything at all.
func (p *Past) knows(owner arena.Ref) bool {
	if p.failed {
		return false
	}
	_, born := p.born[owner]
	return !born
}

// change notes that entry id of t, a tree of owner, is about to change, come or go. value
// is what it is, nil if it is not there. It reports whether that was news.
func (ps *Pasts) change(owner arena.Ref, t *tree, id ID, value unsafe.Pointer) (news bool) {
	if ps == nil {
		return false
	}
	for _, p := range ps.all {
		if p.knows(owner) && p.wants(t, id) {
			p.note(t, id, value)
			news = true
		}
	}
	return news
}

// own makes sure that the node at p, about to be changed, lies in a block that is nobody's
// past.
func (s Stream) own(p spot) {
	if s.Pasts == nil {
		return
	}
	wanted := false
	for _, past := range s.Pasts.all {
		wanted = wanted || past.wants(&s.nodes, p.id())
	}
	if !wanted {
		return
	}
	old := *p.ref()
	ref, err := copyNode(s.A, bytesAt(s.A, old))
	if err != nil {
		for _, past := range s.Pasts.all {
			past.failed = true
		}
		return
	}
	s.Pasts.change(0, &s.nodes, p.id(), p.value())
	s.Pasts.newest().keep(s.A, old)
	*p.ref() = ref
	s.last = tail{}
}

// dropNode takes the node at p out.
func (s Stream) dropNode(p spot) {
	if s.Pasts.change(0, &s.nodes, p.id(), p.value()) {
		s.Pasts.newest().keep(s.A, *p.ref())
	} else {
		s.A.Free(*p.ref())
	}
}

// groupsChange keeps the list of groups as it is for those who have not copied it.
func (s Stream) groupsChange() {
	if s.Pasts == nil {
		return
	}
	for _, p := range s.Pasts.all {
		if p.groups == nil && !p.failed {
			p.groups = append([]arena.Ref{}, s.groups.refs(s.A)...)
			p.grown(refBytes * len(p.groups))
		}
	}
}

// consumersChange is groupsChange for the consumers of g.
func (g Group) consumersChange() {
	if g.pasts == nil {
		return
	}
	for _, p := range g.pasts.all {
		if _, ok := p.consumers[g.ref]; ok || !p.knows(g.ref) {
			continue
		}
		if p.consumers == nil {
			p.consumers = map[arena.Ref][]arena.Ref{}
		}
		refs := append([]arena.Ref{}, g.g.consumers.refs(g.a)...)
		p.consumers[g.ref] = refs
		p.grown(64 + refBytes*len(refs))
	}
}

// isBorn says that ref is a group or consumer newer than every past.
func (ps *Pasts) isBorn(ref arena.Ref) {
	if ps == nil {
		return
	}
	for _, p := range ps.all {
		if p.born == nil {
			p.born = map[arena.Ref]struct{}{}
		}
		p.born[ref] = struct{}{}
		p.grown(16)
	}
}

// known reports whether the group or consumer ref is part of somebody's past.
func (ps *Pasts) known(ref arena.Ref) bool {
	if ps == nil {
		return false
	}
	for _, p := range ps.all {
		if p.knows(ref) {
			return true
		}
	}
	return false
}

// factsChange keeps the counters of a group or consumer as they are.
func (ps *Pasts) factsChange(ref arena.Ref, facts [2]uint64, last ID, group bool) {
	if ps == nil {
		return
	}
	for _, p := range ps.all {
		if _, ok := p.facts[ref]; ok || !p.knows(ref) {
			continue
		}
		if p.facts == nil {
			p.facts = map[arena.Ref][2]uint64{}
			p.delivered = map[arena.Ref]ID{}
		}
		p.facts[ref] = facts
		if group {
			p.delivered[ref] = last
		}
		p.grown(48)
	}
}
