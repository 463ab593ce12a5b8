package replication

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/clock"
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/commands/keys"
	"github.com/redwingdb/redwing/internal/commands/str"
	"github.com/redwingdb/redwing/internal/effects"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/persist/rdb"
	"github.com/redwingdb/redwing/internal/redistest"
	"github.com/redwingdb/redwing/internal/resp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sink is a connection that takes everything and gives nothing.
type sink struct{ bytes.Buffer }

func (s *sink) Read([]byte) (int, error)         { return 0, io.EOF }
func (s *sink) Close() error                     { return nil }
func (s *sink) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (s *sink) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (s *sink) SetDeadline(time.Time) error      { return nil }
func (s *sink) SetReadDeadline(time.Time) error  { return nil }
func (s *sink) SetWriteDeadline(time.Time) error { return nil }

// newStream returns a stream that is fed by hand, on a keyspace of its own.
func newStream(t testing.TB, cluster bool) (*stream, *sink) {
	t.Helper()
	log := effects.NewLog(effects.Options{})
	log.SetBacklog(true, 0)
	log.TrackSlots()
	ks, err := engine.New(engine.Options{Shards: 2, Databases: 4, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	r := New(Options{Keyspace: ks, Log: log, Cluster: cluster})
	if r.table, err = command.NewTable(str.Specs(), keys.Specs(keys.Deps{}), r.Specs()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.Close()
		log.Close()
		ks.Close()
	})
	r.replica.Store(true)
	log.Seal(true)
	out := &sink{}
	l := &link{r: r}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	t.Cleanup(l.cancel)
	st := &stream{session: &session{l: l, r: r, conn: out}, applier: command.NewApplier(r.table, ks), db: -1}
	st.mark = Mark{Cluster: "c", Shard: "s", Term: 3, Run: "r"}
	st.locked = func() { log.AppendRaw(&st.raw) }
	return st, out
}

func requests(lines ...string) []byte {
	var b []byte
	for _, l := range lines {
		var args [][]byte
		for w := range strings.FieldsSeq(l) {
			args = append(args, []byte(w))
		}
		b = resp.AppendCommand(b, args...)
	}
	return b
}

func TestStreamIsKeptVerbatim(t *testing.T) {
	st, out := newStream(t, false)
	r, err := st.r.o.Log.NewReader(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	in := requests("SELECT 2", "SET a 1", "PING", "MULTI", "INCR a", "SELECT 1", "SET b 5", "EXEC", "REPLCONF GETACK *", "DEL b")
	for i := 0; i < len(in); { // in two pieces each
		n, err := st.feed(in[i:min(len(in), i+40)])
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			if n, err = st.feed(in[i:min(len(in), i+80)]); err != nil || n == 0 {
				t.Fatal(n, err)
			}
		}
		i += n
	}
	var got []byte
	for len(got) < len(in) {
		b, err := r.Next(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, b...)
	}
	if !bytes.Equal(got, in) {
		t.Fatalf("the log has\n%q, the stream was\n%q", got, in)
	}
	ack := len(in) - len(requests("DEL b"))
	if want := string(requests(fmt.Sprintf("REPLCONF ACK %d", ack))); out.String() != want {
		t.Fatalf("answers %q, want %q", out.String(), want)
	}
	ks := st.r.o.Keyspace
	if ks.Len(2) != 1 || ks.Len(1) != 0 || st.r.mu.streamDB != 1 {
		t.Fatalf("%d and %d keys, database %d", ks.Len(2), ks.Len(1), st.r.mu.streamDB)
	}
}

func TestStreamRefusals(t *testing.T) {
	for _, c := range []struct{ lines, want string }{
		{"SET a 1", "before any SELECT"},
		{"MULTI;SET a 1;EXEC", "before any SELECT"},
		{"SELECT 4", `selects database "4"`},
		{"SELECT x", `selects database "x"`},
		{"SELECT", "without a database"},
		{"SELECT 0;RPUSH l a", "not applicable"},
		{"SELECT 0;GET a", "not applicable"},
		{"PING rw1:c:other:3:r", "the stream is now that of rw1:c:other:3:r"},
		{"PING rw1:c:s:5:r;PING rw1:c:s:4:r", "term 4, this copy has term 5"},
	} {
		st, _ := newStream(t, true)
		_, err := st.feed(requests(strings.Split(c.lines, ";")...))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.lines, err)
		}
	}
	st, _ := newStream(t, true)
	if _, err := st.feed([]byte("*1\r\n$x\r\n")); err == nil {
		t.Error("garbage was taken")
	}
	// A write of this node's own ends the stream: only a full sync helps.
	st.parser = resp.Parser{}
	st.r.o.Log.AppendEntry(1, 0, []byte("DEL"), []byte("a"))
	if _, err := st.feed(requests("PING")); err == nil {
		t.Error("the stream went on")
	}
}

