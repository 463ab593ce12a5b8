package rdb

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestChecksum(t *testing.T) {
	// The check value of Redis' crc64.c.
	if got := updateCRC(0, []byte("123456789")); got != 0xe9c6d914c4b8d9ca {
		t.Fatalf("crc64 of 123456789 is %016x", got)
	}
	b := []byte("This is a test of the emergency broadcast system.")
	if got := updateCRC(updateCRC(0, b[:11]), b[11:]); got != updateCRC(0, b) {
		t.Fatalf("in pieces %016x, at once %016x", got, updateCRC(0, b))
	}
}

func randomText(rnd *rand.Rand, n int) []byte {
	b := make([]byte, n)
	letters := 1 + rnd.IntN(256)
	for i := range b {
		if i > 8 && rnd.IntN(3) == 0 {
			b[i] = b[rnd.IntN(i)]
		} else {
			b[i] = byte(rnd.IntN(letters))
		}
	}
	return b
}

func TestLZFBothWays(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 0))
	table := lzfTable{base: math.MaxUint32 - 1_000_000} // it begins anew on the way
	for i := range 600 {
		in := randomText(rnd, rnd.IntN(3000))
		switch i % 4 {
		case 0:
			in = bytes.Repeat([]byte("ab"), rnd.IntN(5000))
		case 1:
			in = bytes.Repeat(randomText(rnd, 9000), 3) // distances past the window
		}
		packed, ok := table.compress(nil, in, 1<<30)
		if !ok {
			t.Fatalf("seed %d, input %d: not compressed", seed, i)
		}
		out, err := decompress(nil, packed, len(in))
		if err != nil || !bytes.Equal(out, in) {
			t.Fatalf("seed %d, input %d of %d bytes: %v", seed, i, len(in), err)
		}
	}
	if table.base > math.MaxUint32/2 {
		t.Errorf("the table's base is %d: it never began anew", table.base)
	}
	if packed, ok := table.compress(nil, bytes.Repeat([]byte("x"), 1000), 996); !ok || len(packed) > 40 {
		t.Fatalf("1000 equal bytes give %d, %v", len(packed), ok)
	}
	if _, ok := table.compress(nil, []byte("abcdefghijklmnopqrstuvwxyz"), 22); ok {
		t.Fatal("nothing to gain, compressed all the same")
	}
}

func TestLZFDamage(t *testing.T) {
	for _, c := range []struct {
		in []byte
		n  int
	}{
		{[]byte{0}, 1},                 // literal without its byte
		{[]byte{0, 'a'}, 2},            // too short
		{[]byte{1, 'a', 'b'}, 1},       // too long
		{[]byte{0, 'a', 1 << 5, 1}, 4}, // distance before the start
		{[]byte{0, 'a', 7 << 5}, 10},   // length without its byte
		{[]byte{0, 'a', 1 << 5}, 4},    // no distance
		{[]byte{0, 'a', 7 << 5, 255, 0}, 5},
	} {
		if _, err := decompress(nil, c.in, c.n); !errors.Is(err, errLZF) {
			t.Errorf("%v as %d bytes: %v", c.in, c.n, err)
		}
	}
}

// stringKey is a key with a string.
type stringKey struct {
	Key
	Value []byte
}

// sample returns keys that meet every encoding of a string.
func sample(rnd *rand.Rand, n int) []stringKey {
	var out []stringKey
	for i := range n {
		k := stringKey{Key: Key{DB: rnd.IntN(3), Key: fmt.Appendf(nil, "key:%d", i), Idle: -1, Freq: -1}}
		switch rnd.IntN(4) {
		case 0:
			k.Idle = rnd.Int64N(1 << 24)
		case 1:
			k.Freq = rnd.IntN(256)
		}
		switch rnd.IntN(9) {
		case 0:
			k.Value = fmt.Appendf(nil, "%d", int64(rnd.Uint64())>>rnd.IntN(64))
		case 1:
			k.Value = []byte([]string{"0", "-1", "127", "128", "-128", "-129", "32767", "32768", "-32769", "2147483647", "2147483648", "-2147483648", "-2147483649", "-0", "00", "+1", "", "1a"}[rnd.IntN(18)])
		case 2:
			k.Value = bytes.Repeat([]byte("compress me "), rnd.IntN(400))
		case 3:
			k.Value = randomText(rnd, []int{63, 64, 16383, 16384, 70000, 200000}[rnd.IntN(6)])
		default:
			k.Value = randomText(rnd, rnd.IntN(100))
		}
		if rnd.IntN(3) == 0 {
			k.ExpireAt = 1 + rnd.Int64N(1<<45)
		}
		out = append(out, k)
	}
	return out
}

