package double

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
)

func TestAppend(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 1: "1", -1: "-1", 1.5: "1.5", 0.1: "0.1", -0.25: "-0.25", 1e15: "1000000000000000", 1e17: "100000000000000000",
		1 << 62: "4611686018427387904", 1 << 63: "9223372036854776000", 1e19: "1e+19", 1.5e19: "1.5e+19", 1e20: "1e+20", 123e20: "1.23e+22",
		12345678901234567890: "12345678901234567000", 0.00001: "0.00001", 0.000001: "0.000001", 1e-7: "1e-7", 1.5e-7: "1.5e-7",
		0.00012345: "1.2345e-4", 0.00123: "0.00123", 0.0001234567: "1.234567e-4", 0.1234567891234: "0.1234567891234", 123456.7890123: "1.234567890123e+5",
		1234.567890123: "1234.567890123", 1e100: "1e+100", 1e-100: "1e-100", 1.7976931348623157e308: "1.7976931348623157e+308",
		-1.7976931348623157e308: "-1.7976931348623157e+308", 5e-324: "5e-324", 3.14159: "3.14159",
		math.Inf(1): "inf", math.Inf(-1): "-inf",
	} {
		if got := string(Append(nil, v)); got != want {
			t.Errorf("%v: %s, want %s", v, got, want)
		}
	}
	if got := string(Append(nil, math.Copysign(0, -1))); got != "-0" {
		t.Errorf("negative zero: %s", got)
	}
	if got := string(Append(nil, math.NaN())); got != "nan" {
		t.Errorf("not a number: %s", got)
	}
}

func TestReadsBack(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200_000 {
		v := math.Float64frombits(r.Uint64())
		if v != v {
			continue
		}
		text := Append(nil, v)
		if len(text) > MaxBytes {
			t.Fatalf("%v: %d bytes", v, len(text))
		}
		if got, ok := Parse(text); !ok || got != v {
			t.Fatalf("%v prints as %s, which reads as %v %v", v, text, got, ok)
		}
	}
}

func TestParse(t *testing.T) {
	for in, want := range map[string]float64{
		"0": 0, "-0": 0, "+1": 1, "00012": 12, "1.5": 1.5, ".5": .5, "5.": 5, "1e3": 1000, "1E+3": 1000, "0x10": 16, "-0x.8": -.5, "0X1P3": 8,
		"inf": math.Inf(1), "-INFINITY": math.Inf(-1), "+Inf": math.Inf(1), "4e-324": 5e-324, "0e999999": 0, "0x0p-9999": 0,
		"999999999999999": 999999999999999, "9999999999999999999": 1e19,
	} {
		if got, ok := Parse([]byte(in)); !ok || got != want {
			t.Errorf("%q: %v %v, want %v", in, got, ok, want)
		}
	}
	for _, in := range []string{"", " 1", "1 ", "-", "--1", ".", "1_0", "0x", "0x1p", "1e", "1e+", "nan", "-nan", "nan(1)", "infinit",
		"1e400", "-1e400", "1e-400", "1\x00", "1d", "0b1", "\t1", "0x1_0p0"} {
		if got, ok := Parse([]byte(in)); ok {
			t.Errorf("%q reads as %v", in, got)
		}
	}
	for in, want := range map[string]float64{"": 0, " 1": 1, "1\x00x": 1, "\x00": 0, "1e400": math.Inf(1), "1e-400": 0, "-inf": math.Inf(-1)} {
		if got, ok := ParseBound([]byte(in)); !ok || got != want {
			t.Errorf("bound %q: %v %v, want %v", in, got, ok, want)
		}
	}
	for _, in := range []string{" ", "nan", "1 ", "x", "\x01"} {
		if got, ok := ParseBound([]byte(in)); ok {
			t.Errorf("bound %q reads as %v", in, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"1.5e3", "-.5", "0x1.8", "inf", "1e400", "1e-400", "nan", " 1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, ok := Parse([]byte(s))
		if want, err := strconv.ParseFloat(s, 64); ok && err == nil && v != want {
			t.Fatalf("%q reads as %v, strconv %v", s, v, want)
		}
		if w, also := ParseBound([]byte(s)); ok && (!also || v != w) {
			t.Fatalf("%q reads as %v, as a bound %v %v", s, v, w, also)
		}
	})
}

func TestAllocs(t *testing.T) {
	in := []byte("12345.678e-3")
	var room [MaxBytes]byte
	if n := testing.AllocsPerRun(100, func() {
		v, _ := Parse(in)
		Append(room[:0], v)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAppend(b *testing.B) {
	var room [MaxBytes]byte
	for b.Loop() {
		Append(room[:0], 1234.5678)
	}
}

func BenchmarkParse(b *testing.B) {
	in := []byte("1234.5678")
	for b.Loop() {
		Parse(in)
	}
}
