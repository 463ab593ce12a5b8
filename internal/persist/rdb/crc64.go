package rdb

import "math/bits"

// CRC64 of Jones, reflected, initial value 0, as Redis' crc64.c. The standard library
// has the tables of two other polynomials only, and complements before and after.

const jones = 0x95ac9329ac4bc9b5

var crcTables = makeCRCTables()

func makeCRCTables() *[8][256]uint64 {
	var t [8][256]uint64
	for i := range 256 {
		c := uint64(i)
		for range 8 {
			if c&1 != 0 {
				c = c>>1 ^ jones
			} else {
				c >>= 1
			}
		}
		t[0][i] = c
	}
	for i := range 256 {
		for k := 1; k < 8; k++ {
			t[k][i] = t[k-1][i]>>8 ^ t[0][byte(t[k-1][i])]
		}
	}
	return &t
}

// updateCRC returns the checksum of what crc stands for followed by b.
func updateCRC(crc uint64, b []byte) uint64 {
	t := crcTables
	for len(b) >= 8 {
		crc ^= uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
			uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
		crc = t[7][byte(crc)] ^ t[6][byte(crc>>8)] ^ t[5][byte(crc>>16)] ^ t[4][byte(crc>>24)] ^
			t[3][byte(crc>>32)] ^ t[2][byte(crc>>40)] ^ t[1][byte(crc>>48)] ^ t[0][crc>>56]
		b = b[8:]
	}
	for _, c := range b {
		crc = crc>>8 ^ t[0][byte(crc)^c]
	}
	return crc
}

// shiftCRC returns the checksum of what crc stands for followed by n zero bytes. A zero
// byte is a linear map of the state; n of them are made of its squares.
func shiftCRC(crc uint64, n int64) uint64 {
	var power [64]uint64 // what becomes of each bit
	for i := range power {
		power[i] = updateCRC(1<<i, []byte{0})
	}
	for ; n > 0; n >>= 1 {
		if n&1 != 0 {
			crc = mapBits(&power, crc)
		}
		var square [64]uint64
		for i := range square {
			square[i] = mapBits(&power, power[i])
		}
		power = square
	}
	return crc
}

// mapBits applies a linear map, given by what becomes of each bit.
func mapBits(m *[64]uint64, v uint64) (out uint64) {
	for ; v != 0; v &= v - 1 {
		out ^= m[bits.TrailingZeros64(v)]
	}
	return out
}

// CRC64 returns the checksum of what crc stands for followed by b; that of nothing is 0.
func CRC64(crc uint64, b []byte) uint64 { return updateCRC(crc, b) }