func FuzzStream(f *testing.F) {
	f.Add(requests("SELECT 2", "SET a 1", "PING", "MULTI", "INCR a", "SELECT 1", "SET b 5", "EXEC", "REPLCONF GETACK *", "DEL b"))
	f.Add(requests("SELECT 0", "MULTI", "MULTI", "EXEC", "EXEC", "PUBLISH a b"))
	f.Add(requests("PING rw1:c:s:5:r", "PING rw1:c:s:4:r"))
	f.Add([]byte("\n\r\nPING\r\nselect 1\r\nset 'a' \"b\"\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		st, _ := newStream(t, true)
		done, err := st.feed(b)
		if done < 0 || done > len(b) {
			t.Fatalf("%d of %d bytes are done", done, len(b))
		}
		// What was applied and what is in the log are the same bytes, but for a block
		// that has not ended.
		if off := st.r.o.Log.Offset(); err == nil && !st.inTx && off != int64(done) || off > int64(len(b)) {
			t.Fatalf("offset %d, %d bytes done: %v", off, done, err)
		}
	})
}

// FuzzPrimary is a primary that says anything.
func FuzzPrimary(f *testing.F) {
	f.Add([]byte("+OK\r\n+FULLRESYNC 0123456789012345678901234567890123456789 7\r\n$EOF:0123456789012345678901234567890123456789\r\nREDIS0010\xfe\x00\x00\x01a\x01b\xff\x00\x00\x00\x00\x00\x00\x00\x000123456789012345678901234567890123456789*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n"))
	f.Add([]byte("+OK\r\n\n\n+FULLRESYNC 0123456789012345678901234567890123456789 7\r\n$18\r\nREDIS0010\xff\x00\x00\x00\x00\x00\x00\x00\x00PING\r\n"))
	f.Add([]byte("+OK\r\n+CONTINUE\r\n"))
	f.Add([]byte("-ERR\r\n  \r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		st, _ := newStream(t, false)
		st.r.o.Dial = func(context.Context, string) (net.Conn, error) { return &scripted{Reader: bytes.NewReader(b)}, nil }
		st.r.mu.target, st.r.mu.link = &Target{Host: "h", Port: 1}, st.l
		linked, err := st.l.session()
		if err == nil {
			t.Fatal("a session without an end")
		}
		if p := st.r.Progress(); linked && p.FullSync || p.FullSync && st.r.LinkUp() {
			t.Fatalf("linked %v, progress %+v", linked, p)
		}
	})
}

// scripted is a connection that gives what its reader gives.
type scripted struct {
	io.Reader
	sink
}

func (s *scripted) Read(b []byte) (int, error) { return s.Reader.Read(b) }

// slowSync attaches a replica that takes nothing until count keys of 8 kB have been
// overwritten, and returns its connection and the value that the keys had.
func slowSync(t *testing.T, p *node, count int) (slow *redistest.Conn, value string) {
	c := p.dial()
	defer c.Close()
	value = strings.Repeat("0123456789abcdef", 500)
	for i := range count {
		c.Do("SET", fmt.Sprint("key", i), value)
	}
	slow = p.dial()
	t.Cleanup(func() { slow.Close() })
	slow.Send("REPLCONF", "capa", "eof")
	if got := slow.Reply(); got != "OK" {
		t.Fatal(got)
	}
	slow.Send("PSYNC", "?", "-1")
	eventually(t, "sync begun", func() bool { return p.rep.Stats().SyncFull.Load() == 1 })
	for i := range count {
		c.Do("SET", fmt.Sprint("key", i), "other")
	}
	return slow, value
}

