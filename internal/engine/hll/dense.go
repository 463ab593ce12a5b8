package hll

import "encoding/binary"

// Dense registers are six bits each, the lowest bits of a byte first; one may reach into
// the next byte.

func denseGet(b []byte, register int) uint8 {
	bit := register * registerBits
	at, shift := HeaderBytes+bit>>3, bit&7
	v := uint(b[at]) >> shift
	if shift > 8-registerBits {
		v |= uint(b[at+1]) << (8 - shift)
	}
	return uint8(v & registerMask)
}

func denseSet(b []byte, register int, value uint8) {
	bit := register * registerBits
	at, shift := HeaderBytes+bit>>3, bit&7
	b[at] = b[at]&^byte(registerMask<<shift) | value<<shift
	if shift > 8-registerBits {
		b[at+1] = b[at+1]&^byte(registerMask>>(8-shift)) | value>>(8-shift)
	}
}

// eightAt returns the eight registers of the dense value b from first on, a multiple of
// eight, six bits each from the lowest on; what is above them is undefined.
func eightAt(b []byte, first int) uint64 {
	p := b[HeaderBytes+first/8*registerBits:]
	if len(p) >= 8 {
		return binary.LittleEndian.Uint64(p)
	}
	return uint64(binary.LittleEndian.Uint32(p)) | uint64(binary.LittleEndian.Uint16(p[4:]))<<32
}

// PutDense makes b, DenseBytes long, the dense value of r. Its header stays but for the
// encoding.
func PutDense(b []byte, r *[Registers]uint8) {
	b[offEncoding] = encDense
	p := b[HeaderBytes:]
	for i := 0; i < Registers; i += 4 {
		v := uint32(r[i]) | uint32(r[i+1])<<6 | uint32(r[i+2])<<12 | uint32(r[i+3])<<18
		p[0], p[1], p[2] = byte(v), byte(v>>8), byte(v>>16)
		p = p[3:]
	}
}
