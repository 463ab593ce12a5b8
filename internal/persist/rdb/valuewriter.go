package rdb

import (
	"encoding/binary"
	"math"
)

// The methods that write values, after Key. A value of KindString is one Bytes, as is
// every packed one; of the other kinds a Count and then as many elements:
//
//	KindList      Bytes ...             KindListQuicklist2  Node or PlainNode ...
//	KindSet       Bytes ...             KindZSet2           Scored ...
//	KindHash      Bytes field value ... KindHashTTL         Nearest, Count, ExpiringField ...
//	KindHashTTLPack  Nearest, Bytes
//	KindStream2, KindStream3: StreamNode ..., Stream, Count of groups, { Group,
//	    Pending ..., Count of consumers, { Consumer, Owned ... } }

// room writes out what is gathered, so that a value of many elements does not gather.
func (w *Writer) room() {
	if len(w.buf) >= flushBytes {
		w.flush()
	}
}

// Count writes a number of elements.
func (w *Writer) Count(n uint64) { w.length(n) }

// Bytes writes a string.
func (w *Writer) Bytes(b []byte) {
	w.room()
	w.str(b)
}

// Node writes a node of a list: a listpack.
func (w *Writer) Node(lp []byte) {
	w.length(nodePacked)
	w.Bytes(lp)
}

// PlainNode writes a node of a list that is one long element.
func (w *Writer) PlainNode(b []byte) {
	w.length(nodePlain)
	w.Bytes(b)
}

// Scored writes a member and its score.
func (w *Writer) Scored(member []byte, score float64) {
	w.Bytes(member)
	w.buf = binary.LittleEndian.AppendUint64(w.buf, math.Float64bits(score))
}

// Nearest writes the nearest expiry of a hash's fields.
func (w *Writer) Nearest(expireAt int64) { w.millis(expireAt) }

// ExpiringField writes a field whose expiry (0: none) is at least nearest.
func (w *Writer) ExpiringField(field, value []byte, expireAt, nearest int64) {
	if expireAt == 0 {
		w.length(0)
	} else {
		w.length(uint64(expireAt - nearest + 1))
	}
	w.Bytes(field)
	w.Bytes(value)
}

// StreamNode writes a node of a stream.
func (w *Writer) StreamNode(first StreamID, lp []byte) {
	w.buf = append(w.buf, 16)
	w.rawID(first)
	w.Bytes(lp)
}

// Stream writes what a stream knows of itself, in the form of KindStream2 and 3.
func (w *Writer) Stream(s StreamInfo) {
	w.length(s.Length)
	w.lengthsID(s.Last)
	w.lengthsID(s.First)
	w.lengthsID(s.MaxDeleted)
	w.length(s.EntriesAdded)
}

// Group writes a group.
func (w *Writer) Group(name []byte, g GroupInfo) {
	w.Bytes(name)
	w.lengthsID(g.Last)
	w.length(uint64(g.EntriesRead))
	w.length(g.Pending)
}

// Pending writes a pending entry of a group.
func (w *Writer) Pending(p PendingInfo) {
	w.room()
	w.rawID(p.ID)
	w.millis(p.DeliveredAt)
	w.length(p.Deliveries)
}

// Consumer writes a consumer of a group; k is the kind of the stream.
func (w *Writer) Consumer(k Kind, name []byte, c ConsumerInfo) {
	w.Bytes(name)
	w.millis(c.SeenAt)
	if k == KindStream3 {
		w.millis(c.ActiveAt)
	}
	w.length(c.Pending)
}

// Owned writes the id of a pending entry of a consumer.
func (w *Writer) Owned(id StreamID) {
	w.room()
	w.rawID(id)
}

func (w *Writer) millis(ms int64) { w.buf = binary.LittleEndian.AppendUint64(w.buf, uint64(ms)) }

func (w *Writer) rawID(id StreamID) {
	w.buf = binary.BigEndian.AppendUint64(w.buf, id.MS)
	w.buf = binary.BigEndian.AppendUint64(w.buf, id.Seq)
}

func (w *Writer) lengthsID(id StreamID) {
	w.length(id.MS)
	w.length(id.Seq)
}
