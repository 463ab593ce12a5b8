package quicklist

import "github.com/redwingdb/redwing/internal/engine/listpack"

// Push adds elem at the front or at the back. elem must not lie in the list. On error
// nothing has changed.
func (l List) Push(o Limits, elem []byte, front bool) error {
	if l.h.nodes > 0 && !o.plain(elem) {
		n := l.node(l.edge(front))
		if o.admits(n, elem) {
			return l.pushInto(o, n, elem, front)
		}
	}
	n, err := l.soleNode(o, elem, front)
	if err != nil {
		return err
	}
	at := uint32(0)
	if !front {
		at = l.h.nodes
	}
	if err := l.insertNode(at, n); err != nil {
		return err
	}
	if l.h.nodes > 1 { // the node that was at this end is as full as it gets
		old := uint32(1)
		if !front {
			old = at - 1
		}
		if n := l.node(old); !n.plain() {
			l.narrow(n, true)
		}
	}
	return nil
}

// edge returns the number of the first or last node.
func (l List) edge(front bool) uint32 {
	if front {
		return 0
	}
	return l.h.nodes - 1
}

func (l List) pushInto(o Limits, n *node, elem []byte, front bool) error {
	l.own(n)
	d := listpack.EntryBytes(elem)
	if err := l.widen(o, n, d, front); err != nil {
		return err
	}
	block := l.block(n)
	if front {
		n.start = uint32(listpack.PushFront(block, int(n.start), elem))
	} else {
		lp := block[n.start:]
		e := listpack.Insert(lp, listpack.End(lp), elem)
		e.Apply(lp)
	}
	n.bytes += uint32(d)
	n.count++
	l.h.elements++
	return nil
}

// Pop takes the first or last element away. REQUIRES: the list is not empty.
func (l List) Pop(front bool) {
	i := l.edge(front)
	n := l.node(i)
	if n.count <= 1 {
		l.removeNodes(i, i+1)
		return
	}
	l.own(n)
	block := l.block(n)
	if front {
		start := uint32(listpack.PopFront(block, int(n.start)))
		n.bytes -= start - n.start
		n.start = start
	} else {
		lp := block[n.start:]
		e := listpack.Delete(lp, listpack.Last(lp), 1)
		e.Apply(lp)
		n.bytes = uint32(e.Len())
	}
	n.count--
	l.h.elements--
	l.narrow(n, false)
}

// Rotate moves the first element to the back, or with front false the last one to the
// front. On error nothing has changed. REQUIRES: the list is not empty.
func (l List) Rotate(o Limits, front bool) error {
	if l.Len() == 1 {
		return nil
	}
	i := l.edge(front)
	n := l.node(i)
	if n.len() == 1 { // its node moves, so that a long element is not copied
		moved := *n
		l.closeGap(i, i+1)
		l.h.elements--
		if !front {
			return l.insertNode(0, moved)
		}
		return l.insertNode(l.h.nodes, moved)
	}
	lp := l.bytes(n)
	off := listpack.First(lp)
	if !front {
		off = listpack.Last(lp)
	}
	// Pushing may move the node that the element lies in.
	var room [512]byte
	elem := append(room[:0], listpack.Get(lp, off, room[:])...)
	if err := l.Push(o, elem, !front); err != nil {
		return err
	}
	l.Pop(front)
	return nil
}
