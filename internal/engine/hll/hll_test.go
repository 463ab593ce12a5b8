package hll

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

func empty() []byte {
	b := make([]byte, EmptyBytes)
	Init(b)
	return b
}

// raise does what a caller does with PlanRaise.
func raise(t testing.TB, b []byte, register int, value uint8, maxSparse int) ([]byte, bool) {
	t.Helper()
	c, err := PlanRaise(b, register, value, maxSparse)
	if err != nil {
		t.Fatal(err)
	}
	if c.None() {
		return b, false
	}
	if c.Promotes() {
		b = dense(t, b)
		if c, err = PlanRaise(b, register, value, maxSparse); err != nil || c.Promotes() {
			t.Fatal(c, err)
		}
	}
	if c.Delta() > 0 {
		b = append(b, make([]byte, c.Delta())...)
	}
	return b[:c.Apply(b)], true
}

func dense(t testing.TB, b []byte) []byte {
	t.Helper()
	var r [Registers]uint8
	if err := Merge(&r, b); err != nil {
		t.Fatal(err)
	}
	d := make([]byte, DenseBytes)
	copy(d, b[:HeaderBytes])
	PutDense(d, &r)
	return d
}

// A value of either kind is the registers that have been raised, whatever the order.
func TestModel(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for round := range 30 {
		b, maxSparse := empty(), []int{0, 100, 3000, 1 << 20}[r.IntN(4)]
		var model [Registers]uint8
		span := 1 + r.IntN(Registers)
		for range 1 + r.IntN(6000) {
			register, value := r.IntN(span), uint8(1+r.IntN(5))
			if r.IntN(2000) == 0 {
				value = uint8(30 + r.IntN(22))
			}
			var changed bool
			if b, changed = raise(t, b, register, value, maxSparse); changed != (value > model[register]) {
				t.Fatalf("round %d: register %d from %d to %d: changed %v", round, register, model[register], value, changed)
			}
			model[register] = max(model[register], value)
			if !Dense(b) && len(b) > max(maxSparse, EmptyBytes) {
				t.Fatalf("sparse value of %d bytes, at most %d", len(b), maxSparse)
			}
		}
		if err := Validate(b); err != nil {
			t.Fatal(err)
		}
		var got [Registers]uint8
		if Merge(&got, b) != nil || got != model {
			t.Fatalf("round %d: registers differ", round)
		}
		n, err := Count(b)
		d, _ := Count(dense(t, b))
		if want := CountRegisters(&model); err != nil || n != want || d != want {
			t.Fatalf("round %d: count %d %d %v, of the registers %d", round, n, d, err, want)
		}
	}
}

// The estimate stays within four standard errors.
func TestAccuracy(t *testing.T) {
	b := empty()
	var elem [8]byte
	for i := range 300_000 {
		binary.LittleEndian.PutUint64(elem[:], uint64(i))
		register, value := Observe(elem[:])
		b, _ = raise(t, b, register, value, 3000)
		if n := i + 1; n == 100 || n == 1000 || n == 10_000 || n == 100_000 || n == 300_000 {
			got, err := Count(b)
			if off := math.Abs(float64(got)/float64(n) - 1); err != nil || off > 4*1.04/math.Sqrt(Registers) {
				t.Errorf("%d elements: %d, %v", n, got, err)
			}
		}
	}
	if !Dense(b) {
		t.Error("still sparse")
	}
}

func TestHeader(t *testing.T) {
	b := empty()
	if n, ok := Cached(b); n != 0 || !ok {
		t.Error(n, ok)
	}
	SetCached(b, 77)
	Invalidate(b)
	if _, ok := Cached(b); ok {
		t.Error("still good")
	}
	if string(AppendRuns(nil, b)) != "Z:16384" {
		t.Errorf("%s", AppendRuns(nil, b))
	}
	for _, bad := range []string{"", "HYLL", "HYLL\x00", "hyll\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
		"HYLL\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", "HYLL\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"} {
		if Is([]byte(bad)) {
			t.Errorf("%q accepted", bad)
		}
	}
}

// Spoilt bytes give an error or an answer, never a panic, and what is sound stays so.
func FuzzValue(f *testing.F) {
	b := empty()
	f.Add(b, uint16(5), uint8(3))
	f.Add(dense(f, b), uint16(16383), uint8(51))
	for i := range 300 {
		b, _ = raise(f, b, i*37%Registers, uint8(1+i%4), 3000)
	}
	f.Add(b, uint16(100), uint8(33))
	f.Add(append(bytes.Clone(b[:HeaderBytes]), 0x7f), uint16(0), uint8(1))
	f.Add(append(bytes.Clone(b[:HeaderBytes]), 0x40, 0, 0x7f, 0xfe), uint16(0), uint8(1))
	f.Fuzz(func(t *testing.T, b []byte, register uint16, value uint8) {
		register, value = register%Registers, 1+value%51
		sound := Validate(b) == nil
		if !Is(b) {
			if sound {
				t.Fatal("sound without a header")
			}
			return
		}
		var r [Registers]uint8
		merged := Merge(&r, b)
		_, counted := Count(b)
		if (merged == nil) != sound || (counted == nil) != sound {
			t.Fatal(sound, merged, counted)
		}
		AppendRuns(nil, b)
		c, err := PlanRaise(b, int(register), value, 3000)
		if sound && err != nil {
			t.Fatal(err)
		}
		if err != nil || c.None() || c.Promotes() {
			return
		}
		if c.Delta() > 0 {
			b = append(b, make([]byte, c.Delta())...)
		}
		b = b[:c.Apply(b)]
		if sound {
			var again [Registers]uint8
			if Validate(b) != nil || Merge(&again, b) != nil {
				t.Fatal("spoilt")
			}
			if r[register] = max(r[register], value); r != again {
				t.Fatal("other registers than before")
			}
		}
	})
}

func BenchmarkCountDense(b *testing.B) {
	v := dense(b, empty())
	b.ReportAllocs()
	for b.Loop() {
		Count(v)
	}
}

func BenchmarkMergeDense(b *testing.B) {
	v := dense(b, empty())
	var r [Registers]uint8
	b.ReportAllocs()
	for b.Loop() {
		Merge(&r, v)
	}
}
