package replication

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/redistest"
)

// Whatever is wrong with FAILOVER is told as a redis-server tells it.
func TestFailoverErrors(t *testing.T) {
	t.Parallel()
	p := startNode(t, nodeOptions{})
	s := redistest.Start(t)
	both := func(of func(args ...string) string, theirs func(args ...string) string, args ...string) {
		t.Helper()
		if got, want := of(args...), theirs(args...); got != want {
			t.Errorf("%q: %q, redis says %q", args, got, want)
		}
	}
	for _, args := range []string{
		"FAILOVER", "FAILOVER ABORT", "FAILOVER FORCE", "REPLICAOF h x", "REPLICAOF h 65536", "SLAVEOF h -1",
	} {
		both(p.do, s.Do, strings.Fields(args)...)
	}
	r := startNode(t, nodeOptions{})
	rs := redistest.Start(t, "--replicaof", "127.0.0.1 "+strconv.Itoa(s.Port))
	r.rep.Follow(p.target())
	eventually(t, "replicas online", func() bool {
		i := p.rep.Replicas()
		return len(i) == 1 && i[0].Online && strings.Contains(field(s, "replication", "slave0"), "state=online")
	})
	for _, args := range []string{
		"FAILOVER TIMEOUT 0", "FAILOVER TIMEOUT -1", "FAILOVER TIMEOUT x", "FAILOVER TO 127.0.0.1 1",
		"FAILOVER TO h", "FAILOVER TO h x", "FAILOVER FORCE", "FAILOVER TO 127.0.0.1 1 FORCE",
		"FAILOVER FORCE TIMEOUT 1", "FAILOVER TIMEOUT 1 TIMEOUT 2", "FAILOVER TO a 1 TO b 2", "FAILOVER ABORT now", "FAILOVER x",
	} {
		both(p.do, s.Do, strings.Fields(args)...)
	}
	for _, args := range []string{"FAILOVER", "FAILOVER ABORT", "FAILOVER TO 127.0.0.1 1", "PSYNC abc 1 FAILOVER"} {
		both(r.do, rs.Do, strings.Fields(args)...)
	}
	both(p.do, s.Do, "PSYNC", "abc", "1", "FAILOVER")
}

// Between a node and a redis-server, there and back: nothing is copied anew.
func TestFailoverWithRedis(t *testing.T) {
	t.Parallel()
	p, sibling := startNode(t, nodeOptions{}), startNode(t, nodeOptions{})
	p.do("SET", "a", "1")
	s := redistest.Start(t, "--replicaof", "127.0.0.1 "+strconv.Itoa(p.port()))
	sibling.rep.Follow(p.target())
	sp := strconv.Itoa(s.Port)
	eventually(t, "replicas online", func() bool {
		i := p.rep.Replicas()
		return len(i) == 2 && i[0].Online && i[1].Online
	})
	p.do("SET", "b", "2")
	if got := p.do("FAILOVER", "TO", "127.0.0.1", sp, "TIMEOUT", "60000"); got != "OK" {
		t.Fatal(got)
	}
	eventually(t, "the redis-server is primary", func() bool { return p.rep.IsReplica() && p.rep.LinkUp() })
	if got := field(s, "replication", "role"); got != "master" {
		t.Fatal(got)
	}
	s.Do("SET", "c", "3")
	sameAsRedis(t, p, s)
	sameAsRedis(t, sibling, s) // by p, which it still follows
	if got := s.Do("FAILOVER", "TO", "127.0.0.1", strconv.Itoa(p.port())); got != "OK" {
		t.Fatal(got)
	}
	eventually(t, "the node is primary", func() bool {
		return !p.rep.IsReplica() && field(s, "replication", "master_link_status") == "up"
	})
	p.do("SET", "d", "4")
	sameAsRedis(t, p, s)
	if full := p.rep.Stats().SyncFull.Load(); full != 2 {
		t.Fatalf("%d full syncs", full)
	}
	if full := field(s, "stats", "sync_full"); full != "0" {
		t.Fatalf("%s full syncs by the redis-server", full)
	}
}

// mute is a replica that acknowledges nothing, listed under a port of which nobody is.
func mute(t *testing.T, p *node, port int) {
	t.Helper()
	c := p.dial()
	t.Cleanup(func() { _ = c.Close() })
	c.Do("REPLCONF", "listening-port", strconv.Itoa(port))
	c.Send("PSYNC", "?", "-1")
	eventually(t, "the mute replica online", func() bool {
		i := p.rep.Replicas()
		return len(i) == 1 && i[0].Online
	})
}

