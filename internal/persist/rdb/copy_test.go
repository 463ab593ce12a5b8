package rdb

import (
	"bufio"
	"bytes"
	"errors"
	"iter"
	"testing"
)

// held is a Sink that keeps a value and can write it again.
type held struct {
	kind   Kind
	packed []byte
	elems  []func(w *Writer)
	near   int64
	info   StreamInfo
	groups []*heldGroup
}

type heldGroup struct {
	name      []byte
	info      GroupInfo
	pending   []PendingInfo
	consumers []*heldConsumer
}

type heldConsumer struct {
	name  []byte
	info  ConsumerInfo
	owned []StreamID
}

func (h *held) add(f func(w *Writer)) error {
	h.elems = append(h.elems, f)
	return nil
}

func (h *held) String(b []byte) error                { h.packed = append([]byte{}, b...); return nil }
func (h *held) Packed(_ Kind, _ int, b []byte) error { h.packed = append([]byte{}, b...); return nil }

func (h *held) Elements(lp []byte) error {
	lp = bytes.Clone(lp)
	return h.add(func(w *Writer) { w.Node(lp) })
}

func (h *held) Element(b []byte) error {
	b = bytes.Clone(b)
	return h.add(func(w *Writer) {
		if h.kind == KindListQuicklist2 {
			w.PlainNode(b)
		} else {
			w.Bytes(b)
		}
	})
}

func (h *held) Member(b []byte) error {
	b = bytes.Clone(b)
	return h.add(func(w *Writer) { w.Bytes(b) })
}

func (h *held) Scored(m []byte, score float64) error {
	m = bytes.Clone(m)
	return h.add(func(w *Writer) { w.Scored(m, score) })
}

func (h *held) Field(f, v []byte, at int64) error {
	f, v = bytes.Clone(f), bytes.Clone(v)
	if at != 0 && (h.near == 0 || at < h.near) {
		h.near = at
	}
	return h.add(func(w *Writer) {
		if h.kind == KindHashTTL {
			w.ExpiringField(f, v, at, h.near)
		} else {
			w.Bytes(f)
			w.Bytes(v)
		}
	})
}

func (h *held) Node(first StreamID, lp []byte) error {
	lp = bytes.Clone(lp)
	return h.add(func(w *Writer) { w.StreamNode(first, lp) })
}

func (h *held) Stream(s StreamInfo) error { h.info = s; return nil }

func (h *held) Group(name []byte, g GroupInfo) error {
	h.groups = append(h.groups, &heldGroup{name: bytes.Clone(name), info: g})
	return nil
}

func (h *held) group() *heldGroup { return h.groups[len(h.groups)-1] }

func (h *held) Pending(p PendingInfo) error {
	h.group().pending = append(h.group().pending, p)
	return nil
}

func (h *held) Consumer(name []byte, c ConsumerInfo) error {
	h.group().consumers = append(h.group().consumers, &heldConsumer{name: bytes.Clone(name), info: c})
	return nil
}

func (h *held) Owned(id StreamID) error {
	c := h.group().consumers[len(h.group().consumers)-1]
	c.owned = append(c.owned, id)
	return nil
}

// writeTo writes the value as k, the kind that it was read as or the newer one for which
// the reader gives the same.
func (h *held) writeTo(w *Writer, k Kind) {
	h.kind = k
	switch {
	case k == KindHashTTLPack:
		w.Nearest(1)
		w.Bytes(h.packed)
		return
	case h.packed != nil:
		w.Bytes(h.packed)
		return
	case k == KindHashTTL:
		w.Nearest(h.near)
	}
	w.Count(uint64(len(h.elems)))
	for _, f := range h.elems {
		f(w)
	}
	if k != KindStream2 && k != KindStream3 {
		return
	}
	w.Stream(h.info)
	w.Count(uint64(len(h.groups)))
	for _, g := range h.groups {
		w.Group(g.name, g.info)
		for _, p := range g.pending {
			w.Pending(p)
		}
		w.Count(uint64(len(g.consumers)))
		for _, c := range g.consumers {
			w.Consumer(k, c.name, c.info)
			for _, id := range c.owned {
				w.Owned(id)
			}
		}
	}
}

// readFile gives the keys and values of a file.
func readFile(t *testing.T, b []byte) iter.Seq2[Key, *held] {
	return func(yield func(Key, *held) bool) {
		r := NewReader(bufio.NewReader(bytes.NewReader(b)), ReaderOptions{MaxDB: 15})
		for {
			ev, err := r.Next()
			if err != nil {
				t.Fatal(err)
			}
			switch ev {
			case EventEnd:
				return
			case EventKey:
				h := &held{}
				if err := r.Value(h); err != nil && !errors.Is(err, ErrEmpty) {
					t.Fatal(err)
				}
				if !yield(r.Key, h) {
					return
				}
			}
		}
	}
}
