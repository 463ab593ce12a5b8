package bitmap

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"
)

func seeded(t *testing.T) *rand.Rand {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// noise returns n bytes with long runs of equal bits.
func noise(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		switch {
		case r.IntN(3) > 0:
			b[i] = byte(r.Uint32())
		case i > 0:
			b[i] = b[i-1]
		default:
			b[i] = 0xff
		}
		if r.IntN(4) == 0 {
			b[i] = []byte{0, 0xff}[r.IntN(2)]
		}
	}
	if r.IntN(3) == 0 {
		for i := range b {
			b[i] = b[0]
		}
	}
	return b
}

func bitOf(v []byte, i int64) int {
	if i>>3 >= int64(len(v)) {
		return 0
	}
	return int(v[i>>3]>>(7-i&7)) & 1
}

func TestSpanModel(t *testing.T) {
	r := seeded(t)
	for range 20_000 {
		v := noise(r, r.IntN(100))
		n := int64(len(v))
		start, end, inBits := r.Int64N(900)-450, r.Int64N(900)-450, r.IntN(2) == 0
		s := clip(start, end, inBits, n)
		if s.first <= s.last && (s.first < 0 || s.last >= n*8) {
			t.Fatalf("clip(%d %d %v) of %d bytes: %v", start, end, inBits, n, s)
		}
		count, found := int64(0), [2]int64{-1, -1}
		for i := s.last; i >= s.first; i-- {
			b := bitOf(v, i)
			count += int64(b)
			found[b] = i
		}
		if got := s.count(v); got != count {
			t.Fatalf("count of %v in %x: %d, want %d", s, v, got, count)
		}
		for b, want := range found {
			if got := s.find(v, b == 1); got != want {
				t.Fatalf("first %d of %v in %x: %d, want %d", b, s, v, got, want)
			}
		}
	}
}

func TestCombineModel(t *testing.T) {
	r := seeded(t)
	for range 500 {
		op := operation(r.IntN(len(operations)))
		count := 1 + r.IntN(5)
		if op == opNot {
			count = 1
		}
		sources, length := make([][]byte, count), 0
		for i := range sources {
			n := r.IntN(50)
			if r.IntN(10) == 0 {
				n = pieceBytes - 20 + r.IntN(100)
			}
			sources[i] = noise(r, n)
			length = max(length, n)
		}
		dst := noise(r, length)
		combine(op, dst, sources)
		for i := range int64(length * 8) {
			first, others := bitOf(sources[0], i), 0
			for j := range sources[1:] {
				others += bitOf(sources[j+1], i)
			}
			all := first + others
			want := [...]bool{all == count, all > 0, all&1 == 1, all == 0,
				first == 1 && others == 0, first == 0 && others > 0, first == 1 && others > 0, all == 1}[op]
			if (bitOf(dst, i) == 1) != want {
				t.Fatalf("%s of %d sources: bit %d is %d", operations[op], count, i, bitOf(dst, i))
			}
		}
	}
}

// extremes are the numbers on which overflow checks go wrong.
func extreme(r *rand.Rand, f field) int64 {
	x := []int64{f.min(), f.max(), 0, -1, 1, -1 << 63, 1<<63 - 1, int64(r.Uint64())}[r.IntN(8)]
	return x + r.Int64N(5) - 2
}

func TestFieldModel(t *testing.T) {
	r := seeded(t)
	for range 50_000 {
		f := field{off: r.Int64N(200), width: 1 + r.IntN(63), signed: r.IntN(2) == 0}
		if f.signed && r.IntN(4) == 0 {
			f.width = 64
		}
		x, by := extreme(r, f), extreme(r, f)
		// A stored value is in range; SET adds nothing.
		if r.IntN(2) == 0 {
			x = f.wrapped(x)
		} else {
			by = 0
		}
		exact := new(big.Int).Add(f.number(x), big.NewInt(by))
		lo, hi := big.NewInt(f.min()), big.NewInt(f.max())
		inRange := exact.Cmp(lo) >= 0 && exact.Cmp(hi) <= 0
		got, ok := f.fit(x, by, fail)
		if ok != inRange || ok && got != exact.Int64() {
			t.Fatalf("%+v: %d + %d: %d %v", f, x, by, got, ok)
		}
		want := exact.Int64()
		if !inRange {
			// Redis' difference to the highest number wraps around, see signedRange.
			wraps := f.signed && f.width < 64 && x <= f.max()+math.MinInt64
			if want = f.max(); exact.Cmp(lo) < 0 && !wraps {
				want = f.min()
			}
		}
		if got, ok := f.fit(x, by, saturate); !ok || got != want {
			t.Fatalf("%+v: %d + %d saturated: %d, want %d", f, x, by, got, want)
		}
		got, ok = f.fit(x, by, wrap)
		diff := new(big.Int).Sub(big.NewInt(got), exact)
		if rest := new(big.Int).And(diff, new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), uint(f.width)), big.NewInt(1))); !ok || rest.Sign() != 0 {
			t.Fatalf("%+v: %d + %d wrapped: %d", f, x, by, got)
		}
		f.checkStore(t, noise(r, f.end()+r.IntN(12)), got)
	}
}

// number is x as fit takes it.
func (f field) number(x int64) *big.Int {
	if f.signed {
		return big.NewInt(x)
	}
	return new(big.Int).SetUint64(uint64(x))
}

// checkStore stores x and looks at every bit around.
func (f field) checkStore(t *testing.T, v []byte, x int64) {
	t.Helper()
	old := append([]byte(nil), v...)
	f.store(v, x)
	if got := f.load(v); got != x {
		t.Fatalf("%+v: stored %d, loaded %d", f, x, got)
	}
	for i := range int64(len(v) * 8) {
		want := bitOf(old, i)
		if i >= f.off && i < f.off+int64(f.width) {
			want = int(x>>(f.off+int64(f.width)-1-i)) & 1
		}
		if bitOf(v, i) != want {
			t.Fatalf("%+v: bit %d is %d", f, i, bitOf(v, i))
		}
	}
	short := field{f.off + 30, f.width, f.signed}
	for i := range int64(f.width) {
		if want := int64(bitOf(v, short.off+i)); short.load(v)>>(int64(f.width)-1-i)&1 != want {
			t.Fatalf("%+v: bit %d of a field past the end", short, i)
		}
	}
}