func encode(t testing.TB, keys []stringKey, o WriterOptions) []byte {
	t.Helper()
	var b bytes.Buffer
	w := NewWriter(&b, o)
	if err := errors.Join(w.Aux("redis-ver", "7.2.4"), w.Aux("redis-bits", "64")); err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		w.Key(k.Key)
		w.Bytes(k.Value)
		if err := w.Settle(); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if w.Written() != int64(b.Len()) {
		t.Fatalf("%d bytes written, %d arrived", w.Written(), b.Len())
	}
	return b.Bytes()
}

// stringSink keeps a string.
type stringSink struct {
	Discard
	value []byte
}

func (s *stringSink) String(b []byte) error {
	s.value = bytes.Clone(b)
	return nil
}

func decode(b []byte) (keys []stringKey, aux []string, rest int, err error) {
	src := bufio.NewReader(bytes.NewReader(b))
	r := NewReader(src, ReaderOptions{MaxDB: 15})
	for {
		ev, err := r.Next()
		if err != nil {
			return keys, aux, 0, err
		}
		switch ev {
		case EventAux:
			aux = append(aux, r.Aux.Name+"="+r.Aux.Value)
		case EventKey:
			k := stringKey{Key: r.Key}
			k.Key.Key = bytes.Clone(k.Key.Key)
			var s stringSink
			if err := r.Value(&s); err != nil && !errors.Is(err, ErrEmpty) {
				return keys, aux, 0, err
			}
			k.Value = s.value
			keys = append(keys, k)
		case EventEnd:
			n, _ := io.Copy(io.Discard, src)
			return keys, aux, int(n), nil
		}
	}
}

func TestRoundTrip(t *testing.T) {
	seed := rand.Uint64()
	for i := range uint64(8) {
		rnd := rand.New(rand.NewPCG(seed, i))
		keys := sample(rnd, 200)
		o := WriterOptions{Compress: i%2 == 0, Checksum: i%3 != 0, Sizes: func(db int) (uint64, uint64) { return 200, 3 }}
		b := append(encode(t, keys, o), "what follows"...)
		got, aux, rest, err := decode(b)
		if err != nil {
			t.Fatalf("seed %d/%d: %v", seed, i, err)
		}
		if rest != len("what follows") {
			t.Fatalf("seed %d/%d: %d bytes left behind the end", seed, i, rest)
		}
		if strings.Join(aux, " ") != "redis-ver=7.2.4 redis-bits=64" {
			t.Fatalf("aux %q", aux)
		}
		if len(got) != len(keys) {
			t.Fatalf("seed %d/%d: %d keys of %d", seed, i, len(got), len(keys))
		}
		for j := range keys {
			if g, k := got[j], keys[j]; g.DB != k.DB || !bytes.Equal(g.Key.Key, k.Key.Key) || g.Idle != k.Idle || g.Freq != k.Freq || !bytes.Equal(g.Value, k.Value) || g.ExpireAt != k.ExpireAt {
				t.Fatalf("seed %d/%d: key %d is\n%.200q, want\n%.200q", seed, i, j, fmt.Sprint(g), fmt.Sprint(k))
			}
		}
	}
}

// A header that is raised behind the end has the checksum of the whole with it.
func TestRaise(t *testing.T) {
	for _, n := range []int{0, 1, 7, 100, 5000} {
		var b bytes.Buffer
		w := NewWriter(&b, WriterOptions{Checksum: true})
		for i := range n {
			w.Key(Key{Key: fmt.Append(nil, i), Kind: KindString, Idle: -1, Freq: -1})
			w.Bytes([]byte("v"))
		}
		w.Raise(Version) // not above that of the header
		if w.Raise(11); n%2 == 0 {
			w.Raise(12)
			w.Raise(11)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		file := b.Bytes()
		if _, _, _, err := decode(file); !errors.Is(err, ErrChecksum) {
			t.Fatalf("with the old header: %v", err)
		}
		copy(file, w.Header())
		keys, _, _, err := decode(file)
		if err != nil || len(keys) != n {
			t.Fatalf("%d keys of %d: %v", len(keys), n, err)
		}
		if want := []string{"REDIS0012", "REDIS0011"}[n%2]; string(file[:9]) != want {
			t.Fatalf("header %q, want %q", file[:9], want)
		}
	}
	w := NewWriter(io.Discard, WriterOptions{Version: 12})
	w.Raise(12)
	if err := w.Close(); err != nil || w.Header() != nil {
		t.Fatalf("%q, %v: nothing was raised", w.Header(), err)
	}
}

// Every cut and every changed byte of a file is found.
func TestDamage(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 3))
	b := encode(t, []stringKey{
		{Key{DB: 0, Key: []byte("int"), Idle: 7, Freq: -1}, []byte("123")},
		{Key{DB: 3, Key: []byte("wide"), ExpireAt: 1_700_000_000_000, Idle: -1, Freq: 9}, []byte("-70000")},
		{Key{DB: 3, Key: []byte("lzf"), Idle: -1, Freq: -1}, bytes.Repeat([]byte("abcd"), 100)},
		{Key{DB: 15, Key: []byte("raw"), Idle: -1, Freq: -1}, randomText(rnd, 300)},
	}, WriterOptions{Compress: true, Checksum: true, Sizes: func(int) (uint64, uint64) { return 70, 20000 }})
	for i := range b {
		if _, _, _, err := decode(b[:i]); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("cut at %d of %d: %v", i, len(b), err)
		}
	}
	for i := range b {
		c := bytes.Clone(b)
		c[i] ^= 1 << rnd.IntN(8)
		if _, _, _, err := decode(c); err == nil {
			t.Fatalf("byte %d changed: not noticed", i)
		}
	}
}

