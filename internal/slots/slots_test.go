package slots

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// bitCRC is CRC16/XMODEM as its definition says, a bit at a time.
func bitCRC(p []byte) uint16 {
	var crc uint16
	for _, b := range p {
		crc ^= uint16(b) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return crc
}

func TestCRC16(t *testing.T) {
	// The check value of the specification, and slots that redis-server answers to
	// CLUSTER KEYSLOT.
	if got := crc16([]byte("123456789")); got != 0x31C3 {
		t.Errorf("crc16 = %#x", got)
	}
	for key, want := range map[string]Slot{
		"": 0, "foo": 12182, "bar": 5061, "hello": 866, "somekey": 11058, "foo{hash_tag}": 2515, "123456789": 12739,
	} {
		if got := Of([]byte(key)); got != want {
			t.Errorf("Of(%q) = %d, want %d", key, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "p")
		if got, want := crc16(p), bitCRC(p); got != want {
			t.Fatalf("crc16(%x) = %#x, want %#x", p, got, want)
		}
	})
}

func FuzzOf(f *testing.F) {
	f.Add([]byte("{user1000}.following"))
	f.Add([]byte("foo{}{bar}"))
	f.Fuzz(func(t *testing.T, key []byte) {
		if got, want := Of(key), Slot(bitCRC(HashTag(key))%Count); got != want {
			t.Fatalf("Of(%q) = %d, want %d", key, got, want)
		}
	})
}

func TestHashTag(t *testing.T) {
	for key, want := range map[string]string{
		"{user1000}.following": "user1000", "foo{}{bar}": "foo{}{bar}", "foo{{bar}}zap": "{bar",
		"foo{bar}{zap}": "bar", "{": "{", "}{": "}{", "a{b": "a{b", "a}b{c}": "c", "": "",
	} {
		if got := string(HashTag([]byte(key))); got != want {
			t.Errorf("HashTag(%q) = %q, want %q", key, got, want)
		}
	}
}

func drawSet(t *rapid.T, label string) Set {
	var s Set
	for range rapid.IntRange(0, 8).Draw(t, label) {
		from := rapid.IntRange(0, Count-1).Draw(t, "from")
		to := rapid.IntRange(from, min(from+300, Count-1)).Draw(t, "to")
		s.AddRange(Range{Slot(from), Slot(to)})
	}
	return s
}

// TestSetAgainstMap holds Set against a plain map.
func TestSetAgainstMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawSet(t, "a"), drawSet(t, "b")
		model := map[Slot]bool{}
		for s := range a.Each() {
			model[s] = true
		}
		if len(model) != a.Len() || a.Empty() != (len(model) == 0) {
			t.Fatalf("%d slots, Len %d", len(model), a.Len())
		}
		union, rest := a, a
		union.Union(&b)
		rest.Subtract(&b)
		meet := false
		for s := Slot(0); s < Count; s++ {
			if a.Has(s) != model[s] || union.Has(s) != (model[s] || b.Has(s)) || rest.Has(s) != (model[s] && !b.Has(s)) {
				t.Fatalf("slot %d", s)
			}
			meet = meet || model[s] && b.Has(s)
		}
		if a.Intersects(&b) != meet || !union.Contains(&a) || !union.Contains(&b) || a.Contains(&union) != (a == union) {
			t.Fatal("Intersects or Contains")
		}
		back, err := ParseSet(a.String())
		if err != nil || back != a || SetOf(a.Ranges()...) != a {
			t.Fatalf("%q reads back as %q: %v", a.String(), back.String(), err)
		}
	})
}

func TestParseSet(t *testing.T) {
	for _, text := range []string{"16384", "-1", "5-4", "a", "1-", "1-2-3", "0x1", "99999999999"} {
		if _, err := ParseSet(text); err == nil {
			t.Errorf("ParseSet(%q) took it", text)
		}
	}
	if s, err := ParseSet("0-2,5 16383"); err != nil || s.String() != "0-2 5 16383" {
		t.Errorf("%v %v", s.String(), err)
	}
}

func FuzzParseSet(f *testing.F) {
	f.Add("0-100 200,300-400")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSet(text)
		if err != nil {
			return
		}
		if back, err := ParseSet(s.String()); err != nil || back != s {
			t.Fatalf("%q: %v", s.String(), err)
		}
		if strings.Contains(s.String(), ",") {
			t.Fatal("a comma was written")
		}
	})
}
