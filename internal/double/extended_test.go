package double

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"testing"
)

func TestExtended(t *testing.T) {
	for in, want := range map[string]string{
		"0":                     "0",
		"-0":                    "0",
		"10.50":                 "10.5",
		"5.0e3":                 "5000",
		".5":                    "0.5",
		"5.":                    "5",
		"+1":                    "1",
		"0x1p4":                 "16",
		"0X.8":                  "0.5",
		"18446744073709551615":  "18446744073709551615",
		"18446744073709551617":  "18446744073709551616", // 65 bits: the nearest of 64
		"36893488147419103235":  "36893488147419103236",
		"1e-18":                 "0",
		"4.9e-18":               "0",
		"5.1e-18":               "0.00000000000000001",
		"0.1":                   "0.1",
		"1e-4950":               "0",
		"1e0000000000000000001": "10",
	} {
		v, ok := ParseExtended([]byte(in))
		if !ok {
			t.Errorf("%q refused", in)
			continue
		}
		if got := string(v.Human()); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
	for _, in := range []string{"", " 1", "1 ", "1_0", "0b1", "0x", "0x1p", "e5", ".", "1e", "1e+", "nan", "+nan", "infi", "--1",
		"1e4933", "-1e4933", "1e-4970", "1\x00", strings.Repeat("1", MaxExtendedText)} {
		if v, ok := ParseExtended([]byte(in)); ok {
			t.Errorf("%q accepted as %v", in, v)
		}
	}
}

// FuzzExtended compares with strconv, whose language is a superset and whose range is
// smaller.
func FuzzExtended(f *testing.F) {
	for _, s := range []string{"1.5e3", "-.5", "0x1.8p-3", "inf", "1e400", "1e-400", "1_0", "nan", "0x.p1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, ok := ParseExtended([]byte(s))
		want, err := strconv.ParseFloat(s, 64)
		switch {
		case strings.Contains(s, "_"): // Go alone reads these
		case !ok && err == nil && want != 0 && !math.IsNaN(want) && len(s) < MaxExtendedText:
			t.Fatalf("%q refused, strconv reads %v", s, want)
		case ok && err != nil && !errors.Is(err, strconv.ErrRange) && !strings.ContainsAny(s, "xX"):
			t.Fatalf("%q accepted as %v, strconv refuses it", s, v)
		case ok && err == nil && !v.IsInf() && !math.IsInf(want, 0):
			if got, _ := v.Float64(); math.Abs(got-want) > math.Abs(want)*1e-15 {
				t.Fatalf("%q: %v, strconv reads %v", s, got, want)
			}
		}
		if ok && !v.IsInf() {
			again, ok := ParseExtended(v.Human())
			if !ok && v.MantExp(nil) < extendedMaxExp {
				t.Fatalf("%q prints as %s, which is refused", s, again)
			}
		}
	})
}
