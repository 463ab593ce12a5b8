package replication

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/redistest"
)

// redisState reads all keys of a redis-server, in the form of node.state.
func redisState(s *redistest.Server) map[string]string {
	c := s.Dial()
	defer c.Close()
	out := map[string]string{}
	for db := range 16 {
		c.Do("SELECT", strconv.Itoa(db))
		for key := range strings.SplitSeq(c.Do("KEYS", "*"), "\n") {
			if key == "" {
				continue
			}
			at := c.Do("PEXPIRETIME", key)
			if at == "-1" {
				at = "0"
			}
			out[fmt.Sprintf("%d/%s", db, key)] = c.Do("GET", key) + "@" + at
		}
	}
	return out
}

// field returns a field of INFO.
func field(s *redistest.Server, section, name string) string {
	for line := range strings.SplitSeq(s.Do("INFO", section), "\r\n") {
		if v, ok := strings.CutPrefix(line, name+":"); ok {
			return v
		}
	}
	return ""
}

// sameAsRedis waits until both have the same offset, and compares their data.
func sameAsRedis(t *testing.T, n *node, s *redistest.Server) {
	t.Helper()
	eventually(t, "equal offsets", func() bool {
		return field(s, "replication", "master_repl_offset") == strconv.FormatInt(n.log.Offset(), 10)
	})
	a, b := n.state(), redisState(s)
	if len(a) != len(b) {
		t.Fatalf("%d keys here, %d in redis", len(a), len(b))
	}
	for k, v := range a {
		if b[k] != v {
			t.Fatalf("key %s is %.100q here, %.100q in redis", k, v, b[k])
		}
	}
}

// A redis-server as our replica, by each way it can load.
func TestRedisFollowsUs(t *testing.T) {
	t.Parallel()
	for _, load := range []string{"disabled", "swapdb"} {
		t.Run(load, func(t *testing.T) {
			p := startNode(t, nodeOptions{})
			rnd := rand.New(rand.NewPCG(21, 21))
			c := p.dial()
			defer c.Close()
			write(c, rnd, 500, 4)
			// Marks are nothing to a redis-server, in the RDB as in the stream.
			mark := Mark{Cluster: "c", Shard: "s", Term: 1, Run: "r"}
			p.rep.SetMark(mark)
			s := redistest.Start(t, "--replicaof", "127.0.0.1 "+strconv.Itoa(p.port()), "--repl-diskless-load", load)
			eventually(t, "link up", func() bool { return field(s, "replication", "master_link_status") == "up" })
			write(c, rnd, 500, 4)
			mark.Term = 2
			p.rep.SetMark(mark)
			c.Do("SET", "k", "v")
			if got := c.Do("WAIT", "1", "0"); got != "1" {
				t.Fatalf("WAIT 1: %s", got)
			}
			sameAsRedis(t, p, s)
			infos := p.rep.Replicas()
			if len(infos) != 1 || infos[0].Port != s.Port || !infos[0].Online {
				t.Fatalf("%+v", infos)
			}
			p.rep.dropReplicas("test")
			write(c, rnd, 100, 4)
			eventually(t, "partial resync", func() bool { return p.rep.Stats().SyncPartialOK.Load() == 1 })
			write(c, rnd, 100, 4)
			sameAsRedis(t, p, s)
			if full := p.rep.Stats().SyncFull.Load(); full != 1 {
				t.Fatalf("%d full syncs", full)
			}
			// Away and back: the promoted redis-server shares our history.
			if got := s.Do("REPLICAOF", "NO", "ONE"); got != "OK" {
				t.Fatal(got)
			}
			p.rep.Follow(Target{Host: s.Host, Port: s.Port})
			eventually(t, "link up", p.rep.LinkUp)
			if got := field(s, "stats", "sync_partial_ok"); got != "1" {
				t.Fatalf("redis says sync_partial_ok:%s, sync_full:%s", got, field(s, "stats", "sync_full"))
			}
			sc := s.Dial()
			defer sc.Close()
			write(sc, rnd, 100, 4)
			sameAsRedis(t, p, s)
		})
	}
}

// Without "capa eof" the RDB comes with its length; redis-cli --rdb asks this way.
func TestSizedRDB(t *testing.T) {
	t.Parallel()
	p := startNode(t, nodeOptions{})
	c := p.dial()
	defer c.Close()
	write(c, rand.New(rand.NewPCG(8, 8)), 200, 2)
	c.Send("SYNC")
	line := c.Reply() // "$<length>" and its bytes, which end without a line break
	if !strings.HasPrefix(line, "REDIS0010") {
		t.Fatalf("%.40q", line)
	}
}

// We as the replica of a redis-server, with a password, with another redis-server
// behind us.
func TestWeFollowRedis(t *testing.T) {
	t.Parallel()
	for _, diskless := range []string{"yes", "no"} {
		t.Run("diskless "+diskless, func(t *testing.T) {
			s := redistest.Start(t, "--repl-diskless-sync", diskless)
			s.Do("ACL", "SETUSER", "link", "on", ">secret", "+psync", "+replconf", "+ping")
			s.Do("ACL", "SETUSER", "default", "-psync", "-replconf")
			rnd := rand.New(rand.NewPCG(22, 22))
			c := s.Dial()
			defer c.Close()
			write(c, rnd, 500, 4)
			n := startNode(t, nodeOptions{settings: Settings{User: "link", Password: "secret"}})
			n.do("SET", "mine", "goes away")
			n.rep.Follow(Target{Host: s.Host, Port: s.Port})
			eventually(t, "link up", n.rep.LinkUp)
			behind := redistest.Start(t, "--replicaof", "127.0.0.1 "+strconv.Itoa(n.port()))
			write(c, rnd, 500, 4)
			c.Do("PUBLISH", "channel", "is passed on")
			if got := c.Do("WAIT", "1", "0"); got != "1" {
				t.Fatal(got)
			}
			sameAsRedis(t, n, s)
			eventually(t, "link up", func() bool { return field(behind, "replication", "master_link_status") == "up" })
			sameAsRedis(t, n, behind)
			if got := field(s, "replication", "slave0"); !strings.Contains(got, "port="+strconv.Itoa(n.port())+",state=online") {
				t.Fatal(got)
			}
			c.Do("CLIENT", "KILL", "TYPE", "replica")
			write(c, rnd, 100, 4)
			eventually(t, "partial resync", func() bool { return field(s, "stats", "sync_partial_ok") == "1" })
			write(c, rnd, 100, 4)
			sameAsRedis(t, n, s)
			sameAsRedis(t, n, behind)
			if full := field(s, "stats", "sync_full"); full != "1" {
				t.Fatalf("%s full syncs", full)
			}
		})
	}
}

// What we cannot hold is said, and our data stay empty rather than half.
func TestRedisWithOtherTypes(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	s.Do("RPUSH", "list", "a")
	n := startNode(t, nodeOptions{})
	n.rep.Follow(Target{Host: s.Host, Port: s.Port})
	eventually(t, "refusals", func() bool { return field(s, "stats", "sync_full") >= "2" })
	if n.rep.LinkUp() {
		t.Fatal("link is up")
	}
	s.Do("DEL", "list")
	eventually(t, "link up", n.rep.LinkUp)
	s.Do("SET", "a", "1")
	sameAsRedis(t, n, s)
}
