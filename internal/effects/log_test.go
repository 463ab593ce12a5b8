package effects

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/slots"
)

func stream(t *testing.T, r *Reader, want string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var got []byte
	for len(got) < len(want) {
		b, err := r.Next(ctx)
		if err != nil {
			t.Fatalf("after %q: %v", got, err)
		}
		got = append(got, b...)
	}
	if string(got) != want {
		t.Fatalf("stream is\n%q, want\n%q", got, want)
	}
}

func TestStreamIsRedisForm(t *testing.T) {
	l := NewLog(Options{Offset: 5})
	defer l.Close()
	r, err := l.NewReader(5, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var b Block
	b.Add(1, 0, []byte("SET"), []byte("a"), []byte("1"))
	l.Append(&b)
	b.Reset()
	b.Add(1, 0, []byte("DEL"), []byte("a"))
	b.Add(2, 9, []byte("DEL"), []byte("b"))
	l.Append(&b)
	l.AppendControl([]byte("PING"))
	l.AppendEntry(1, 9, []byte("DEL"), []byte("c"))
	if at := l.Cut(); at != l.Offset() {
		t.Fatalf("cut at %d", at)
	}
	end := l.AppendEntry(1, 12, []byte("DEL"), []byte("c"))
	want := "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n" +
		"*1\r\n$5\r\nMULTI\r\n*2\r\n$3\r\nDEL\r\n$1\r\na\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n9\r\n*2\r\n$3\r\nDEL\r\n$1\r\nb\r\n*1\r\n$4\r\nEXEC\r\n" +
		"*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nDEL\r\n$1\r\nc\r\n" +
		"*2\r\n$6\r\nSELECT\r\n$2\r\n12\r\n*2\r\n$3\r\nDEL\r\n$1\r\nc\r\n"
	stream(t, r, want)
	if end != 5+int64(len(want)) || l.Offset() != end {
		t.Fatalf("offset %d and %d, want %d", end, l.Offset(), 5+len(want))
	}
}

func TestNothingIsKeptForNobody(t *testing.T) {
	l := NewLog(Options{Offset: 100})
	var b Block
	b.Add(1, 0, []byte("SET"), []byte("a"), []byte("1"))
	if l.Active() || l.Append(&b) != 100 || l.MemoryBytes() != 0 {
		t.Fatalf("an unread log has offset %d and %d bytes", l.Offset(), l.MemoryBytes())
	}
	// A copy's offset moves on even so, and a reader may begin there.
	if l.AppendRaw(&Block{Buf: make([]byte, 7)}) != 107 {
		t.Fatalf("offset %d", l.Offset())
	}
	if _, err := l.NewReader(106, 0); !errors.Is(err, ErrTrimmed) {
		t.Fatalf("reader of the past: %v", err)
	}
	r, err := l.NewReader(107, 0)
	if err != nil || !l.Active() {
		t.Fatalf("reader: %v, active %v", err, l.Active())
	}
	r.Close()
	r.Close()
	if l.Active() || l.MemoryBytes() != 0 {
		t.Fatalf("after the reader has gone: active %v, %d bytes", l.Active(), l.MemoryBytes())
	}
	if _, err := r.Next(context.Background()); !errors.Is(err, ErrClosed) {
		t.Fatalf("closed reader: %v", err)
	}
}

// What the user of a stopped reader looks at stays until it is closed, however much the log
// takes meanwhile; nothing is held back for it.
func TestStoppedReaderKeepsItsLook(t *testing.T) {
	l := NewLog(Options{})
	defer l.Close()
	r, err := l.NewReader(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	var b Block
	b.Add(1, 0, []byte("SET"), []byte("a"), []byte("1"))
	l.Append(&b)
	got, err := r.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := string(got)
	r.Stop()
	l.SetBacklog(true, 1)
	b.Reset()
	b.Add(1, 0, []byte("SET"), []byte("a"), make([]byte, segmentBytes/2))
	for range 20 {
		l.Append(&b)
	}
	if string(got) != want {
		t.Error("the bytes that are looked at have changed")
	}
	if _, err := r.Next(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("stopped reader: %v", err)
	}
	r.Close()
}

func TestSealedLogTakesOnlyTheCopy(t *testing.T) {
	l := NewLog(Options{})
	defer l.Close()
	l.SetBacklog(true, 0)
	l.Seal(true)
	var b Block
	b.Add(1, 0, []byte("DEL"), []byte("a"))
	l.Append(&b)
	l.AppendEntry(1, 0, []byte("DEL"), []byte("a"))
	if end := l.AppendControl([]byte("PING")); end != 0 || l.Refused() != 2 {
		t.Fatalf("offset %d, %d refused", end, l.Refused())
	}
	if end := l.AppendRaw(&b); end != int64(len(b.Buf)) {
		t.Fatalf("offset %d", end)
	}
	l.Seal(false)
	if end := l.Append(&b); end <= int64(len(b.Buf)) || l.Refused() != 0 {
		t.Fatalf("offset %d, %d refused", end, l.Refused())
	}
}

func TestSlowReaderIsDropped(t *testing.T) {
	l := NewLog(Options{})
	defer l.Close()
	slow, err := l.NewReader(0, 2*segmentBytes)
	if err != nil {
		t.Fatal(err)
	}
	set := slots.SetOf(slots.Range{From: 1, To: 1})
	slowSlots := l.NewSlotReader(&set, segmentBytes)
	val := bytes.Repeat([]byte("v"), 1000)
	l.AppendEntry(1, 0, []byte("SET"), []byte("k"), val)
	first, err := slow.Next(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	seen := bytes.Clone(first)
	for range 20_000 {
		l.AppendEntry(1, 0, []byte("SET"), []byte("k"), val)
	}
	if n := l.MemoryBytes(); n > 8*segmentBytes {
		t.Fatalf("%d bytes held", n)
	}
	if !bytes.Equal(first, seen) {
		t.Fatal("bytes that the reader looks at have changed")
	}
	if _, err := slow.Next(context.Background()); !errors.Is(err, ErrOverrun) {
		t.Fatalf("slow reader: %v", err)
	}
	var b Block
	if _, err := slowSlots.Next(context.Background(), &b); !errors.Is(err, ErrOverrun) {
		t.Fatalf("slow slot reader: %v", err)
	}
	slow.Close()
	slowSlots.Close()
	if l.Active() || l.MemoryBytes() != 0 {
		t.Fatalf("active %v, %d bytes", l.Active(), l.MemoryBytes())
	}
}

func TestResetSendsReadersAway(t *testing.T) {
	l := NewLog(Options{})
	defer l.Close()
	l.SetBacklog(true, 0)
	r, err := l.NewReader(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got := make(chan error, 1)
	go func() {
		for {
			if _, err := r.Next(context.Background()); err != nil { // it may see the PING first
				got <- err
				return
			}
		}
	}()
	l.AppendControl([]byte("PING"))
	l.Reset(1000)
	if err := <-got; !errors.Is(err, ErrTrimmed) {
		t.Fatalf("reader after a reset: %v", err)
	}
	if b := l.Backlog(); l.Offset() != 1000 || b.First != 1000 || b.Bytes != 0 {
		t.Fatalf("offset %d, backlog %+v", l.Offset(), b)
	}
}

// Writers of several shards, readers and slot readers at once: every reader sees the
// same stream, and each slot's entries in the order of their appends.
func TestConcurrentUse(t *testing.T) {
	l := NewLog(Options{})
	defer l.Close()
	l.SetBacklog(true, 64<<20)
	writers, each := 4, 3000
	if testing.Short() {
		each = 500
	}
	set := slots.SetOf(slots.Range{From: 0, To: 1})
	sr := l.NewSlotReader(&set, 0)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var readers, producers sync.WaitGroup
	streams := make([][]byte, 3)
	var total atomic.Int64 // the end of the stream, once the writers are done
	total.Store(-1)
	for i := range streams {
		r, err := l.NewReader(0, 0)
		if err != nil {
			t.Fatal(err)
		}
		readers.Add(1)
		go func() {
			defer readers.Done()
			defer r.Close()
			for end := total.Load(); end < 0 || int64(len(streams[i])) < end; end = total.Load() {
				one, stop := context.WithTimeout(ctx, time.Millisecond)
				b, err := r.Next(one)
				stop()
				streams[i] = append(streams[i], b...)
				if err != nil && !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
					return
				}
				if ctx.Err() != nil {
					t.Error("the stream did not come")
					return
				}
			}
		}()
	}
	readers.Add(1)
	go func() {
		defer readers.Done()
		next := map[slots.Slot]int{}
		var b Block
		for range 2 * each {
			if _, err := sr.Next(ctx, &b); err != nil {
				t.Error(err)
				return
			}
			for i, e := range b.Entries {
				if i > 0 {
					continue
				}
				want := fmt.Sprintf("$4\r\n%04d\r\n", next[e.Slot])
				if !bytes.HasSuffix(b.Buf[e.Start:e.End], []byte(want)) {
					t.Errorf("slot %d: %q, want %q", e.Slot, b.Buf[e.Start:e.End], want)
					return
				}
				next[e.Slot]++
			}
		}
	}()
	for w := range writers {
		producers.Add(1)
		go func() {
			defer producers.Done()
			var b Block
			for i := range each {
				b.Reset()
				n := fmt.Appendf(nil, "%04d", i)
				b.Add(slots.Slot(w), w, []byte("SET"), n)
				if i%3 == 0 {
					b.Add(slots.Slot(w), w, []byte("GET"), n)
				}
				l.Append(&b)
			}
		}()
	}
	producers.Wait()
	total.Store(l.Offset())
	readers.Wait()
	for _, s := range streams {
		if !bytes.Equal(s, streams[0]) {
			t.Fatal("readers saw different streams")
		}
	}
	sr.Close()
}

func TestAppendAllocatesNothing(t *testing.T) {
	l := NewLog(Options{BacklogBytes: 1 << 20})
	defer l.Close()
	l.SetBacklog(true, 0)
	set := slots.SetOf(slots.Range{From: 1, To: 1})
	other := l.NewSlotReader(&set, 1) // marks are kept, and this reader is soon dropped
	defer other.Close()
	r, err := l.NewReader(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var b Block
	b.Add(1, 0, []byte("SET"), []byte("key"), make([]byte, 64))
	key, del := []byte("key"), []byte("DEL")
	for range 200_000 { // past the first segments
		l.Append(&b)
		if _, err := r.Next(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if n := testing.AllocsPerRun(1000, func() {
		l.Append(&b)
		l.AppendEntry(1, 0, del, key)
		if _, err := r.Next(context.Background()); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Fatalf("%v allocations an append", n)
	}
}

func BenchmarkAppend(b *testing.B) {
	l := NewLog(Options{})
	defer l.Close()
	l.SetBacklog(true, 0)
	var bl Block
	bl.Add(1, 0, []byte("SET"), []byte("key:0123456789ab"), make([]byte, 64))
	b.ReportAllocs()
	for b.Loop() {
		l.Append(&bl)
	}
}

// A reader that awaits an offset is woken by the append that reaches it, and by no other;
// what it polls meanwhile is there all the same.
func TestAwait(t *testing.T) {
	l := NewLog(Options{})
	defer l.Close()
	r, err := l.NewReader(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	woken := func() bool {
		select {
		case <-r.Woken():
			return true
		default:
			return false
		}
	}
	piece := l.AppendControl([]byte("PING"))
	if r.Await(piece) {
		t.Error("waits for what is there")
	}
	if !r.Await(3 * piece) {
		t.Error("does not wait")
	}
	if l.AppendControl([]byte("PING")); woken() {
		t.Error("woken too early")
	}
	if b, err := r.Poll(); int64(len(b)) != 2*piece || err != nil {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	if l.AppendControl([]byte("PING")); !woken() {
		t.Error("not woken")
	}
	if b, err := r.Poll(); int64(len(b)) != piece || err != nil {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	// A poll that finds nothing waits for anything.
	r.Await(100 * piece)
	if b, err := r.Poll(); b != nil || err != nil {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	if l.AppendControl([]byte("PING")); !woken() {
		t.Error("not woken")
	}
	r.Await(100 * piece)
	r.Close()
	if !woken() || r.Await(200*piece) {
		t.Error("a closed reader waits")
	}
}
