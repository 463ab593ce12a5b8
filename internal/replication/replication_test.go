package replication

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/redistest"
)

// write sends seeded random writes over several databases.
func write(c *redistest.Conn, rnd *rand.Rand, count, databases int) {
	db := -1
	for range count {
		if n := rnd.IntN(databases); n != db {
			db = n
			c.Do("SELECT", strconv.Itoa(db))
		}
		key := fmt.Sprintf("k%d", rnd.IntN(200))
		switch rnd.IntN(9) {
		case 0:
			c.Do("DEL", key)
		case 1:
			c.Do("APPEND", key, "more")
		case 2:
			c.Do("SET", "n"+key, strconv.Itoa(rnd.IntN(1000)))
			c.Do("INCR", "n"+key)
		case 3:
			c.Do("SET", key, "v", "EX", "10000")
		case 4:
			c.Do("MULTI")
			c.Do("SET", key, "in tx")
			c.Do("SET", key+"b", "in tx too")
			c.Do("EXEC")
		case 5:
			c.Do("SET", key, strings.Repeat("long", rnd.IntN(5000)))
		default:
			c.Do("SET", key, fmt.Sprintf("value %d", rnd.IntN(1000)))
		}
	}
}

func TestFullThenPartial(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	p, r := startNode(t, nodeOptions{}), startNode(t, nodeOptions{})
	c := p.dial()
	write(c, rnd, 300, 4)
	r.do("SET", "mine", "goes away")
	if got := r.do("REPLICAOF", "127.0.0.1", strconv.Itoa(p.port())); got != "OK" {
		t.Fatal(got)
	}
	if got := r.do("REPLICAOF", "127.0.0.1", strconv.Itoa(p.port())); got != "OK Already connected to specified master" {
		t.Fatal(got)
	}
	write(c, rnd, 300, 4)
	c.Close()
	sameState(t, p, r)
	if got := r.do("SET", "a", "b"); got != "-READONLY You can't write against a read only replica." {
		t.Fatal(got)
	}

	p.cut()
	c = p.dial()
	write(c, rnd, 300, 4)
	c.Close()
	eventually(t, "partial resync", func() bool { return p.rep.Stats().SyncPartialOK.Load() == 1 })
	sameState(t, p, r)
	if n := p.rep.Stats().SyncFull.Load(); n != 1 {
		t.Fatalf("%d full syncs", n)
	}
	if got := r.do("REPLICAOF", "NO", "ONE"); got != "OK" {
		t.Fatal(got)
	}
	if got := r.do("SET", "a", "b"); got != "OK" {
		t.Fatal(got)
	}
}

// Full syncs while writers go on, from several replicas at once, and chains.
func TestSyncUnderWrites(t *testing.T) {
	big := nodeOptions{settings: Settings{BacklogBytes: 256 << 20}} // no break is too long
	p := startNode(t, big)
	seed := rand.Uint64()
	t.Log("seed", seed)
	stop := make(chan struct{})
	var writers sync.WaitGroup
	for w := range uint64(3) {
		writers.Add(1)
		go func() {
			defer writers.Done()
			c := p.dial()
			defer c.Close()
			rnd := rand.New(rand.NewPCG(seed, w))
			for {
				select {
				case <-stop:
					return
				default:
					write(c, rnd, 10, 4)
				}
			}
		}()
	}
	a, b, chained := startNode(t, big), startNode(t, nodeOptions{}), startNode(t, nodeOptions{})
	a.rep.Follow(p.target())
	b.rep.Follow(p.target())
	chained.rep.Follow(a.target())
	up := func() bool { return a.rep.LinkUp() && b.rep.LinkUp() && chained.rep.LinkUp() }
	eventually(t, "links up", up)
	before := p.log.Offset()
	eventually(t, "some effects", func() bool { return chained.log.Offset() > before+100_000 })
	p.rep.dropReplicas("test")
	eventually(t, "partial resyncs", func() bool { return p.rep.Stats().SyncPartialOK.Load() == 2 })
	a.rep.dropReplicas("test")
	eventually(t, "a partial resync", func() bool { return a.rep.Stats().SyncPartialOK.Load() == 1 })
	close(stop)
	writers.Wait()
	for _, n := range []*node{a, b, chained} {
		sameState(t, p, n)
	}
}

