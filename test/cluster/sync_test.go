package cluster

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redwingdb/redwing/test/realnode"
)

// TestSyncWrites: a cluster whose writes are always synchronous keeps its in-sync sets,
// goes on without a copy that dies, and takes it in again; a copy too few, where two are
// demanded, refuses writes before they run; and what was acknowledged outlives the primary.
func TestSyncWrites(t *testing.T) {
	n := start(t, 4)
	n.create(t, 1)
	if _, err := n[0].ask("CLIENT", "WRITE-CONCERN", "SYNC"); err == nil {
		t.Fatal("synchronous writes are to be allowed first")
	}
	clusterctl(t, n[0], "config", "set", "--yes", "sync-writes", "always")
	n.awaitInSync(t, 2)
	if text := clusterctl(t, n[1], "config", "get"); !strings.Contains(text, "always") || strings.Count(text, "127.0.0.1:") != 4 {
		t.Errorf("config get shows\n%s", text)
	}
	if text := clusterctl(t, n[2], "status"); strings.Count(text, " yes ") != 4 {
		t.Errorf("status shows\n%s", text)
	}
	c := clusterClient(t, n.addrs())
	ctx := context.Background()
	set := func(i int) error { return c.Set(ctx, "key:"+strconv.Itoa(i), i, 0).Err() }
	written := 0
	write := func(count int) {
		t.Helper()
		for range count {
			if err := set(written); err != nil {
				t.Fatalf("write %d: %v", written, err)
			}
			written++
		}
	}
	write(200)

	// Slots leave with what was written, while more is.
	moved := make(chan error, 1)
	go func() {
		_, err := tryRun(filepath.Join(bin, "clusterctl"), "-a", n[0].Addr, "reshard", "--yes", "--slots", "4000",
			"--from", n[0].Addr, "--to", n[1].Addr)
		moved <- err
	}()
	for done := false; !done; {
		write(20)
		select {
		case err := <-moved:
			if err != nil {
				t.Fatal(err)
			}
			done = true
		default:
		}
	}

	replica := n.byRole(t, "slave")[0]
	replica.Kill()
	other := n.byRole(t, "master")[0]
	if text := clusterctl(t, other, "config", "get"); strings.Count(text, "127.0.0.1:") != 3 || strings.Contains(text, replica.Addr) {
		t.Errorf("without %s, which may still stand in the log, config get shows\n%s", replica.Addr, text)
	}
	write(200) // one of them waits until the copy has left the set
	replica.Start()
	replica.AwaitLoaded()
	n.awaitInSync(t, 2)

	n[0].must("CLUSTER", "WRITE-CONCERN", "SET", "sync-min-copies", "2")
	write(10)
	replica.Kill()
	realnode.Eventually(t, 20*time.Second, func() error {
		for _, p := range n.byRole(t, "master") { // one of the keys is each one's own
			for _, key := range []string{"a", "b", "c"} {
				if _, err := p.ask("SET", key, 1); err != nil && strings.HasPrefix(err.Error(), "NOREPLICAS") {
					return nil
				}
			}
		}
		return fmt.Errorf("no write is refused with one copy of two")
	})
	replica.Start()
	replica.AwaitLoaded()
	n.awaitInSync(t, 2)
	n[0].must("CLUSTER", "WRITE-CONCERN", "SET", "sync-min-copies", "0")

	primary := n.byRole(t, "master")[0]
	write(200)
	primary.Kill()
	for i := range written {
		realnode.Eventually(t, 20*time.Second, func() error {
			got, err := n.get("key:" + strconv.Itoa(i))
			if err == nil && got != strconv.Itoa(i) {
				t.Fatalf("key:%d was acknowledged and is lost: %q", i, got)
			}
			return err
		})
	}
	primary.Start()
	primary.AwaitLoaded()
	n.awaitInSync(t, 2)
}

// get asks every node that runs for a key until one has it to give. (go-redis does not ask
// for the map again while a node refuses connections.)
func (n nodes) get(key string) (value string, err error) {
	for _, p := range n {
		select {
		case <-p.Done():
			continue
		default:
		}
		if value, err = p.ask("GET", key); err == nil || err == redis.Nil {
			return value, nil
		}
	}
	return "", err
}

// TestSyncWritesOnDisk: with appendfsync always what was acknowledged outlives the death of
// all processes at once, and a node that comes back is in sync at once.
func TestSyncWritesOnDisk(t *testing.T) {
	n := start(t, 4, "--appendonly", "yes", "--appendfsync", "always")
	n.create(t, 1)
	n[0].must("CLUSTER", "WRITE-CONCERN", "SET", "sync-writes", "always")
	n.awaitInSync(t, 2)
	c := clusterClient(t, n.addrs())
	written := 0
	for round := range 3 {
		for range 150 {
			if err := c.Set(context.Background(), "key:"+strconv.Itoa(written), written, 0).Err(); err != nil {
				t.Fatalf("write %d: %v", written, err)
			}
			written++
		}
		for _, p := range n {
			realnode.Eventually(t, 20*time.Second, func() error {
				_, err := os.Stat(filepath.Join(p.Dir, "cluster", "lineage.json"))
				return err
			})
		}
		for _, p := range n {
			p.Signal(syscall.SIGKILL)
		}
		for i := range n {
			p := n[(i+round)%len(n)]
			<-p.Done()
			p.Start()
		}
		for _, p := range n {
			p.AwaitLoaded()
		}
		for i := range written {
			realnode.Eventually(t, 30*time.Second, func() error {
				got, err := n.get("key:" + strconv.Itoa(i))
				if err == nil && got != strconv.Itoa(i) {
					t.Fatalf("round %d: key:%d was acknowledged and is lost: %q", round, i, got)
				}
				return err
			})
		}
		n.awaitInSync(t, 2)
		c = clusterClient(t, n.addrs())
	}
}
