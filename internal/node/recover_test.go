package node

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/disk"
)

// again starts the node anew, on the same port and folder.
func (s *served) again(args ...string) *served {
	s.t.Helper()
	return serve(s.t, s.n.disk, s.dir, append([]string{"--port", strconv.Itoa(s.port)}, args...)...)
}

// awaitIs repeats a command until its reply is want.
func (s *served) awaitIs(want string, words ...string) {
	s.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		got := s.do(words...)
		if got == want {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%q: %q, want %q", words, got, want)
		}
		time.Sleep(5 * time.Millisecond) // the rate at which it is asked
	}
}

// TestReplicaGoesOnFromItsFile: a replica that comes back takes what it has missed and no
// more.
func TestReplicaGoesOnFromItsFile(t *testing.T) {
	p := serve(t, disk.OS{}, t.TempDir()).up()
	follow := []string{"--replicaof", "127.0.0.1", strconv.Itoa(p.port), "--save", "3600 1"}
	r := serve(t, disk.OS{}, t.TempDir(), follow...)
	r.awaitReply("PING", "+PONG")
	r.awaitInfo("master_link_status", "up")
	p.is("OK", "SET", "before", "1")
	c := p.dial()
	c.Do("SELECT", "5")
	c.Do("SET", "in5", "1")
	c.Do("SET", "kept", "1", "PX", "300") // expires while the replica is away
	if got := c.Do("WAIT", "1", "20000"); got != "1" {
		t.Fatalf("%s replicas have the writes", got)
	}
	r.signals <- os.Interrupt
	if err := r.ended(); err != nil {
		t.Fatal(err)
	}
	c.Do("PERSIST", "kept")
	c.Do("SET", "in5", "2") // in the database that the stream has selected
	p.is("OK", "SET", "missed", "1")
	r = r.again(follow...).up()
	r.awaitIs("1", "GET", "missed")
	replica := r.dial()
	replica.Do("SELECT", "5")
	if got := replica.Do("GET", "in5") + replica.Do("GET", "kept"); got != c.Do("GET", "in5")+c.Do("GET", "kept") {
		t.Errorf("the replica has %q", got)
	}
	if p.info("sync_full") != "1" || p.info("sync_partial_ok") != "1" {
		t.Errorf("%s full and %s partial resyncs", p.info("sync_full"), p.info("sync_partial_ok"))
	}
	if a, b := p.do("DEBUG", "DIGEST"), r.do("DEBUG", "DIGEST"); a != b {
		t.Errorf("digests %s and %s", a, b)
	}
	r.end()
	p.end()
}

// TestPrimaryGoesOnFromItsFile: the replicas of a primary that comes back go on with it if
// its file has all that they have, and take everything anew if they have more.
func TestPrimaryGoesOnFromItsFile(t *testing.T) {
	p := serve(t, disk.OS{}, t.TempDir(), "--save", "3600 1").up()
	p.is("OK", "SET", "a", "1")
	r := serve(t, disk.OS{}, t.TempDir(), "--replicaof", "127.0.0.1", strconv.Itoa(p.port)).up()
	r.awaitInfo("master_link_status", "up")
	p.is("OK", "SET", "b", "1")
	r.awaitIs("1", "GET", "b")
	p.signals <- os.Interrupt
	if err := p.ended(); err != nil {
		t.Fatal(err)
	}
	p = p.again("--save", "3600 1").up()
	p.is("OK", "SET", "c", "1")
	r.awaitIs("1", "GET", "c")
	if p.info("sync_full") != "0" || p.info("sync_partial_ok") != "1" {
		t.Errorf("%s full and %s partial resyncs", p.info("sync_full"), p.info("sync_partial_ok"))
	}

	// It loses what came behind its file, which the replica has.
	p.is("OK", "SET", "lost", "1")
	r.awaitIs("1", "GET", "lost")
	p.dial().Send("SHUTDOWN", "NOSAVE")
	if err := p.ended(); err != nil {
		t.Fatal(err)
	}
	p = p.again().up()
	p.is("OK", "SET", "d", "1")
	r.awaitIs("1", "GET", "d")
	r.is("(nil)", "GET", "lost")
	if p.info("sync_full") != "1" {
		t.Errorf("%s full resyncs", p.info("sync_full"))
	}
	if a, b := p.do("DEBUG", "DIGEST"), r.do("DEBUG", "DIGEST"); a != b {
		t.Errorf("digests %s and %s", a, b)
	}
	r.end()
	p.end()
}

