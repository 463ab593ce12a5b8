package node

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/disk"
	"github.com/redwingdb/redwing/internal/disk/disktest"
	"github.com/redwingdb/redwing/internal/redistest"
)

// checkAOF has redis-check-aof look at all files of dir.
func checkAOF(t *testing.T, dir string) {
	t.Helper()
	manifest := filepath.Join(dir, "appendonlydir", "appendonly.aof.manifest")
	if out, err := exec.Command(redistest.Lookup(t, "redis-check-aof"), manifest).CombinedOutput(); err != nil {
		t.Errorf("redis-check-aof: %v\n%s", err, out)
	}
}

// rewritten waits until no rewrite is under way or to come.
func (s *served) rewritten() {
	s.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; {
		info := s.do("INFO", "persistence")
		if strings.Contains(info, "aof_rewrite_in_progress:0\r\naof_rewrite_scheduled:0\r\n") {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatal(info)
		}
		time.Sleep(5 * time.Millisecond) // the rate at which it is asked
	}
}

// rewrite rewrites the file and waits for that.
func (s *served) rewrite() {
	s.t.Helper()
	before := s.info("aof_rewrites")
	s.is("Background append only file rewriting started", "BGREWRITEAOF")
	s.rewritten()
	if s.info("aof_rewrites") == before || s.info("aof_last_bgrewrite_status") != "ok" {
		s.t.Error(s.do("INFO", "persistence"))
	}
}

// TestAppendOnly: what was written is there after a restart, from increments and from a
// base with increments; each of the files is one that redis-check-aof accepts.
func TestAppendOnly(t *testing.T) {
	dir := t.TempDir()
	s := serve(t, disk.OS{}, dir, "--appendonly", "yes", "--aof-timestamp-enabled", "yes").up()
	c := s.dial()
	fillTypes(t, c)
	c.Do("MULTI")
	c.Do("SET", "tx", "1")
	c.Do("INCR", "tx")
	c.Do("EXEC")
	c.Do("SPOP", "set700", "5")
	c.Do("SET", "gone", "soon", "PX", "1")
	for round := range 3 {
		s.awaitIs("(nil)", "GET", "gone")
		digest := s.do("DEBUG", "DIGEST")
		s.is("1\n0", "WAITAOF", "1", "0", "0")
		checkAOF(t, dir)
		s.end()
		s = s.again("--appendonly", "yes").up()
		if got := s.do("DEBUG", "DIGEST"); got != digest {
			t.Errorf("round %d: digest %s, before the restart %s", round, got, digest)
		}
		if s.info("aof_enabled") != "1" || s.info("aof_last_write_status") != "ok" {
			t.Error(s.do("INFO", "persistence"))
		}
		s.is("OK", "SET", fmt.Sprint("round", round), "1")
		s.rewrite()
		s.is("OK", "SET", fmt.Sprint("after", round), "1")
	}
	names, err := filepath.Glob(filepath.Join(dir, "appendonlydir", "*"))
	if err != nil || len(names) != 3 {
		t.Errorf("%v (%v)", names, err)
	}
	digest := s.do("DEBUG", "DIGEST")
	s.is("OK", "DEBUG", "LOADAOF")
	if got := s.do("DEBUG", "DIGEST"); got != digest {
		t.Errorf("digest %s, before DEBUG LOADAOF %s", got, digest)
	}
	s.is("OK", "SET", "last", "1")
	s.end()
	s = s.again("--appendonly", "yes").up()
	s.is("1", "GET", "last")
	s.end()
}

