package persist

import (
	"strconv"

	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/engine/intset"
	"github.com/redwingdb/redwing/internal/engine/listpack"
	"github.com/redwingdb/redwing/internal/persist/rdb"
)

func (l *Loader) packedIntset(n int, is []byte) error {
	if n <= l.Access.Limits().SetIntset {
		return l.create(engine.TypeSet, engine.EncIntset, is)
	}
	for i := range n {
		if err := l.member(strconv.AppendInt(l.digits[:0], intset.At(is, i), 10)); err != nil {
			return err
		}
	}
	return nil
}

func (l *Loader) packedSet(n int, lp []byte) error {
	if n <= l.Access.Limits().SetEntries {
		return l.create(engine.TypeSet, engine.EncListpack, lp)
	}
	for off := listpack.First(lp); off >= 0; off = listpack.Next(lp, off) {
		if err := l.member(listpack.Get(lp, off, l.digits[:0])); err != nil {
			return err
		}
	}
	return nil
}

// Member implements rdb.Sink.
func (l *Loader) Member(member []byte) error {
	l.lock()
	defer l.unlock()
	return l.member(member)
}

func (l *Loader) member(member []byte) error {
	if l.opens() {
		if _, err := l.set.Open(&l.Access, l.slot, l.key); err != nil {
			return err
		}
	}
	return once(l.set.Add(member))
}

// writeSet writes the members of e one by one.
func writeSet(w *rdb.Writer, e *engine.Entry) error {
	n := e.Len()
	if !e.Rooted() {
		n = listpack.Len(e.Value)
	}
	w.Count(uint64(n))
	return e.EachMember(func(member []byte) error {
		w.Bytes(member)
		return w.Settle()
	})
}
