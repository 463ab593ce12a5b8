package transfer

import (
	"bytes"
	"errors"
	"math"
	"strconv"

	"github.com/redwingdb/redwing/internal/engine/listpack"
	"github.com/redwingdb/redwing/internal/persist/rdb"
)

// Op is a request to the owner of its keys, which are all of one slot.
type Op struct {
	Keys [][]byte
	Args [][]byte
}

// Encoder turns values of an RDB into requests that make them: one RESTORE a value, and of
// a value whose payload would pass Limit, RESTORE of its first part and then commands of its
// type that add the rest. It is a rdb.Sink; Op and what is in it are good until Emit returns.
type Encoder struct {
	// Limit is when a payload is full, in bytes. 0: DefaultLimit.
	Limit int
	// Replace lets values take the place of what is there.
	Replace bool
	// Emit takes the requests, in order.
	Emit func(Op) error
	// Expiry says what expiry a key gets, both in Unix milliseconds. nil: its own.
	Expiry func(key []byte, at int64) int64
	// FieldExpiry is that for the fields of hashes that have one.
	FieldExpiry func(key []byte, at int64) int64
	// Exists, where Replace is not set, is asked before a value in parts is written: one
	// that is there is left alone.
	Exists func(key []byte) (bool, error)

	key     []byte
	r       *rdb.Reader
	read    *rdb.Key
	kind    rdb.Kind
	n       uint64
	elems   *rdb.Writer
	begun   bool // the first part is out
	skip    bool // the key was there already
	batch   [][]byte
	bytes   int
	expires []fieldExpiry // of the batch
	stream  streamParts
	ints    []byte
}

type fieldExpiry struct {
	field []byte
	at    int64
}

// Bounds of requests.
const (
	// DefaultLimit is the default of Encoder.Limit.
	DefaultLimit = 8 << 20
	// wholeMost is the longest value that is restored whole where it cannot be cut: it fits
	// a request of the default proto-max-bulk-len.
	wholeMost = 256 << 20
	batchArgs = 1024
	batchMost = 256 << 10 // bytes
	// chunkBytes is how much of a long string goes into a request.
	chunkBytes = 4 << 20
)

// Key emits the value of the key that r has come to.
func (e *Encoder) Key(r *rdb.Reader) error { return e.KeyAs(r, r.Key.Key) }

// KeyAs is Key under a name that the reader does not know (a payload's). The expiry and
// the access clock are those of r.Key.
func (e *Encoder) KeyAs(r *rdb.Reader, key []byte) error {
	e.key, e.r, e.read, e.n, e.begun, e.skip = append(e.key[:0], key...), r, &r.Key, 0, false, false
	if e.elems == nil {
		e.elems = rdb.NewBody()
	}
	e.elems.ResetBody()
	e.batch, e.bytes, e.expires = e.batch[:0], 0, e.expires[:0]
	defer e.trim()
	err := e.value(r)
	if errors.Is(err, rdb.ErrEmpty) {
		return nil // as every server does that loads it
	}
	if err != nil {
		return err
	}
	return e.end()
}

// value reads the value. Of what is one piece anyway the bytes are passed on as they are,
// unless it is too long.
func (e *Encoder) value(r *rdb.Reader) error {
	switch kind := r.Key.Kind; kind {
	case rdb.KindString, rdb.KindHashZipmap, rdb.KindSetIntset, rdb.KindZSetZiplist, rdb.KindHashZiplist,
		rdb.KindHashListpack, rdb.KindZSetListpack, rdb.KindSetListpack, rdb.KindHashTTLPack:
		if kind == rdb.KindHashTTLPack && e.FieldExpiry != nil {
			return r.Value(e)
		}
	default:
		return r.Value(e)
	}
	e.kind = r.Key.Kind
	payload, ok, err := r.Payload(nil, max(e.limit(), chunkBytes), e)
	if err != nil || !ok {
		return err
	}
	return e.restorePayload(payload, true)
}

