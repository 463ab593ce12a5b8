// Package hll is Redis' HyperLogLog as bytes: 16384 registers behind a header, either
// dense (six bits a register) or sparse (runs of equal registers). It reads and changes
// slices that its callers own, allocates nothing and trusts nothing: spoilt bytes give
// ErrCorrupt. Format and estimator are those of Redis 7.2, hyperloglog.c.
//
//	| "HYLL" | encoding | 0 0 0 | cardinality, 8 bytes little endian | registers ... |
//
// The highest bit of the cardinality says that it is out of date.
package hll

import (
	"encoding/binary"
	"errors"
)

// ErrCorrupt is returned where the runs of a sparse value do not cover its registers.
var ErrCorrupt = errors.New("hll: corrupted value")

const (
	// Registers is how many registers there are.
	Registers = 1 << indexBits
	// HeaderBytes is the length of what stands before the registers.
	HeaderBytes = 16
	// DenseBytes is the length of a dense value.
	DenseBytes = HeaderBytes + Registers*registerBits/8
	// EmptyBytes is the length of an empty sparse value.
	EmptyBytes = HeaderBytes + 2

	indexBits    = 14
	registerBits = 6
	registerMask = 1<<registerBits - 1
	encDense     = 0
	encSparse    = 1
	offEncoding  = 4
	offCard      = 8
	staleBit     = 0x80
	magic        = "HYLL"
)

// Init makes b, EmptyBytes long, an empty sparse value.
func Init(b []byte) {
	clear(b[copy(b, magic):HeaderBytes])
	b[offEncoding] = encSparse
	putZeros(b[HeaderBytes:], Registers)
}

// Is reports whether b has the header of a HyperLogLog and a length that fits it. The
// registers may still be spoilt.
func Is(b []byte) bool {
	if len(b) < HeaderBytes || string(b[:len(magic)]) != magic {
		return false
	}
	enc := b[offEncoding]
	return enc == encSparse || enc == encDense && len(b) == DenseBytes
}

// Dense reports whether b is dense.
func Dense(b []byte) bool { return b[offEncoding] == encDense }

// Cached returns the cardinality that the header holds; ok is false if it is out of date.
func Cached(b []byte) (n uint64, ok bool) {
	n = binary.LittleEndian.Uint64(b[offCard:])
	return n, b[offCard+7]&staleBit == 0
}

// SetCached puts a cardinality into the header.
func SetCached(b []byte, n uint64) { binary.LittleEndian.PutUint64(b[offCard:], n) }

// Invalidate marks the cardinality of the header as out of date.
func Invalidate(b []byte) { b[offCard+7] |= staleBit }

// Validate returns ErrCorrupt unless b is sound through and through.
func Validate(b []byte) error {
	if !Is(b) {
		return ErrCorrupt
	}
	if Dense(b) {
		return nil
	}
	covered := 0
	for p := b[HeaderBytes:]; len(p) > 0; {
		r, ok := readRun(p)
		if covered += r.length; !ok || covered > Registers {
			return ErrCorrupt
		}
		p = p[r.bytes:]
	}
	if covered != Registers {
		return ErrCorrupt
	}
	return nil
}