// Replicas of a primary that died go on with the promoted one from the backlog.
func TestPromotionKeepsHistory(t *testing.T) {
	p, a, b := startNode(t, nodeOptions{}), startNode(t, nodeOptions{}), startNode(t, nodeOptions{})
	rnd := rand.New(rand.NewPCG(9, 9))
	c := p.dial()
	write(c, rnd, 100, 3)
	a.rep.Follow(p.target())
	b.rep.Follow(p.target())
	eventually(t, "links up", func() bool { return a.rep.LinkUp() && b.rep.LinkUp() })
	write(c, rnd, 100, 3)
	c.Close()
	sameState(t, p, a)
	sameState(t, p, b)
	if err := a.rep.Promote(context.Background(), Mark{}); err != nil {
		t.Fatal(err)
	}
	ac := a.dial()
	write(ac, rnd, 100, 3)
	ac.Close()
	b.rep.Follow(a.target())
	sameState(t, a, b)
	// The old primary has written nothing since: it goes on too.
	p.rep.Follow(a.target())
	sameState(t, a, p)
	if full, ok := a.rep.Stats().SyncFull.Load(), a.rep.Stats().SyncPartialOK.Load(); full != 0 || ok != 2 {
		t.Fatalf("%d full and %d partial syncs of the promoted replica, want 0 and 2", full, ok)
	}
	info := string(a.rep.Info(nil))
	if !strings.Contains(info, "role:master\r\n") || strings.Contains(info, "second_repl_offset:-1") {
		t.Fatal(info)
	}

	// Back: p is promoted, writes, and a has written alone meanwhile: a full sync.
	if err := p.rep.Promote(context.Background(), Mark{}); err != nil {
		t.Fatal(err)
	}
	if got := a.do("SET", "lost", "1"); got != "OK" {
		t.Fatal(got)
	}
	if got := p.do("SET", "kept", "1"); got != "OK" {
		t.Fatal(got)
	}
	a.rep.Follow(p.target())
	sameState(t, p, a)
	if _, there := a.state()["0/lost"]; there {
		t.Fatal("a write of a deposed primary stayed")
	}
	if n := p.rep.Stats().SyncPartialErr.Load(); n != 1 {
		t.Fatalf("%d refused partial resyncs", n)
	}
}

// The backlog ends some time after the last replica, or after the promotion.
func TestBacklogEnds(t *testing.T) {
	p, r := startNode(t, nodeOptions{}), startNode(t, nodeOptions{})
	r.rep.Follow(p.target())
	sameState(t, p, r)
	longAgo := p.rep.mono() - int64(2*time.Hour)
	setLonely := func(n *node) {
		n.rep.mu.Lock()
		n.rep.mu.noReplicas = longAgo
		n.rep.mu.Unlock()
	}
	setLonely(r)
	if err := r.rep.Promote(context.Background(), Mark{}); err != nil {
		t.Fatal(err)
	}
	r.rep.tidy()
	if !r.log.Backlog().On {
		t.Fatal("a promoted replica has dropped its backlog")
	}
	id, offset := r.rep.mu.history.id, r.log.Offset()
	setLonely(r)
	r.rep.tidy()
	if r.log.Offset() <= offset {
		t.Error("what comes now is not counted, and counts as no more than what replicas have")
	}
	if r.log.Backlog().On || r.rep.mu.history.id == id || r.log.MemoryBytes() != 0 {
		t.Fatal("the backlog stays for ever")
	}
}