// member starts a node of a cluster.
func member(t *testing.T, files disk.FS, dir string, args ...string) *served {
	t.Helper()
	return serve(t, files, dir, append([]string{
		"--cluster-enabled", "yes", "--cluster-dir", filepath.Join(dir, "cluster"), "--cluster-node-timeout", "1000",
	}, args...)...)
}

func (s *served) memberAgain(args ...string) *served {
	s.t.Helper()
	return member(s.t, s.n.disk, s.dir, append([]string{"--port", strconv.Itoa(s.port)}, args...)...)
}

// shard makes a shard of a primary and a replica that is in sync.
func shard(t *testing.T, args ...string) (p, r *served) {
	t.Helper()
	p, r = member(t, disk.OS{}, t.TempDir(), args...), member(t, disk.OS{}, t.TempDir(), args...)
	p.awaitReply("CLUSTER ADDSLOTSRANGE 0 16383", "+OK")
	p.awaitReply("SET k v", "+OK")
	r.awaitReply("CLUSTER MEET 127.0.0.1 "+strconv.Itoa(p.port), "+OK")
	r.awaitReply("CLUSTER REPLICATE "+string(p.n.cluster.Self()), "+OK")
	r.awaitInfo("master_link_status", "up")
	p.awaitReply("SET k v", "+OK") // it has taken its role anew
	p.awaitReply("WAIT 1 5000", ":1")
	return p, r
}

// TestClusterGoesDownAndComesBack: all of a shard end and come back: the one with the
// newest data leads, and nothing that was saved is lost, whoever comes first.
func TestClusterGoesDownAndComesBack(t *testing.T) {
	p, r := shard(t, "--save", "3600 1")
	p.is("OK", "SET", "both", "1")
	p.is("1", "WAIT", "1", "5000")
	r.is("OK", "SAVE") // and dies at once afterwards
	r.dial().Send("SHUTDOWN", "NOSAVE", "NOW")
	if err := r.ended(); err != nil {
		t.Fatal(err)
	}
	p.awaitReply("SET primary 1", "+OK")
	p.end()
	// The older copy comes first, and waits.
	r = r.memberAgain()
	r.awaitReply("INFO server", "$")
	p = p.memberAgain("--key-load-delay", "300000") // it is waited for while it loads
	p.awaitReply("GET primary", "$1")
	p.is("1", "GET", "both")
	p.is("OK", "SET", "after", "1")
	r.awaitInfo("master_link_status", "up")
	r.awaitInfo("db0", "keys=4,expires=0,avg_ttl=0")
	r.end()
	p.end()
}

// TestRestartedPrimaryIsNoPrimary: one that comes back with an old file becomes a replica
// of who has the data, and takes what it lacks.
func TestRestartedPrimaryIsNoPrimary(t *testing.T) {
	p, r := shard(t)
	p.is("OK", "SAVE") // holds k alone
	p.is("OK", "SET", "newer", "1")
	p.is("1", "WAIT", "1", "5000")
	crash(t, p)
	p = p.memberAgain()
	r.awaitReply("GET newer", "$1")
	r.awaitReply("SET newest 1", "+OK")
	p.awaitInfo("db0", "keys=3,expires=0,avg_ttl=0")
	if got := p.do("GET", "k"); got[:6] != "-MOVED" {
		t.Errorf("the restarted primary answers %q", got)
	}
	p.end()
	r.end()
}

// crash ends a node as if its process had died: nothing is handed over, nothing saved.
func crash(t *testing.T, s *served) {
	t.Helper()
	s.dial().Send("SHUTDOWN", "NOSAVE", "NOW", "FORCE")
	if err := s.ended(); err != nil {
		t.Fatal(err)
	}
}