func failoverOf(n *node) string {
	_, rest, _ := strings.Cut(string(n.rep.Info(nil)), "master_failover_state:")
	state, _, _ := strings.Cut(rest, "\r\n")
	return state
}

// A failover that comes to nothing leaves a primary whose writes go on.
func TestFailoverGivenUp(t *testing.T) {
	t.Parallel()
	var held events
	p := startNode(t, nodeOptions{hold: func(on bool) { held.add(fmt.Sprint(on)) }})
	mute(t, p, 1)
	begin := func(args ...string) {
		t.Helper()
		if got := p.do(append([]string{"FAILOVER"}, args...)...); got != "OK" {
			t.Fatalf("%v: %s", args, got)
		}
	}
	p.do("SET", "a", "1")
	id := p.rep.mu.history.id

	begin("TIMEOUT", "20")
	eventually(t, "the timeout", func() bool { return failoverOf(p) == "no-failover" })

	begin()
	if got := failoverOf(p); got != "waiting-for-sync" {
		t.Fatal(got)
	}
	for args, want := range map[string]string{
		"FAILOVER":         "-ERR FAILOVER already in progress.",
		"REPLICAOF h 1":    "-ERR REPLICAOF not allowed while failing over.",
		"REPLICAOF NO ONE": "-ERR REPLICAOF not allowed while failing over.",
		"PSYNC ? -1":       "-NOMASTERLINK Can't SYNC while failing over",
	} {
		if got := p.do(strings.Fields(args)...); got != want {
			t.Fatalf("%s: %s", args, got)
		}
	}
	if got := p.do("FAILOVER", "ABORT"); got != "OK" {
		t.Fatal(got)
	}
	if p.rep.IsReplica() || p.rep.mu.history.id != id || failoverOf(p) != "no-failover" {
		t.Fatal("an aborted failover changes nothing")
	}

	// Forced upon a server that is not there, until somebody gives it up.
	begin("TO", "127.0.0.1", "1", "TIMEOUT", "20", "FORCE")
	eventually(t, "the force", func() bool { return failoverOf(p) == "failover-in-progress" && p.rep.IsReplica() })
	if got := p.do("FAILOVER", "ABORT"); got != "OK" {
		t.Fatal(got)
	}
	if p.rep.IsReplica() {
		t.Fatal("still a replica")
	}
	if got := p.do("SET", "a", "2"); got != "OK" {
		t.Fatal(got)
	}
	if got := held.String(); got != "[true false true false true false]" {
		t.Fatalf("writes held: %s", got)
	}

	// Upon a server that refuses: it is a primary.
	other := startNode(t, nodeOptions{})
	p.rep.dropReplicas("test")
	mute(t, p, other.port())
	begin("TO", "127.0.0.1", strconv.Itoa(other.port()), "TIMEOUT", "20", "FORCE")
	eventually(t, "the refusal", func() bool { return failoverOf(p) == "no-failover" })
	if p.rep.IsReplica() {
		t.Fatal("still a replica")
	}
}

// What clients write to a writable replica is its own, and no reason for a full sync.
func TestWritableReplica(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	s.Do("SET", "theirs", "1")
	n := startNode(t, nodeOptions{settings: Settings{ServeWritable: true}})
	n.rep.Follow(Target{Host: s.Host, Port: s.Port})
	eventually(t, "link up", n.rep.LinkUp)
	if got := n.do("SET", "own", "1"); got != "OK" {
		t.Fatal(got)
	}
	s.Do("SET", "theirs", "2")
	s.Do("CLIENT", "KILL", "TYPE", "replica")
	s.Do("SET", "theirs", "3")
	eventually(t, "the stream goes on", func() bool {
		return field(s, "replication", "master_repl_offset") == strconv.FormatInt(n.log.Offset(), 10) && n.state()["0/theirs"] == "3@0"
	})
	if _, ok := n.state()["0/own"]; !ok {
		t.Fatal("the replica's own key is gone")
	}
	if full := field(s, "stats", "sync_full"); full != "1" {
		t.Fatalf("%s full syncs", full)
	}
}

