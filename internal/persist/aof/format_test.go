package aof

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/disk/disktest"
	"github.com/redwingdb/redwing/internal/resp"
)

func TestManifest(t *testing.T) {
	m := &Manifest{
		Base:    &File{"appendonly.aof.3.base.rdb", 3, Base},
		History: []File{{"old one", 1, History}, {"appendonly.aof.4.incr.aof", 4, History}},
		Incrs:   []File{{"appendonly.aof.5.incr.aof", 5, Incr}, {"a\"b\\c\n", 6, Incr}},
	}
	text := m.Append(nil)
	want := "file appendonly.aof.3.base.rdb seq 3 type b\nfile \"old one\" seq 1 type h\nfile appendonly.aof.4.incr.aof seq 4 type h\n" +
		"file appendonly.aof.5.incr.aof seq 5 type i\nfile \"a\\\"b\\\\c\\x0a\" seq 6 type i\n#RW:crc "
	if !strings.HasPrefix(string(text), want) {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
	got, err := ParseManifest(text)
	if err != nil || !reflect.DeepEqual(got, m) {
		t.Errorf("read back as %v, %v", got, err)
	}
	if got.nextSeq(Base) != 5 || got.nextSeq(Incr) != 7 {
		t.Errorf("next are %d and %d", got.nextSeq(Base), got.nextSeq(Incr))
	}

	for text, want := range map[string]string{
		"": "it is empty", "\n": "line 1", "file a seq 1 type b": "has no end",
		"file a seq 1 type b\nfile b seq 2 type b\n": "line 2: a second base",
		"file a seq 2 type i\nfile b seq 2 type i\n": "line 2: increments out of order",
		"file a/b seq 1 type b\n":                    "must not be a path", "file .. seq 1 type b\n": "must not be a path",
		"file a seq x type b\n": "no number", "file a seq 1 type x\n": "unknown type", "file a seq 1 type bb\n": "unknown type",
		"file a seq 1\n": "not a list", "file a seq 1 type b more\n": "not a list", "file \"a seq 1 type b\n": "not a list",
		"other a seq 1 type b\n": "missing", "file a seq 0 type b\n": "missing",
		"file a seq 1 type b\n#RW:crc 0123456789abcdef\n":       "checksum",
		"file " + strings.Repeat("a", 1024) + " seq 1 type b\n": "too long",
	} {
		if _, err := ParseManifest([]byte(text)); !errors.Is(err, ErrManifest) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	// Comments, other keys, any order of keys and any case of them are fine, as in Redis.
	got, err = ParseManifest([]byte("# hello\nTYPE i Seq 7 FILE a startoffset 12\n"))
	if err != nil || len(got.Incrs) != 1 || got.Incrs[0] != (File{"a", 7, Incr}) {
		t.Errorf("%v, %v", got, err)
	}
}

func FuzzManifest(f *testing.F) {
	f.Add([]byte("file appendonly.aof.1.base.rdb seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n"))
	f.Add((&Manifest{Base: &File{"x y", 1, Base}}).Append(nil))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := ParseManifest(text)
		if err != nil {
			return
		}
		again, err := ParseManifest(m.Append(nil))
		if err != nil || !reflect.DeepEqual(m, again) {
			t.Fatalf("%+v is read back as %+v, %v", m, again, err)
		}
	})
}

// FuzzLoad loads anything: no panic, and what is loaded once is loaded again, to the same
// end, once a torn tail is off.
func FuzzLoad(f *testing.F) {
	f.Add([]byte("*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n"))
	f.Add([]byte("#RW:aof 1\r\n#RW:crc 11 0 5 dd0d8d9d8d8d8d8d\r\n*1\r\n$5\r\nMULTI\r\n*1\r\n$4\r\nEXEC\r\n"))
	f.Add([]byte("#TS:1\r\n*3\r\n$3\r\nset\r\n$100\r\nabc"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) == 0 || bytes.HasPrefix(text, []byte("REDIS")) {
			return
		}
		fsys := disktest.New("/data")
		fsys.WriteFile(manifest, []byte("file appendonly.aof.1.incr.aof seq 1 type i\n"))
		fsys.WriteFile(incr1, text)
		n := newNode(t, fsys)
		if _, err := n.a.Load(n.s, loadAll); err != nil {
			return
		}
		again := newNode(t, fsys)
		l, err := again.a.Load(again.s, loadAll)
		if err != nil || l.CutBytes != 0 || !reflect.DeepEqual(n.s.data, again.s.data) {
			t.Fatalf("loaded again: %v, %+v, %v", err, l, again.s.data)
		}
	})
}

// TestSplitter cuts a stream of requests into pieces of any size: each request is found,
// and known by its name.
func TestSplitter(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	names := []string{"set", "SELECT", "multi", "EXEC", "Ping", "replconf", "PUBLISH", "spublish", "s", "selectx", "a longer name", ""}
	var stream []byte
	var want []verb
	var ends []int
	for range 3000 {
		name := names[rng.IntN(len(names))]
		args := [][]byte{[]byte(name)}
		for range rng.IntN(4) {
			args = append(args, bytes.Repeat([]byte("\r\n*$1"), rng.IntN(30)))
		}
		stream = resp.AppendCommand(stream, args...)
		want = append(want, verbOf([]byte(name)))
		ends = append(ends, len(stream))
	}
	for round := range 20 {
		var s splitter
		at, found := 0, 0
		for at < len(stream) {
			piece := stream[at:min(len(stream), at+1+rng.IntN(1+round*round))]
			for len(piece) > 0 {
				n, whole, err := s.next(piece)
				if err != nil {
					t.Fatal(err)
				}
				at += n
				piece = piece[n:]
				if whole {
					if s.verb != want[found] || at != ends[found] || s.midway() {
						t.Fatalf("request %d ends at %d as %d, wanted %d as %d", found, at, s.verb, ends[found], want[found])
					}
					found++
				}
			}
		}
		if found != len(want) {
			t.Fatalf("%d of %d requests", found, len(want))
		}
	}
	for _, bad := range []string{"set a 1\r\n", "*x\r\n", "*1\r\nfoo\r\n", "*1\r\n$-1\r\n", "*99999999999999\r\n"} {
		var s splitter
		if _, _, err := s.next([]byte(bad)); !errors.Is(err, errStream) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
