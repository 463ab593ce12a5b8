package str

import "testing"

// The input of xxHash's own sanity check, at a length of every branch and around them.
// The sums were computed with another implementation of XXH3 (zeebo/xxh3).
func TestDigest(t *testing.T) {
	const mult = 2654435761
	input, x := make([]byte, 5000), uint64(mult)
	for i := range input {
		input[i] = byte(x >> 56)
		x *= 11400714785074694797
	}
	for n, want := range digests {
		if got := digest64(input[:n]); got != want {
			t.Errorf("%d bytes: %016x, want %016x", n, got, want)
		}
	}
}

var digests = map[int]uint64{
	0:    0x2d06800538d394c2,
	1:    0xc44bdff4074eecdb,
	2:    0x7a9978044cb8a8bb,
	3:    0x54247382a8d6b94d,
	4:    0xe5dc74bc51848a51,
	7:    0x9941e0007f555e50,
	8:    0x24ccc9acaa9f65e4,
	9:    0x14d5001c15dd3f2b,
	15:   0x45556d4d6e1798bc,
	16:   0x981b17d36c7498c9,
	17:   0x796f5acd3a60f862,
	31:   0x5d516692ca764c50,
	32:   0x9feaddbdbf57eed3,
	33:   0xabfb2d081b400a10,
	64:   0x9cb48487720ec49d,
	65:   0xfd81aac4bebc3883,
	96:   0x935a769a7f94776f,
	97:   0xca4ca268fd3c3a6c,
	127:  0x2408ed71323d6096,
	128:  0xfcff24126754d861,
	129:  0x98f1b0a679a2ca29,
	143:  0x7a7813693f1f4edb,
	144:  0xc440d47e5f03fe58,
	160:  0x9d03a319ed4cbd2b,
	239:  0x16ce2b9d3b28805d,
	240:  0x81c3c2b67f568ccf,
	241:  0xc5a639ecd2030e5e,
	255:  0xe98f979f4ed8a197,
	256:  0x55de574ad89d0ac5,
	511:  0x8089715b163e7fc0,
	512:  0x617e49599013cb6b,
	1023: 0x87a8f7b2f2e22496,
	1024: 0xdd85c9b5c1109c5c,
	1025: 0xd870c0fa13211c6a,
	1088: 0xcc1450ea6b52a8f4,
	1089: 0xef727b2effc4cc8c,
	2048: 0xdd59e2c3a5f038e0,
	2049: 0xd3afa4329779b921,
	4999: 0xf92a85a6ea06d646,
}