// A replica that takes nothing while writers go on loses its sync past its output limit,
// not the primary's memory.
func TestSlowSyncIsDropped(t *testing.T) {
	p := startNode(t, nodeOptions{syncQueue: 4 << 20, settings: Settings{NoCompress: true, OutputHardBytes: 4 << 20}})
	slow, _ := slowSync(t, p, 4000)
	// It takes up reading: the snapshot has been given up by then.
	go func() { _, _ = io.Copy(io.Discard, slow) }()
	eventually(t, "sync dropped", func() bool { return p.rep.Stats().SyncDropped.Load() == 1 && len(p.rep.Replicas()) == 0 })
}

// Below that limit it costs a file, and the replica gets everything as it was.
func TestSlowSyncSpills(t *testing.T) {
	p := startNode(t, nodeOptions{syncQueue: 4 << 20, settings: Settings{NoCompress: true, OutputHardBytes: -1}})
	slow, value := slowSync(t, p, 4000)
	in := bufio.NewReader(slow)
	line := ""
	for !strings.HasPrefix(line, "$EOF:") {
		var err error
		if line, err = in.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	r := rdb.NewReader(in, rdb.ReaderOptions{})
	seen := map[string]bool{}
	for {
		ev, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if ev == rdb.EventEnd {
			break
		}
		if ev != rdb.EventKey {
			continue
		}
		var got oneString
		if err := r.Value(&got); err != nil {
			t.Fatal(err)
		}
		if name := string(r.Key.Key); got.value != value || seen[name] {
			t.Fatalf("%s has %d bytes, seen before: %v", name, len(got.value), seen[name])
		}
		seen[string(r.Key.Key)] = true
	}
	if len(seen) != 4000 || p.rep.Stats().SyncDropped.Load() != 0 {
		t.Errorf("%d keys of 4000, %d syncs dropped", len(seen), p.rep.Stats().SyncDropped.Load())
	}
}

// shortWaits is a clock that counts waits of a few milliseconds.
type shortWaits struct {
	clock.Real
	n atomic.Int64
}

func (c *shortWaits) After(d time.Duration) <-chan time.Time {
	if d > 0 && d <= 5*time.Millisecond {
		c.n.Add(1)
	}
	return c.Real.After(d)
}

// The stream of a primary gives way to a snapshot of its replica that is ahead of its
// user, and goes on when that has gone.
func TestStreamGivesWay(t *testing.T) {
	waits := &shortWaits{}
	p, r := startNode(t, nodeOptions{}), startNode(t, nodeOptions{clock: waits})
	c := p.dial()
	defer c.Close()
	value := strings.Repeat("v", 8000)
	fill := func() {
		for i := range 500 {
			c.Do("SET", fmt.Sprint("key", i), value)
		}
	}
	fill()
	r.rep.Follow(p.target())
	caughtUp := func() bool { return r.rep.LinkUp() && r.log.Offset() == p.log.Offset() }
	eventually(t, "caught up", caughtUp)
	before := waits.n.Load()
	snap, err := r.ks.Snapshot(engine.SnapshotOptions{DB: -1, QueueBytes: 4 << 20, Delay: true})
	if err != nil {
		t.Fatal(err)
	}
	fill()
	eventually(t, "caught up beside a snapshot that nobody reads", caughtUp)
	if waits.n.Load() == before {
		t.Error("the stream has not waited")
	}
	snap.Close()
	before = waits.n.Load()
	fill()
	eventually(t, "caught up again", caughtUp)
	if n := waits.n.Load(); n != before {
		t.Errorf("the stream has waited %d times for no snapshot", n-before)
	}
}

// oneString takes a string of an RDB.
type oneString struct {
	rdb.Sink
	value string
}

func (s *oneString) String(b []byte) error {
	s.value = string(b)
	return nil
}

// A link that is silent for the timeout ends on both sides.
func TestSilenceEndsLinks(t *testing.T) {
	t.Parallel()
	p := startNode(t, nodeOptions{settings: Settings{Timeout: 50 * time.Millisecond}})
	c := p.dial()
	defer c.Close()
	c.Send("PSYNC", "?", "-1")
	eventually(t, "attached", func() bool { return len(p.rep.Replicas()) == 1 })
	eventually(t, "dropped", func() bool { return len(p.rep.Replicas()) == 0 })

	// A primary that accepts and says nothing.
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	r := startNode(t, nodeOptions{settings: Settings{Timeout: 50 * time.Millisecond}})
	r.rep.Follow(Target{Host: "127.0.0.1", Port: ln.Addr().(*net.TCPAddr).Port})
	for range 3 { // it comes again
		conn, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	if r.rep.LinkUp() {
		t.Fatal("link is up")
	}
}

func BenchmarkStream(b *testing.B) {
	st, _ := newStream(b, false)
	in := requests("SELECT 0")
	for i := range 1000 {
		in = append(in, requests(fmt.Sprintf("SET key:%012d %s", i, strings.Repeat("v", 64)))...)
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		if n, err := st.feed(in); err != nil || n != len(in) {
			b.Fatal(n, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/request")
}

// Data that are not what the log says are of no history that another copy shares.
func TestPromotionOfSpoiltData(t *testing.T) {
	for _, c := range []struct {
		name   string
		spoil  func(t *testing.T, st *stream)
		shares bool
	}{
		{"nothing", func(*testing.T, *stream) {}, true},
		{"a link cancelled between requests", func(t *testing.T, st *stream) {
			st.l.cancel()
			_, err := st.feed(requests("SET b 1"))
			st.breakOff(err)
		}, true},
		{"a request that fails", func(t *testing.T, st *stream) {
			_, err := st.feed(requests("INCR a"))
			st.breakOff(err)
		}, false},
		{"one that fails while the link is cancelled", func(t *testing.T, st *stream) {
			_, err := st.feed(requests("INCR a"))
			st.l.cancel()
			st.breakOff(err)
		}, false},
		{"a write of its own", func(t *testing.T, st *stream) {
			st.r.o.Log.AppendEntry(1, 0, []byte("SET"), []byte("mine"), []byte("1"))
		}, false},
	} {
		st, _ := newStream(t, false)
		st.r.mu.resume = true
		if _, err := st.feed(requests("SELECT 0", "SET a text")); err != nil {
			t.Fatal(err)
		}
		c.spoil(t, st)
		old := st.r.mu.history
		if err := st.r.Promote(context.Background(), Mark{}); err != nil {
			t.Fatal(err)
		}
		if got := st.r.mu.history.holds(old.id, st.r.o.Log.Offset()+1); got != c.shares {
			t.Errorf("%s: history shared is %v", c.name, got)
		}
		if err := st.r.o.Log.Refused(); err != 0 {
			t.Errorf("%s: %d refused writes left", c.name, err)
		}
	}
}

// blockingClient acts in the middle of a command, when it is asked for its last write.
type blockingClient struct {
	command.Client
	lastWrite func() int64
	parked    bool
}

func (c *blockingClient) LastWrite() int64 { return c.lastWrite() }
func (c *blockingClient) Block(time.Time, func(*resp.Writer, bool) bool, func()) func() {
	c.parked = true
	return func() {}
}

// A WAIT that comes while the node becomes a replica does not wait for ever.
func TestWaitWhileDemoted(t *testing.T) {
	st, _ := newStream(t, false)
	r := st.r
	if err := r.Promote(context.Background(), Mark{}); err != nil {
		t.Fatal(err)
	}
	client := &blockingClient{lastWrite: func() int64 {
		r.Follow(Target{Host: "127.0.0.1", Port: 1}) // its waiters have been woken
		return 0
	}}
	err := r.wait(&command.Ctx{Args: requestArgs("WAIT", "1", "0"), Out: &resp.Writer{}, Client: client})
	if !errors.Is(err, errWaitReplica) || client.parked {
		t.Fatalf("parked %v, %v", client.parked, err)
	}
}

func requestArgs(words ...string) (args [][]byte) {
	for _, w := range words {
		args = append(args, []byte(w))
	}
	return args
}

// proto-max-bulk-len is the primary's: a copy takes values that this node's own clients
// could not write.
func TestLongerThanOwnLimit(t *testing.T) {
	st, _ := newStream(t, false)
	rdb := "REDIS0010\xfe\x00\x00\x01a\x80\x30\x00\x00\x00xyz" // a value of 768 MiB, broken off
	st.r.mu.target, st.r.mu.link = &Target{Host: "h", Port: 1}, st.l
	st.in = bufio.NewReader(strings.NewReader("$EOF:" + strings.Repeat("0", eofMark) + "\r\n" + rdb))
	if err := st.load(newID(), 7); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("full sync: %v", err)
	}
	if testing.Short() {
		return // what follows takes half a gigabyte
	}
	if _, err := st.feed(requests("SELECT 0", "SETRANGE a 536870912 x")); err != nil {
		t.Errorf("stream: %v", err)
	}
}
