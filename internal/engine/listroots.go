package engine

import (
	"github.com/redwingdb/redwing/internal/engine/arena"
	"github.com/redwingdb/redwing/internal/engine/listpack"
	"github.com/redwingdb/redwing/internal/engine/quicklist"
)

// listRoots implements rootOps.
type listRoots struct{}

func (listRoots) at(sh *shard, root arena.Ref) quicklist.List {
	return quicklist.Open(sh.arena, (*quicklist.Head)(sh.arena.At(root)))
}

func (x listRoots) free(sh *shard, root arena.Ref, pos uint64, n int) (next uint64, done bool) {
	if next, done = x.at(sh, root).Free(pos, n); done {
		sh.arena.Free(root)
	}
	return next, done
}

func (x listRoots) copy(_ *Keyspace, from *shard, root arena.Ref, to *shard) (arena.Ref, error) {
	ref, err := to.arena.Alloc(quicklist.HeadBytes)
	if err != nil {
		return 0, ErrNoSpace
	}
	clear(to.arena.Bytes(ref, quicklist.HeadBytes))
	if err := x.at(from, root).CopyTo(x.at(to, ref)); err != nil {
		to.buryRootLocked(deadRoot{typ: TypeList, root: ref})
		return 0, ErrNoSpace
	}
	return ref, nil
}

func (x listRoots) size(sh *shard, root arena.Ref, samples int) int64 {
	return sh.arena.Size(root) + x.at(sh, root).Size(samples)
}

func (x listRoots) len(sh *shard, root arena.Ref) int { return x.at(sh, root).Len() }

// moveBlocks implements blockMover.
func (x listRoots) moveBlocks(sh *shard, root arena.Ref, pos uint64, n int, m *mover) (next uint64, done bool) {
	return x.at(sh, root).MoveBlocks(pos, n, m.move)
}

// The parts of a list are two a node: one byte that says what the node is, and the node.
const (
	partPacked = 'p' // a listpack
	partPlain  = 'e' // one element
)

func (x listRoots) parts(sh *shard, root arena.Ref, p *piece) {
	q := x.at(sh, root)
	for i := range q.Nodes() {
		p.addNode(sh, q, i)
	}
}

// addNode adds node i of a list.
func (p *piece) addNode(sh *shard, q quicklist.List, i int) {
	b, plain := q.Node(i)
	if !plain {
		p.addPart([]byte{partPacked})
		p.addPart(b)
		return
	}
	p.addPart([]byte{partPlain})
	if span, ok := q.NodeSpan(i); ok {
		p.addSpan(sh, span, len(b))
	} else {
		p.addPart(b)
	}
}

func (x listRoots) brief(sh *shard, root arena.Ref) bool {
	q := x.at(sh, root)
	bytes := 0
	for i := 0; i < q.Nodes() && bytes <= briefBytes && i <= briefElements; i++ {
		b, _ := q.Node(i)
		bytes += len(b)
	}
	return bytes <= briefBytes && q.Nodes() <= briefElements
}

func (x listRoots) pin(of *pinnedRoot, pin *rootPin) pinnedPast {
	past := &listPast{pin: pin, head: *(*quicklist.Head)(of.sh.arena.At(of.root))}
	past.kept.Grew = pin.keeps
	pin.nodes = x.at(of.sh, of.root).Nodes()
	return past
}

// listPast is the past of a list: its head as it was, which names nodes that do not
// change.
type listPast struct {
	pin      *rootPin
	head     quicklist.Head
	detached bool // the list has another array of nodes by now
	kept     quicklist.Kept
	at       int // nodes before have been given
}

// editListLocked returns the list for changes, which leave what is pinned as it is.
func (x *pinnedRoot) editListLocked() quicklist.List {
	newest := x.pins[len(x.pins)-1].past.(*listPast)
	q := quicklist.OpenPinned(x.sh.arena, (*quicklist.Head)(x.sh.arena.At(x.root)), &newest.kept)
	if !newest.detached {
		q.Detach()
		for _, pin := range x.pins {
			pin.past.(*listPast).detached = true
		}
	}
	return q
}

func (l *listPast) stepLocked(p *piece) (done bool, err error) {
	x, most := l.pin.of, &l.pin.snap.k.stride
	for _, pin := range x.pins {
		if pin.past.(*listPast).kept.Failed {
			return false, ErrNoSpace
		}
	}
	q := quicklist.Open(x.sh.arena, &l.head)
	for n := 0; l.at < q.Nodes(); l.at, n = l.at+1, n+1 {
		if n == most.chains || len(p.buf) >= most.bytes {
			return false, nil
		}
		p.addNode(x.sh, q, l.at)
	}
	return true, nil
}

// endLocked leaves what the list gave up since the pin to the next older one: what a pin
// has kept can be named by it and by older ones alone.
func (l *listPast) endLocked(i int) {
	x := l.pin.of
	if i == 0 {
		x.sh.buryRestLocked(&l.kept)
		return
	}
	older := &x.pins[i-1].past.(*listPast).kept
	older.Blocks = append(older.Blocks, l.kept.Blocks...)
	older.Failed = older.Failed || l.kept.Failed
}

// Nodes returns the number of nodes of a list: 1 for a packed one.
func (e *Entry) Nodes() (n int) {
	if e.parts.from != nil {
		return e.parts.from.nodes
	}
	_ = e.EachNode(func([]byte, bool) error { // in memory: it never fails
		n++
		return nil
	})
	return n
}

// EachNode calls f with every node of a list, a listpack or one plain element, until f
// returns an error, which it returns. A packed list is one node.
func (e *Entry) EachNode(f func(node []byte, plain bool) error) error {
	if !e.rooted {
		return f(e.Value, false)
	}
	parts := e.parts
	for {
		kind, ok := parts.Next()
		if !ok {
			return parts.Err()
		}
		plain := kind[0] == partPlain
		node, _ := parts.Next()
		if err := f(node, plain); err != nil {
			return err
		}
	}
}

// EachElement calls f with every element of a list, in order, until f returns an error,
// which it returns. The bytes are good during the call.
func (e *Entry) EachElement(f func(elem []byte) error) error {
	return e.EachNode(func(node []byte, plain bool) error {
		if plain {
			return f(node)
		}
		var digits [intDigits]byte
		for off := listpack.First(node); off >= 0; off = listpack.Next(node, off) {
			if err := f(listpack.Get(node, off, digits[:0])); err != nil {
				return err
			}
		}
		return nil
	})
}
