package stream

import (
	"bytes"

	"github.com/redwingdb/redwing/internal/engine/arena"
	"github.com/redwingdb/redwing/internal/engine/bulk"
	"github.com/redwingdb/redwing/internal/engine/listpack"
)

// Limits say when a node is full (stream-node-max-bytes, stream-node-max-entries).
type Limits struct {
	NodeBytes   int64 // 0: maxNodeBytes
	NodeEntries int64 // 0: no bound
}

const (
	// maxNodeBytes bounds a node whatever the limits, and the bytes of one entry.
	maxNodeBytes = 1 << 30
	// entryOverhead is the most that a string or number takes in a listpack beyond its
	// bytes.
	entryOverhead = 10
)

// Fits reports whether pairs, names and values in turn, may make up an entry.
func Fits(pairs [][]byte) bool { return bytesOf(pairs) <= maxNodeBytes }

func bytesOf(pairs [][]byte) (n int64) {
	for _, b := range pairs {
		n += int64(len(b))
	}
	return n
}

// Append adds an entry. REQUIRES: s.Last.Less(id), Fits(pairs). On error nothing has
// changed.
func (s Stream) Append(id ID, pairs [][]byte, l Limits) error {
	bytes := bytesOf(pairs)
	lp := s.tailBytes()
	if lp != nil && !full(lp, bytes, l) {
		if s.Pasts != nil {
			s.own(s.nodes.back(s.A))
			lp = s.tailBytes()
		}
		if err := s.appendTo(lp, id, pairs, int(bytes), l); err != nil {
			return err
		}
	} else {
		s.last = tail{}
		if err := s.appendNode(id, pairs); err != nil {
			return err
		}
		if lp != nil {
			// It will not grow any more; the new node may have moved its entry.
			shrink(s.A, s.nodes.floor(s.A, before(id)).ref())
		}
	}
	if s.length++; s.length == 1 {
		s.First = id
	}
	s.Added++
	s.Last = id
	return nil
}

// tailBytes returns the bytes of the last node, or nil.
func (s Stream) tailBytes() []byte {
	if s.last.ref == 0 {
		p := s.nodes.back(s.A)
		if !p.ok() {
			return nil
		}
		s.remember(p)
	}
	return bytesAt(s.A, s.last.ref)
}

// remember makes the node at p, the last one, the tail.
func (s Stream) remember(p spot) {
	s.last = tail{ref: *p.ref(), master: p.id()}
	if n := s.A.Size(s.last.ref); n <= arena.MaxBlock {
		s.last.room = uint32(n)
	}
}

func before(id ID) ID {
	id, _ = id.Prev()
	return id
}

// full reports whether an entry of n bytes must begin a new node (t_stream.c,
// streamAppendItem): deleted entries count.
func full(lp []byte, n int64, l Limits) bool {
	most := l.NodeBytes
	if most <= 0 || most > maxNodeBytes {
		most = maxNodeBytes
	}
	if int64(len(lp))+n >= most {
		return true
	}
	return l.NodeEntries > 0 && number(lp, liveAt)+number(lp, listpack.Next(lp, liveAt)) >= l.NodeEntries
}

// appendNode adds an entry in a node of its own.
func (s Stream) appendNode(id ID, pairs [][]byte) error {
	fields := len(pairs) / 2
	size := s.firstSize(exactNode(pairs))
	ref, err := allocNode(s.A, size)
	if err != nil {
		return err
	}
	s.Pasts.change(0, &s.nodes, id, nil)
	p, _, err := s.nodes.put(s.A, id)
	if err != nil {
		s.A.Free(ref)
		return err
	}
	*p.ref() = ref
	lp := listpack.New(s.A.Bytes(ref, size)[:0])
	lp = lp[:listpack.End(lp)]
	lp = listpack.AppendIntEntry(lp, 1)
	lp = listpack.AppendIntEntry(lp, 0)
	lp = listpack.AppendIntEntry(lp, int64(fields))
	for i := 0; i < len(pairs); i += 2 {
		lp = listpack.AppendEntry(lp, pairs[i])
	}
	lp = listpack.AppendIntEntry(lp, 0)
	lp = appendItem(lp, flagSameFields, ID{}, pairs)
	listpack.Seal(lp, masterPieces+fields+entryPieces+1+fields)
	return nil
}

// exactNode returns the bytes of a node of one entry.
func exactNode(pairs [][]byte) int {
	fields := int64(len(pairs) / 2)
	n := listpack.EmptyBytes + 6*2 // live, deleted, 0, flags, ms, seq
	n += listpack.IntEntryBytes(fields) + listpack.IntEntryBytes(fields+entryPieces)
	for _, b := range pairs {
		n += listpack.EntryBytes(b)
	}
	return n
}

