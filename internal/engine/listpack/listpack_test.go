package listpack

import (
	"bytes"
	"encoding/hex"
	"math"
	"strconv"
	"strings"
	"testing"
)

func build(elems ...string) []byte {
	lp := New(nil)
	for _, e := range elems {
		lp = Append(lp, []byte(e))
	}
	return lp
}

// The bytes are those of redis-server 7.0 (RPUSH, DUMP, without the frame).
func TestBytesAreRedis(t *testing.T) {
	for _, c := range []struct{ elem, entry string }{
		{"", "8001"},
		{"a", "816102"},
		{"0", "0001"}, {"127", "7f01"},
		{"128", "c08002"}, {"-1", "dfff02"}, {"4095", "cfff02"}, {"-4096", "d00002"},
		{"4096", "f1001003"}, {"-4097", "f1ffef03"}, {"32767", "f1ff7f03"}, {"-32768", "f1008003"},
		{"32768", "f200800004"}, {"8388607", "f2ffff7f04"}, {"-8388608", "f200008004"},
		{"8388608", "f30000800005"}, {"-2147483648", "f30000008005"},
		{"2147483648", "f4000000800000000009"}, {"-9223372036854775808", "f4000000000000008009"},
		{"9223372036854775807", "f4ffffffffffffff7f09"},
		{"9223372036854775808", "93" + hex.EncodeToString([]byte("9223372036854775808")) + "14"},
		{"-0", "822d3003"}, {"00", "82303003"}, {"+1", "822b3103"}, {"-", "812d02"}, {"1.0", "83312e3004"},
		{strings.Repeat("x", 63), "bf" + strings.Repeat("78", 63) + "40"},
		{strings.Repeat("x", 64), "e040" + strings.Repeat("78", 64) + "42"},
		{strings.Repeat("x", 126), "e07e" + strings.Repeat("78", 126) + "0180"},
		{strings.Repeat("x", 4095), "efff" + strings.Repeat("78", 4095) + "2081"},
		{strings.Repeat("x", 4096), "f000100000" + strings.Repeat("78", 4096) + "2085"},
		// A back length of 16383 takes three bytes, though it would fit into two.
		{strings.Repeat("x", 16378), "f0fa3f0000" + strings.Repeat("78", 16378) + "00ffff"},
	} {
		lp := build(c.elem)
		want := hex.EncodeToString([]byte{byte(len(lp)), byte(len(lp) >> 8), byte(len(lp) >> 16), 0, 1, 0}) + c.entry + "ff"
		if got := hex.EncodeToString(lp); got != want {
			t.Errorf("%.40q: %.200s, want %.200s", c.elem, got, want)
		}
		if got := Get(lp, First(lp), make([]byte, 0, 20)); string(got) != c.elem {
			t.Errorf("%.40q reads as %.40q", c.elem, got)
		}
		if n := EntryBytes([]byte(c.elem)); n != len(lp)-EmptyBytes {
			t.Errorf("%.40q: EntryBytes %d, is %d", c.elem, n, len(lp)-EmptyBytes)
		}
		if !Equal(lp, First(lp), []byte(c.elem)) || Equal(lp, First(lp), []byte(c.elem+"1")) {
			t.Errorf("%.40q: Equal is wrong", c.elem)
		}
		if First(lp) != Last(lp) || Prev(lp, First(lp)) != -1 || Next(lp, First(lp)) != -1 {
			t.Errorf("%.40q: walking does not end", c.elem)
		}
		if err := Validate(lp, true, nil); err != nil {
			t.Errorf("%.40q: %v", c.elem, err)
		}
	}
}

func TestIntegers(t *testing.T) {
	for shift := range 64 {
		for _, add := range []int64{-1, 0, 1} {
			for _, v := range []int64{1<<shift + add, -1<<shift + add} {
				byInt, byText := AppendInt(New(nil), v), build(strconv.FormatInt(v, 10))
				if !bytes.Equal(byInt, byText) {
					t.Errorf("%d: %x as an integer, %x as text", v, byInt, byText)
				}
				if _, got, isInt := Value(byInt, First(byInt)); !isInt || got != v {
					t.Errorf("%d reads as %d, %v", v, got, isInt)
				}
			}
		}
	}
	if _, v, _ := Value(AppendInt(New(nil), math.MinInt64), headerBytes); v != math.MinInt64 {
		t.Error("the smallest integer")
	}
}

