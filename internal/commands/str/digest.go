package str

import (
	"encoding/binary"
	"encoding/hex"
	"math/bits"
)

// DIGEST and the options IFDEQ and IFDNE compare strings by their XXH3 hash of 64 bits
// with seed 0, the specification of which is xxHash's doc/xxhash_spec.md (Yann Collet).

const (
	prime32x1 = 0x9E3779B1
	prime32x2 = 0x85EBCA77
	prime32x3 = 0xC2B2AE3D
	prime64x1 = 0x9E3779B185EBCA87
	prime64x2 = 0xC2B2AE3D27D4EB4F
	prime64x3 = 0x165667B19E3779F9
	prime64x4 = 0x85EBCA77C2B2AE63
	prime64x5 = 0x27D4EB2F165667C5
	primeMX1  = 0x165667919E3779F9
	primeMX2  = 0x9FB21C651E98DF25

	stripeBytes = 64
	// blockStripes is the number of stripes that the secret lasts for.
	blockStripes = (len(secret) - stripeBytes) / 8
	blockBytes   = blockStripes * stripeBytes
)

// secret is the default secret of the specification.
var secret = [192]byte([]byte("\xb8\xfe\x6c\x39\x23\xa4\x4b\xbe\x7c\x01\x81\x2c\xf7\x21\xad\x1c\xde\xd4\x6d\xe9\x83\x90\x97\xdb\x72\x40\xa4\xa4\xb7\xb3\x67\x1f" +
	"\xcb\x79\xe6\x4e\xcc\xc0\xe5\x78\x82\x5a\xd0\x7d\xcc\xff\x72\x21\xb8\x08\x46\x74\xf7\x43\x24\x8e\xe0\x35\x90\xe6\x81\x3a\x26\x4c" +
	"\x3c\x28\x52\xbb\x91\xc3\x00\xcb\x88\xd0\x65\x8b\x1b\x53\x2e\xa3\x71\x64\x48\x97\xa2\x0d\xf9\x4e\x38\x19\xef\x46\xa9\xde\xac\xd8\xa8" +
	"\xfa\x76\x3f\xe3\x9c\x34\x3f\xf9\xdc\xbb\xc7\xc7\x0b\x4f\x1d\x8a\x51\xe0\x4b\xcd\xb4\x59\x31\xc8\x9f\x7e\xc9\xd9\x78\x73\x64\xea" +
	"\xc5\xac\x83\x34\xd3\xeb\xc3\xc5\x81\xa0\xff\xfa\x13\x63\xeb\x17\x0d\xdd\x51\xb7\xf0\xda\x49\xd3\x16\x55\x26\x29\xd4\x68\x9e\x2b" +
	"\x16\xbe\x58\x7d\x47\xa1\xfc\x8f\xf8\xb8\xd1\x7a\xd0\x31\xce\x45\xcb\x3a\x8f\x95\x16\x04\x28\xaf\xd7\xfb\xca\xbb\x4b\x40\x7e"))

func secret64(off int) uint64 { return word64(secret[off:]) }

func word64(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }
func word32(b []byte) uint64 { return uint64(binary.LittleEndian.Uint32(b)) }

// foldedProduct multiplies to 128 bits and folds them.
func foldedProduct(a, b uint64) uint64 {
	high, low := bits.Mul64(a, b)
	return high ^ low
}

func avalanche(h uint64) uint64 {
	h = (h ^ h>>37) * primeMX1
	return h ^ h>>32
}

// avalanche64 is the finalizer of the older XXH64, which the shortest inputs use.
func avalanche64(h uint64) uint64 {
	h = (h ^ h>>33) * prime64x2
	h = (h ^ h>>29) * prime64x3
	return h ^ h>>32
}

// digest64 returns the hash of b.
func digest64(b []byte) uint64 {
	switch n := len(b); {
	case n <= 16:
		return digestShort(b)
	case n <= 128:
		acc := uint64(n) * prime64x1
		for i := (n - 1) / 32; i >= 0; i-- {
			acc += mix16(b[16*i:], 32*i) + mix16(b[n-16*(i+1):], 32*i+16)
		}
		return avalanche(acc)
	case n <= 240:
		return digestMedium(b)
	}
	return digestLong(b)
}

func digestShort(b []byte) uint64 {
	n := len(b)
	switch {
	case n == 0:
		return avalanche64(secret64(56) ^ secret64(64))
	case n <= 3:
		both := uint64(b[0])<<16 | uint64(b[n>>1])<<24 | uint64(b[n-1]) | uint64(n)<<8
		return avalanche64(both ^ (secret64(0)&0xffffffff ^ secret64(4)&0xffffffff))
	case n <= 8:
		h := word32(b[n-4:]) + word32(b)<<32
		h ^= secret64(8) ^ secret64(16)
		h ^= bits.RotateLeft64(h, 49) ^ bits.RotateLeft64(h, 24)
		h *= primeMX2
		h ^= h>>35 + uint64(n)
		h *= primeMX2
		return h ^ h>>28
	}
	low := secret64(24) ^ secret64(32) ^ word64(b)
	high := secret64(40) ^ secret64(48) ^ word64(b[n-8:])
	return avalanche(uint64(n) + bits.ReverseBytes64(low) + high + foldedProduct(low, high))
}

func mix16(b []byte, off int) uint64 {
	return foldedProduct(word64(b)^secret64(off), word64(b[8:])^secret64(off+8))
}

func digestMedium(b []byte) uint64 {
	n := len(b)
	acc := uint64(n) * prime64x1
	for i := range 8 {
		acc += mix16(b[16*i:], 16*i)
	}
	acc = avalanche(acc)
	for i := 8; i < n/16; i++ {
		acc += mix16(b[16*i:], 16*(i-8)+3)
	}
	return avalanche(acc + mix16(b[n-16:], 136-17))
}

type lanes [8]uint64

func (a *lanes) stripe(b []byte, off int) {
	for i := range a {
		v := word64(b[8*i:])
		key := v ^ secret64(off+8*i)
		a[i^1] += v
		a[i] += key & 0xffffffff * (key >> 32)
	}
}

func (a *lanes) scramble() {
	for i := range a {
		v := a[i] ^ a[i]>>47 ^ secret64(len(secret)-stripeBytes+8*i)
		a[i] = v * prime32x1
	}
}

func digestLong(b []byte) uint64 {
	n := len(b)
	a := lanes{prime32x3, prime64x1, prime64x2, prime64x3, prime64x4, prime32x2, prime64x5, prime32x1}
	rest := b
	for ; len(rest) > blockBytes; rest = rest[blockBytes:] {
		for i := range blockStripes {
			a.stripe(rest[stripeBytes*i:], 8*i)
		}
		a.scramble()
	}
	for i := range (len(rest) - 1) / stripeBytes {
		a.stripe(rest[stripeBytes*i:], 8*i)
	}
	a.stripe(b[n-stripeBytes:], len(secret)-stripeBytes-7)
	acc := uint64(n) * prime64x1
	for i := range 4 {
		acc += foldedProduct(a[2*i]^secret64(11+16*i), a[2*i+1]^secret64(11+16*i+8))
	}
	return avalanche(acc)
}

// digestHex is the length of a digest as text.
const digestHex = 16

// appendDigest appends the digest of b as Redis writes it: 16 lower-case digits.
func appendDigest(dst, b []byte) []byte {
	var sum [8]byte
	binary.BigEndian.PutUint64(sum[:], digest64(b))
	return hex.AppendEncode(dst, sum[:])
}
