package node

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/config"
	"github.com/redwingdb/redwing/internal/disk"
	"github.com/redwingdb/redwing/internal/disk/disktest"
	"github.com/redwingdb/redwing/internal/redistest"
)

// served is a node whose parts the test can see, on a file system of the test's.
type served struct {
	*running
	n       *Node
	dir     string
	signals chan os.Signal
}

// serve starts a node in dir, without save points unless args say so.
func serve(t *testing.T, files disk.FS, dir string, args ...string) *served {
	t.Helper()
	cfg, err := config.Parse(nil, append([]string{
		"--bind", "127.0.0.1", "--port", strconv.Itoa(freePort(t)), "--logfile", filepath.Join(t.TempDir(), "log"), "--dir", dir,
		"--save", "", "--enable-debug-command", "yes", "--shutdown-timeout", "1",
	}, args...))
	if err != nil {
		t.Fatal(err)
	}
	n, err := newOn(cfg, files)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &served{&running{t: t, port: int(cfg.Port.Get()), stop: cancel, done: make(chan error, 1)}, n, dir, make(chan os.Signal)}
	go func() { s.done <- n.Run(ctx, s.signals) }()
	t.Cleanup(func() {
		cancel()
		if t.Failed() {
			if text, err := os.ReadFile(cfg.LogFile.Get()); err == nil {
				t.Logf("the log of port %d:\n%s", s.port, text)
			}
		}
	})
	return s
}

// up waits until the node has its data and takes commands.
func (s *served) up() *served {
	s.t.Helper()
	s.awaitReply("PING", "+PONG")
	return s
}

func (s *served) dial() *redistest.Conn {
	s.t.Helper()
	return redistest.Dial(s.t, fmt.Sprintf("127.0.0.1:%d", s.port))
}

func (s *served) do(words ...string) string {
	s.t.Helper()
	c := s.dial()
	defer c.Close()
	return c.Do(words...)
}

func (s *served) is(want string, words ...string) {
	s.t.Helper()
	if got := s.do(words...); got != want {
		s.t.Errorf("%q: %.300q, want %q", words, got, want)
	}
}

// info returns a field of INFO.
func (s *served) info(field string) string {
	s.t.Helper()
	value, ok := s.lookInfo(field)
	if !ok {
		s.t.Fatalf("INFO has no %s", field)
	}
	return value
}

// lookInfo returns a field of INFO and whether it is there: that of a database is not while
// the database is empty.
func (s *served) lookInfo(field string) (string, bool) {
	s.t.Helper()
	_, rest, ok := strings.Cut(s.do("INFO", "everything"), "\r\n"+field+":")
	value, _, _ := strings.Cut(rest, "\r\n")
	return value, ok
}

func (s *served) awaitInfo(field, want string) {
	s.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		got, ok := s.lookInfo(field)
		if ok && got == want {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%s is %q (there: %t), want %q", field, got, ok, want)
		}
		time.Sleep(5 * time.Millisecond) // the rate at which it is asked
	}
}

// ended waits for the end of the node and returns its error.
func (s *served) ended() error {
	s.t.Helper()
	select {
	case err := <-s.done:
		return err
	case <-time.After(20 * time.Second):
		s.t.Fatal("the node did not end")
		return nil
	}
}

