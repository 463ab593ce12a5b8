package hll

import (
	"encoding/binary"
	"math/bits"
)

const hashSeed = 0xadc83b19

// Observe returns the register that elem falls into and the value that it raises the
// register to: one more than the zeros at the end of the rest of its hash.
func Observe(elem []byte) (register int, value uint8) {
	h := murmur(elem, hashSeed)
	rest := h>>indexBits | 1<<(64-indexBits)
	return int(h & (Registers - 1)), uint8(bits.TrailingZeros64(rest)) + 1
}

// murmur is MurmurHash64A by Austin Appleby, with words read as little endian.
func murmur(b []byte, seed uint64) uint64 {
	const m, r = 0xc6a4a7935bd1e995, 47
	h := seed ^ uint64(len(b))*m
	for ; len(b) >= 8; b = b[8:] {
		k := binary.LittleEndian.Uint64(b) * m
		k = (k ^ k>>r) * m
		h = (h ^ k) * m
	}
	if len(b) > 0 {
		var tail uint64
		for i, c := range b {
			tail |= uint64(c) << (8 * i)
		}
		h = (h ^ tail) * m
	}
	h = (h ^ h>>r) * m
	return h ^ h>>r
}
