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

// everyType are commands that make keys of every type, small ones and big ones.
func everyType() (cmds [][]string) {
	add := func(n int, elem func(i int) []string, words ...string) {
		for i := range n {
			words = append(words, elem(i)...)
		}
		cmds = append(cmds, words)
	}
	one := func(i int) []string { return []string{fmt.Sprint("e", i)} }
	pair := func(i int) []string { return []string{fmt.Sprint("f", i), fmt.Sprint("value ", i)} }
	long := strings.Repeat("x", 20_000)
	for _, n := range []int{3, 3000} {
		id := strconv.Itoa(n)
		add(n, one, "RPUSH", "list"+id)
		add(n, pair, "HSET", "hash"+id)
		add(n, func(i int) []string { return []string{fmt.Sprint(float64(i%50) / 4), fmt.Sprint("m", i)} }, "ZADD", "zset"+id)
		add(n, one, "SADD", "set"+id)
		add(n, func(i int) []string { return []string{strconv.Itoa(i * i)} }, "SADD", "integers"+id)
		for i := range n / 3 {
			cmds = append(cmds, []string{"XADD", "stream" + id, fmt.Sprint(i+1, "-", i), "name", fmt.Sprint("value ", i)})
		}
		cmds = append(cmds, []string{"XGROUP", "CREATE", "stream" + id, "g", "0"}, []string{"XREADGROUP", "GROUP", "g", "c", "COUNT", "700", "STREAMS", "stream" + id, ">"})
		cmds = append(cmds, []string{"PEXPIREAT", "list" + id, "4102444800000"})
	}
	cmds = append(cmds, []string{"LPUSH", "list3000", long}, []string{"HSET", "hash3000", "long", long})
	return cmds
}

// typedWrites are commands that change keys of everyType, each to the same on any server.
func typedWrites(rnd *rand.Rand, n int) (cmds [][]string) {
	for i := range n {
		id := []string{"3", "3000", "new"}[rnd.IntN(3)]
		elem := strconv.Itoa(rnd.IntN(4000))
		cmds = append(cmds, [][]string{
			{"RPUSH", "list" + id, "e" + elem, elem},
			{"LPOP", "list" + id, "2"},
			{"LINSERT", "list" + id, "BEFORE", "e" + elem, "x"},
			{"LTRIM", "list" + id, "1", "-2"},
			{"HSET", "hash" + id, "f" + elem, "v" + elem},
			{"HDEL", "hash" + id, "f" + elem},
			{"HINCRBY", "hash" + id, "n", elem},
			{"SADD", "set" + id, "e" + elem, elem},
			{"SREM", "set" + id, "e" + elem},
			{"SUNIONSTORE", "union", "set" + id, "integers3"},
			{"ZADD", "zset" + id, strconv.Itoa(rnd.IntN(50)), "m" + elem},
			{"ZINCRBY", "zset" + id, "1.5", "m" + elem},
			{"ZREMRANGEBYRANK", "zset" + id, "0", "1"},
			{"XADD", "stream" + id, fmt.Sprint(10_000+i, "-0"), "name", elem},
			{"XTRIM", "stream" + id, "MAXLEN", "900"},
			{"SORT", "list" + id, "ALPHA", "DESC", "LIMIT", "0", "50", "STORE", "sorted"},
			{"RENAME", "list" + id, "list" + id},
			{"DEL", []string{"list", "hash", "set", "zset", "stream"}[rnd.IntN(5)] + "new"},
			{"PEXPIREAT", "zset" + id, strconv.Itoa(4102444800000 + i)},
		}[rnd.IntN(19)])
	}
	return cmds
}

