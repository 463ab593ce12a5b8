package glob

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{
		{"", "", true}, {"*", "", false}, {"a", "", false}, {"", "a", false},
		{"*", "a", true}, {"**", "ab", true}, {"a*", "a", true}, {"*a", "a", true},
		{"h?llo", "hello", true}, {"h?llo", "hllo", false}, {"?", "", false},
		{"h*llo", "hllo", true}, {"h*llo", "heeeello", true}, {"h*llo", "heeeell", false},
		{"*a*b*c", "xxaxxbxxc", true}, {"*a*b*c", "xxaxxcxxb", false},
		{"*ab", "aab", true}, {"*aab", "aaab", true},
		{"h[ae]llo", "hallo", true}, {"h[ae]llo", "hillo", false},
		{"h[^e]llo", "hello", false}, {"h[^e]llo", "hallo", true},
		{"h[a-b]llo", "hbllo", true}, {"h[a-b]llo", "hcllo", false}, {"[z-a]", "m", true},
		{`h\?llo`, "h?llo", true}, {`h\?llo`, "hello", false}, {`a\`, `a\`, true},
		{`[\]]`, "]", true}, {`[\-x]`, "-", true}, {`[a\]`, `]`, true},
		{"[", "[", false}, {"[^", "x", true}, {"[a", "a", true}, {"[ab", "b", true},
		{"[]", "]", false}, {"[^]", "x", true}, {"[a-", "-", true}, {"[a-", "b", false},
		{"[a-]", "a", true}, {"[a-]", "b", false}, {"[a-]b", "a", true}, // the range runs from a to ]
		{"[\x01-\xff]", "\x00", true}, {"[\x01-\xff]", "\x02", false}, // signed
	} {
		if got := Match([]byte(c.pattern), []byte(c.s)); got != c.want {
			t.Errorf("Match(%q, %q) = %v", c.pattern, c.s, got)
		}
	}
}

func TestMatchFold(t *testing.T) {
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{
		{"HeLLo", "hEllO", true}, {"[A-C]x", "bX", true}, {"[abc]", "B", true},
		{`[\A]`, "a", false}, {`\A`, "a", true}, {"MAX*", "maxmemory", true},
	} {
		if got := MatchFold([]byte(c.pattern), []byte(c.s)); got != c.want {
			t.Errorf("MatchFold(%q, %q) = %v", c.pattern, c.s, got)
		}
	}
}

// The pattern that makes naive matchers take exponential time.
func TestManyStarsEndSoon(t *testing.T) {
	pattern := []byte(strings.Repeat("a*", 200) + "b")
	s := bytes.Repeat([]byte("a"), 20_000)
	start := time.Now()
	if Match(pattern, s) {
		t.Fatal("matched without a b")
	}
	if d := time.Since(start); d > 2*time.Second {
		t.Fatalf("took %v", d)
	}
}

func TestMatchAllocatesNothing(t *testing.T) {
	pattern, s := []byte("user:*:[0-9]?"), []byte("user:1000:17")
	if n := testing.AllocsPerRun(100, func() { Match(pattern, s) }); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

// FuzzMatch compares with a transcription of Redis' recursive matcher.
func FuzzMatch(f *testing.F) {
	f.Add("a*[b-d]\\*?", "abcd*e", false)
	f.Add("[^a", "b", true)
	f.Add("**a**", "bab", true)
	f.Add("*[*]*", "a*", false)
	f.Fuzz(func(t *testing.T, pattern, s string, fold bool) {
		if len(pattern) > 64 || len(s) > 64 || strings.Count(pattern, "*") > 6 {
			return
		}
		want := recursive(pattern, s, fold)
		if got := match([]byte(pattern), []byte(s), fold); got != want {
			t.Errorf("match(%q, %q, %v) = %v, recursively %v", pattern, s, fold, got, want)
		}
	})
}

func recursive(p, s string, fold bool) bool {
	for p != "" && s != "" {
		if p[0] == '*' {
			for len(p) > 1 && p[1] == '*' {
				p = p[1:]
			}
			if len(p) == 1 {
				return true
			}
			for ; s != ""; s = s[1:] {
				if recursive(p[1:], s, fold) {
					return true
				}
			}
			return false
		}
		next, ok := matchOne([]byte(p), 0, s[0], fold)
		if !ok {
			return false
		}
		p, s = p[next:], s[1:]
		if s == "" {
			p = strings.TrimLeft(p, "*")
			break
		}
	}
	return p == "" && s == ""
}
