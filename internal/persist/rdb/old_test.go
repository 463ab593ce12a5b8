package rdb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/engine/listpack"
)

// str is a string of an RDB without compression.
func str(b string) []byte { return append(appendLength(nil, uint64(len(b))), b...) }

// ziplist builds one as redis 6 does; elements that are integers become such.
func ziplist(elems ...string) string {
	var b []byte
	prev, last := 0, zipHeader
	for _, e := range elems {
		last = zipHeader + len(b)
		start := len(b)
		if prev < zipBigPrev {
			b = append(b, byte(prev))
		} else {
			b = binary.LittleEndian.AppendUint32(append(b, zipBigPrev), uint32(prev))
		}
		v, err := strconv.ParseInt(e, 10, 64)
		switch n := len(e); {
		case err == nil && v >= 0 && v <= 12:
			b = append(b, 0xF1+byte(v))
		case err == nil && v == int64(int8(v)):
			b = append(b, 0xFE, byte(v))
		case err == nil && v == int64(int16(v)):
			b = binary.LittleEndian.AppendUint16(append(b, 0xC0), uint16(v))
		case err == nil && v >= -1<<23 && v < 1<<23:
			b = append(b, 0xF0, byte(v), byte(v>>8), byte(v>>16))
		case err == nil && v == int64(int32(v)):
			b = binary.LittleEndian.AppendUint32(append(b, 0xD0), uint32(v))
		case err == nil:
			b = binary.LittleEndian.AppendUint64(append(b, 0xE0), uint64(v))
		case n < 1<<6:
			b = append(append(b, byte(n)), e...)
		case n < 1<<14:
			b = append(append(b, 0x40|byte(n>>8), byte(n)), e...)
		default:
			b = append(binary.BigEndian.AppendUint32(append(b, 0x80), uint32(n)), e...)
		}
		prev = len(b) - start
	}
	head := binary.LittleEndian.AppendUint32(nil, uint32(zipHeader+len(b)+1))
	head = binary.LittleEndian.AppendUint32(head, uint32(last))
	head = binary.LittleEndian.AppendUint16(head, uint16(len(elems)))
	return string(append(append(head, b...), zipEnd))
}

func packOf(elems ...string) string {
	lp := listpack.New(nil)
	for _, e := range elems {
		lp = listpack.Append(lp, []byte(e))
	}
	return string(lp)
}

func TestZiplistExample(t *testing.T) {
	// The example of ziplist.c: "2" and "5".
	if got := ziplist("2", "5"); got != "\x0f\x00\x00\x00\x0c\x00\x00\x00\x02\x00\x00\xf3\x02\xf6\xff" {
		t.Fatalf("%x", got)
	}
}

