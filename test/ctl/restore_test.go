package ctl

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redwingdb/redwing/internal/slots"
	"github.com/redwingdb/redwing/test/realnode"
)

// restoreMark is the key that a restore has in the cluster while it is under way.
const restoreMark = "redwing-restore"

// killedRestore kills a restore as soon as the cluster has some of its keys.
func killedRestore(t *testing.T, d *dev, dir string, keys int64) {
	t.Helper()
	before := []map[string]bool{clientsOf(t, d.addr(0)), clientsOf(t, d.addr(1))}
	r := command("-a", d.addr(0), "restore", "--from", dir, "--yes")
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	marked := d.addr(0)
	if slots.Of([]byte(restoreMark)) >= slots.Count/2 {
		marked = d.addr(1)
	}
	err := ask(marked, func(c *redis.Client) error {
		for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
			n, err := c.DBSize(context.Background()).Result()
			if err != nil || n >= keys {
				return err
			}
		}
		return errors.New("the keys do not come")
	})
	if err := errors.Join(err, r.cmd.Process.Kill()); err != nil {
		t.Error(err)
	}
	if out := r.wait(); out.code != -1 {
		t.Fatalf("it was not killed in time: %s", out)
	}
	// What it has sent is still carried out.
	for i, known := range before {
		realnode.Eventually(t, 20*time.Second, func() error {
			for id := range clientsOf(t, d.addr(i)) {
				if !known[id] {
					return fmt.Errorf("client %s is still there", id)
				}
			}
			return nil
		})
	}
}

// clientsOf returns the ids of the clients of a node, but for the one that asks.
func clientsOf(t *testing.T, addr string) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	if err := ask(addr, func(c *redis.Client) error {
		ctx := context.Background()
		own, err := c.ClientID(ctx).Result()
		if err != nil {
			return err
		}
		list, err := c.ClientList(ctx).Result()
		for line := range strings.Lines(list) {
			id, _, _ := strings.Cut(strings.TrimPrefix(line, "id="), " ")
			if id != fmt.Sprint(own) {
				out[id] = true
			}
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

// A restore that was killed goes on when it is run again, wherever that was; a cluster that
// others have written to meanwhile is refused.
func TestRestoreGoesOn(t *testing.T) {
	d := newDev(t, 2, 0, 0)
	d.up()
	primaries := []string{d.addr(0), d.addr(1)}
	ctx := context.Background()
	c := redis.NewClusterClient(&redis.ClusterOptions{Addrs: primaries, Protocol: 2, DisableIdentity: true})
	defer c.Close()
	flush := func() {
		t.Helper()
		if err := c.ForEachMaster(ctx, func(ctx context.Context, c *redis.Client) error { return c.FlushAll(ctx).Err() }); err != nil {
			t.Fatal(err)
		}
	}
	populate(t, c, 40000)
	for i := range 100 { // a value that is restored in parts
		var fields []any
		for k := range 100 {
			fields = append(fields, fmt.Sprintf("f:%d:%d", i, k), strings.Repeat(fmt.Sprint(i+k), 500))
		}
		c.HSet(ctx, "parts", fields...)
	}
	dir := filepath.Join(t.TempDir(), "backup")
	d.ctl("backup", "--to", dir, "--yes").want(t, 0)
	want := contentOf(t, primaries...)

	for _, keys := range []int64{1, 2000, 7000} {
		t.Run(fmt.Sprintf("after %d keys", keys), func(t *testing.T) {
			flush()
			killedRestore(t, d, dir, keys)
			d.ctl("restore", "--from", dir, "--dry-run").want(t, 0, "a restore of this backup was interrupted: it goes on")
			r := d.ctl("restore", "--from", dir, "--yes")
			r.want(t, 0, "restored", "read back and compared")
			if keys > 1 { // the first is the mark
				r.want(t, 0, "were there already, the same")
			}
			wantSame(t, contentOf(t, primaries...), want)
		})
	}
	t.Run("a value half-written", func(t *testing.T) {
		flush()
		killedRestore(t, d, dir, 100)
		for key, value := range map[string]string{"parts": "f:1:1", "big:hash": "x"} {
			c.Del(ctx, key)
			c.HSet(ctx, key, value, "1")
			c.HSet(ctx, restoreMark, "begun:"+key, "1")
		}
		d.ctl("restore", "--from", dir, "--yes").want(t, 0, "restored")
		wantSame(t, contentOf(t, primaries...), want)
	})
	t.Run("written to by others", func(t *testing.T) {
		flush()
		killedRestore(t, d, dir, 2000)
		c.Set(ctx, "s:7", "own", 0)
		before := contentOf(t, primaries...)
		d.ctl("restore", "--from", dir, "--yes").want(t, 1, `"s:7" is not as in the backup`, "written to by others", "--merge")
		wantSame(t, contentOf(t, primaries...), before)
		c.Del(ctx, "s:7")
		c.Set(ctx, "own", "1", 0)
		d.ctl("restore", "--from", dir, "--yes").want(t, 1, "of them are of the backup", "written to by others")

		other := filepath.Join(t.TempDir(), "other")
		d.ctl("backup", "--to", other, "--yes").want(t, 0)
		d.ctl("restore", "--from", other, "--yes").want(t, 1, "the restore of another backup into this cluster was interrupted")

		d.ctl("restore", "--from", dir, "--yes", "--merge").want(t, 0, "restored", "the cluster had and kept")
		want["own"] = `string -1 "1"`
		wantSame(t, contentOf(t, primaries...), want)
		d.ctl("restore", "--from", dir, "--yes").want(t, 1, "restore into an empty one")
	})
}