func TestSeek(t *testing.T) {
	lp := build("a", "1", "b", "2", "c")
	for i, want := range []string{"a", "1", "b", "2", "c"} {
		for _, index := range []int{i, i - 5} {
			if got := Get(lp, Seek(lp, index), nil); string(got) != want {
				t.Errorf("Seek(%d) finds %q, want %q", index, got, want)
			}
		}
	}
	for _, index := range []int{5, -6, math.MaxInt, math.MinInt} {
		if off := Seek(lp, index); off != -1 {
			t.Errorf("Seek(%d) = %d", index, off)
		}
	}
	if Seek(New(nil), 0) != -1 || Seek(New(nil), -1) != -1 || First(New(nil)) != -1 || Last(New(nil)) != -1 {
		t.Error("an empty listpack has an entry")
	}
}

func TestFind(t *testing.T) {
	lp := build("a", "1", "1", "b", "b", "c", "01", "x")
	for _, c := range []struct {
		elem       string
		skip, want int
	}{
		{"a", 0, 0}, {"1", 0, 1}, {"1", 1, 2}, {"b", 0, 3}, {"b", 1, 4}, {"01", 1, 6}, {"x", 1, -1}, {"x", 0, 7}, {"y", 0, -1}, {"", 0, -1},
	} {
		want := -1
		if c.want >= 0 {
			want = Seek(lp, c.want)
		}
		if got := Find(lp, First(lp), []byte(c.elem), c.skip); got != want {
			t.Errorf("Find(%q, skip %d) = %d, want %d", c.elem, c.skip, got, want)
		}
	}
	if Find(New(nil), -1, []byte("a"), 0) != -1 {
		t.Error("found in nothing")
	}
}

// From 65,535 entries on the header does not say how many there are.
func TestUnknownCount(t *testing.T) {
	lp := New(nil)
	for i := range 70_000 {
		lp = AppendInt(lp, int64(i))
		if n := i + 1; n >= 65_533 && n <= 65_537 && Len(lp) != n {
			t.Fatalf("%d entries, want %d", Len(lp), n)
		}
	}
	if count(lp) != unknown || Len(lp) != 70_000 || Validate(lp, true, nil) != nil {
		t.Fatalf("header %d, %d entries", count(lp), Len(lp))
	}
	for _, index := range []int{69_999, -1} {
		if _, v, _ := Value(lp, Seek(lp, index)); v != 69_999 {
			t.Errorf("Seek(%d) finds %d", index, v)
		}
	}
	if Seek(lp, 70_000) != -1 || Seek(lp, -70_001) != -1 {
		t.Error("found an entry beyond the ends")
	}
	e := Delete(lp, Seek(lp, 10), -1)
	e.Apply(lp)
	if lp = lp[:e.Len()]; Len(lp) != 10 || Validate(lp, true, nil) != nil {
		t.Errorf("%d entries left", Len(lp))
	}
}

func TestNoAllocations(t *testing.T) {
	lp := build("field", "12", "other", "value")
	lp = append(lp, make([]byte, 100)...)
	elem, num, scratch := []byte("hello"), []byte("12"), make([]byte, 0, 20)
	n := testing.AllocsPerRun(100, func() {
		e := Insert(lp, End(lp), elem, num)
		e.Apply(lp)
		off := Find(lp, First(lp), elem, 1)
		Get(lp, Next(lp, off), scratch)
		e = Replace(lp, off, num)
		e.Apply(lp)
		e = ReplaceInt(lp, off, 1<<40)
		e.Apply(lp)
		e = Delete(lp, off, 2)
		e.Apply(lp)
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}