// everyType makes keys of every type and encoding that redis 7.0 has too.
func everyType(do func(words ...string)) {
	long := strings.Repeat("long value ", 20)
	do("SET", "int", "12345")
	do("SET", "text", "hello")
	do("SET", "volatile", "v", "PXAT", "4102444800000")
	do("SET", "raw", strings.Repeat("x", 70_000))
	do("SETRANGE", "binary", "9", "\x00\xff\r\n")
	do("PFADD", "hll", "a", "b", "c")
	do("GEOADD", "geo", "13.361389", "38.115556", "Palermo")
	for _, n := range []int{3, 700} {
		for i := range n {
			e := strconv.Itoa(i)
			do("RPUSH", fmt.Sprint("list", n), e, "e"+e)
			do("SADD", fmt.Sprint("ints", n), e)
			do("SADD", fmt.Sprint("set", n), "m"+e)
			do("ZADD", fmt.Sprint("zset", n), fmt.Sprint(float64(i)/4), "m"+e)
			do("HSET", fmt.Sprint("hash", n), "f"+e, "v"+e)
			do("XADD", fmt.Sprint("stream", n), fmt.Sprint(i+1, "-1"), "name", e)
		}
	}
	do("RPUSH", "plain", strings.Repeat("p", 10_000), "short")
	do("HSET", "longhash", "f", long)
	do("SADD", "longset", long)
	do("ZADD", "longzset", "inf", long)
	do("XDEL", "stream3", "2-1")
	do("XGROUP", "CREATE", "stream3", "g", "0")
	do("XREADGROUP", "GROUP", "g", "c", "COUNT", "1", "STREAMS", "stream3", ">")
	do("XGROUP", "CREATE", "stream3", "empty", "$")
}

func fillTypes(t *testing.T, c *redistest.Conn) {
	t.Helper()
	everyType(func(words ...string) {
		if got := c.Do(words...); strings.HasPrefix(got, "-") {
			t.Fatalf("%.100q: %s", words, got)
		}
	})
	c.Do("SELECT", "3")
	c.Do("SET", "other", "database")
	c.Do("SELECT", "0")
}

// TestDataComeBack: what was saved is there after a restart.
func TestDataComeBack(t *testing.T) {
	dir := t.TempDir()
	s := serve(t, disk.OS{}, dir).up()
	c := s.dial()
	fillTypes(t, c)
	c.Do("HSET", "fields", "a", "1", "b", "2")
	c.Do("HPEXPIREAT", "fields", "4102444800000", "FIELDS", "1", "a")
	digest := c.Do("DEBUG", "DIGEST")
	c.Do("DEBUG", "SET-ACTIVE-EXPIRE", "0")
	c.Do("SET", "expires", "soon", "PX", "1")
	s.is("-ERR syntax error", "BGSAVE", "now")
	s.is("Background saving started", "BGSAVE")
	s.awaitInfo("rdb_bgsave_in_progress", "0")
	s.is("OK", "SAVE")
	if got := s.do("LASTSAVE"); got != s.info("rdb_last_save_time") {
		t.Errorf("LASTSAVE %s, INFO %s", got, s.info("rdb_last_save_time"))
	}
	for field, want := range map[string]string{"rdb_changes_since_last_save": "0", "rdb_last_bgsave_status": "ok", "rdb_last_bgsave_time_sec": "0", "rdb_saves": "2"} {
		if got := s.info(field); got != want {
			t.Errorf("%s is %s, want %s", field, got, want)
		}
	}
	c.Do("SET", "not", "saved")
	s.end()
	if names, err := os.ReadDir(dir); err != nil || len(names) != 1 {
		t.Fatalf("%v (%v)", names, err)
	}

	s = serve(t, disk.OS{}, dir).up()
	s.is("(nil)", "GET", "not")
	s.is("4102444800000", "HPEXPIRETIME", "fields", "FIELDS", "1", "a")
	if got := s.do("DEBUG", "DIGEST"); got != digest {
		t.Errorf("digest %s, before the restart %s", got, digest)
	}
	if s.info("rdb_last_load_keys_loaded") == "0" || s.info("rdb_last_load_keys_expired") != "1" {
		t.Errorf("%s", s.do("INFO", "persistence"))
	}
	s.end()
}

