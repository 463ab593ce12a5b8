package replicas

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/redwingdb/redwing/test/realnode"
)

// both runs a test with a node, and with a redis-server as the measure of what it does.
func both(t *testing.T, test func(t *testing.T, make func(*testing.T, ...string) *server)) {
	t.Parallel()
	for name, make := range map[string]func(*testing.T, ...string) *server{"node": node, "redis": redisServer} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, make)
		})
	}
}

// fails waits until a command fails with a given text.
func fails(t *testing.T, s *server, want string, args ...any) {
	t.Helper()
	realnode.Eventually(t, patience, func() error {
		got, err := s.try(args...)
		if err == nil || err.Error() != want {
			return fmt.Errorf("%v: %q (%v), want %q", args, got, err, want)
		}
		return nil
	})
}

// What a replica says of itself.
func TestAnnounced(t *testing.T) {
	both(t, func(t *testing.T, make func(*testing.T, ...string) *server) {
		for _, p := range []*server{node(t), redisServer(t)} {
			r := make(t, p.of(), "replica-announce-ip 10.1.2.3", "replica-announce-port 7777", "replica-priority 0", "replica-announced no")
			r.await("master_link_status", "up")
			r.await("slave_priority", "0")
			r.await("replica_announced", "0")
			realnode.Eventually(t, patience, func() error {
				if got := p.info("slave0"); !strings.HasPrefix(got, "ip=10.1.2.3,port=7777,state=online,") {
					return fmt.Errorf("slave0 is %s", got)
				}
				return nil
			})
			if got := p.do("ROLE"); !strings.Contains(got, "10.1.2.3 7777") {
				t.Errorf("ROLE: %s", got)
			}
		}
	})
}

func TestMinReplicas(t *testing.T) {
	both(t, func(t *testing.T, make func(*testing.T, ...string) *server) {
		const few = "NOREPLICAS Not enough good replicas to write."
		p := make(t)
		p.do("CONFIG", "SET", "min-replicas-to-write", "1", "min-replicas-max-lag", "3")
		if _, err := p.try("SET", "a", "1"); err == nil || err.Error() != few { // at once
			t.Fatal(err)
		}
		r := node(t, p.of())
		realnode.Eventually(t, patience, func() error {
			_, err := p.try("SET", "a", "1")
			return err
		})
		p.await("min_slaves_good_slaves", "1")
		r.Signal(syscall.SIGSTOP)
		fails(t, p, few, "SET", "a", "1")
		p.do("CONFIG", "SET", "min-replicas-max-lag", "0") // which is none at all
		p.do("SET", "a", "1")
	})
}

func TestStaleData(t *testing.T) {
	both(t, func(t *testing.T, make func(*testing.T, ...string) *server) {
		p := node(t)
		r := make(t, p.of())
		p.do("SET", "a", "1")
		converged(t, p, r)
		p.Kill()
		r.await("master_link_status", "down")
		if got := r.do("GET", "a"); got != "1" {
			t.Fatal(got)
		}
		r.do("CONFIG", "SET", "replica-serve-stale-data", "no")
		const down = "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."
		for _, cmd := range []string{"GET a", "PING", "DBSIZE"} {
			fails(t, r, down, args(strings.Fields(cmd))...)
		}
		for _, cmd := range []string{"INFO", "CONFIG GET port", "ROLE", "REPLICAOF NO ONE", "GET a"} {
			r.do(args(strings.Fields(cmd))...)
		}
	})
}

// A backlog that nobody comes for is given up.
func TestBacklogTTL(t *testing.T) {
	both(t, func(t *testing.T, make func(*testing.T, ...string) *server) {
		p := make(t, "repl-backlog-ttl 1")
		r := node(t, p.of())
		r.await("master_link_status", "up")
		p.await("repl_backlog_active", "1")
		id := p.info("master_replid")
		r.Kill()
		p.await("repl_backlog_active", "0")
		if p.info("master_replid") == id {
			t.Error("the history goes on without being kept")
		}
	})
}

// A replica that takes nothing is dropped by either output limit, or for its silence; one
// whose primary says nothing gives the link up.
func TestSilence(t *testing.T) {
	for name, c := range map[string]struct {
		setting []any
		megs    int
	}{
		"hard limit": {[]any{"client-output-buffer-limit", "replica 2mb 0 0"}, 40},
		"soft limit": {[]any{"client-output-buffer-limit", "replica 0 2mb 1"}, 40},
		"timeout":    {[]any{"repl-timeout", "3"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, make func(*testing.T, ...string) *server) {
				p := make(t)
				p.do(append([]any{"CONFIG", "SET"}, c.setting...)...)
				r := node(t, p.of())
				r.await("master_link_status", "up")
				p.await("connected_slaves", "1")
				r.Signal(syscall.SIGSTOP)
				for range c.megs {
					p.do("SET", "big", strings.Repeat("x", 1<<20))
				}
				p.await("connected_slaves", "0")
				r.Signal(syscall.SIGCONT)
				if c.megs > 0 {
					converged(t, p, r)
				}
			})
		})
	}
	t.Run("of a primary", func(t *testing.T) {
		both(t, func(t *testing.T, make func(*testing.T, ...string) *server) {
			p := node(t)
			r := make(t, p.of(), "repl-timeout 3")
			r.await("master_link_status", "up")
			p.Signal(syscall.SIGSTOP)
			r.await("master_link_status", "down")
			p.Signal(syscall.SIGCONT)
			r.await("master_link_status", "up")
		})
	})
}

// A replica hides what has expired and keeps it until it is told; a writable one deletes
// what its own clients write to.
func TestExpiryOnReplicas(t *testing.T) {
	both(t, func(t *testing.T, make func(*testing.T, ...string) *server) {
		p := redisServer(t)
		r := make(t, p.of())
		r.await("master_link_status", "up")
		p.do("DEBUG", "SET-ACTIVE-EXPIRE", "0")
		p.do("SET", "a", "1", "PX", "50")
		p.do("SET", "b", "1", "PX", "50")
		p.do("SET", "stays", "1")
		realnode.Eventually(t, patience, func() error {
			if got := r.do("EXISTS", "a", "b", "stays"); got != "1" {
				return fmt.Errorf("%s keys exist", got)
			}
			return nil
		})
		if a, b := r.do("DBSIZE"), p.do("DBSIZE"); a != "3" || b != "3" {
			t.Fatalf("%s keys are kept, %s at the primary", a, b)
		}
		if _, err := r.try("GET", "a"); err == nil || err.Error() != "redis: nil" {
			t.Fatal(err)
		}
		if _, err := r.try("SET", "own", "1"); err == nil || err.Error() != "READONLY You can't write against a read only replica." {
			t.Fatal(err)
		}
		r.do("CONFIG", "SET", "replica-read-only", "no")
		r.await("slave_read_only", "0")
		r.do("APPEND", "a", "2")
		r.do("SET", "own", "1")
		if got := r.do("GET", "a"); got != "2" {
			t.Fatalf("%q was appended to what had expired", got)
		}
		if _, err := p.try("GET", "a"); err == nil { // it deletes the key, here and there
			t.Fatal("not expired")
		}
		realnode.Eventually(t, patience, func() error {
			if got := r.do("EXISTS", "a", "own"); got != "1" {
				return fmt.Errorf("%s keys exist", got)
			}
			return nil
		})
		if full := p.info("sync_full"); full != "1" {
			t.Fatalf("%s full syncs", full)
		}
	})
}