func TestWait(t *testing.T) {
	p, r := startNode(t, nodeOptions{}), startNode(t, nodeOptions{})
	c := p.dial()
	defer c.Close()
	if got := c.Do("WAIT", "0", "0"); got != "0" {
		t.Fatal(got)
	}
	for _, bad := range [][3]string{
		{"a", "0", "-ERR value is not an integer or out of range"},
		{"1", "a", "-ERR timeout is not an integer or out of range"},
		{"1", "-1", "-ERR timeout is negative"},
		{"1", "9223372036854775807", "-ERR timeout is out of range"},
		{"0", "9223372036854775", "0"},
	} {
		if got := c.Do("WAIT", bad[0], bad[1]); got != bad[2] {
			t.Fatalf("WAIT %s %s: %s", bad[0], bad[1], got)
		}
	}
	began := time.Now()
	if got := c.Do("WAIT", "1", "30"); got != "0" || time.Since(began) < 30*time.Millisecond {
		t.Fatalf("%s after %v", got, time.Since(began))
	}
	r.rep.Follow(p.target())
	eventually(t, "online", func() bool { return p.rep.GoodReplicas() == 1 })
	began = time.Now()
	for i := range 20 {
		c.Do("SET", "k", strconv.Itoa(i))
		if got := c.Do("WAIT", "1", "0"); got != "1" {
			t.Fatal(got)
		}
		if got := r.do("GET", "k"); got != strconv.Itoa(i) {
			t.Fatalf("replica has %s, confirmed is %d", got, i)
		}
	}
	if d := time.Since(began); d > 5*time.Second {
		t.Fatalf("20 WAITs took %v: they waited for the periodic acknowledgement", d)
	}
	c.Do("SET", "k", "x")
	c.Do("MULTI")
	c.Do("WAIT", "5", "0")
	if got := c.Do("EXEC"); got != "0" && got != "1" {
		t.Fatal(got)
	}
	if got := r.do("WAIT", "1", "0"); !strings.HasPrefix(got, "-ERR WAIT cannot be used with replica instances.") {
		t.Fatal(got)
	}
	// A role change frees who waits.
	c.Send("WAIT", "3", "0")
	eventually(t, "blocked", func() bool { return p.rep.waiting.Load() == 1 })
	p.rep.Follow(r.target())
	if got := c.Reply(); !strings.HasPrefix(got, "-UNBLOCKED ") {
		t.Fatal(got)
	}
	if n := p.rep.waiting.Load(); n != 0 {
		t.Fatalf("%d waiters left", n)
	}
}

func TestClusterMark(t *testing.T) {
	t.Parallel()
	mark := Mark{Cluster: "c1", Shard: "s1", Term: 3, Run: "run-p"}
	if m, ok := ParseMark(mark.String()); !ok || m != mark {
		t.Fatalf("%v %v", m, ok)
	}
	for _, s := range []string{"", "rw1:", "rw1:a:b:c:d", "rw1:a:b:1", "rw1::b:1:d", "rw2:a:b:1:d", "rw1:a:b:1:"} {
		if _, ok := ParseMark(s); ok {
			t.Errorf("%q was taken for a mark", s)
		}
	}
	p := startNode(t, nodeOptions{cluster: true, id: "p"})
	r := startNode(t, nodeOptions{cluster: true, id: "r"})
	p.rep.SetMark(mark)
	p.do("SET", "a", "1")
	r.do("SET", "mine", "stays until the mark is right")
	if got := r.do("REPLICAOF", "NO", "ONE"); got != "-ERR REPLICAOF not allowed in cluster mode." {
		t.Fatal(got)
	}

	wrong := p.target()
	wrong.Mark = mark
	wrong.Mark.Term = 4
	r.rep.Follow(wrong)
	eventually(t, "refused a few times", func() bool { return r.rep.mu.link != nil && p.ids.Load() >= 6 })
	if s := r.state(); len(s) != 1 || r.rep.LinkUp() {
		t.Fatalf("data are %v, link up %v", s, r.rep.LinkUp())
	}
	right := p.target()
	right.Mark = mark
	r.rep.Follow(right)
	sameState(t, p, r)
	if got, want := r.rep.Progress(), (Progress{Term: 3, Offset: p.log.Offset(), Linked: 3}); got != want {
		t.Fatalf("progress %+v, want %+v", got, want)
	}
	infos := p.rep.Replicas()
	if len(infos) != 1 || infos[0].Node != "r" || infos[0].Run != "r-run" || infos[0].Port != r.port() {
		t.Fatalf("replicas %+v", infos)
	}
	// A new term travels in the stream.
	mark.Term = 5
	p.rep.SetMark(mark)
	p.do("SET", "b", "2")
	sameState(t, p, r)
	if got := r.rep.Progress(); got.Term != 5 || got.Linked != 5 {
		t.Fatalf("progress %+v", got)
	}
	// A stream of a lower term is refused, the data stay.
	lower := startNode(t, nodeOptions{cluster: true, id: "q"})
	old := mark
	old.Term, old.Run = 4, "run-q"
	lower.rep.SetMark(old)
	lower.do("SET", "stale", "1")
	to := lower.target()
	to.Mark = old
	r.rep.Follow(to)
	eventually(t, "refused a few times", func() bool { return lower.ids.Load() >= 4 })
	if s := r.state(); len(s) != 2 || r.rep.LinkUp() {
		t.Fatalf("data are %v", s)
	}
	if err := r.rep.Promote(context.Background(), Mark{Cluster: "c1", Shard: "s1", Term: 6, Run: "run-r"}); err != nil {
		t.Fatal(err)
	}
	if got := r.rep.Progress(); got.Term != 6 || got.Linked != 6 || got.FullSync {
		t.Fatalf("progress %+v", got)
	}
}