// firstSize returns the size of the block of a new node whose first entry makes it n
// bytes long. It is likely to become like the one before it; then nothing is copied.
func (s Stream) firstSize(n int) int {
	tail := s.nodes.back(s.A)
	if !tail.ok() {
		return n
	}
	return max(n, min(len(bytesAt(s.A, *tail.ref())), arena.MaxBlock))
}

// appendTo adds an entry of n bytes to the last node, lp.
func (s Stream) appendTo(lp []byte, id ID, pairs [][]byte, n int, l Limits) error {
	live := number(lp, liveAt)
	at := listpack.Next(lp, listpack.Next(lp, liveAt))
	fields := len(pairs) / 2
	same := number(lp, at) == int64(fields) && sameNames(lp, listpack.Next(lp, at), pairs)
	flags := int64(0)
	if same {
		flags = flagSameFields
	}
	master := s.last.master
	base := len(lp) + widening(live, live+1)
	need := base + n + entryOverhead*(entryPieces+2+len(pairs))
	if need > int(s.last.room) {
		// Only where it seems to be too much is it worth counting exactly.
		need = base + exactItem(id, master, flags, pairs)
	}
	if need > int(s.last.room) {
		p := s.nodes.back(s.A)
		if _, err := reserve(s.A, p.ref(), need, growth(need, l)); err != nil {
			return err
		}
		s.remember(p)
	}
	ref := s.last.ref // where it is now there is room: it will not move
	if err := setNumber(s.A, &ref, liveAt, live+1); err != nil {
		return err
	}
	buf := s.A.Bytes(ref, need)
	buf = buf[:listpack.End(buf)]
	buf = appendItem(buf, flags, ID{id.Ms - master.Ms, id.Seq - master.Seq}, pairs)
	pieces := entryPieces + 1 + fields
	if !same {
		pieces += 1 + fields
	}
	listpack.Seal(buf, pieces)
	return nil
}

// smallNode is up to where a node grows in smaller steps, since there may be many like it.
const smallNode = 512

// growth returns the size of the block that takes a node which has become n bytes long.
func growth(n int, l Limits) int {
	want := 2 * n
	if n <= smallNode {
		want = n + n/2
	}
	if most := min(l.NodeBytes, arena.MaxBlock); most > 0 && want > int(most) {
		want = int(most)
	}
	if want > arena.MaxBlock {
		want = n // a span grows where it is
	}
	return max(n, want)
}

// exactItem returns the bytes of an entry.
func exactItem(id, master ID, flags int64, pairs [][]byte) int {
	fields := int64(len(pairs) / 2)
	n := 2 + listpack.IntEntryBytes(int64(id.Ms-master.Ms)) + listpack.IntEntryBytes(int64(id.Seq-master.Seq))
	if flags&flagSameFields != 0 {
		for i := 1; i < len(pairs); i += 2 {
			n += listpack.EntryBytes(pairs[i])
		}
		return n + listpack.IntEntryBytes(entryPieces+fields)
	}
	for _, b := range pairs {
		n += listpack.EntryBytes(b)
	}
	return n + listpack.IntEntryBytes(fields) + listpack.IntEntryBytes(entryPieces+1+2*fields)
}

// appendItem appends the pieces of an entry, delta its id less the master's.
func appendItem(lp []byte, flags int64, delta ID, pairs [][]byte) []byte {
	fields := int64(len(pairs) / 2)
	lp = listpack.AppendIntEntry(lp, flags)
	lp = listpack.AppendIntEntry(lp, int64(delta.Ms))
	lp = listpack.AppendIntEntry(lp, int64(delta.Seq))
	if flags&flagSameFields != 0 {
		for i := 1; i < len(pairs); i += 2 {
			lp = listpack.AppendEntry(lp, pairs[i])
		}
		return listpack.AppendIntEntry(lp, entryPieces+fields)
	}
	lp = listpack.AppendIntEntry(lp, fields)
	for _, b := range pairs {
		lp = listpack.AppendEntry(lp, b)
	}
	return listpack.AppendIntEntry(lp, entryPieces+1+2*fields)
}

// sameNames reports whether the names of pairs are those from off on, as many. They are
// compared as bytes: "1" is kept as a number, which prints as it was.
func sameNames(lp []byte, off int, pairs [][]byte) bool {
	var digits [20]byte
	for i := 0; i < len(pairs); i += 2 {
		if !bytes.Equal(listpack.Get(lp, off, digits[:0]), pairs[i]) {
			return false
		}
		off = listpack.Next(lp, off)
	}
	return true
}

func copyNode(a *arena.Arena, lp []byte) (arena.Ref, error) {
	ref, err := allocNode(a, len(lp))
	if err == nil {
		bulk.Copy(a.Bytes(ref, len(lp)), lp)
	}
	return ref, err
}
