// Package rdb writes and reads the RDB format of Redis: a header, auxiliary fields,
// the keys of the databases, a checksum (docs/format/rdb.md). It is a stream in both
// directions: the writer takes a value in pieces and the reader gives it in pieces, so
// neither holds a data set or a large value. The reader trusts nothing: memory is taken
// as bytes come and not as lengths announce them, and every value is validated whole. The
// package opens no file and knows no keyspace; package persist stands between the two.
package rdb

// Versions that are written.
const (
	// Version is readable by redis 7.0.
	Version = 10
	// VersionLatest is the newest whose layout is known (redis 7.4). It holds everything.
	VersionLatest = 12
)

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