// A failover of a cluster shard: the term goes up, the other replica goes on from the
// backlog, the old primary's lonely writes are lost by a full sync.
func TestClusterFailover(t *testing.T) {
	p := startNode(t, nodeOptions{cluster: true, id: "p"})
	a := startNode(t, nodeOptions{cluster: true, id: "a"})
	b := startNode(t, nodeOptions{cluster: true, id: "b"})
	one := Mark{Cluster: "c", Shard: "s", Term: 1, Run: "p-run"}
	two := Mark{Cluster: "c", Shard: "s", Term: 2, Run: "a-run"}
	// Each was the primary of a shard of its own before.
	for _, n := range []*node{a, b} {
		n.rep.SetMark(Mark{Cluster: "c", Shard: "own", Term: 9, Run: "x"})
	}
	p.rep.SetMark(one)
	c := p.dial()
	defer c.Close()
	rnd := rand.New(rand.NewPCG(31, 31))
	write(c, rnd, 100, 1)
	to := p.target()
	to.Mark = one
	a.rep.Follow(to)
	if got := a.rep.Progress(); got.Term != 0 && got.Term != 1 {
		t.Fatalf("progress %+v counts another shard's term", got)
	}
	b.rep.Follow(to)
	eventually(t, "links up", func() bool { return a.rep.LinkUp() && b.rep.LinkUp() })
	write(c, rnd, 100, 1)
	sameState(t, p, a)
	sameState(t, p, b)
	if err := a.rep.Promote(context.Background(), two); err != nil {
		t.Fatal(err)
	}
	before := a.log.Offset()
	to = a.target()
	to.Mark = two
	b.rep.Follow(to)
	sameState(t, a, b)
	if got := b.rep.Progress(); got.Term != 2 || got.Linked != 2 || got.Offset < before {
		t.Fatalf("progress %+v", got)
	}
	if a.rep.Stats().SyncPartialOK.Load() != 1 || a.rep.Stats().SyncFull.Load() != 0 {
		t.Fatal("the second replica was not resynced from the backlog")
	}
	c.Do("SET", "lost", "1") // the old primary has not heard of it
	ac := a.dial()
	defer ac.Close()
	ac.Do("SET", "kept", "1")
	p.rep.Follow(to)
	sameState(t, a, p)
	if _, there := p.state()["0/lost"]; there || a.rep.Stats().SyncFull.Load() != 1 {
		t.Fatal("a write of a deposed primary stayed")
	}
	if age := p.rep.LinkAge(); age > int64(5*time.Second) {
		t.Fatalf("link age %d", age)
	}
}