// TestFilesOfBoth: redis-server loads our file and has the same data, and we load its.
func TestFilesOfBoth(t *testing.T) {
	dir := t.TempDir()
	s := serve(t, disk.OS{}, dir).up()
	fillTypes(t, s.dial())
	s.is("OK", "SAVE")
	if out, err := exec.Command(redistest.Lookup(t, "redis-check-rdb"), filepath.Join(dir, "dump.rdb")).CombinedOutput(); err != nil {
		t.Fatalf("redis-check-rdb: %v\n%s", err, out)
	}
	redis := redistest.StartIn(t, dir, "--enable-debug-command", "yes")
	digest := redis.Do("DEBUG", "DIGEST")
	if got := s.do("DEBUG", "DIGEST"); got != digest {
		t.Errorf("digest %s, of redis-server %s", got, digest)
	}
	s.end()

	other := redistest.Start(t, "--enable-debug-command", "yes")
	fillTypes(t, other.Dial())
	other.Do("FUNCTION", "LOAD", "#!lua name=mylib\nredis.register_function('f', function() return 1 end)")
	other.Do("SAVE")
	s = serve(t, disk.OS{}, other.Dir).up()
	if got, want := s.do("DEBUG", "DIGEST"), other.Do("DEBUG", "DIGEST"); got != want {
		t.Errorf("digest %s, of redis-server %s", got, want)
	}
	// Its function libraries cannot be run here, and are not lost by way of us.
	s.is("OK", "SAVE")
	back := redistest.StartIn(t, other.Dir)
	if got := back.Do("FUNCTION", "LIST"); !strings.Contains(got, "mylib") {
		t.Errorf("function libraries of the file: %q", got)
	}
	s.end()
}

