package transfer

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
)

// The mark ends an RDB wherever reads cut it; what follows is not touched.
func TestMarkedReader(t *testing.T) {
	const mark = "da39a3ee5e6b4b0d3255bfef95601890afd80709"
	for name, body := range map[string]string{
		"empty": "", "short": "abc", "beginnings of the mark": strings.Repeat(mark[:39]+"x", 500) + mark[:20],
		"long": strings.Repeat("REDIS", 100_000),
	} {
		for _, cut := range []func(io.Reader) io.Reader{
			func(r io.Reader) io.Reader { return r }, iotest.OneByteReader, iotest.HalfReader, iotest.DataErrReader,
		} {
			in := bufio.NewReaderSize(cut(strings.NewReader(body+mark+"stream")), 4096)
			r := &markedReader{in: in, mark: []byte(mark)}
			var got bytes.Buffer
			if _, err := io.Copy(&got, r); !errors.Is(err, errEnd) || got.String() != body {
				t.Fatalf("%s: %d bytes, want %d: %v", name, got.Len(), len(body), err)
			}
			if rest, err := io.ReadAll(in); err != nil || string(rest) != "stream" {
				t.Fatalf("%s: %q follows, %v", name, rest, err)
			}
		}
		r := &markedReader{in: bufio.NewReader(strings.NewReader(body + mark[:39])), mark: []byte(mark)}
		if _, err := io.Copy(io.Discard, r); errors.Is(err, errEnd) || r.end {
			t.Fatalf("%s: an RDB without its end was taken", name)
		}
	}
}

// A spool gives back what was put in, in order, from memory and from its file.
func TestSpool(t *testing.T) {
	s := NewSpool(1000, t.TempDir())
	defer s.Close()
	rnd := rand.New(rand.NewPCG(3, 4))
	var want, got []byte
	buf := make([]byte, 700)
	for range 3000 {
		if rnd.IntN(2) == 0 {
			b := make([]byte, rnd.IntN(600))
			for i := range b {
				b[i] = byte(rnd.Uint32())
			}
			want = append(want, b...)
			if n, err := s.Write(b); n != len(b) || err != nil {
				t.Fatal(n, err)
			}
			continue
		}
		n, err := s.TryRead(buf[:1+rnd.IntN(len(buf)-1)])
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, buf[:n]...)
	}
	s.CloseWrite(nil)
	rest, err := io.ReadAll(s)
	if err != nil || !bytes.Equal(append(got, rest...), want) {
		t.Fatalf("%d bytes in, %d out: %v", len(want), len(got)+len(rest), err)
	}
	broken := NewSpool(10, t.TempDir())
	defer broken.Close()
	_, _ = broken.Write([]byte("abc"))
	broken.CloseWrite(io.ErrUnexpectedEOF)
	if b, err := io.ReadAll(broken); string(b) != "abc" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%q, %v", b, err)
	}
}

func TestReplies(t *testing.T) {
	for text, want := range map[string]string{
		"+OK\r\n": "OK", "-ERR x\r\n": "ERR x", ":-5\r\n": "-5", "$3\r\nabc\r\n": "abc", "$0\r\n\r\n": "", "$-1\r\n": "(null)",
		"*2\r\n:1\r\n*1\r\n$1\r\nx\r\n": "[1 [x]]", "*-1\r\n": "(null)",
		"$3\r\nabcde": "!", "?\r\n": "!", "\r\n": "!", "$5000000000\r\n": "!", ":x\r\n": "!", "*1\r\n": "!", "+OK\n": "!",
		strings.Repeat("*1\r\n", 100) + ":1\r\n": "!",
	} {
		r, err := readReply(bufio.NewReader(strings.NewReader(text)))
		got := "!"
		if err == nil {
			got = show(r)
		}
		if got != want {
			t.Errorf("%.40q: %q, want %q (%v)", text, got, want, err)
		}
	}
}

func show(r Reply) string {
	switch {
	case r.Null:
		return "(null)"
	case r.Kind != '*':
		return r.String()
	}
	var parts []string
	for _, e := range r.Elems {
		parts = append(parts, show(e))
	}
	return "[" + strings.Join(parts, " ") + "]"
}

func FuzzReply(f *testing.F) {
	f.Add([]byte("*2\r\n:1\r\n$1\r\nx\r\n"))
	f.Fuzz(func(_ *testing.T, b []byte) {
		_, _ = readReply(bufio.NewReader(bytes.NewReader(b))) // it must neither panic nor take memory for lengths
	})
}