// TestAppendOnlyOfBoth: redis-server goes on with our files, and we with its, those of a
// single file too.
func TestAppendOnlyOfBoth(t *testing.T) {
	dir := t.TempDir()
	s := serve(t, disk.OS{}, dir, "--appendonly", "yes", "--aof-timestamp-enabled", "yes").up()
	fillTypes(t, s.dial())
	s.rewrite()
	s.is("12346", "INCR", "int")
	s.is("1\n0", "WAITAOF", "1", "0", "0")
	digest := s.do("DEBUG", "DIGEST")
	s.end()

	redis := redistest.StartIn(t, dir, "--appendonly", "yes", "--enable-debug-command", "yes")
	redis.Dial().Do("PING") // waits while it loads
	if got := redis.Do("DEBUG", "DIGEST"); got != digest {
		t.Fatalf("digest of redis-server %s, ours %s", got, digest)
	}
	redis.Do("SET", "from redis", "1")
	c := redis.Dial()
	c.Do("SELECT", "4")
	c.Do("SET", "four", "1")
	digest = redis.Do("DEBUG", "DIGEST")
	_, _ = redis.Dial().TryDo("SHUTDOWN") // the connection ends with it
	s = s.again("--appendonly", "yes").up()
	if got := s.do("DEBUG", "DIGEST"); got != digest {
		t.Fatalf("digest %s, of redis-server %s", got, digest)
	}
	s.is("OK", "SET", "and", "on")
	digest = s.do("DEBUG", "DIGEST")
	s.end()
	checkAOF(t, dir)
	s = s.again("--appendonly", "yes").up()
	if got := s.do("DEBUG", "DIGEST"); got != digest {
		t.Fatalf("digest %s, before %s", got, digest)
	}
	s.end()

	// The single file of Redis before 7.
	old := t.TempDir()
	text := "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$3\r\nold\r\n$1\r\n1\r\n"
	if err := os.WriteFile(filepath.Join(old, "appendonly.aof"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	s = serve(t, disk.OS{}, old, "--appendonly", "yes").up()
	s.is("1", "GET", "old")
	s.is("OK", "SET", "new", "1")
	s.end()
	checkAOF(t, old)
	s = s.again("--appendonly", "yes").up()
	s.is("2", "EXISTS", "old", "new")
	s.end()
}

// TestAppendOnlyAtRunTime turns the file on and off; a node that has an RDB file alone
// does not forget it.
func TestAppendOnlyAtRunTime(t *testing.T) {
	dir := t.TempDir()
	s := serve(t, disk.OS{}, dir).up()
	s.is("OK", "SET", "a", "1")
	s.is("-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.", "WAITAOF", "1", "0", "0")
	s.is("0\n0", "WAITAOF", "0", "0", "0")
	s.is("-ERR value is out of range, value must between 0 and 1", "WAITAOF", "2", "0", "0")
	s.is("-ERR value is out of range, must be positive", "WAITAOF", "0", "-1", "0")
	s.is("-ERR timeout is negative", "WAITAOF", "0", "0", "-1")
	s.is("OK", "CONFIG", "SET", "appendonly", "yes")
	c := s.dial()
	c.Do("SET", "b", "1")
	if got := c.Do("WAITAOF", "1", "0", "20000"); got != "1\n0" {
		t.Errorf("WAITAOF: %s", got)
	}
	s.is("OK", "CONFIG", "SET", "appendonly", "no")
	s.is("OK", "SET", "not there", "1")
	s.is("Background append only file rewriting started", "BGREWRITEAOF")
	s.rewritten()
	if s.info("aof_enabled") != "0" {
		t.Error("it is on")
	}
	s.end()
	s = s.again("--appendonly", "yes").up()
	s.is("3", "DBSIZE")
	s.is("OK", "CONFIG", "SET", "appendfsync", "always")
	s.is("OK", "SET", "always", "1")
	s.is("OK", "CONFIG", "SET", "appendfsync", "no")
	s.is("OK", "SET", "no", "1")
	s.end()

	other := t.TempDir()
	s = serve(t, disk.OS{}, other).up()
	s.is("OK", "SET", "saved", "1")
	s.is("OK", "SAVE")
	s.end()
	s = s.again("--appendonly", "yes").up()
	s.is("1", "GET", "saved")
	s.end()
	if err := os.Remove(filepath.Join(other, "dump.rdb")); err != nil {
		t.Fatal(err)
	}
	s = s.again("--appendonly", "yes").up()
	s.is("1", "GET", "saved")
	s.end()
}

// TestRewriteWhenGrown: the file is rewritten when it has grown by the percentage.
func TestRewriteWhenGrown(t *testing.T) {
	s := serve(t, disk.OS{}, t.TempDir(), "--appendonly", "yes", "--auto-aof-rewrite-min-size", "10kb").up()
	c := s.dial()
	for s.info("aof_rewrites") == "0" {
		c.Do("SET", "k", strings.Repeat("x", 1000))
	}
	s.rewritten()
	s.end()
}

// TestFailingLog: writes are refused as Redis refuses them while the file cannot be
// written, those that wait are answered, reads go on; it comes back by itself.
func TestFailingLog(t *testing.T) {
	for _, policy := range []string{"always", "everysec"} {
		files := disktest.New("/d")
		s := serve(t, files, tempDir(t, files), "--appendonly", "yes", "--appendfsync", policy).up()
		s.is("OK", "SET", "k", "v")
		files.SetCapacity(1)
		failed := "-MISCONF Errors writing to the AOF file: No space left on device"
		first := s.do("SET", "k", "w")
		if want := map[string]string{"always": "-UNCERTAIN The write ran, but the append-only file could not be written: it may not survive a restart", "everysec": "OK"}[policy]; first != want {
			t.Errorf("%s: the write under way: %s", policy, first)
		}
		s.awaitIs(failed, "SET", "k", "x")
		s.is(failed, "PING")
		if got := s.do("GET", "k"); got != "w" && (policy == "always" || got != "x") {
			t.Errorf("GET k: %s", got)
		}
		if s.info("aof_last_write_status") != "err" {
			t.Error(s.do("INFO", "persistence"))
		}
		files.Heal()
		s.awaitIs("OK", "SET", "k", "y")
		if s.info("aof_last_write_status") != "ok" {
			t.Error(s.do("INFO", "persistence"))
		}
		s.is("1\n0", "WAITAOF", "1", "0", "0")
		s.end()
		s = s.again("--appendonly", "yes").up()
		s.is("y", "GET", "k")
		s.end()
	}
}

// TestDamagedLog: the node does not start on a file that was damaged, and says where.
func TestDamagedLog(t *testing.T) {
	dir := t.TempDir()
	s := serve(t, disk.OS{}, dir, "--appendonly", "yes", "--appendfsync", "always").up()
	for i := range 20 {
		s.is("OK", "SET", fmt.Sprint("k", i), "value")
	}
	s.end()
	path := filepath.Join(dir, "appendonlydir", "appendonly.aof.1.incr.aof")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := strings.Index(string(text), "k3\r\n$5\r\nvalue")
	text[at+9] ^= 1
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	s = s.again("--appendonly", "yes")
	if err := s.ended(); err == nil || !strings.Contains(err.Error(), "appendonly.aof.1.incr.aof at offset ") {
		t.Errorf("it ended with %v", err)
	}
}

// TestReplicaKeepsLog: a replica writes its primary's stream down, and tells what of it is
// on disk; a full sync begins its file anew.
func TestReplicaKeepsLog(t *testing.T) {
	p := serve(t, disk.OS{}, t.TempDir()).up()
	r := serve(t, disk.OS{}, t.TempDir(), "--appendonly", "yes", "--appendfsync", "always", "--replicaof", "127.0.0.1", strconv.Itoa(p.port)).up()
	r.awaitInfo("master_link_status", "up")
	c := p.dial()
	c.Do("SELECT", "2")
	c.Do("SET", "a", "1")
	if got := c.Do("WAITAOF", "0", "1", "20000"); got != "0\n1" {
		t.Errorf("WAITAOF: %s", got)
	}
	r.rewrite()
	c.Do("INCR", "a")
	c.Do("MULTI")
	c.Do("SET", "b", "1")
	c.Do("SET", "c", "1")
	c.Do("EXEC")
	if got := c.Do("WAITAOF", "0", "1", "20000"); got != "0\n1" {
		t.Errorf("WAITAOF: %s", got)
	}
	r.is("-ERR WAITAOF cannot be used with replica instances. Please also note that writes to replicas are just local and are not propagated.", "WAITAOF", "0", "0", "0")
	digest := p.do("DEBUG", "DIGEST")
	r.end()
	checkAOF(t, r.dir)
	alone := r.again("--appendonly", "yes").up()
	if got := alone.do("DEBUG", "DIGEST"); got != digest {
		t.Errorf("digest %s, the primary's %s", got, digest)
	}
	alone.end()
	p.end()
}

// TestKilledUnderLoad kills a node with appendfsync always while clients write, again and
// again: nothing that was acknowledged is missing.
func TestKilledUnderLoad(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "node")
	if out, err := exec.Command("go", "build", "-o", bin, "../../cmd/node").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	rounds := 6
	if testing.Short() {
		rounds = 2
	}
	dir, port := t.TempDir(), freePort(t)
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	const clients = 8
	var acked [clients]atomic.Int64
	for round := range rounds {
		cmd := exec.Command(bin, "--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", dir, "--save", "",
			"--appendonly", "yes", "--appendfsync", "always", "--logfile", filepath.Join(dir, "log"), "--auto-aof-rewrite-min-size", "20kb")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		s := &served{running: &running{t: t, port: port}}
		s.up()
		for i := range acked {
			n := acked[i].Load()
			got, err := strconv.ParseInt(strings.Replace(s.do("GET", fmt.Sprint("n", i)), "(nil)", "0", 1), 10, 64)
			if err != nil || got < n {
				t.Fatalf("round %d: client %d has counted to %d, found is %d (%v)", round, i, n, got, err)
			}
			acked[i].Store(got)
		}
		var wg sync.WaitGroup
		enough := make(chan struct{}, clients)
		for i := range clients {
			c := redistest.Dial(t, addr)
			wg.Add(1)
			go func() {
				defer wg.Done()
				for count := 0; ; count++ {
					reply, err := c.TryDo("INCR", fmt.Sprint("n", i))
					if err != nil {
						return
					}
					n, err := strconv.ParseInt(reply, 10, 64)
					if err != nil {
						t.Errorf("INCR: %s", reply)
						return
					}
					acked[i].Store(n)
					if count == 300 {
						enough <- struct{}{}
					}
				}
			}()
		}
		for range clients {
			<-enough
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // killed
		wg.Wait()
	}
}

// TestShardComesBackFromLogs: a shard all of whose nodes have died comes back from their
// append-only files: who has come farther leads, by the term first, and nothing that was
// acknowledged is lost, whoever comes first.
func TestShardComesBackFromLogs(t *testing.T) {
	logged := []string{"--appendonly", "yes", "--appendfsync", "always"}
	p, r := shard(t, logged...)
	p.is("OK", "SET", "both", "1")
	p.is("1", "WAIT", "1", "5000")
	p.awaitIs("1\n1", "WAITAOF", "1", "1", "5000")
	crash(t, r)
	p.awaitReply("SET primary 1", "+OK")
	crash(t, p)
	r = r.memberAgain(logged...) // the older copy, which waits
	r.awaitReply("INFO server", "$")
	p = p.memberAgain(append(logged, "--key-load-delay", "300000")...)
	p.awaitReply("GET primary", "$1")
	p.is("1", "GET", "both")
	r.awaitInfo("master_link_status", "up")
	p.awaitReply("SET again 1", "+OK")
	p.awaitReply("WAIT 1 5000", ":1")

	// The term of a promotion is in the files, too: the stream says it.
	r.awaitReply("CLUSTER FAILOVER", "+OK")
	r.awaitReply("SET promoted 1", "+OK")
	term := r.n.repl.Mark().Term
	crash(t, r)
	crash(t, p)
	p, r = p.memberAgain(logged...), r.memberAgain(logged...)
	p.awaitReply("READONLY", "+OK") // until then it is loading
	leader, other := r, p           // both have all of it: either may lead
	deadline := time.Now().Add(20 * time.Second)
	for leader.do("GET", "promoted") != "1" {
		leader, other = other, leader
		if time.Now().After(deadline) {
			t.Fatal("nobody leads")
		}
	}
	if got := leader.n.repl.Mark().Term; got <= term {
		t.Errorf("term %d behind term %d", got, term)
	}
	leader.is("1", "GET", "again")
	other.awaitInfo("master_link_status", "up")
	for _, s := range []*served{p, r} {
		checkAOF(t, s.dir)
		s.end()
	}
	text, err := os.ReadFile(filepath.Join(r.dir, "appendonlydir", "appendonly.aof.manifest"))
	if err != nil || !strings.Contains(string(text), "incr.aof") {
		t.Errorf("%s (%v)", text, err)
	}
}

// TestMovedSlotsAreLogged: slots that were moved, with a rewrite on their way and without,
// are there after both nodes have died, each where it belongs.
func TestMovedSlotsAreLogged(t *testing.T) {
	logged := []string{"--appendonly", "yes", "--appendfsync", "always"}
	a, b := member(t, disk.OS{}, t.TempDir(), logged...), member(t, disk.OS{}, t.TempDir(), logged...)
	a.awaitReply("CLUSTER ADDSLOTSRANGE 0 16383", "+OK")
	a.awaitReply("SET k v", "+OK")
	c := a.dial()
	const keys = 3000
	for i := range keys {
		if got := c.Do("SET", fmt.Sprint("key", i), "v"); got != "OK" {
			t.Fatal(got)
		}
	}
	b.awaitReply("CLUSTER MEET 127.0.0.1 "+strconv.Itoa(a.port), "+OK")
	target := string(b.n.cluster.Self())
	for i, slots := range [][]string{{"0", "4000"}, {"4001", "8000"}} {
		a.awaitIs("OK", "CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", slots[0], slots[1], "NODE", target)
		if i == 1 {
			b.do("BGREWRITEAOF")
			a.do("BGREWRITEAOF")
		}
		a.awaitIs("0", "CLUSTER", "COUNTKEYSINSLOT", slots[1])
		deadline := time.Now().Add(20 * time.Second)
		for !strings.Contains(b.do("CLUSTER", "NODES"), "0-"+slots[1]) {
			if time.Now().After(deadline) {
				t.Fatalf("the slots do not come:\n%s", b.do("CLUSTER", "NODES"))
			}
		}
	}
	b.rewritten()
	crash(t, b)
	crash(t, a)
	a, b = a.memberAgain(logged...), b.memberAgain(logged...)
	ca, cb := a.up().dial(), b.up().dial()
	for i := range keys {
		key := fmt.Sprint("key", i)
		for deadline := time.Now().Add(20 * time.Second); ca.Do("GET", key) != "v" && cb.Do("GET", key) != "v"; {
			if time.Now().After(deadline) {
				t.Fatalf("%s: %s, %s", key, ca.Do("GET", key), cb.Do("GET", key))
			}
		}
	}
	inA, errA := strconv.Atoi(a.do("DBSIZE"))
	inB, errB := strconv.Atoi(b.do("DBSIZE"))
	if inA+inB != keys+1 || errA != nil || errB != nil {
		t.Errorf("%d and %d keys (%v, %v)", inA, inB, errA, errB)
	}
	a.end()
	b.end()
}