// trim lets go of memory that one large value took.
func (e *Encoder) trim() {
	const most = 1 << 20
	if cap(e.elems.Body()) > most {
		e.elems = nil
	}
	e.stream = streamParts{}
}

func (e *Encoder) limit() int {
	if e.Limit > 0 {
		return e.Limit
	}
	return DefaultLimit
}

// end emits what is left of the value.
func (e *Encoder) end() error {
	switch {
	case e.kind == rdb.KindStream3:
		return e.endStream()
	case e.skip:
		return nil
	case e.begun:
		if err := e.flush(); err != nil {
			return err
		}
		return e.expire()
	case e.n > 0:
		return e.restore(true)
	}
	return nil // it went out at once
}

// String implements rdb.Sink.
func (e *Encoder) String(b []byte) error {
	if e.r.Captured() {
		return nil
	}
	first := min(len(b), chunkBytes)
	e.elems.Bytes(b[:first])
	if err := e.restoreBody(e.elems.Body(), false); err != nil || e.skip {
		return err
	}
	for b = b[first:]; len(b) > 0; {
		n := min(len(b), chunkBytes)
		if err := e.emit(word("APPEND"), e.key, b[:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	return e.expire()
}

// Packed implements rdb.Sink.
func (e *Encoder) Packed(k rdb.Kind, _ int, b []byte) error {
	if e.r.Captured() {
		return nil
	}
	if k == rdb.KindHashTTLPack && e.FieldExpiry != nil {
		return eachField(b, e.Field)
	}
	e.kind = k
	if k == rdb.KindHashTTLPack {
		e.elems.Nearest(0) // a hint; the listpack has it too
	}
	e.elems.Bytes(b)
	return e.restoreBody(e.elems.Body(), true)
}

// Elements implements rdb.Sink.
func (e *Encoder) Elements(lp []byte) error {
	e.kind = rdb.KindListQuicklist2
	if !e.begun {
		e.elems.Node(lp)
		return e.added()
	}
	for off := listpack.First(lp); off >= 0; off = listpack.Next(lp, off) {
		e.ints = listpack.Get(lp, off, e.ints[:0])
		if err := e.add(word("RPUSH"), e.ints); err != nil {
			return err
		}
	}
	return nil
}

// Element implements rdb.Sink.
func (e *Encoder) Element(b []byte) error {
	e.kind = rdb.KindListQuicklist2
	if e.begun {
		return e.add(word("RPUSH"), b)
	}
	e.elems.PlainNode(b)
	return e.added()
}

// Member implements rdb.Sink.
func (e *Encoder) Member(b []byte) error {
	e.kind = rdb.KindSet
	if e.begun {
		return e.add(word("SADD"), b)
	}
	e.elems.Bytes(b)
	return e.added()
}

// Scored implements rdb.Sink.
func (e *Encoder) Scored(member []byte, score float64) error {
	e.kind = rdb.KindZSet2
	if e.begun {
		return e.add(word("ZADD"), appendScore(nil, score), member)
	}
	e.elems.Scored(member, score)
	return e.added()
}

func appendScore(b []byte, score float64) []byte {
	if math.IsInf(score, 0) {
		return strconv.AppendFloat(b, score, 'f', -1, 64) // +Inf, -Inf
	}
	return strconv.AppendFloat(b, score, 'g', 17, 64)
}

// nearest is what the expiries of fields are written relative to: the nearest is not
// known before all are.
const nearest = 1

// Field implements rdb.Sink.
func (e *Encoder) Field(field, value []byte, expireAt int64) error {
	if expireAt != 0 && e.FieldExpiry != nil {
		expireAt = e.FieldExpiry(e.key, expireAt)
	}
	if e.begun {
		if err := e.add(word("HSET"), field, value); err != nil {
			return err
		}
		if expireAt != 0 {
			e.expires = append(e.expires, fieldExpiry{bytes.Clone(field), expireAt})
		}
		return nil
	}
	if e.read.Kind >= rdb.KindHashTTLPre {
		e.kind = rdb.KindHashTTL
		e.elems.ExpiringField(field, value, expireAt, nearest)
	} else {
		e.kind = rdb.KindHash
		e.elems.Bytes(field)
		e.elems.Bytes(value)
	}
	return e.added()
}

// added counts an element of the first part, which goes out when it is full.
func (e *Encoder) added() error {
	if e.n++; len(e.elems.Body()) < e.limit() {
		return nil
	}
	return e.restore(false)
}

// restore emits the elements that were gathered as a value. whole: it is all of it.
func (e *Encoder) restore(whole bool) error {
	head := rdb.NewBody()
	if e.kind == rdb.KindHashTTL {
		head.Nearest(nearest)
	}
	head.Count(e.n)
	head.Append(e.elems.Body())
	e.elems.ResetBody()
	e.begun = true
	return e.restoreBody(head.Body(), whole)
}

// restoreBody emits a value in the form of RDB. Of one in parts the expiry comes last, so
// that no part outlives the others.
func (e *Encoder) restoreBody(body []byte, whole bool) error {
	w := rdb.NewPayload(nil, e.kind, false)
	w.Append(body)
	return e.restorePayload(w.Payload(e.kind.Version()), whole)
}

// restorePayload emits a value in the form of DUMP.
func (e *Encoder) restorePayload(payload []byte, whole bool) error {
	args := [][]byte{word("RESTORE"), e.key, word("0"), payload}
	if at := e.expireAt(); whole && at != 0 {
		args[2] = strconv.AppendInt(nil, at, 10)
		args = append(args, word("ABSTTL"))
	}
	if !whole && !e.Replace {
		var err error
		if e.skip, err = e.Exists(e.key); err != nil || e.skip {
			return err
		}
	}
	if e.Replace || !whole {
		args = append(args, word("REPLACE"))
	}
	switch {
	case e.read.Idle >= 0:
		args = append(args, word("IDLETIME"), strconv.AppendInt(nil, e.read.Idle, 10))
	case e.read.Freq >= 0:
		args = append(args, word("FREQ"), strconv.AppendInt(nil, int64(e.read.Freq), 10))
	}
	return e.emit(args...)
}

// add puts words into the batch of a command that takes any number of them.
func (e *Encoder) add(command []byte, words ...[]byte) error {
	if e.skip {
		return nil
	}
	if len(e.batch) == 0 {
		e.batch = append(e.batch, command, e.key)
	}
	for _, w := range words {
		e.batch = append(e.batch, bytes.Clone(w))
		e.bytes += len(w)
	}
	if len(e.batch) < batchArgs && e.bytes < batchMost {
		return nil
	}
	return e.flush()
}

// flush emits the batch.
func (e *Encoder) flush() error {
	if len(e.batch) == 0 {
		return nil
	}
	if err := e.emit(e.batch...); err != nil {
		return err
	}
	e.batch, e.bytes = e.batch[:0], 0
	for _, f := range e.expires {
		if err := e.emit(word("HPEXPIREAT"), e.key, strconv.AppendInt(nil, f.at, 10), word("FIELDS"), word("1"), f.field); err != nil {
			return err
		}
	}
	e.expires = e.expires[:0]
	return nil
}

// expire emits the expiry of a value that was written in parts.
func (e *Encoder) expire() error {
	at := e.expireAt()
	if at == 0 {
		return nil
	}
	return e.emit(word("PEXPIREAT"), e.key, strconv.AppendInt(nil, at, 10))
}

func (e *Encoder) expireAt() int64 {
	if e.Expiry == nil {
		return e.read.ExpireAt
	}
	return e.Expiry(e.key, e.read.ExpireAt)
}

func (e *Encoder) emit(args ...[]byte) error {
	return e.Emit(Op{Keys: [][]byte{e.key}, Args: args})
}

func word(s string) []byte { return []byte(s) }
