package ctl

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redwingdb/redwing/internal/clusterctl"
	"github.com/redwingdb/redwing/internal/redistest"
	"github.com/redwingdb/redwing/test/realnode"
)

func TestImport(t *testing.T) {
	d := newDev(t, 3, 0, 0)
	d.up()
	primaries := []string{d.addr(0), d.addr(1), d.addr(2)}
	t.Run("live server", func(t *testing.T) { importLive(t, d, primaries) })
	t.Run("interrupted", func(t *testing.T) { importInterrupted(t, d, primaries) })
	t.Run("expiries", func(t *testing.T) { importExpiries(t, d, primaries) })
	t.Run("expiries of fields", func(t *testing.T) { importFieldExpiries(t, d, primaries) })
	t.Run("databases", func(t *testing.T) { importDatabases(t, d, primaries) })
	t.Run("tls", func(t *testing.T) { importTLS(t, d, primaries) })
	t.Run("cluster", func(t *testing.T) { importCluster(t, d, primaries) })
}

// client returns a client of one server that gives up soon after it is closed.
func client(addr string) redis.UniversalClient {
	return redis.NewClient(&redis.Options{Addr: addr, Protocol: 2, DisableIdentity: true, MaxRetries: -1, ReadTimeout: time.Minute})
}

func resultOf(t *testing.T, r result) *clusterctl.ImportResult {
	t.Helper()
	var out clusterctl.Import
	if err := json.Unmarshal([]byte(r.out), &out); err != nil || out.Result == nil {
		t.Fatalf("%v: %s", err, r)
	}
	return out.Result
}

// A server is imported while writers of every type write to it, within slots and across
// them, through the cut-over. In the end both sides have the same.
func importLive(t *testing.T, d *dev, primaries []string) {
	s := redistest.Start(t)
	c := client(s.Addr())
	defer c.Close()
	populate(t, c, 20000)
	stop := writers(t, func() redis.UniversalClient { return client(s.Addr()) }, 4, func(c redis.UniversalClient, rnd *rand.Rand, i int) {
		if i%5 == 0 {
			across(c, rnd, i)
		} else {
			change(c, rnd, rnd.IntN(200))
		}
	})
	defer stop()
	d.ctl("import", "--from", s.Addr(), "--dry-run").want(t, 0, "is copied and followed", "is cut over from")
	r := d.ctl("import", "--from", s.Addr(), "--yes", "--pause", "60s", "-o", "json")
	r.want(t, 0)
	res := resultOf(t, r)
	if n := stop(); n < 100 || res.Writes < 20 || res.Recopied == 0 {
		t.Errorf("%d writes, %d followed, %d keys read again: the import met hardly any", n, res.Writes, res.Recopied)
	}
	if res.Repaired != 0 {
		t.Errorf("%d of %d keys had to be repaired: the stream was not followed truly", res.Repaired, res.Compared)
	}
	wantSame(t, contentOf(t, primaries...), contentOf(t, s.Addr()))
	d.ctl("import", "--from", s.Addr(), "--yes").want(t, 1, "--flush empties it first")
}

// clusterctl is killed in the middle; the same import begins anew and makes a true copy of
// a source from which keys have gone in between.
func importInterrupted(t *testing.T, d *dev, primaries []string) {
	s := redistest.Start(t)
	c := client(s.Addr())
	defer c.Close()
	populate(t, c, 60000)
	r := command("-a", d.addr(0), "import", "--from", s.Addr(), "--flush", "--yes")
	// The import cannot end while a node of the cluster stands still.
	out := whileCopying(t, d, r, func() {
		d.signal(1, syscall.SIGSTOP)
		if err := r.cmd.Process.Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	})
	d.signal(1, syscall.SIGCONT)
	if out.code != -1 {
		t.Fatalf("it was not killed in time: %s", out)
	}
	realnode.Eventually(t, 30*time.Second, func() error {
		if r := d.ctl("check"); r.code != 0 {
			return fmt.Errorf("%s", r)
		}
		return nil
	})
	for i := range 1000 {
		c.Del(context.Background(), fmt.Sprintf("s:%d", i))
	}
	d.ctl("import", "--from", "127.0.0.1:1", "--yes").want(t, 1, "cannot be reached")
	again := d.ctl("import", "--from", s.Addr(), "--yes", "--pause", "1s", "--timeout", "20s")
	again.want(t, 0, "was not finished", "imported")
	wantSame(t, contentOf(t, primaries...), contentOf(t, s.Addr()))
}