// TestLoading: while data are loaded clients can connect, are told so, and see how far it
// is; then the data are there.
func TestLoading(t *testing.T) {
	dir := t.TempDir()
	s := serve(t, disk.OS{}, dir).up()
	c := s.dial()
	const keys = 2000
	for i := range keys {
		c.Send("SET", fmt.Sprint("k", i), "v")
	}
	for range keys {
		c.Reply()
	}
	s.is("OK", "SAVE")
	s.end()

	s = serve(t, disk.OS{}, dir, "--key-load-delay", "100000000")
	s.awaitReply("GET k1", "-LOADING Redis is loading the dataset in memory")
	s.is("OK", "CONFIG", "SET", "hz", "11") // it needs no data
	s.is("-LOADING Redis is loading the dataset in memory", "SAVE")
	s.is("-LOADING Redis is loading the dataset in memory", "BGSAVE")
	if s.info("loading") != "1" || s.info("loading_start_time") == "0" || s.info("loading_total_bytes") == "0" {
		t.Errorf("%s", s.do("INFO", "persistence"))
	}
	s.stop()
	if err := s.ended(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(filepath.Join(dir, "dump.rdb"))
	if err != nil {
		t.Fatal(err)
	}

	// The end while it loads, with save points, leaves the file as it is.
	s = serve(t, disk.OS{}, dir, "--key-load-delay", "100000000", "--save", "1 1")
	s.awaitReply("GET k1", "-LOADING")
	s.signals <- syscall.SIGTERM
	if err := s.ended(); err != nil {
		t.Fatal(err)
	}
	if after, err := os.ReadFile(filepath.Join(dir, "dump.rdb")); err != nil || !bytes.Equal(before, after) {
		t.Fatalf("the file has %d bytes, before %d (%v)", len(after), len(before), err)
	}

	s = serve(t, disk.OS{}, dir, "--key-load-delay", "1")
	s.awaitReply("DBSIZE", ":"+strconv.Itoa(keys))
	if s.info("loading") != "0" || s.info("rdb_changes_since_last_save") != "0" {
		t.Errorf("%s", s.do("INFO", "persistence"))
	}
	s.end()
}

// TestDamagedFile: a node does not start on a file that is not whole, and says where.
func TestDamagedFile(t *testing.T) {
	const dir = "/d"
	whole := disktest.New(dir)
	s := serve(t, whole, tempDir(t, whole)).up()
	fillTypes(t, s.dial())
	s.is("OK", "SAVE")
	path := filepath.Join(s.dir, "dump.rdb")
	b, err := whole.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s.end()
	says := regexp.MustCompile(`^loading: ` + regexp.QuoteMeta(path) + `: rdb at byte \d+: `)
	for name, broken := range map[string][]byte{
		"cut":         b[:len(b)/2],
		"flipped bit": append(append(bytes.Clone(b[:len(b)/3]), b[len(b)/3]^4), b[len(b)/3+1:]...),
		"empty":       nil,
		"foreign":     []byte("#!/bin/sh\necho hello\n"),
	} {
		files := disktest.New(dir)
		files.WriteFile(path, broken)
		s := serve(t, files, s.dir, "--save", "1 1")
		if err := s.ended(); err == nil || !says.MatchString(err.Error()) {
			t.Errorf("%s: %v", name, err)
		}
		if got, err := files.ReadFile(path); err != nil || !bytes.Equal(got, broken) {
			t.Errorf("%s: the file was replaced (%v)", name, err)
		}
	}
}

// tempDir makes a directory of the system, which a node wants, in files too.
func tempDir(t *testing.T, files *disktest.FS) string {
	dir := t.TempDir()
	files.WriteFile(filepath.Join(dir, "placeholder"), nil)
	return dir
}

// TestFailingDiskRefusesWrites: reads go on, writes are refused as Redis refuses them, until
// a save succeeds.
func TestFailingDiskRefusesWrites(t *testing.T) {
	files := disktest.New("/d")
	s := serve(t, files, tempDir(t, files), "--save", "3600 1").up()
	s.is("OK", "SET", "k", "v")
	files.SetReadOnly(true)
	s.is("-ERR", "SAVE")
	s.is("OK", "SET", "k", "w")
	s.is("Background saving started", "BGSAVE")
	s.awaitInfo("rdb_last_bgsave_status", "err")
	misconf := "-MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. " +
		"Commands that may modify the data set are disabled, because this instance is configured to report errors during writes " +
		"if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error."
	s.is(misconf, "SET", "k", "x")
	s.is(misconf, "PING")
	s.is("w", "GET", "k")
	s.is("OK", "CONFIG", "SET", "stop-writes-on-bgsave-error", "no")
	s.is("OK", "SET", "k", "y")
	s.is("OK", "CONFIG", "SET", "stop-writes-on-bgsave-error", "yes")
	s.is(misconf, "DEL", "k")
	files.Heal()
	s.is("OK", "SAVE")
	s.is("OK", "SET", "k", "z")
	if s.info("rdb_last_bgsave_status") != "ok" {
		t.Error(s.do("INFO", "persistence"))
	}
	s.end()
}

// TestSaveAtTheEnd: what SHUTDOWN and a signal leave on disk, and what they do where it
// cannot be written.
func TestSaveAtTheEnd(t *testing.T) {
	for _, c := range []struct {
		points, onSigterm string
		words             []string // nil: SIGTERM
		saves             bool
	}{
		{"3600 1", "default", nil, true},
		{"", "default", nil, false},
		{"3600 1", "nosave now", nil, false},
		{"", "force save", nil, true},
		{"3600 1", "nosave", []string{"SHUTDOWN"}, true},
		{"", "save", []string{"SHUTDOWN"}, false},
		{"3600 1", "default", []string{"SHUTDOWN", "NOSAVE"}, false},
		{"", "default", []string{"SHUTDOWN", "SAVE", "NOW"}, true},
	} {
		files := disktest.New("/d")
		s := serve(t, files, tempDir(t, files), "--save", c.points, "--shutdown-on-sigint", "default", "--shutdown-on-sigterm", c.onSigterm).up()
		s.is("OK", "SET", "k", "v")
		if c.words == nil {
			s.signals <- syscall.SIGTERM
		} else {
			s.dial().Send(c.words...)
		}
		if err := s.ended(); err != nil {
			t.Fatal(err)
		}
		_, err := files.ReadFile(filepath.Join(s.dir, "dump.rdb"))
		if (err == nil) != c.saves {
			t.Errorf("%+v: %v", c, err)
		}
	}

	files := disktest.New("/d")
	s := serve(t, files, tempDir(t, files), "--save", "3600 1").up()
	files.SetReadOnly(true)
	s.is("-ERR Errors trying to SHUTDOWN. Check logs.", "SHUTDOWN")
	s.signals <- syscall.SIGTERM
	s.signals <- syscall.SIGTERM // the one before came to nothing
	s.is("-ERR Errors trying to SHUTDOWN. Check logs.", "SHUTDOWN", "SAVE")
	s.is("OK", "SET", "k", "v") // it goes on
	s.dial().Send("SHUTDOWN", "FORCE")
	if err := s.ended(); err != nil {
		t.Fatal(err)
	}
}

// TestSaveWaitsForWritesUnderWay: every write that was acknowledged before the end is in
// the file.
func TestSaveWaitsForWritesUnderWay(t *testing.T) {
	dir := t.TempDir()
	s := serve(t, disk.OS{}, dir, "--save", "3600 1").up()
	acknowledged := make(chan int)
	conn := s.dial()
	first := make(chan struct{})
	go func() {
		n := 0
		defer func() { acknowledged <- n }()
		for {
			if _, err := fmt.Fprintf(conn, "*3\r\n$3\r\nSET\r\n$%d\r\nk%d\r\n$1\r\nv\r\n", len(strconv.Itoa(n))+1, n); err != nil {
				return
			}
			var b [5]byte
			if _, err := conn.Read(b[:]); err != nil || string(b[:]) != "+OK\r\n" {
				return
			}
			if n++; n == 100 {
				close(first)
			}
		}
	}()
	<-first
	s.signals <- syscall.SIGTERM
	if err := s.ended(); err != nil {
		t.Fatal(err)
	}
	n := <-acknowledged
	s = serve(t, disk.OS{}, dir).up()
	got, err := strconv.Atoi(s.do("DBSIZE"))
	if err != nil || got < n || got > n+1 {
		t.Errorf("%d keys are there, %d were acknowledged (%v)", got, n, err)
	}
	s.end()
}

func TestReload(t *testing.T) {
	dir := t.TempDir()
	s := serve(t, disk.OS{}, dir).up()
	fillTypes(t, s.dial())
	digest := s.do("DEBUG", "DIGEST")
	s.is("-ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.", "DEBUG", "RELOAD", "x")
	s.is("-ERR Error trying to load the RDB dump, check server logs.", "DEBUG", "RELOAD", "NOSAVE")
	if got := s.do("DEBUG", "DIGEST"); got != digest {
		t.Fatal("the data are gone with a file that is not there")
	}
	s.is("OK", "DEBUG", "RELOAD")
	if got := s.do("DEBUG", "DIGEST"); got != digest {
		t.Errorf("digest %s, before %s", got, digest)
	}
	watcher := s.dial()
	watcher.Do("WATCH", "text")
	s.is("OK", "SET", "new", "1")
	s.is("OK", "SET", "text", "changed")
	s.is("-ERR Error trying to load the RDB dump, check server logs.", "DEBUG", "RELOAD", "NOSAVE", "NOFLUSH")
	s.is("OK", "DEBUG", "RELOAD", "NOSAVE", "NOFLUSH", "MERGE")
	s.is("1", "GET", "new")
	s.is("hello", "GET", "text")
	s.is("OK", "DEBUG", "RELOAD", "NOSAVE")
	s.is("(nil)", "GET", "new")
	if got := s.do("DEBUG", "DIGEST"); got != digest {
		t.Errorf("digest %s, before %s", got, digest)
	}
	watcher.Do("MULTI")
	watcher.Do("PING")
	if got := watcher.Do("EXEC"); got != "(nil)" {
		t.Errorf("EXEC behind a reload: %q", got)
	}
	s.end()
}

// TestFlushAll: with save points the empty data set is saved soon, and what was being saved
// is not.
func TestFlushAllIsSaved(t *testing.T) {
	dir := t.TempDir()
	s := serve(t, disk.OS{}, dir, "--save", "3600 1", "--rdb-key-save-delay", "100000000").up()
	s.is("OK", "SET", "k", "v")
	s.is("Background saving started", "BGSAVE")
	s.awaitInfo("rdb_bgsave_in_progress", "1")
	s.is("-ERR Background save already in progress", "BGSAVE")
	s.is("-ERR Background save already in progress", "SAVE")
	s.is("OK", "CONFIG", "SET", "rdb-key-save-delay", "0")
	s.is("OK", "FLUSHALL")
	s.awaitInfo("rdb_saves", "2")
	s.awaitInfo("rdb_bgsave_in_progress", "0")
	if s.info("rdb_last_bgsave_status") != "ok" {
		t.Error(s.do("INFO", "persistence"))
	}
	s.dial().Send("SHUTDOWN", "NOSAVE")
	if err := s.ended(); err != nil {
		t.Fatal(err)
	}
	s = serve(t, disk.OS{}, dir).up()
	s.is("0", "DBSIZE")
	s.end()
}

func TestBGSaveInExec(t *testing.T) {
	s := serve(t, disk.OS{}, t.TempDir()).up()
	c := s.dial()
	for _, step := range [][2]string{{"MULTI", "OK"}, {"BGSAVE", "QUEUED"}, {"EXEC", "Background saving scheduled"}, {"MULTI", "OK"}, {"SAVE", "-ERR Command not allowed inside a transaction"}} {
		if got := c.Do(step[0]); got != step[1] {
			t.Errorf("%s: %q, want %q", step[0], got, step[1])
		}
	}
	s.awaitInfo("rdb_saves", "1")
	s.end()
}

// TestInfoAsInRedis: INFO persistence has the fields of redis-server in its order, and
// counts changes as it does.
func TestInfoAsInRedis(t *testing.T) {
	s := serve(t, disk.OS{}, t.TempDir()).up()
	redis := redistest.Start(t, "--enable-debug-command", "yes")
	for _, words := range [][]string{
		{"PING"}, {"SET", "a", "1"}, {"MSET", "b", "1", "c", "2"}, {"DEL", "a", "b", "none"}, {"RPUSH", "l", "1", "2", "3"},
		{"LPOP", "l", "2"}, {"SADD", "s", "1", "2", "1"}, {"SREM", "s", "1", "9"}, {"ZADD", "z", "1", "a", "2", "b"}, {"ZREM", "z", "a", "none"},
		{"HSET", "h", "f", "1", "g", "2"}, {"HDEL", "h", "f", "none"}, {"XADD", "x", "*", "f", "v"}, {"XTRIM", "x", "MAXLEN", "0"},
		{"EXPIRE", "c", "100"}, {"PERSIST", "c"}, {"INCR", "n"}, {"APPEND", "n", "1"}, {"SETRANGE", "n", "5", "x"}, {"RENAME", "n", "m"},
		{"SETBIT", "bits", "7", "1"}, {"PFADD", "hll", "a"}, {"GEOADD", "g", "1", "1", "a"}, {"SPOP", "s"}, {"LREM", "l", "0", "none"},
		{"COPY", "c", "d"}, {"MOVE", "c", "1"}, {"SWAPDB", "0", "1"}, {"FLUSHDB"}, {"GET", "none"}, {"GETDEL", "none"}, {"GETEX", "c"},
	} {
		ours, theirs := s.do(words...), redis.Do(words...)
		if words[0] != "XADD" && ours != theirs {
			t.Fatalf("%q: %q, redis-server %q", words, ours, theirs)
		}
		_, rest, _ := strings.Cut(redis.Do("INFO", "persistence"), "\r\nrdb_changes_since_last_save:")
		want, _, _ := strings.Cut(rest, "\r\n")
		if got := s.info("rdb_changes_since_last_save"); got != want {
			t.Errorf("behind %q %s changes, redis-server has %s", words, got, want)
		}
	}
	names := func(info string) (out []string) {
		for line := range strings.Lines(info) {
			name, _, _ := strings.Cut(strings.TrimSpace(line), ":")
			out = append(out, name)
		}
		return out
	}
	if got, want := names(s.do("INFO", "persistence")), names(redis.Do("INFO", "persistence")); !slices.Equal(got, want) {
		t.Errorf("fields %q, of redis-server %q", got, want)
	}
	s.end()
}
