package rdb

import (
	"bytes"
	"fmt"

	"github.com/redwingdb/redwing/internal/engine/intset"
	"github.com/redwingdb/redwing/internal/engine/listpack"
)

// packedValue reads a value that is one string: an intset or a listpack, or what Redis
// had before listpacks, which becomes one.
func (r *Reader) packedValue(k Kind, sink Sink) (err error) {
	if r.a, err = r.str(r.a[:0]); err != nil {
		return err
	}
	switch k {
	case KindSetIntset:
		return r.intset(r.a, sink)
	case KindHashZipmap:
		if r.lp, err = fromZipmap(listpack.New(r.lp[:0]), r.a); err != nil {
			return err
		}
		return r.packedHash(r.lp, sink)
	}
	lp := r.a
	switch k {
	case KindListZiplist, KindZSetZiplist, KindHashZiplist:
		if lp, err = r.fromZiplist(r.a); err != nil {
			return err
		}
	}
	switch k {
	case KindListZiplist:
		n, err := r.listNode(lp)
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrEmpty
		}
		return sink.Elements(lp)
	case KindSetListpack:
		return r.packedSet(lp, sink)
	case KindZSetZiplist, KindZSetListpack:
		return r.packedZSet(lp, sink)
	case KindHashTTLPack:
		return r.packedExpiringHash(lp, sink)
	}
	return r.packedHash(lp, sink)
}

func (r *Reader) fromZiplist(b []byte) (_ []byte, err error) {
	r.lp, err = fromZiplist(listpack.New(r.lp[:0]), b)
	return r.lp, err
}

// listNode validates a listpack whose elements may be anything and returns their number.
func (r *Reader) listNode(lp []byte) (n int, err error) {
	err = listpack.Validate(lp, true, func(_, index int) bool {
		n = index + 1
		return true
	})
	return n, damaged(err)
}

// damaged makes a validator's error one of damaged data.
func damaged(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrFormat, err)
}

// tuples validates a listpack of groups of width entries whose first ones are distinct,
// and returns the number of groups.
func (r *Reader) tuples(lp []byte, width int) (int, error) {
	n, err := r.listNode(lp)
	switch {
	case err != nil:
		return 0, err
	case n%width != 0:
		return 0, fmt.Errorf("%w: %d entries in groups of %d", ErrFormat, n, width)
	case n == 0:
		return 0, ErrEmpty
	}
	r.seen.begin(n / width)
	for off, i := listpack.First(lp), 0; off >= 0; off, i = listpack.Next(lp, off), i+1 {
		if i%width == 0 && !r.seen.add(lp, off) {
			return 0, ErrDuplicate
		}
	}
	return n / width, nil
}

func (r *Reader) intset(b []byte, sink Sink) error {
	if err := intset.Validate(b, true); err != nil {
		return damaged(err)
	}
	n := intset.Len(b)
	if n == 0 {
		return ErrEmpty
	}
	return sink.Packed(KindSetIntset, n, b)
}

func (r *Reader) packedSet(lp []byte, sink Sink) error {
	n, err := r.tuples(lp, 1)
	if err != nil {
		return err
	}
	return sink.Packed(KindSetListpack, n, lp)
}

func (r *Reader) packedHash(lp []byte, sink Sink) error {
	n, err := r.tuples(lp, 2)
	if err != nil {
		return err
	}
	return sink.Packed(KindHashListpack, n, lp)
}

// packedZSet gives a sorted set as it is if it is sorted, which everyone who searches in
// it relies on, and else member by member.
func (r *Reader) packedZSet(lp []byte, sink Sink) error {
	n, err := r.tuples(lp, 2)
	if err != nil {
		return err
	}
	sorted := true
	var before float64
	var memberBefore []byte
	var digits [2][20]byte
	turn := 0
	for off := listpack.First(lp); off >= 0; {
		member := off
		off = listpack.Next(lp, off)
		score, err := ListpackScore(lp, off)
		if err != nil {
			return err
		}
		text := listpack.Get(lp, member, digits[turn][:0])
		if member != listpack.First(lp) && (score < before || score == before && bytes.Compare(text, memberBefore) < 0) {
			sorted = false
		}
		before, memberBefore, turn = score, text, 1-turn
		off = listpack.Next(lp, off)
	}
	if sorted {
		return sink.Packed(KindZSetListpack, n, lp)
	}
	for off := listpack.First(lp); off >= 0; off = listpack.Next(lp, off) {
		member := listpack.Get(lp, off, r.digits[:0])
		off = listpack.Next(lp, off)
		score, err := ListpackScore(lp, off)
		if err != nil {
			return err
		}
		if err := sink.Scored(member, score); err != nil {
			return err
		}
	}
	return nil
}

// ListpackScore returns the score that an entry of a packed sorted set is.
func ListpackScore(lp []byte, off int) (float64, error) {
	str, v, isInt := listpack.Value(lp, off)
	if isInt {
		return float64(v), nil
	}
	return parseScore(str)
}

// packedExpiringHash gives a hash whose fields expire as it is if they stand in the order
// of their expiry, those without behind, and else field by field.
func (r *Reader) packedExpiringHash(lp []byte, sink Sink) error {
	n, err := r.tuples(lp, 3)
	if err != nil {
		return err
	}
	const never = maxExpire + 1
	sorted, before := true, int64(0)
	for i, off := 0, listpack.First(lp); off >= 0; i, off = i+1, listpack.Next(lp, off) {
		if i%3 != 2 {
			continue
		}
		_, at, isInt := listpack.Value(lp, off)
		if !isInt || at < 0 || at > maxExpire {
			return fmt.Errorf("%w: expiry of field %d", ErrFormat, i/3)
		}
		if at == 0 {
			at = never
		}
		sorted = sorted && at >= before
		before = at
	}
	if sorted {
		return sink.Packed(KindHashTTLPack, n, lp)
	}
	for off := listpack.First(lp); off >= 0; off = listpack.Next(lp, off) {
		var digits [20]byte
		field := listpack.Get(lp, off, r.digits[:0])
		off = listpack.Next(lp, off)
		value := listpack.Get(lp, off, digits[:0])
		off = listpack.Next(lp, off)
		_, at, _ := listpack.Value(lp, off)
		if err := sink.Field(field, value, at); err != nil {
			return err
		}
	}
	return nil
}
