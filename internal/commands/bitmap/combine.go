package bitmap

import (
	"crypto/subtle"
	"encoding/binary"
)

// pieceBytes is how much of the result is made at a time: it stays in the cache while
// source after source is worked in.
const pieceBytes = 4 << 10

// combine fills dst, which no source overlaps.
func combine(op operation, dst []byte, sources [][]byte) {
	for from := 0; from < len(dst); from += pieceBytes {
		combinePiece(op, dst[from:min(len(dst), from+pieceBytes)], sources, from)
	}
}

// piece returns what b has of the n bytes from an offset on.
func piece(b []byte, from, n int) []byte {
	if from >= len(b) {
		return nil
	}
	return b[from:min(len(b), from+n)]
}

// combinePiece makes the bytes of the result from offset from on.
func combinePiece(op operation, dst []byte, sources [][]byte, from int) {
	n := len(dst)
	first, rest := piece(sources[0], from, n), sources[1:]
	switch op {
	case opAnd, opXor, opOr:
		load(dst, first)
		for i := range rest {
			switch p := piece(rest[i], from, n); op {
			case opAnd:
				andInto(dst, p)
			case opOr:
				orInto(dst, p)
			default:
				subtle.XORBytes(dst, dst, p)
			}
		}
	case opNot:
		load(dst, first)
		notInto(dst)
	case opOne:
		load(dst, first)
		onesInto(dst, rest, from)
	default:
		clear(dst)
		for i := range rest {
			orInto(dst, piece(rest[i], from, n))
		}
		switch op {
		case opDiff:
			notInto(dst)
			andInto(dst, first)
		case opDiff1:
			andNotInto(dst, first)
		case opAndOr:
			andInto(dst, first)
		}
	}
}

// onesInto leaves the bits that are set exactly once in dst and the rest.
func onesInto(dst []byte, rest [][]byte, from int) {
	var room [pieceBytes]byte
	more := room[:len(dst)] // set more than once
	for i := range rest {
		p := piece(rest[i], from, len(dst))
		for j, b := range p {
			more[j] |= dst[j] & b
			dst[j] ^= b
		}
	}
	andNotInto(dst, more)
}

// load makes dst src, padded with zeros.
func load(dst, src []byte) { clear(dst[copy(dst, src):]) }

// andInto takes src as padded with zeros up to the length of dst.
func andInto(dst, src []byte) {
	clear(dst[len(src):])
	for ; len(src) >= 8; dst, src = dst[8:], src[8:] {
		put(dst, word(dst)&word(src))
	}
	for i, b := range src {
		dst[i] &= b
	}
}

func orInto(dst, src []byte) {
	for ; len(src) >= 8; dst, src = dst[8:], src[8:] {
		put(dst, word(dst)|word(src))
	}
	for i, b := range src {
		dst[i] |= b
	}
}

func andNotInto(dst, src []byte) {
	for ; len(src) >= 8; dst, src = dst[8:], src[8:] {
		put(dst, word(dst)&^word(src))
	}
	for i, b := range src {
		dst[i] &^= b
	}
}

func notInto(dst []byte) {
	for ; len(dst) >= 8; dst = dst[8:] {
		put(dst, ^word(dst))
	}
	for i := range dst {
		dst[i] = ^dst[i]
	}
}

func word(b []byte) uint64   { return binary.NativeEndian.Uint64(b) }
func put(b []byte, v uint64) { binary.NativeEndian.PutUint64(b, v) }
