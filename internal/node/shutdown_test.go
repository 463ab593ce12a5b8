package node

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/disk"
	"github.com/redwingdb/redwing/internal/redistest"
)

// lagging starts a plain node whose replica, a redis-server, stands still and lacks the key
// "late". Its shutdown waits very long unless args say otherwise.
func lagging(t *testing.T, args ...string) (p *served, replica *redisReplica) {
	t.Helper()
	p = serve(t, disk.OS{}, t.TempDir(), append([]string{"--shutdown-timeout", "1000"}, args...)...).up()
	replica = newRedisReplica(t, p)
	replica.signal(syscall.SIGSTOP)
	p.is("OK", "SET", "late", "1")
	return p, replica
}

// redisReplica is a redis-server that follows a node.
type redisReplica struct {
	*redistest.Server
	t       *testing.T
	process int
}

func newRedisReplica(t *testing.T, p *served) *redisReplica {
	t.Helper()
	s := redistest.Start(t, "--replicaof", "127.0.0.1 "+strconv.Itoa(p.port))
	_, rest, _ := strings.Cut(s.Do("INFO", "server"), "process_id:")
	id, _, _ := strings.Cut(rest, "\r\n")
	process, err := strconv.Atoi(id)
	if err != nil {
		t.Fatal(err)
	}
	r := &redisReplica{s, t, process}
	p.is("OK", "SET", "first", "1")
	p.awaitIs("1", "WAIT", "1", "1000")
	return r
}

func (r *redisReplica) signal(sig syscall.Signal) {
	r.t.Helper()
	if err := syscall.Kill(r.process, sig); err != nil {
		r.t.Fatal(err)
	}
}

// awaitWaiting waits until the shutdown waits for replicas.
func (s *served) awaitWaiting() {
	s.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !s.waiting() {
		if time.Now().After(deadline) {
			s.t.Fatal("the shutdown does not wait for a replica that stands still")
		}
		time.Sleep(5 * time.Millisecond) // the rate at which it is asked
	}
}

func (s *served) waiting() bool {
	s.t.Helper()
	return strings.Contains(s.do("INFO", "server"), "\r\nshutdown_in_milliseconds:")
}

// TestShutdownWaitsForReplicas: a replica that comes back in time gets everything; until
// then an abort lets the writers go on.
func TestShutdownWaitsForReplicas(t *testing.T) {
	p, replica := lagging(t)
	first, second, writer := p.dial(), p.dial(), p.dial()
	first.Send("SHUTDOWN")
	p.awaitWaiting()
	second.Send("SHUTDOWN", "NOW") // joins
	writer.Send("SET", "held", "1")
	if ms, err := strconv.Atoi(p.info("shutdown_in_milliseconds")); err != nil || ms < 900_000 || ms > 1_000_000 {
		t.Errorf("shutdown_in_milliseconds is %d (%v)", ms, err)
	}
	p.is("OK", "CLIENT", "UNPAUSE") // another pause
	p.is("(nil)", "GET", "held")
	p.is("-ERR syntax error", "SHUTDOWN", "ABORT", "NOW")
	if !p.waiting() {
		t.Fatal("it waits no longer")
	}
	p.is("OK", "SHUTDOWN", "ABORT")
	for _, c := range []*redistest.Conn{first, second} {
		if got := c.Reply(); got != "-ERR Errors trying to SHUTDOWN. Check logs." {
			t.Errorf("SHUTDOWN: %q", got)
		}
	}
	if got := writer.Reply(); got != "OK" {
		t.Errorf("SET: %q", got)
	}
	if p.waiting() {
		t.Error("it waits still")
	}
	p.is("-ERR No shutdown in progress.", "SHUTDOWN", "ABORT")
	sleeper := p.dial()
	sleeper.Send("DEBUG", "SLEEP", "1000") // which ends with the next shutdown, not with the last
	p.awaitStill()

	first.Send("SHUTDOWN")
	p.awaitWaiting()
	replica.signal(syscall.SIGCONT)
	if err := p.ended(); err != nil {
		t.Fatal(err)
	}
	if late, held := replica.Do("GET", "late"), replica.Do("GET", "held"); late != "1" || held != "1" {
		t.Errorf("the replica has late %s and held %s", late, held)
	}
}

