package persist

import (
	"errors"
	"fmt"

	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/persist/rdb"
)

// ErrVersion is returned for a value that the version of RDB to be written cannot hold.
var ErrVersion = errors.New("persist: a hash whose fields expire needs RDB version 12 (redis 7.4)")

// KindOf returns how e is written at a version of RDB: rdb.Version, of which redis 7.0
// can read all kinds, or rdb.VersionLatest, where small values are copied byte by byte.
// What only the latter can hold has a kind of it at either.
func KindOf(e *engine.Entry, version int) rdb.Kind {
	switch e.Type {
	case engine.TypeList:
		return rdb.KindListQuicklist2
	case engine.TypeHash:
		return kindOfHash(e)
	case engine.TypeStream:
		if version >= rdb.KindStream3.Version() {
			return rdb.KindStream3
		}
		return rdb.KindStream2
	case engine.TypeSet:
		return kindOfSet(e, version)
	case engine.TypeZSet:
		return kindOfZSet(e)
	}
	return rdb.KindString
}

func kindOfHash(e *engine.Entry) rdb.Kind {
	if e.Encoding == engine.EncListpack {
		return rdb.KindHashListpack
	}
	switch {
	case e.NearestExpiry() == 0:
		return rdb.KindHash
	case e.Encoding == engine.EncListpackEx:
		return rdb.KindHashTTLPack
	}
	return rdb.KindHashTTL
}

func kindOfSet(e *engine.Entry, version int) rdb.Kind {
	switch {
	case e.Encoding == engine.EncIntset:
		return rdb.KindSetIntset
	case e.Encoding == engine.EncListpack && rdb.KindSetListpack.Version() <= version:
		return rdb.KindSetListpack
	}
	return rdb.KindSet
}

// fields returns the number of fields of a hash.
func fields(e *engine.Entry) (n int) {
	if e.Rooted() {
		return e.Len()
	}
	_ = e.EachField(func(_, _ []byte, _ int64) error {
		n++
		return nil
	})
	return n
}

// Saver writes the entries of a snapshot as keys of an RDB.
type Saver struct {
	Out *rdb.Writer
	// Version is the one of RDB that may be used, rdb.Version to rdb.VersionLatest.
	Version int
	// Raise lets a value that Version cannot hold raise that of the file (rdb.Writer.Raise).
	Raise bool
	// NowMillis is the Unix time from which idle times are reckoned.
	NowMillis int64
	// Idle and Freq say which of the two the access clocks hold and is to be written: the
	// time since the last access, or the counter of an LFU policy.
	Idle, Freq bool
}

// Save writes e. It returns ErrVersion if the version does not allow to and may not be
// raised. After any other error what was written is of no use.
func (s *Saver) Save(e *engine.Entry) error {
	k := rdb.Key{DB: e.DB, Key: e.Key, Kind: KindOf(e, s.Version), ExpireAt: e.ExpireAt, Idle: -1, Freq: -1}
	if need := k.Kind.Version(); need > s.Version && s.Raise {
		s.Out.Raise(need)
	} else if need > s.Version {
		return fmt.Errorf("key %.64q: %w", e.Key, ErrVersion)
	}
	switch {
	case s.Freq:
		k.Freq = int(uint8(e.LRU))
	case s.Idle:
		k.Idle = e.Idle(s.NowMillis) / 1000
	}
	s.Out.Key(k)
	if err := WriteValue(s.Out, e, k.Kind); err != nil {
		return err
	}
	return s.Out.Settle()
}

// WriteValue writes the value of e as kind k, which KindOf has given. It returns the error
// of reading e, which only a big value of a snapshot can meet, or of w.
func WriteValue(w *rdb.Writer, e *engine.Entry, k rdb.Kind) error {
	switch k {
	case rdb.KindHashTTLPack:
		w.Nearest(e.NearestExpiry())
		w.Bytes(e.Value)
	case rdb.KindListQuicklist2:
		w.Count(uint64(e.Nodes()))
		return e.EachNode(func(node []byte, plain bool) error {
			writeNode(w, node, plain)
			return w.Settle()
		})
	case rdb.KindSet:
		return writeSet(w, e)
	case rdb.KindZSet2:
		w.Count(uint64(e.Len()))
		return e.EachScored(func(member []byte, score float64) error {
			w.Scored(member, score)
			return w.Settle()
		})
	case rdb.KindHash:
		w.Count(uint64(fields(e)))
		return e.EachField(func(field, value []byte, _ int64) error {
			w.Bytes(field)
			w.Bytes(value)
			return w.Settle()
		})
	case rdb.KindHashTTL:
		near := e.NearestExpiry()
		w.Nearest(near)
		w.Count(uint64(fields(e)))
		return e.EachField(func(field, value []byte, expireAt int64) error {
			w.ExpiringField(field, value, expireAt, near)
			return w.Settle()
		})
	case rdb.KindStream2, rdb.KindStream3:
		return writeStream(w, e, k)
	default:
		w.Bytes(e.Value)
	}
	return nil
}

func writeNode(w *rdb.Writer, node []byte, plain bool) {
	if plain {
		w.PlainNode(node)
	} else {
		w.Node(node)
	}
}

// Dump appends the payload of e, which is no big value of a snapshot, to dst, at the
// lowest version that has its kind.
func Dump(dst []byte, e *engine.Entry, compress bool) []byte {
	k := KindOf(e, rdb.Version)
	w := rdb.NewPayload(dst, k, compress)
	_ = WriteValue(w, e, k) // from memory to memory: it never fails
	return w.Payload(k.Version())
}