func TestRefused(t *testing.T) {
	head := "REDIS0010"
	for _, c := range []struct {
		name, in string
		want     error
		text     string
	}{
		{"module value", head + "\x07\x03abc\x00", ErrUnsupported, `key "abc" is a module value`},
		{"zset", head + "\x11\x03abc\x00", ErrFormat, `key "abc", sorted set (listpack)`},
		{"module", head + "\xf7\x81\x00\x00\x00\x00\x00\x00\x00\x00", ErrUnsupported, "module AAAAAAAAA"},
		{"database", head + "\xfe\x10", ErrUnsupported, "database 16, the highest here is 15"},
		{"type", head + "\x77", ErrFormat, "type or opcode 119"},
		{"version", "REDIS0099\xff", ErrUnsupported, "version 99"},
		{"header", "HELLO0010\xff", ErrFormat, "no RDB header"},
		{"long", head + "\x00\x81\x7f\xff\xff\xff\xff\xff\xff\xff", ErrUnsupported, "string of 9223372036854775807 bytes"},
		{"lzf bomb", head + "\x00\xc3\x01\x81\x7f\xff\xff\xff\xff\xff\xff\xff", ErrUnsupported, "string of"},
		{"encoding", head + "\x00\xc5", ErrFormat, "string encoding 5"},
		{"attributes", head + "\xf9\x01\xf9\x01\xf9\x01\xf9\x01\xf9\x01", ErrFormat, "too many attributes"},
		{"lonely", head + "\xf9\x01\xff", ErrFormat, "attributes without a key"},
	} {
		_, _, _, err := decode([]byte(c.in))
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

type brokenWriter struct{ left int }

var errBroken = errors.New("broken")

func (w *brokenWriter) Write(b []byte) (int, error) {
	if w.left -= len(b); w.left < 0 {
		return 0, errBroken
	}
	return len(b), nil
}

func TestWriterErrorStays(t *testing.T) {
	w := NewWriter(&brokenWriter{left: 100_000}, WriterOptions{})
	var err error
	for i := 0; err == nil && i < 10_000; i++ {
		w.Key(Key{Key: []byte("k"), Idle: -1, Freq: -1})
		w.Bytes(make([]byte, 100))
		err = w.Settle()
	}
	if !errors.Is(err, errBroken) || !errors.Is(w.Close(), errBroken) {
		t.Fatalf("%v, then %v", err, w.Close())
	}
}

func FuzzReader(f *testing.F) {
	small := []stringKey{
		{Key{DB: 1, Key: []byte("a"), ExpireAt: 77, Idle: 5, Freq: -1}, []byte("12345")},
		{Key{DB: 1, Key: []byte("b"), Idle: -1, Freq: 3}, bytes.Repeat([]byte("ab"), 40)},
		{Key{DB: 0, Key: []byte("c"), Idle: -1, Freq: -1}, bytes.Repeat([]byte("x"), 70)},
	}
	f.Add(encode(f, small, WriterOptions{Compress: true, Checksum: true}))
	f.Add(encode(f, small, WriterOptions{}))
	f.Add(encode(f, nil, WriterOptions{}))
	f.Add([]byte("REDIS0010\xf5\x03abc\xf4\x01\x02\x03\xfc\x01\x00\x00\x00\x00\x00\x00\x00\xf8\x05\xf9\x07\x00\xc0\x01\xc1\x01\x02\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		keys, _, _, err := decode(b)
		if err != nil {
			return
		}
		again, _, _, err := decode(encode(t, keys, WriterOptions{Compress: true, Checksum: true}))
		if err != nil || len(again) != len(keys) {
			t.Fatalf("what was read could not be written and read: %v", err)
		}
	})
}