// sameDigest compares the data of two redis-servers.
func sameDigest(t *testing.T, a, b *redistest.Server) {
	t.Helper()
	want, got := a.Do("DEBUG", "DIGEST"), b.Do("DEBUG", "DIGEST")
	if got == want {
		return
	}
	t.Errorf("digest %s, want %s", got, want)
	for _, key := range strings.Split(a.Do("KEYS", "*"), "\n") {
		if want, got := a.Do("DEBUG", "DIGEST-VALUE", key), b.Do("DEBUG", "DIGEST-VALUE", key); got != want {
			t.Errorf("%s: digest %s, want %s", key, got, want)
		}
	}
}

// Data of every type come from a real redis-server and go on to another one, by full
// syncs and by the stream.
func TestRedisWithEveryType(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	c := s.Dial()
	defer c.Close()
	for _, cmd := range everyType() {
		if got := c.Do(cmd...); strings.HasPrefix(got, "-") {
			t.Fatalf("%.60q: %s", cmd, got)
		}
	}
	n := startNode(t, nodeOptions{})
	n.rep.Follow(Target{Host: s.Host, Port: s.Port})
	eventually(t, "link up", n.rep.LinkUp)
	behind := redistest.Start(t, "--replicaof", "127.0.0.1 "+strconv.Itoa(n.port()))
	eventually(t, "link up", func() bool { return field(behind, "replication", "master_link_status") == "up" })
	sameDigest(t, s, behind)
	for _, cmd := range typedWrites(rand.New(rand.NewPCG(31, 31)), 2000) {
		c.Do(cmd...)
	}
	eventually(t, "equal offsets", func() bool {
		offset := field(s, "replication", "master_repl_offset")
		return offset == strconv.FormatInt(n.log.Offset(), 10) && offset == field(behind, "replication", "slave_repl_offset")
	})
	sameDigest(t, s, behind)
	// What this node has made of the stream is what it gives to another replica.
	late := redistest.Start(t, "--replicaof", "127.0.0.1 "+strconv.Itoa(n.port()))
	eventually(t, "link up", func() bool { return field(late, "replication", "master_link_status") == "up" })
	sameDigest(t, s, late)
}

// A redis-server follows a node that is written to, and has what a redis-server has that
// ran the same commands.
func TestRedisFollowsEveryType(t *testing.T) {
	t.Parallel()
	alone := redistest.Start(t)
	p := startNode(t, nodeOptions{})
	c, a := p.dial(), alone.Dial()
	defer c.Close()
	defer a.Close()
	run := func(cmds [][]string) {
		for _, cmd := range cmds {
			ours, theirs := c.Do(cmd...), a.Do(cmd...)
			if strings.HasPrefix(ours, "-") != strings.HasPrefix(theirs, "-") {
				t.Fatalf("%.60q: %.100q, redis says %.100q", cmd, ours, theirs)
			}
		}
	}
	run(everyType())
	replica := redistest.Start(t, "--replicaof", "127.0.0.1 "+strconv.Itoa(p.port()))
	eventually(t, "link up", func() bool { return field(replica, "replication", "master_link_status") == "up" })
	sameDigest(t, alone, replica)
	run(typedWrites(rand.New(rand.NewPCG(32, 32)), 2000))
	if got := c.Do("WAIT", "1", "0"); got != "1" {
		t.Fatal(got)
	}
	sameDigest(t, alone, replica)
}

// What redis 7.0 takes and 7.2 does not is no reason to give up its stream.
func TestOldStreams(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	n := startNode(t, nodeOptions{})
	n.rep.Follow(Target{Host: s.Host, Port: s.Port})
	eventually(t, "link up", n.rep.LinkUp)
	c := s.Dial()
	defer c.Close()
	c.Do("XADD", "x", "5-0", "f", "v")
	c.Do("XDEL", "x", "5-0")
	if got := c.Do("XSETID", "x", "4-0"); got != "OK" {
		t.Fatal(got)
	}
	c.Do("SET", "behind", "it")
	eventually(t, "the stream goes on", func() bool { return n.state()["0/behind"] == "it@0" })
	if full := field(s, "stats", "sync_full"); full != "1" {
		t.Fatalf("%s full syncs", full)
	}
}