// What breaks in the middle of a full sync leaves no half data set. Without a cluster the
// copy is then one without keys, as Redis has it, which can be made a primary.
func TestBrokenFullSync(t *testing.T) {
	p := startNode(t, nodeOptions{})
	ln := brokenPrimary(t, p)
	r := startNode(t, nodeOptions{})
	c := p.dial()
	rnd := rand.New(rand.NewPCG(4, 4))
	for i := range 100 {
		value := make([]byte, 10_000) // random, so that it cannot be compressed
		for j := range value {
			value[j] = byte(rnd.Uint32())
		}
		c.Do("SET", fmt.Sprintf("key%d", i), string(value))
	}
	c.Close()
	r.do("SET", "mine", "1")
	r.rep.Follow(Target{Host: "127.0.0.1", Port: ln.port})
	eventually(t, "a broken sync", func() bool { return ln.broken.Load() > 0 && r.rep.Progress().FullSync })
	if r.rep.LinkUp() {
		t.Fatal("half a data set is offered")
	}
	ln.heal.Store(true)
	sameState(t, p, r)
	if r.rep.Loading() || r.rep.Progress().FullSync {
		t.Fatal("still loading")
	}
	ln.heal.Store(false)
	ln.broken.Store(0)
	r.rep.ChangeID() // what it has is not to be taken for the primary's
	p.rep.ChangeID()
	p.cut()
	eventually(t, "a broken sync", func() bool { return ln.broken.Load() > 0 && r.rep.Progress().FullSync })
	ln.close()
	eventually(t, "the end of what was begun", func() bool { return !r.rep.Loading() })
	if keys := len(r.state()); keys != 0 || r.rep.LinkUp() {
		t.Fatalf("%d keys of half a data set are offered", keys)
	}
	if got := r.do("REPLICAOF", "NO", "ONE"); got != "OK" {
		t.Fatal(got)
	}
}

func TestRoleAndInfo(t *testing.T) {
	p, r := startNode(t, nodeOptions{}), startNode(t, nodeOptions{})
	if got := p.do("ROLE"); got != "master\n0\n" {
		t.Fatalf("%q", got)
	}
	p.do("SET", "a", "1")
	r.rep.Follow(p.target())
	sameState(t, p, r)
	eventually(t, "acknowledged", func() bool {
		s := p.rep.Replicas()
		return len(s) == 1 && s[0].Online && s[0].Offset == p.log.Offset()
	})
	off := p.log.Offset()
	if got, want := p.do("ROLE"), fmt.Sprintf("master\n%d\n127.0.0.1\n%d\n%d", off, r.port(), off); got != want {
		t.Fatalf("%q, want %q", got, want)
	}
	if got, want := r.do("ROLE"), fmt.Sprintf("slave\n127.0.0.1\n%d\nconnected\n%d", p.port(), off); got != want {
		t.Fatalf("%q, want %q", got, want)
	}
	pi, ri := string(p.rep.Info(nil)), string(r.rep.Info(nil))
	for _, want := range []string{
		"role:master\r\nconnected_slaves:1\r\n",
		fmt.Sprintf("slave0:ip=127.0.0.1,port=%d,state=online,offset=%d,lag=", r.port(), off),
		fmt.Sprintf("master_repl_offset:%d\r\nsecond_repl_offset:-1\r\nrepl_backlog_active:1\r\nrepl_backlog_size:1048576\r\n", off),
	} {
		if !strings.Contains(pi, want) {
			t.Errorf("no %q in\n%s", want, pi)
		}
	}
	for _, want := range []string{"role:slave\r\nmaster_host:127.0.0.1\r\n", "master_link_status:up\r\n", fmt.Sprintf("slave_repl_offset:%d\r\n", off), "slave_read_only:1\r\n"} {
		if !strings.Contains(ri, want) {
			t.Errorf("no %q in\n%s", want, ri)
		}
	}
	if id := func(s string) string { _, s, _ = strings.Cut(s, "master_replid:"); return s[:40] }; id(pi) != id(ri) {
		t.Error("different replication ids")
	}
}
