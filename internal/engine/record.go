package engine

import (
	"encoding/binary"
	"strconv"

	"github.com/redwingdb/redwing/internal/engine/arena"
	"github.com/redwingdb/redwing/internal/engine/bulk"
	"github.com/redwingdb/redwing/internal/engine/table"
)

// Type is the type of a value, by Redis' numbers.
type Type uint8

// The types of values. 5 is Redis' number for values of modules.
const (
	TypeString Type = 0
	TypeList   Type = 1
	TypeSet    Type = 2
	TypeZSet   Type = 3
	TypeHash   Type = 4
	TypeStream Type = 6

	numTypes = 16 // what the half byte of a record can tell apart
)

var typeNames = [numTypes]string{
	TypeString: "string", TypeList: "list", TypeSet: "set", TypeZSet: "zset", TypeHash: "hash", TypeStream: "stream",
}

// String returns the name that TYPE gives.
func (t Type) String() string {
	if int(t) < len(typeNames) && typeNames[t] != "" {
		return typeNames[t]
	}
	return "unknown"
}

// Encoding is how a value is kept, by Redis' numbers.
type Encoding uint8

// The encodings. Raw and embstr differ in name alone: a string of more than embstrMax
// bytes, or one made by APPEND or SETRANGE, is called raw. A listpackex is a listpack of
// hash fields with their times to live.
const (
	EncRaw        Encoding = 0
	EncInt        Encoding = 1
	EncHashtable  Encoding = 2
	EncIntset     Encoding = 6
	EncSkiplist   Encoding = 7
	EncEmbstr     Encoding = 8
	EncQuicklist  Encoding = 9
	EncStream     Encoding = 10
	EncListpack   Encoding = 11
	EncListpackEx Encoding = 12
)

const embstrMax = 44

var encodingNames = [...]string{
	EncRaw: "raw", EncInt: "int", EncHashtable: "hashtable", EncIntset: "intset", EncSkiplist: "skiplist",
	EncEmbstr: "embstr", EncQuicklist: "quicklist", EncStream: "stream", EncListpack: "listpack", EncListpackEx: "listpackex",
}

// String returns the name that OBJECT ENCODING gives.
func (e Encoding) String() string {
	if int(e) < len(encodingNames) && encodingNames[e] != "" {
		return encodingNames[e]
	}
	return "unknown"
}

func kindOf(t Type, e Encoding) byte { return byte(t) | byte(e)<<4 }

// intDigits is the length of the longest formatted int64.
const intDigits = 20

// Record is a handle of a key's record. It is good until its shard is unlocked or
// anything in the shard is changed.
type Record struct {
	rec table.Rec
	a   *arena.Arena
}

// Type returns the type of the value.
func (r Record) Type() Type { return typeOf(r.rec) }

// Encoding returns how the value is kept.
func (r Record) Encoding() Encoding { return Encoding(r.rec.Kind() >> 4) }

// ExpireAt returns the expiry in Unix milliseconds, 0 for none.
func (r Record) ExpireAt() int64 { return r.rec.ExpireAt() }

// Key returns the key, in place.
func (r Record) Key() []byte { return r.rec.Key() }

// Int returns the value of a string kept as an integer, and false for any other.
func (r Record) Int() (int64, bool) {
	if r.Encoding() != EncInt {
		return 0, false
	}
	return int64(binary.LittleEndian.Uint64(r.rec.Value())), true
}

// Len returns the length of the string in bytes.
func (r Record) Len() int {
	if v, ok := r.Int(); ok {
		return decimalLen(v)
	}
	if r.rec.Flags()&table.FlagSpan != 0 {
		_, n := r.rec.Span()
		return n
	}
	return len(r.rec.Value())
}

// Append appends the string to dst, integers formatted.
func (r Record) Append(dst []byte) []byte {
	if v, ok := r.Int(); ok {
		return strconv.AppendInt(dst, v, 10)
	}
	return bulk.Append(dst, r.raw())
}

// Bytes returns the string: in place where it lies as bytes, formatted into scratch
// where it is an integer. Whoever keeps it longer than the Record copies it.
func (r Record) Bytes(scratch []byte) []byte {
	if v, ok := r.Int(); ok {
		return strconv.AppendInt(scratch[:0], v, 10)
	}
	return r.raw()
}

func (r Record) raw() []byte {
	if r.rec.Flags()&table.FlagSpan != 0 {
		ref, n := r.rec.Span()
		return r.a.Bytes(ref, n)
	}
	return r.rec.Value()
}

// Idle returns the milliseconds since the last access, to the second.
func (r Record) Idle(nowMillis int64) int64 { return idleMillis(r.rec.LRU(), nowMillis) }

// RefSize returns the bytes that the record of the key, with the packed value, occupies
// in the arena; blocks behind a root are left out.
func (r Record) RefSize() int64 {
	n := int64(arena.ClassSize(r.rec.Size()))
	if r.rec.Flags()&table.FlagSpan != 0 {
		ref, _ := r.rec.Span()
		n += r.a.Size(ref)
	}
	return n
}

// The access clock counts seconds in 24 bits, as Redis': it wraps after 194 days.
const lruMax = 1<<24 - 1

func lruClock(nowMillis int64) uint32 { return uint32(nowMillis/1000) & lruMax }

func idleMillis(lru uint32, nowMillis int64) int64 {
	return int64((lruClock(nowMillis)-lru)&lruMax) * 1000
}

func decimalLen(v int64) int {
	n, u := 1, uint64(v)
	if v < 0 {
		n, u = 2, -u
	}
	for ; u >= 10; u /= 10 {
		n++
	}
	return n
}

// parseInt returns the integer of which b is the one canonical decimal form.
func parseInt(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) > intDigits {
		return 0, false
	}
	digits, neg := b, b[0] == '-'
	if neg {
		digits = b[1:]
	}
	if len(digits) == 0 || len(digits) > 19 || digits[0] == '0' && (neg || len(digits) > 1) {
		return 0, false
	}
	var u uint64
	for _, c := range digits {
		if c -= '0'; c > 9 {
			return 0, false
		} else {
			u = u*10 + uint64(c)
		}
	}
	if neg {
		return int64(-u), u <= 1<<63
	}
	return int64(u), u < 1<<63
}