// A redis-server that cannot read expiring fields is told so before anything is sent.
func TestFieldExpiryIsRefused(t *testing.T) {
	t.Parallel()
	p := startNode(t, nodeOptions{})
	p.do("HSET", "h", "f", "v", "g", "w")
	p.do("HPEXPIRE", "h", "100000", "FIELDS", "1", "f")
	for _, request := range [][]string{{"PSYNC", "?", "-1"}, {"SYNC"}} {
		if got := p.do(request...); got != "-"+errFieldExpiry.Error() {
			t.Fatalf("%v: %q", request, got)
		}
	}
	if full := p.rep.Stats().SyncFull.Load(); full != 0 {
		t.Fatalf("%d full syncs were begun", full)
	}
	r := startNode(t, nodeOptions{})
	r.rep.Follow(p.target())
	sameState(t, p, r)
	p.do("HPERSIST", "h", "FIELDS", "1", "f")
	s := redistest.Start(t, "--replicaof", "127.0.0.1 "+strconv.Itoa(p.port()))
	eventually(t, "link up", func() bool { return field(s, "replication", "master_link_status") == "up" })
}

// INFO replication has the fields of a redis-server, in its order, in either role.
func TestInfoFields(t *testing.T) {
	t.Parallel()
	names := func(info string) (names []string) {
		for line := range strings.SplitSeq(info, "\r\n") {
			if name, _, ok := strings.Cut(line, ":"); ok {
				names = append(names, name)
			}
		}
		return names
	}
	same := func(n *node, s *redistest.Server) {
		t.Helper()
		if got, want := fmt.Sprint(names(string(n.rep.Info(nil)))), fmt.Sprint(names(s.Do("INFO", "replication"))); got != want {
			t.Errorf("%s\nredis has\n%s", got, want)
		}
	}
	set := Settings{MinReplicas: 1, Priority: 100}
	p, r := startNode(t, nodeOptions{settings: set}), startNode(t, nodeOptions{})
	s := redistest.Start(t, "--min-replicas-to-write", "1")
	same(p, s)
	r.rep.Follow(Target{Host: "127.0.0.1", Port: 1})
	rs := redistest.Start(t, "--replicaof", "127.0.0.1 1")
	same(r, rs)
	r.rep.Follow(p.target())
	rs.Do("REPLICAOF", "127.0.0.1", strconv.Itoa(s.Port))
	eventually(t, "links up", func() bool {
		return r.rep.LinkUp() && field(rs, "replication", "master_link_status") == "up" && strings.Contains(field(s, "replication", "slave0"), "online")
	})
	same(p, s)
	same(r, rs)
}

// How far a full sync is can be seen, and a link is a connection that can be closed.
func TestLoadProgressAndConnections(t *testing.T) {
	t.Parallel()
	p := startNode(t, nodeOptions{})
	ln := brokenPrimary(t, p)
	c := p.dial()
	defer c.Close()
	value := make([]byte, 10_000)
	rnd := rand.New(rand.NewPCG(4, 4))
	for i := range 100 {
		for j := range value {
			value[j] = byte(rnd.Uint32())
		}
		c.Do("SET", fmt.Sprint("key", i), string(value))
	}
	var seen LoadProgress
	var r *node
	r = startNode(t, nodeOptions{dropped: func(*node) {
		if p, ok := r.rep.LoadProgress(); ok && seen.StartedAt == 0 {
			seen = p
		}
	}})
	if _, ok := r.rep.LoadProgress(); ok || len(r.rep.Connections()) != 0 {
		t.Fatal("nothing was begun")
	}
	ln.heal.Store(true)
	r.rep.Follow(Target{Host: "127.0.0.1", Port: ln.port})
	sameState(t, p, r)
	if _, ok := r.rep.LoadProgress(); ok || seen.StartedAt == 0 {
		t.Fatalf("saw %+v", seen)
	}
	ours, theirs := r.rep.Connections(), p.rep.Connections()
	if len(ours) != 1 || len(theirs) != 1 || !ours[0].Primary || theirs[0].Primary || theirs[0].ID == 0 {
		t.Fatalf("%+v, %+v", ours, theirs)
	}
	for _, n := range []*node{r, p} {
		before := p.rep.Stats().SyncPartialOK.Load()
		eventually(t, "the old link is gone", func() bool { return len(n.rep.Connections()) == 1 })
		_ = n.rep.Connections()[0].Conn.Close()
		eventually(t, "a partial resync", func() bool { return p.rep.Stats().SyncPartialOK.Load() == before+1 && r.rep.LinkUp() })
	}
}