// whileCopying runs an import and calls f when the first keys have come.
func whileCopying(t *testing.T, d *dev, r *running, f func()) result {
	t.Helper()
	pipe, err := r.pipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(pipe)
	for lines.Scan() {
		r.err.WriteString(lines.Text() + "\n")
		if strings.HasPrefix(lines.Text(), "[") && strings.Contains(lines.Text(), "is copied and followed") {
			eventuallyKeys(t, d.addr(0), 1)
			f()
		}
	}
	return r.wait()
}

// Keys whose end is put off while what the source writes is on its way do not expire in
// the cluster; in the end all expire when they do at the source.
func importExpiries(t *testing.T, d *dev, primaries []string) {
	s := redistest.Start(t)
	c := client(s.Addr())
	defer c.Close()
	ctx := context.Background()
	p := c.Pipeline()
	for i := range 500 {
		p.Set(ctx, fmt.Sprintf("session:%d", i), i, 2*time.Second)
		p.RPush(ctx, fmt.Sprintf("queue:%d", i), i)
		p.PExpire(ctx, fmt.Sprintf("queue:%d", i), 2*time.Second)
	}
	p.Set(ctx, "canary", 1, 2*time.Second)
	if _, err := p.Exec(ctx); err != nil {
		t.Fatal(err)
	}
	r := command("-a", d.addr(0), "import", "--from", s.Addr(), "--flush", "--yes", "--pause", "60s")
	out := whileCopying(t, d, r, func() {
		d.signal(1, syscall.SIGSTOP)
		defer d.signal(1, syscall.SIGCONT)
		p := c.Pipeline()
		for i := range 500 {
			p.Expire(ctx, fmt.Sprintf("session:%d", i), time.Hour)
			p.RPush(ctx, fmt.Sprintf("queue:%d", i), "more")
			p.PExpire(ctx, fmt.Sprintf("queue:%d", i), 20*time.Minute)
		}
		if _, err := p.Exec(ctx); err != nil {
			t.Fatal(err)
		}
		awaitExpiry(t, c)
	})
	out.want(t, 0, "imported")
	got := contentOf(t, primaries...)
	if len(got) != 1000 {
		t.Errorf("%d keys", len(got))
	}
	wantSame(t, got, contentOf(t, s.Addr()))
}

// awaitExpiry waits until the key canary has expired.
func awaitExpiry(t *testing.T, c redis.UniversalClient) {
	t.Helper()
	realnode.Eventually(t, 20*time.Second, func() error {
		if c.Exists(context.Background(), "canary").Val() > 0 {
			return errors.New("the first expiry has not come")
		}
		return nil
	})
}

// The same holds for fields of hashes, small and large, near and far. The source is a
// Redwing: redis-server 7.0 knows no such expiries.
func importFieldExpiries(t *testing.T, d *dev, primaries []string) {
	e := newDev(t, 1, 0, 0)
	e.up()
	c := client(e.addr(0))
	defer c.Close()
	ctx := context.Background()
	expire := func(p redis.Pipeliner, key string, after time.Duration, fields ...any) {
		p.Do(ctx, append([]any{"HPEXPIREAT", key, time.Now().Add(after).UnixMilli(), "FIELDS", len(fields)}, fields...)...)
	}
	p := c.Pipeline()
	for i := range 200 {
		k := fmt.Sprintf("h:%d", i)
		p.HSet(ctx, k, "soon", 1, "near", 2, "far", 3, "never", 4)
		expire(p, k, 2*time.Second, "soon")
		expire(p, k, 2*time.Minute, "near")
		expire(p, k, time.Hour, "far")
		p.HSet(ctx, "big", fmt.Sprintf("f:%d", i), strings.Repeat("v", 100))
	}
	for i := range 200 {
		expire(p, "big", time.Duration(i+2)*time.Minute, fmt.Sprintf("f:%d", i))
	}
	p.HSet(ctx, "canary", "soon", 1)
	expire(p, "canary", 2*time.Second, "soon")
	if _, err := p.Exec(ctx); err != nil {
		t.Fatal(err)
	}
	r := command("-a", d.addr(0), "import", "--from", e.addr(0), "--flush", "--yes", "--pause", "60s")
	out := whileCopying(t, d, r, func() {
		d.signal(1, syscall.SIGSTOP)
		defer d.signal(1, syscall.SIGCONT)
		p := c.Pipeline()
		for i := range 200 {
			expire(p, fmt.Sprintf("h:%d", i), time.Hour, "soon") // as with keys: put off in time
			p.HIncrBy(ctx, fmt.Sprintf("h:%d", i), "soon", 1)
		}
		if _, err := p.Exec(ctx); err != nil {
			t.Fatal(err)
		}
		awaitExpiry(t, c)
	})
	out.want(t, 0, "imported")
	got, want := contentOf(t, primaries...), contentOf(t, e.addr(0))
	if len(got) != 201 {
		t.Errorf("%d keys", len(got))
	}
	wantSame(t, got, want)
	cc := redis.NewClusterClient(&redis.ClusterOptions{Addrs: primaries, Protocol: 2, DisableIdentity: true})
	defer cc.Close()
	times := func(c redis.UniversalClient, key string) string {
		fields := c.HKeys(ctx, key).Val()
		slices.Sort(fields)
		return fmt.Sprint(fields, c.HPExpireTime(ctx, key, fields...).Val())
	}
	for key := range want {
		if a, b := times(cc, key), times(c, key); a != b {
			t.Fatalf("%s: %s\nwant %s", key, a, b)
		}
	}
}