// TestShutdownTimeout: a replica that stands still is waited for as long as shutdown-timeout
// says, and not with NOW.
func TestShutdownTimeout(t *testing.T) {
	p, _ := lagging(t, "--shutdown-timeout", "1")
	began := time.Now()
	p.signals <- syscall.SIGTERM
	if err := p.ended(); err != nil || time.Since(began) < time.Second {
		t.Errorf("ended after %v: %v", time.Since(began), err)
	}
	p, _ = lagging(t)
	p.is("OK", "CONFIG", "SET", "shutdown-timeout", "0")
	p.dial().Send("SHUTDOWN")
	if err := p.ended(); err != nil {
		t.Error(err)
	}
	p, _ = lagging(t)
	p.dial().Send("SHUTDOWN", "NOW")
	if err := p.ended(); err != nil {
		t.Error(err)
	}
}

// TestSignalsWhileWaiting: a second SIGTERM is nothing new; SIGINT behind it ends the node
// with nothing saved.
func TestSignalsWhileWaiting(t *testing.T) {
	p, _ := lagging(t, "--save", "3600 1")
	p.signals <- syscall.SIGTERM
	p.awaitWaiting()
	p.signals <- syscall.SIGTERM
	if !p.waiting() {
		t.Fatal("it waits no longer")
	}
	p.signals <- os.Interrupt
	if err := p.ended(); !errors.Is(err, errInsisted) {
		t.Errorf("ended with %v", err)
	}
	if _, err := os.Stat(filepath.Join(p.dir, "dump.rdb")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the data were saved: %v", err)
	}
}

// TestSecondInterruptWhileSaving: what a save that was broken off has written is removed.
func TestSecondInterruptWhileSaving(t *testing.T) {
	dir := t.TempDir()
	p := serve(t, disk.OS{}, dir, "--save", "3600 1", "--rdb-key-save-delay", "100000000").up()
	p.is("OK", "SET", "k", "v")
	p.signals <- os.Interrupt
	p.awaitFile(filepath.Join(dir, "temp-*.rdb"))
	p.signals <- os.Interrupt
	if err := p.ended(); !errors.Is(err, errInsisted) {
		t.Errorf("ended with %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*.rdb")); err != nil || len(left) > 0 {
		t.Errorf("files %q (%v)", left, err)
	}
}

// awaitFile waits for a file of that pattern.
func (s *served) awaitFile(pattern string) {
	s.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		if found, err := filepath.Glob(pattern); err != nil || len(found) > 0 {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("no file is like %s", pattern)
		}
		time.Sleep(5 * time.Millisecond) // the rate at which it is looked for
	}
}

// TestShutdownInFirstRewrite: a node whose append-only file is not there yet would come
// back with nothing.
func TestShutdownInFirstRewrite(t *testing.T) {
	p := serve(t, disk.OS{}, t.TempDir(), "--rdb-key-save-delay", "100000000").up()
	p.is("OK", "SET", "k", "v")
	p.is("OK", "CONFIG", "SET", "appendonly", "yes")
	p.awaitInfo("aof_rewrite_in_progress", "1")
	p.is("-ERR Errors trying to SHUTDOWN. Check logs.", "SHUTDOWN")
	p.is("v", "GET", "k")
	p.dial().Send("SHUTDOWN", "FORCE")
	if err := p.ended(); err != nil {
		t.Fatal(err)
	}
}

// TestShutdownOfPrimaryWaits: the primary of a shard hands it over only to a replica that has
// what was acknowledged, unless none comes up to it in time.
func TestShutdownOfPrimaryWaits(t *testing.T) {
	p, r := shard(t, "--shutdown-timeout", "1000")
	slow := r.dial()
	slow.Send("DEBUG", "SLEEP", "1000") // it lives, and applies nothing
	r.awaitStill()
	p.is("OK", "SET", "late", "1")
	p.signals <- syscall.SIGTERM
	p.awaitWaiting()
	p.is("OK", "SHUTDOWN", "ABORT")
	p.is("OK", "SET", "later", "1")
	p.signals <- syscall.SIGTERM
	p.awaitWaiting()
	r.n.shutdown.begin() // wakes it
	r.n.shutdown.resume()
	if err := p.ended(); err != nil {
		t.Fatal(err)
	}
	r.awaitInfo("role", "master")
	r.is("3", "DBSIZE")
	r.end()
}

// awaitStill waits until a command holds the shards of the node.
func (s *served) awaitStill() {
	s.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		free := make(chan struct{})
		go func() {
			all := s.n.keyspace.AllShards()
			s.n.keyspace.Own(all)
			s.n.keyspace.Disown(all)
			close(free)
		}()
		select {
		case <-free:
		case <-time.After(100 * time.Millisecond):
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatal("nothing holds the shards")
		}
	}
}
