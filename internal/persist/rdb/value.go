package rdb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
)

var (
	// ErrEmpty is returned by Value for a collection without elements, which old versions
	// of Redis could write and new ones pass over. The reader stands behind it.
	ErrEmpty = errors.New("rdb: collection without elements")
	// ErrDuplicate is returned by sinks for an element that they have already.
	ErrDuplicate = fmt.Errorf("%w: an element twice", ErrFormat)
)

// maxExpire bounds the expiry of a field: what fits the 48 bits that Redis has for it.
const maxExpire = 1<<48 - 2

// scratch is what reading values needs and keeps from one to the next.
type scratch struct {
	a, b   []byte // strings being read
	lp     []byte // a listpack being made of an older form
	digits [20]byte
	seen   distinct
}

// trim lets go of memory that one large value took.
func (s *scratch) trim() {
	for _, b := range []*[]byte{&s.a, &s.b, &s.lp} {
		if cap(*b) > 1<<20 {
			*b = nil
		}
	}
	s.seen.trim()
}

// Value reads the value of the key that Next has given into sink. Where it is not called
// Next reads, validates and drops the value. After ErrEmpty reading can go on.
func (r *Reader) Value(sink Sink) error {
	if !r.pending {
		return nil
	}
	r.pending = false
	err := r.value(r.Key.Kind, sink)
	if err != nil && !errors.Is(err, ErrEmpty) {
		return r.wrap(fmt.Errorf("key %.64q, %s: %w", r.Key.Key, r.Key.Kind, err))
	}
	return err
}

func (r *Reader) value(k Kind, sink Sink) (err error) {
	defer r.scratch.trim()
	switch k {
	case KindString:
		if r.a, err = r.str(r.a[:0]); err != nil {
			return err
		}
		return sink.String(r.a)
	case KindList:
		return r.each(func() error { return r.plain(sink.Element) })
	case KindSet:
		return r.each(func() error { return r.plain(sink.Member) })
	case KindZSet, KindZSet2:
		return r.each(func() error { return r.scored(k == KindZSet2, sink) })
	case KindHash:
		return r.each(func() error { return r.field(0, sink) })
	case KindHashTTL, KindHashTTLPre:
		return r.expiringHash(k, sink)
	case KindListQuicklist, KindListQuicklist2:
		return r.quicklist(k, sink)
	case KindStream, KindStream2, KindStream3:
		return r.stream(k, sink)
	case KindHashTTLPack, KindHashTTLPackPre:
		if k == KindHashTTLPack {
			if _, err := r.fixed(8); err != nil { // the nearest expiry, which the listpack has too
				return err
			}
		}
		return r.packedValue(KindHashTTLPack, sink)
	case KindHashZipmap, KindListZiplist, KindSetIntset, KindZSetZiplist, KindHashZiplist,
		KindHashListpack, KindZSetListpack, KindSetListpack:
		return r.packedValue(k, sink)
	}
	return fmt.Errorf("%w: no such value here", ErrUnsupported)
}

// each reads a count and as many elements. The count is believed only as far as elements
// come.
func (r *Reader) each(one func() error) error {
	n, err := r.plainLength()
	if err != nil {
		return err
	}
	if n == 0 {
		return ErrEmpty
	}
	for ; n > 0; n-- {
		if err := one(); err != nil {
			return err
		}
	}
	return nil
}

func (r *Reader) plain(give func([]byte) error) (err error) {
	if r.a, err = r.str(r.a[:0]); err != nil {
		return err
	}
	return give(r.a)
}

func (r *Reader) scored(binaryScore bool, sink Sink) (err error) {
	if r.a, err = r.str(r.a[:0]); err != nil {
		return err
	}
	var score float64
	if binaryScore {
		b, err := r.fixed(8)
		if err != nil {
			return err
		}
		score = math.Float64frombits(binary.LittleEndian.Uint64(b))
	} else if score, err = r.textScore(); err != nil {
		return err
	}
	if math.IsNaN(score) {
		return fmt.Errorf("%w: score NaN", ErrFormat)
	}
	return sink.Scored(r.a, score)
}

// textScore reads a score as versions before 8 wrote it: a length and digits, three
// lengths standing for what has none (rdb.c, rdbLoadDoubleValue).
func (r *Reader) textScore() (float64, error) {
	n, err := r.byte()
	if err != nil {
		return 0, err
	}
	switch n {
	case 253:
		return math.NaN(), nil
	case 254:
		return math.Inf(1), nil
	case 255:
		return math.Inf(-1), nil
	}
	if r.b, err = r.raw(r.b[:0], uint64(n)); err != nil {
		return 0, err
	}
	return parseScore(r.b)
}

// parseScore reads a score from text. What is too large for a double is infinite.
func parseScore(b []byte) (float64, error) {
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) || math.IsNaN(f) {
		return 0, fmt.Errorf("%w: score %.40q", ErrFormat, b)
	}
	return f, nil
}

func (r *Reader) field(expireAt int64, sink Sink) (err error) {
	if r.a, err = r.str(r.a[:0]); err != nil {
		return err
	}
	if r.b, err = r.str(r.b[:0]); err != nil {
		return err
	}
	return sink.Field(r.a, r.b, expireAt)
}

// expiringHash reads a hash whose fields expire: each has an expiry in front, 0 for none,
// relative to the nearest less one (rdb.c, RDB_TYPE_HASH_METADATA).
func (r *Reader) expiringHash(k Kind, sink Sink) error {
	base := uint64(1)
	if k == KindHashTTL {
		b, err := r.fixed(8)
		if err != nil {
			return err
		}
		base = binary.LittleEndian.Uint64(b)
	}
	return r.each(func() error {
		at, err := r.plainLength()
		if err != nil {
			return err
		}
		if at != 0 {
			if base > maxExpire || at > maxExpire {
				return fmt.Errorf("%w: field expiry %d + %d", ErrFormat, base, at)
			}
			if at += base - 1; at > maxExpire {
				return fmt.Errorf("%w: field expiry %d", ErrFormat, at)
			}
		}
		return r.field(int64(at), sink)
	})
}

// Forms of a node of a quicklist.
const (
	nodePlain  = 1
	nodePacked = 2
)

func (r *Reader) quicklist(k Kind, sink Sink) error {
	empty := true
	err := r.each(func() (err error) {
		form := uint64(nodePacked)
		if k == KindListQuicklist2 {
			if form, err = r.plainLength(); err != nil {
				return err
			}
		}
		if r.a, err = r.str(r.a[:0]); err != nil {
			return err
		}
		switch {
		case form == nodePlain:
			empty = false
			return sink.Element(r.a)
		case form != nodePacked:
			return fmt.Errorf("%w: list node of form %d", ErrFormat, form)
		}
		lp := r.a
		if k == KindListQuicklist {
			if lp, err = r.fromZiplist(r.a); err != nil {
				return err
			}
		}
		n, err := r.listNode(lp)
		if err != nil || n == 0 {
			return err
		}
		empty = false
		return sink.Elements(lp)
	})
	if err == nil && empty {
		return ErrEmpty
	}
	return err
}
