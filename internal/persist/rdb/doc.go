// Package rdb writes and reads the RDB format of Redis: a header, auxiliary fields,
// the keys of the databases, a checksum (docs/format/rdb.md). It is a stream in both
// directions: the writer takes one key at a time and the reader gives one, so neither
// holds a data set. The reader trusts nothing: every length is checked before memory
// is taken, and every payload is validated whole. The package opens no file and knows
// no keyspace; replication and the saving of files call it.
package rdb

// Version is the version that is written, readable by redis 7.0.
const Version = 10

// maxVersion is the newest version whose layout is known (redis 7.4).
const maxVersion = 12

// Opcodes: what stands in the place of a value's type.
const (
	opSlotInfo    = 244
	opFunction2   = 245
	opFunctionPre = 246
	opModuleAux   = 247
	opIdle        = 248
	opFreq        = 249
	opAux         = 250
	opResizeDB    = 251
	opExpireMS    = 252
	opExpire      = 253
	opSelectDB    = 254
	opEOF         = 255
)

// Encodings of a length's two upper bits, and of special strings.
const (
	len6    = 0
	len14   = 1
	len32   = 0x80
	len64   = 0x81
	special = 3

	strInt8  = 0
	strInt16 = 1
	strInt32 = 2
	strLZF   = 3
)

// typeString is the only type of value so far.
const typeString = 0

// typeNames are the types of values that Redis has had, for the errors about them.
var typeNames = map[byte]string{
	0: "string", 1: "list", 2: "set", 3: "sorted set", 4: "hash", 5: "sorted set (2)",
	6: "module value", 7: "module value (2)", 9: "hash (zipmap)", 10: "list (ziplist)",
	11: "set (intset)", 12: "sorted set (ziplist)", 13: "hash (ziplist)",
	14: "list (quicklist)", 15: "stream", 16: "hash (listpack)",
	17: "sorted set (listpack)", 18: "list (quicklist 2)", 19: "stream (2)",
	20: "set (listpack)", 21: "stream (3)", 22: "hash (field expiry, preview)",
	23: "hash (field expiry, listpack, preview)", 24: "hash (field expiry)",
	25: "hash (field expiry, listpack)",
}
