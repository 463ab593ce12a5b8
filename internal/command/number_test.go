package command

import (
	"strconv"
	"testing"
)

func TestParseInt(t *testing.T) {
	for _, s := range []string{"0", "1", "-1", "9223372036854775807", "-9223372036854775808", "10", "-10"} {
		want, _ := strconv.ParseInt(s, 10, 64)
		if got, ok := ParseInt([]byte(s)); !ok || got != want {
			t.Errorf("%q: %d %v", s, got, ok)
		}
	}
	for _, s := range []string{"", "-", "+1", "-0", "00", "01", " 1", "1 ", "1.0", "x", "9223372036854775808",
		"-9223372036854775809", "18446744073709551615", "18446744073709551616", "99999999999999999999", "\x001"} {
		if got, ok := ParseInt([]byte(s)); ok {
			t.Errorf("%q: %d", s, got)
		}
	}
}

// A number is accepted exactly in the spelling in which it is printed.
func FuzzParseInt(f *testing.F) {
	f.Add("123")
	f.Add("-9223372036854775808")
	f.Add("+5")
	f.Fuzz(func(t *testing.T, s string) {
		want, err := strconv.ParseInt(s, 10, 64)
		canonical := err == nil && strconv.FormatInt(want, 10) == s
		got, ok := ParseInt([]byte(s))
		if ok != canonical || ok && got != want {
			t.Errorf("%q: %d %v, want %d %v", s, got, ok, want, canonical)
		}
	})
}
