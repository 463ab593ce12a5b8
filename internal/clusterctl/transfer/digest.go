package transfer

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"math"
	"strconv"

	"github.com/redwingdb/redwing/internal/engine/intset"
	"github.com/redwingdb/redwing/internal/engine/listpack"
	"github.com/redwingdb/redwing/internal/engine/stream"
	"github.com/redwingdb/redwing/internal/persist/rdb"
)

// Digest tells values apart however servers keep them: 128 bits, the same for the same type
// and content. Of a stream it covers the entries, the last id, and the groups with the id
// that each has delivered last; not who has what pending.
type Digest [16]byte

// digester computes the Digest of the values that are read into it. What has an order goes
// into one hash, elements without one are hashed by themselves and summed up.
type digester struct {
	rdb.Discard
	kind    byte
	ordered hash.Hash
	sum     [2]uint64
	buf     []byte
	bytes   int // of what was read
	// fieldsFrom: fields that expire before, in Unix milliseconds, are left out.
	fieldsFrom int64
}

func newDigester(fieldsFrom int64) *digester {
	return &digester{ordered: sha256.New(), fieldsFrom: fieldsFrom}
}

// value reads the value that r has come to.
func (d *digester) value(r *rdb.Reader) (Digest, error) {
	d.kind, d.sum, d.bytes = 0, [2]uint64{}, 0
	d.ordered.Reset()
	if err := r.Value(d); err != nil {
		return Digest{}, err
	}
	var out Digest
	var words [17]byte
	words[0] = d.kind
	binary.LittleEndian.PutUint64(words[1:], d.sum[0])
	binary.LittleEndian.PutUint64(words[9:], d.sum[1])
	d.ordered.Write(words[:]) // it never fails (hash.Hash)
	copy(out[:], d.ordered.Sum(nil))
	return out, nil
}

// The kinds of values, whatever their form in an RDB.
const (
	ofString = iota + 1
	ofList
	ofSet
	ofZSet
	ofHash
	ofStream
)

// next adds to what has an order.
func (d *digester) next(kind byte, b []byte) {
	d.kind = kind
	d.bytes += len(b)
	var n [8]byte
	binary.LittleEndian.PutUint64(n[:], uint64(len(b)))
	d.ordered.Write(n[:]) // it never fails (hash.Hash)
	d.ordered.Write(b)
}

// add adds an element that has no order; it consists of a and b.
func (d *digester) add(kind byte, a, b []byte) {
	d.kind = kind
	d.bytes += len(a) + len(b)
	d.buf = binary.LittleEndian.AppendUint64(d.buf[:0], uint64(len(a)))
	d.buf = append(append(d.buf, a...), b...)
	one := sha256.Sum256(d.buf)
	d.sum[0] += binary.LittleEndian.Uint64(one[:])
	d.sum[1] += binary.LittleEndian.Uint64(one[8:])
}

// String implements rdb.Sink.
func (d *digester) String(b []byte) error { d.next(ofString, b); return nil }

// Element implements rdb.Sink.
func (d *digester) Element(b []byte) error { d.next(ofList, b); return nil }

// Elements implements rdb.Sink.
func (d *digester) Elements(lp []byte) error {
	return inTurn(lp, 1, func(e [][]byte) error { return d.Element(e[0]) })
}

// Member implements rdb.Sink.
func (d *digester) Member(b []byte) error { d.add(ofSet, b, nil); return nil }

// Scored implements rdb.Sink.
func (d *digester) Scored(member []byte, score float64) error {
	if score == 0 {
		score = 0 // without a sign
	}
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], math.Float64bits(score))
	d.add(ofZSet, member, b[:])
	return nil
}

// Field implements rdb.Sink.
func (d *digester) Field(field, value []byte, expireAt int64) error {
	d.kind = ofHash
	if expireAt != 0 && expireAt < d.fieldsFrom {
		return nil
	}
	var at [8]byte
	binary.LittleEndian.PutUint64(at[:], uint64(expireAt))
	d.add(ofHash, field, append(at[:], value...))
	return nil
}

// Packed implements rdb.Sink.
func (d *digester) Packed(k rdb.Kind, n int, b []byte) error {
	switch k {
	case rdb.KindSetIntset:
		for i := range n {
			d.add(ofSet, strconv.AppendInt(nil, intset.At(b, i), 10), nil)
		}
		return nil
	case rdb.KindSetListpack:
		return inTurn(b, 1, func(e [][]byte) error { return d.Member(e[0]) })
	case rdb.KindHashListpack:
		return inTurn(b, 2, func(e [][]byte) error { return d.Field(e[0], e[1], 0) })
	case rdb.KindHashTTLPack:
		return eachField(b, d.Field)
	case rdb.KindZSetListpack:
		return inTurn(b, 2, func(e [][]byte) error {
			score, err := strconv.ParseFloat(string(e[1]), 64)
			if err != nil {
				return err
			}
			return d.Scored(e[0], score)
		})
	}
	return fmt.Errorf("no digest of a packed %v", k)
}

// eachField calls f with each field of a listpack of field, value, expiry.
func eachField(lp []byte, f func(field, value []byte, expireAt int64) error) error {
	return inTurn(lp, 3, func(e [][]byte) error {
		at, err := strconv.ParseInt(string(e[2]), 10, 64)
		if err != nil {
			return fmt.Errorf("a field expires at %.20q", e[2])
		}
		return f(e[0], e[1], at)
	})
}

// inTurn calls f with each n elements of a listpack.
func inTurn(lp []byte, n int, f func(e [][]byte) error) error {
	elems := make([][]byte, n)
	i := 0
	for off := listpack.First(lp); off >= 0; off = listpack.Next(lp, off) {
		elems[i] = append(elems[i][:0], listpack.Get(lp, off, nil)...)
		if i++; i == n {
			if err := f(elems); err != nil {
				return err
			}
			i = 0
		}
	}
	return nil
}

// Node implements rdb.StreamSink.
func (d *digester) Node(first rdb.StreamID, lp []byte) error {
	return stream.EachEntry(stream.ID{Ms: first.MS, Seq: first.Seq}, lp, func(e *stream.Entry) error {
		d.next(ofStream, fmt.Appendf(nil, "%d-%d %d", e.ID.Ms, e.ID.Seq, e.Fields))
		var a, b [20]byte
		for range e.Fields {
			name, value := e.Field(a[:0], b[:0])
			d.next(ofStream, name)
			d.next(ofStream, value)
		}
		return nil
	})
}

// Stream implements rdb.StreamSink.
func (d *digester) Stream(s rdb.StreamInfo) error {
	d.next(ofStream, idText(s.Last))
	return nil
}

// Group implements rdb.StreamSink.
func (d *digester) Group(name []byte, g rdb.GroupInfo) error {
	d.add(ofStream, name, idText(g.Last))
	return nil
}
