package table

import (
	"encoding/binary"
	"math/bits"
)

// Hasher is a keyed 64-bit hash of keys, of the multiply-and-fold family (wyhash). All
// its constants come from the seed: with public ones a user could build keys whose
// factor is zero, which collide under every seed.
type Hasher struct{ s0, s1, s2 uint64 }

// NewHasher returns the hash of seed. Equal seeds give equal hashes, on every machine.
func NewHasher(seed uint64) Hasher {
	next := func() uint64 { // splitmix64
		seed += 0x9e3779b97f4a7c15
		z := seed
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		return z ^ z>>31
	}
	return Hasher{next() | 1, next() | 1, next() | 1}
}

func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// Sum returns the hash of key.
func (s *Hasher) Sum(key []byte) uint64 {
	n := uint64(len(key))
	acc := s.s0
	var a, b uint64
	switch {
	case n > 16:
		for len(key) > 16 {
			acc = fold(binary.LittleEndian.Uint64(key)^s.s1, binary.LittleEndian.Uint64(key[8:])^acc)
			if len(key) <= 32 {
				// The last 16 bytes, which may overlap those just taken.
				tail := key[len(key)-16:]
				a, b = binary.LittleEndian.Uint64(tail), binary.LittleEndian.Uint64(tail[8:])
				break
			}
			key = key[16:]
		}
	case n >= 8:
		a, b = binary.LittleEndian.Uint64(key), binary.LittleEndian.Uint64(key[n-8:])
	case n >= 4:
		a, b = uint64(binary.LittleEndian.Uint32(key)), uint64(binary.LittleEndian.Uint32(key[n-4:]))
	case n > 0:
		a = uint64(key[0])<<16 | uint64(key[n>>1])<<8 | uint64(key[n-1])
	}
	return fold(s.s2^n, fold(a^s.s1, b^acc))
}
