package bulk

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

func noise(n int) []byte {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

var lengths = []int{0, 1, Piece - 1, Piece, Piece + 1, 3*Piece + 17}

func TestCopyAppendEqualClear(t *testing.T) {
	for _, n := range lengths {
		src := noise(n)
		dst := make([]byte, n)
		if got := Copy(dst, src); got != n || !bytes.Equal(dst, src) {
			t.Fatalf("Copy of %d bytes: %d copied", n, got)
		}
		if got := Append([]byte("ab"), src); !bytes.Equal(got, append([]byte("ab"), src...)) {
			t.Fatalf("Append of %d bytes differs", n)
		}
		if !Equal(dst, src) {
			t.Fatalf("Equal of %d equal bytes is false", n)
		}
		if n > 0 {
			dst[n-1] ^= 1
			if Equal(dst, src) || Equal(dst[:n-1], src) {
				t.Fatalf("Equal of %d unequal bytes is true", n)
			}
		}
		Clear(dst)
		if !bytes.Equal(dst, make([]byte, n)) {
			t.Fatalf("Clear left bytes of %d", n)
		}
	}
}

func TestCopyOverlapping(t *testing.T) {
	for _, shift := range []int{1, 100, Piece, Piece + 5} {
		for _, up := range []bool{true, false} {
			got := noise(4*Piece + shift)
			want := bytes.Clone(got)
			if up {
				copy(want[shift:], want[:4*Piece])
				Copy(got[shift:], got[:4*Piece])
			} else {
				copy(want, want[shift:])
				Copy(got, got[shift:])
			}
			if !bytes.Equal(got, want) {
				t.Fatalf("shift %d up %v differs from the built-in copy", shift, up)
			}
		}
	}
}
