package transfer

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// Pauses grow from a tenth of a second to five, and end with the limit.
func TestPatience(t *testing.T) {
	p := patience{limit: 20 * time.Second}
	now := time.Unix(1000, 0)
	var got []string
	for {
		pause, more := p.failed(now)
		got = append(got, pause.String())
		if !more {
			break
		}
		now = now.Add(pause)
	}
	if text := strings.Join(got, " "); text != "100ms 200ms 400ms 800ms 1.6s 3.2s 5s 5s 5s" {
		t.Errorf("pauses %s", text)
	}
	p.worked()
	if pause, more := p.failed(now); pause != 100*time.Millisecond || !more {
		t.Errorf("after a success %v, %v", pause, more)
	}
}

// A list of keys gives them back in order, from memory and from its file, as often as it is
// asked, and each at least once.
func TestKeyLog(t *testing.T) {
	l := keyLog{dir: t.TempDir()}
	defer l.close()
	var want []string
	for i := range 60000 {
		k := fmt.Sprintf("%d%s", i, strings.Repeat("k", i%50))
		want = append(want, k)
		l.add([]byte(k))
		l.add([]byte(k))
	}
	l.add(nil)
	want = append(want, "")
	if l.file == nil {
		t.Fatal("nothing went into a file")
	}
	for range 2 {
		var got []string
		if err := l.each(func(key []byte) error { got = append(got, string(key)); return nil }); err != nil {
			t.Fatal(err)
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Fatalf("%d keys, want %d", len(got), len(want))
		}
	}
	l.clear()
	if err := l.each(func(key []byte) error { return fmt.Errorf("%q is left", key) }); err != nil {
		t.Error(err)
	}
	broken := keyLog{dir: t.TempDir() + "/missing"}
	broken.add(bytes.Repeat([]byte("x"), keyLogBuffer))
	if err := broken.each(func([]byte) error { return nil }); !errors.Is(err, errTemporary) {
		t.Errorf("a list that is not complete: %v", err)
	}
}

// Keys that come again and again do not let a list grow for ever.
func TestKeyLogThins(t *testing.T) {
	l := keyLog{dir: t.TempDir()}
	defer l.close()
	const different = 3 * keyLogRecent
	key := func(i int) []byte { return fmt.Appendf(nil, "%d%s", i, strings.Repeat("k", 400)) }
	for i := range different {
		l.add(key(i))
	}
	l.repeats()
	once := l.size
	l.thinAt = 2 * once
	most := l.size
	for i := range 6 * different {
		l.add(key(i % different))
		most = max(most, l.size)
		l.thinAt = min(l.thinAt, 2*once)
	}
	if once < keyLogPart || most > 2*once+2*keyLogBuffer {
		t.Errorf("%d bytes became up to %d", once, most)
	}
	seen := map[string]bool{}
	if err := l.each(func(key []byte) error { seen[string(key)] = true; return nil }); err != nil {
		t.Fatal(err)
	}
	for i := range different {
		if !seen[string(key(i))] {
			t.Fatalf("key %d is lost", i)
		}
	}
	if len(seen) != different {
		t.Errorf("%d keys, want %d", len(seen), different)
	}
}

// fakeSource answers each PSYNC by what serve writes, and closes the connection.
type fakeSource struct {
	ln    net.Listener
	mu    sync.Mutex
	asked []string // the words of each PSYNC
}

func newFakeSource(t *testing.T, serve func(try int, out io.Writer)) *fakeSource {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &fakeSource{ln: ln}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			s.serve(c, serve)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = ln.Close(); <-ended })
	return s
}

func (s *fakeSource) serve(c net.Conn, serve func(try int, out io.Writer)) {
	in := bufio.NewReader(c)
	for {
		r, err := readReply(in)
		if err != nil {
			return
		}
		if r.Elems[0].String() != "PSYNC" {
			_, _ = io.WriteString(c, "+OK\r\n") // the next reading shows an end
			continue
		}
		s.mu.Lock()
		s.asked = append(s.asked, r.Elems[1].String()+" "+r.Elems[2].String())
		try := len(s.asked)
		s.mu.Unlock()
		serve(try, c)
		return
	}
}