// oldForms are values in the forms of older versions of Redis.
func oldForms() []struct {
	name string
	kind Kind
	body []byte
	head string
	want string
} {
	long := strings.Repeat("x", 20000)
	double := func(f float64) []byte { return binary.LittleEndian.AppendUint64(nil, math.Float64bits(f)) }
	millis := func(ms uint64) []byte { return binary.LittleEndian.AppendUint64(nil, ms) }
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	node := packOf("2", "1", "1", "f", "0", "2", "0", "0", "v", "4", "3", "0", "1", "v", "4", "2", "3", "-1", "w", "4")
	id := func(ms, seq uint64) []byte {
		return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, ms), seq)
	}
	return []struct {
		name string
		kind Kind
		body []byte
		head string
		want string
	}{
		{"list", KindList, join([]byte{2}, str("b"), []byte{0xC0, 7}), "", "b\n7"},
		{"set", KindSet, join([]byte{2}, str("b"), str("a")), "", "b\na"},
		{"zset", KindZSet, join([]byte{4}, str("a"), str("1.5"), str("b"), []byte{254}, str("c"), []byte{255}, str("d"), str("-2")), "", "a=1.5\nb=+Inf\nc=-Inf\nd=-2"},
		{"zset2", KindZSet2, join([]byte{2}, str("a"), double(0.1), str("b"), double(math.Inf(-1))), "", "a=0.1\nb=-Inf"},
		{"hash", KindHash, join([]byte{1}, str("f"), str("v")), "", "f=v"},
		{"zipmap", KindHashZipmap, str("\x02\x01f\x02\x01vv?\x02gg\x00\x00\xff"), "packed 16", "f=vv\ngg"},
		{"zipmap long", KindHashZipmap, str("\x01\x01f\xfe\x2c\x01\x00\x00\x00" + strings.Repeat("x", 300) + "\xff"), "packed 16", "f=" + strings.Repeat("x", 300)},
		{"list ziplist", KindListZiplist, str(ziplist("a", "12", "13", "-1", "-200", "70000", "-9000000", "9223372036854775807", strings.Repeat("y", 64), long, "z")), "nodes",
			"a\n12\n13\n-1\n-200\n70000\n-9000000\n9223372036854775807\nyyyyyyyy..64\nxxxxxxxx..20000\nz"},
		{"zset ziplist", KindZSetZiplist, str(ziplist("a", "-1", "b", "2.5")), "packed 17", "a=-1\nb=2.5"},
		{"zset out of order", KindZSetZiplist, str(ziplist("b", "2.5", "a", "-1")), "", "b=2.5\na=-1"},
		{"zset equal scores", KindZSetListpack, str(packOf("b", "1", "a", "1")), "", "b=1\na=1"},
		{"hash ziplist", KindHashZiplist, str(ziplist("f", "v", "1", "2")), "packed 16", "f=v\n1=2"},
		{"quicklist", KindListQuicklist, join([]byte{3}, str(ziplist("a", "b")), str(ziplist()), str(ziplist("c"))), "nodes", "a\nb\nc"},
		{"set listpack", KindSetListpack, str(packOf("a", "1", "b")), "packed 20", "a\n1\nb"},
		{"field expiry", KindHashTTL, join(millis(1000), []byte{2}, []byte{0}, str("f"), str("v"), []byte{6}, str("g"), str("w")), "", "f=v\ng=w=1005"},
		{"field expiry, preview", KindHashTTLPre, join([]byte{2}, []byte{0}, str("f"), str("v"), []byte{0x43, 0xE8}, str("g"), str("w")), "", "f=v\ng=w=1000"},
		{"field expiry, listpack", KindHashTTLPack, join(millis(1000), str(packOf("g", "w", "1000", "f", "v", "0"))), "packed 25", "g=w=1000\nf=v"},
		{"field expiry, listpack, preview", KindHashTTLPackPre, str(packOf("g", "w", "1000", "f", "v", "0")), "packed 25", "g=w=1000\nf=v"},
		{"field expiry, listpack out of order", KindHashTTLPack, join(millis(1000), str(packOf("f", "v", "0", "g", "w", "1000"))), "", "f=v\ng=w=1000"},
		{"stream", KindStream, join([]byte{1}, str(string(id(5, 3))), str(node), []byte{2}, []byte{8, 2}, []byte{1},
			str("g"), []byte{5, 3}, []byte{1}, id(5, 3), millis(1), []byte{3}, []byte{1}, str("c"), millis(1), []byte{1}, id(5, 3)), "",
			"node {5 3} 20\nstream {2 {8 2} {5 3} {0 0} 2}\ngroup g {{5 3} 1 1}\npending {{5 3} 1 3}\nconsumer c {1 1 1}\nowned {5 3}"},
		{"stream 3", KindStream3, join([]byte{0, 0}, []byte{8, 2, 0, 0, 8, 2, 9}, []byte{1},
			str("g"), []byte{5, 3, 4}, []byte{0}, []byte{1}, str("c"), millis(1), millis(math.MaxUint64), []byte{0}), "",
			"stream {0 {8 2} {0 0} {8 2} 9}\ngroup g {{5 3} 4 0}\nconsumer c {1 -1 0}"},
	}
}

func TestOldForms(t *testing.T) {
	for _, c := range oldForms() {
		kind, x, err := read(payloadOf(c.kind, c.body))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := x.plain(); kind != c.kind || x.head != c.head || got != c.want {
			t.Errorf("%s: %q\n%s\nwant %q\n%s", c.name, x.head, got, c.head, c.want)
		}
	}
}