func importDatabases(t *testing.T, d *dev, primaries []string) {
	s := redistest.Start(t)
	ctx := context.Background()
	for db := range 3 {
		c := redis.NewClient(&redis.Options{Addr: s.Addr(), DB: db, Protocol: 2, DisableIdentity: true})
		for i := range 10 {
			if err := c.Set(ctx, fmt.Sprintf("k:%d:%d", db, i), db, 0).Err(); err != nil {
				t.Fatal(err)
			}
		}
		_ = c.Close()
	}
	d.ctl("import", "--from", s.Addr(), "--flush", "--yes").want(t, 2, "databases 0 1 2", "--db")
	d.ctl("import", "--from", s.Addr(), "--flush", "--yes", "--db", "1", "--no-pause").want(t, 0)
	if got := contentOf(t, primaries...); len(got) != 10 || got["k:1:3"] == "" {
		t.Errorf("%d keys: %v", len(got), got)
	}
	if err := ask(d.addr(0), func(c *redis.Client) error { return c.FlushAll(ctx).Err() }); err != nil {
		t.Fatal(err)
	}
	d.ctl("import", "--from", s.Addr(), "--merge", "--yes", "--db", "2", "--no-pause").want(t, 0)
	if got := contentOf(t, primaries...); got["k:2:3"] == "" || len(got) <= 10 {
		t.Errorf("%d keys: %v", len(got), got)
	}
	// A replica stands for its primary.
	replica := redistest.Start(t, "--replicaof", s.Host+" "+fmt.Sprint(s.Port))
	realnode.Eventually(t, 20*time.Second, func() error {
		if text := replica.Do("INFO", "replication"); !strings.Contains(text, "master_link_status:up") {
			return fmt.Errorf("no link: %s", text)
		}
		return nil
	})
	d.ctl("import", "--from", replica.Addr(), "--db", "0", "--flush", "--dry-run").want(t, 0, "is a replica: its primary "+s.Addr())
}

// A cluster of redis-servers is imported under load.
func importCluster(t *testing.T, d *dev, primaries []string) {
	var sources []string
	args := []string{"--cluster", "create"}
	for range 3 {
		s := redistest.Start(t, "--cluster-enabled", "yes", "--cluster-node-timeout", "20000")
		sources = append(sources, s.Addr())
		args = append(args, s.Addr())
	}
	out, err := exec.Command(redistest.Lookup(t, "redis-cli"), append(args, "--cluster-yes")...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	open := func() redis.UniversalClient {
		return redis.NewClusterClient(&redis.ClusterOptions{Addrs: sources, Protocol: 2, DisableIdentity: true, ReadTimeout: time.Minute})
	}
	c := open()
	defer c.Close()
	for _, addr := range sources {
		realnode.Eventually(t, 20*time.Second, func() error {
			return ask(addr, func(c *redis.Client) error {
				if text := c.ClusterInfo(context.Background()).Val(); !strings.Contains(text, "cluster_state:ok") {
					return fmt.Errorf("%s: %s", addr, text)
				}
				return nil
			})
		})
	}
	populate(t, c, 6000)
	stop := writers(t, open, 3, func(c redis.UniversalClient, rnd *rand.Rand, _ int) { change(c, rnd, rnd.IntN(200)) })
	defer stop()
	r := d.ctl("import", "--from", sources[1], "--flush", "--yes", "--pause", "60s", "-o", "json")
	r.want(t, 0)
	res := resultOf(t, r)
	if n := stop(); n < 100 || res.Writes == 0 || len(res.Sources) != 3 {
		t.Errorf("%d writes, %+v", n, res)
	}
	wantSame(t, contentOf(t, primaries...), contentOf(t, sources...))
}