func (s *fakeSource) asks() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.asked, ", ")
}

const testMark = "0123456789012345678901234567890123456789"

func full(id string, offset int, rdb, stream string) string {
	return fmt.Sprintf("+FULLRESYNC %s %d\r\n$EOF:%s\r\n%s%s%s", id, offset, testMark, rdb, testMark, stream)
}

// A link asks for what has not come; the stream of a history is one, whatever connections
// it came by.
func TestLinkGoesOn(t *testing.T) {
	src := newFakeSource(t, func(try int, out io.Writer) {
		text := map[int]string{
			1: "+FULLRESYNC aaa 100\r\n$EOF:" + testMark + "\r\nhalf", // it breaks within
			2: full("bbb", 200, "rdb", "one,"),
			3: "+CONTINUE ccc\r\ntwo,",
			4: "-LOADING not yet\r\n",
			5: "+CONTINUE\r\nthree",
			6: full("ddd", 0, "other", ""),
			7: "-NOAUTH no more\r\n",
		}[try]
		_, _ = io.WriteString(out, text) // who does not get it asks again
	})
	var told []string
	l := newLink(Endpoint{Addr: src.ln.Addr().String(), Timeout: 10 * time.Second}, t.TempDir(), func(s string) { told = append(told, s) })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	done := make(chan struct{})
	go func() { l.run(ctx); close(done) }()
	var streams []string
	for {
		h, err := l.take(ctx)
		if err != nil {
			if !lastWord(err) {
				t.Errorf("it ends by %v", err)
			}
			break
		}
		rdb, rdbErr := io.ReadAll(h.rdb)
		stream, err := io.ReadAll(h.stream)
		streams = append(streams, fmt.Sprintf("%d:%s:%s", h.offset, rdb, stream))
		if over := h.over.Load(); over != errors.Is(err, ErrRestarted) {
			t.Errorf("history %d ends by %v, %v; over: %v", h.offset, rdbErr, err, over)
		}
		h.close()
	}
	<-done
	if got := strings.Join(streams, "; "); got != "100::; 200:rdb:one,two,three; 0:other:" {
		t.Errorf("came %s", got)
	}
	if got := src.asks(); got != "? -1, ? -1, bbb 205, ccc 209, ccc 209, ccc 214, ddd 1" {
		t.Errorf("asked %s", got)
	}
	if l.resumed.Load() != 2 || l.restarted.Load() != 2 {
		t.Errorf("%d went on, %d began anew; %q", l.resumed.Load(), l.restarted.Load(), told)
	}
}

// A source that begins anew again and again is given up; one that is away, too.
func TestLinkEnds(t *testing.T) {
	end := func(l *link) error {
		l.run(t.Context())
		for {
			if h, err := l.take(t.Context()); err != nil {
				return err
			} else {
				h.close()
			}
		}
	}
	src := newFakeSource(t, func(try int, out io.Writer) {
		_, _ = io.WriteString(out, full(fmt.Sprint("id", try), 0, "rdb", "x")) // as above
	})
	l := newLink(Endpoint{Addr: src.ln.Addr().String()}, t.TempDir(), func(string) {})
	if err := end(l); !errors.Is(err, errRestarts) || l.restarted.Load() != maxRestarts {
		t.Errorf("after %d restarts: %v", l.restarted.Load(), err)
	}
	var once *fakeSource
	once = newFakeSource(t, func(_ int, out io.Writer) {
		_, _ = io.WriteString(out, full("id", 0, "rdb", "x")) // as above
		_ = once.ln.Close()
	})
	l = newLink(Endpoint{Addr: once.ln.Addr().String(), Timeout: time.Second}, t.TempDir(), func(string) {})
	if err := end(l); err == nil || !strings.Contains(err.Error(), "no link to the source any more, after 4 tries") {
		t.Errorf("a source that is away: %v", err)
	}
}