// Every cut of a value is noticed, and no changed byte makes a reader panic.
func TestOldFormsDamaged(t *testing.T) {
	for _, c := range oldForms() {
		for i := range c.body[:min(300, len(c.body))] {
			if _, _, err := read(payloadOf(c.kind, c.body[:i])); err == nil {
				t.Fatalf("%s: cut at %d of %d not noticed", c.name, i, len(c.body))
			}
			for bit := range 8 {
				b := bytes.Clone(c.body)
				b[i] ^= 1 << bit
				_, _, _ = read(payloadOf(c.kind, b))
			}
		}
	}
}

func TestHostileValues(t *testing.T) {
	huge := []byte{len64, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	valid := ziplist("a", "b")
	for _, c := range []struct {
		name string
		kind Kind
		body []byte
		want error
	}{
		{"count without elements", KindSet, huge, nil},
		{"nodes without nodes", KindListQuicklist2, huge, nil},
		{"stream nodes", KindStream3, huge, nil},
		{"empty set", KindSet, []byte{0}, ErrEmpty},
		{"empty listpack", KindHashListpack, str(packOf()), ErrEmpty},
		{"empty ziplist", KindListZiplist, str(ziplist()), ErrEmpty},
		{"quicklist of empty nodes", KindListQuicklist2, append([]byte{1, 2}, str(packOf())...), ErrEmpty},
		{"node form", KindListQuicklist2, append([]byte{1, 3}, str("a")...), ErrFormat},
		{"field twice", KindHash, bytes.Join([][]byte{{2}, str("f"), str("v"), str("f"), str("w")}, nil), ErrDuplicate},
		{"packed field twice", KindHashListpack, str(packOf("f", "1", "f", "2")), ErrDuplicate},
		{"packed integer twice", KindSetListpack, str(packOf("7", "x", "7")), ErrDuplicate},
		{"odd hash", KindHashListpack, str(packOf("f", "1", "g")), ErrFormat},
		{"score", KindZSetListpack, str(packOf("f", "abc")), ErrFormat},
		{"NaN", KindZSetListpack, str(packOf("f", "nan")), ErrFormat},
		{"NaN text", KindZSet, append(append([]byte{1}, str("f")...), 253), ErrFormat},
		{"NaN binary", KindZSet2, append(append([]byte{1}, str("f")...), 0, 0, 0, 0, 0, 0, 0xf8, 0x7f), ErrFormat},
		{"expiry", KindHashTTLPack, append(make([]byte, 8), str(packOf("f", "v", "-1"))...), ErrFormat},
		{"intset", KindSetIntset, str("\x02\x00\x00\x00\x02\x00\x00\x00\x05\x00\x01\x00"), ErrFormat},
		{"ziplist end", KindListZiplist, str(valid[:len(valid)-1] + "\x00"), ErrFormat},
		{"module", kindModule2, []byte{0}, ErrUnsupported},
	} {
		_, _, err := read(payloadOf(c.kind, c.body))
		if err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if _, _, err := read([]byte("\x00\x01a\x0d\x00\x00\x00\x00\x00\x00\x00\x00\x00")); !errors.Is(err, ErrPayload) {
		t.Errorf("version 13: %v", err)
	}
	bad := payloadOf(KindString, str("abc"))
	bad[2]++
	if _, _, err := read(bad); !errors.Is(err, ErrPayload) {
		t.Errorf("checksum: %v", err)
	}
}

// Duplicates are found whatever the number of elements.
func TestDistinct(t *testing.T) {
	for _, n := range []int{2, 16, 17, 1000} {
		var elems []string
		for i := range n {
			elems = append(elems, fmt.Sprint("e", i), "v")
		}
		if _, _, err := read(payloadOf(KindHashListpack, str(packOf(elems...)))); err != nil {
			t.Fatalf("%d fields: %v", n, err)
		}
		elems[2*n-2] = "e0"
		if _, _, err := read(payloadOf(KindHashListpack, str(packOf(elems...)))); !errors.Is(err, ErrDuplicate) {
			t.Fatalf("%d fields, one twice: %v", n, err)
		}
	}
}

func FuzzValue(f *testing.F) {
	for _, c := range oldForms() {
		if len(c.body) < 1000 {
			f.Add(byte(c.kind), c.body)
		}
	}
	f.Fuzz(func(t *testing.T, kind byte, body []byte) {
		_, x, err := read(payloadOf(Kind(kind), body))
		if err == nil && len(x.lines) == 0 {
			t.Fatal("a value that is nothing")
		}
	})
}
