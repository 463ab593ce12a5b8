package ctl

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/redwingdb/redwing/internal/clusterctl"
	"github.com/redwingdb/redwing/internal/disk"
	"github.com/redwingdb/redwing/internal/redistest"
)

// A backup is taken from the replicas, checked, and restored into a cluster of another
// size. One that is damaged or unfinished is refused before anything is written.
func TestBackupAndRestore(t *testing.T) {
	d := newDev(t, 2, 1, 0)
	d.up()
	c := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{d.addr(0)}, Protocol: 2, DisableIdentity: true})
	populate(t, c, 5000)
	_ = c.Close()
	dir := filepath.Join(t.TempDir(), "backup")
	d.ctl("backup", "--to", dir, "--dry-run").want(t, 0, "is read into shard-")
	d.ctl("backup", "--to", dir, "--yes").want(t, 0, "backup of cluster")
	d.ctl("backup", "--to", dir, "--yes").want(t, 2, "holds a backup already")
	ctl("backup", "--verify", dir).want(t, 0, "backup of cluster")
	m := manifestOf(t, dir)
	for _, s := range m.Shards {
		if s.From == d.addr(0) || s.From == d.addr(1) {
			t.Errorf("%s was read from a primary, %s", s.File, s.From)
		}
	}
	want := contentOf(t, d.addr(0), d.addr(1))

	e := newDev(t, 3, 0, 0)
	e.up()
	file := filepath.Join(dir, m.Shards[1].File)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	refused := func(why string) {
		t.Helper()
		ctl("backup", "--verify", dir).want(t, 1, why)
		e.ctl("restore", "--from", dir, "--yes").want(t, 1, why)
		if got := contentOf(t, e.addr(0), e.addr(1), e.addr(2)); len(got) != 0 {
			t.Fatalf("%d keys of a damaged backup were restored", len(got))
		}
	}
	damaged := append([]byte(nil), whole...)
	damaged[len(damaged)/2] ^= 4
	put(t, file, damaged)
	refused("damaged")
	put(t, file, whole[:len(whole)-1])
	refused("the manifest says")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	refused("no such file")
	put(t, file, whole)
	manifest := filepath.Join(dir, "manifest.json")
	text, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(manifest); err != nil {
		t.Fatal(err)
	}
	refused("never finished")
	put(t, manifest, text)

	e.ctl("restore", "--from", dir, "--dry-run").want(t, 0, "is read into the cluster")
	e.ctl("restore", "--from", dir, "--yes").want(t, 0, "restored")
	wantSame(t, contentOf(t, e.addr(0), e.addr(1), e.addr(2)), want)

	t.Run("merge", func(t *testing.T) { mergeBackup(t, e, dir, want) })
	t.Run("import through a failover", func(t *testing.T) { importThroughFailover(t, d) })
}

// A primary of the cluster dies in the middle of an import: its replica takes over, and
// what was under way is read again from the source.
func importThroughFailover(t *testing.T, d *dev) {
	t.Helper()
	s := redistest.Start(t)
	c := client(s.Addr())
	defer c.Close()
	populate(t, c, 30000)
	stop := writers(t, func() redis.UniversalClient { return client(s.Addr()) }, 2, func(c redis.UniversalClient, rnd *rand.Rand, i int) { change(c, rnd, rnd.IntN(200)) })
	defer stop()
	r := command("-a", d.addr(1), "import", "--from", s.Addr(), "--flush", "--yes", "--pause", "60s", "-o", "json")
	out := whileCopying(t, d, r, func() { d.kill(0) })
	out.want(t, 0)
	stop()
	var list []member
	decode(t, ctl("-a", d.addr(1), "nodes", "-o", "json"), &list)
	var owners []string
	for _, m := range list {
		if m.Slots > 0 {
			owners = append(owners, m.Addr)
		}
	}
	if slices.Contains(owners, d.addr(0)) || len(owners) != 2 {
		t.Errorf("the slots are those of %q", owners)
	}
	wantSame(t, contentOf(t, owners...), contentOf(t, s.Addr()))
}

// mergeBackup restores into a cluster that has all of the keys, one of them changed.
func mergeBackup(t *testing.T, e *dev, dir string, want map[string]string) {
	t.Helper()
	c := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{e.addr(0)}, Protocol: 2, DisableIdentity: true})
	defer c.Close()
	if err := c.Set(t.Context(), "s:1", "own", 0).Err(); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"big:hash", "s:2"} {
		if err := c.Del(t.Context(), key).Err(); err != nil {
			t.Fatal(err)
		}
	}
	e.ctl("restore", "--from", dir, "--yes").want(t, 1, "--merge")
	e.ctl("restore", "--from", dir, "--yes", "--replace").want(t, 2, "--merge")
	e.ctl("restore", "--from", dir, "--yes", "--merge").want(t, 0, "restored")
	if v := c.Get(t.Context(), "s:1").Val(); v != "own" {
		t.Errorf("a key that was there was not kept: %q", v)
	}
	e.ctl("restore", "--from", dir, "--yes", "--merge", "--replace").want(t, 0, "restored")
	wantSame(t, contentOf(t, e.addr(0), e.addr(1), e.addr(2)), want)
}

func put(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func manifestOf(t *testing.T, dir string) *clusterctl.Manifest {
	t.Helper()
	m, err := clusterctl.ReadManifest(disk.OS{}, dir)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
