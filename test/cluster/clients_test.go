package cluster

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/redwingdb/redwing/test/realnode"
)

// TestRealClients walks a cluster through its life with unchanged clients: redis-cli
// forms and checks it, go-redis and rueidis fill it, a primary is killed under load
// and comes back as a replica, slots are moved, a primary is added, given its share,
// and removed again. At each step every confirmed write is readable.
func TestRealClients(t *testing.T) {
	const keys = 100_000
	cluster := start(t, 6)

	args := append([]string{"--cluster", "create"}, cluster.addrs()...)
	out := run(t, "redis-cli", append(args, "--cluster-replicas", "1", "--cluster-yes")...)
	if !strings.Contains(out, "[OK] All 16384 slots covered.") {
		t.Fatalf("redis-cli --cluster create:\n%s", out)
	}
	cluster.awaitHealthy(t)
	redisCLIAgrees(t, cluster)

	client := clusterClient(t, cluster.addrs())
	loadKeys(t, client, keys)
	checkKeys(t, client, keys, "after loading")
	checkWithRueidis(t, cluster, keys)
	checkWithRedisCLI(t, cluster)

	w := startWriters(t, cluster.addrs(), 24)
	w.verify("before the failover")

	victim := cluster.byRole(t, "master")[0]
	waitReplicated(t, cluster)
	w.longestGap()
	began := time.Now()
	victim.Kill()
	w.awaitAcked(20 * time.Second)
	t.Logf("kill -9 of %s: writes were unavailable for %.2f s (all keys written again after %.2f s)",
		victim.Addr, w.longestGap().Seconds(), time.Since(began).Seconds())
	w.verify("after the failover")
	checkKeys(t, client, keys, "after the failover")

	victim.Start()
	victim.AwaitLoaded()
	realnode.Eventually(t, 30*time.Second, func() error { return linkedReplica(victim) })
	cluster.awaitHealthy(t)
	w.awaitConfirmed(10 * time.Second)
	w.verify("after the restart")

	primaries := cluster.byRole(t, "master")
	before := slotCount(t, primaries[0])
	clusterctl(t, primaries[0], "reshard", "--yes", "--to", primaries[0].Addr, "--slots", "2000")
	if after := slotCount(t, primaries[0]); after != before+2000 {
		t.Fatalf("%s owns %d slots, had %d, and was to get 2000", primaries[0].Addr, after, before)
	}
	w.awaitConfirmed(10 * time.Second)
	w.verify("after resharding 2000 slots")
	checkKeys(t, client, keys, "after resharding")

	extra := start(t, 1)[0]
	clusterctl(t, cluster[0], "add-node", "--yes", extra.Addr)
	clusterctl(t, cluster[0], "rebalance", "--yes", "--use-empty")
	if n := slotCount(t, extra); n < 4000 || n > 4200 {
		t.Fatalf("the added primary owns %d slots, want a quarter", n)
	}
	w.awaitAcked(10 * time.Second)
	w.verify("after adding a primary")
	checkKeys(t, client, keys, "after adding a primary")

	clusterctl(t, cluster[0], "remove-node", "--yes", extra.Addr)
	cluster.awaitHealthy(t)
	if strings.Contains(cluster[0].must("CLUSTER", "NODES"), extra.Addr) {
		t.Fatalf("%s is still listed:\n%s", extra.Addr, cluster[0].must("CLUSTER", "NODES"))
	}
	w.awaitConfirmed(10 * time.Second)
	w.verify("after removing it again")
	checkKeys(t, client, keys, "after removing it again")
	redisCLIAgrees(t, cluster)
}

// redisCLIAgrees runs redis-cli's own checks.
func redisCLIAgrees(t *testing.T, n nodes) {
	t.Helper()
	realnode.Eventually(t, 20*time.Second, func() error {
		out, err := tryRun("redis-cli", "--cluster", "check", n[0].Addr)
		if err != nil || !strings.Contains(out, "[OK] All nodes agree about slots configuration.") || !strings.Contains(out, "[OK] All 16384 slots covered.") {
			return fmt.Errorf("redis-cli --cluster check: %w\n%s", err, out)
		}
		return nil
	})
	if out := run(t, "redis-cli", "--cluster", "info", n[0].Addr); !strings.Contains(out, "[OK]") {
		t.Fatalf("redis-cli --cluster info:\n%s", out)
	}
}

func checkWithRedisCLI(t *testing.T, n nodes) {
	t.Helper()
	_, port, _ := strings.Cut(n[0].Addr, ":")
	for i := range 5 {
		key := "cli:" + strconv.Itoa(i)
		if out := run(t, "redis-cli", "-c", "-p", port, "set", key, "v"); strings.TrimSpace(out) != "OK" {
			t.Fatalf("redis-cli -c set %s: %s", key, out)
		}
		if out := run(t, "redis-cli", "-c", "-p", port, "get", key); strings.TrimSpace(out) != "v" {
			t.Fatalf("redis-cli -c get %s: %s", key, out)
		}
	}
}

func checkWithRueidis(t *testing.T, n nodes, keys int) {
	t.Helper()
	c, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: n.addrs(), DisableCache: true})
	if err != nil {
		t.Fatalf("rueidis: %v", err)
	}
	defer c.Close()
	ctx := context.Background()
	const batch = 500
	for i := 0; i < keys; i += batch {
		cmds := make(rueidis.Commands, 0, batch)
		for j := i; j < min(keys, i+batch); j++ {
			cmds = append(cmds, c.B().Get().Key(fmt.Sprintf("key:%d", j)).Build())
		}
		for j, r := range c.DoMulti(ctx, cmds...) {
			got, err := r.ToString()
			if want := fmt.Sprintf("value:%d", i+j); err != nil || got != want {
				t.Fatalf("rueidis: key:%d is %q (%v), want %q", i+j, got, err, want)
			}
		}
	}
	if err := c.Do(ctx, c.B().Set().Key("rueidis").Value("v").ExSeconds(100).Build()).Error(); err != nil {
		t.Fatalf("rueidis: %v", err)
	}
}

// linkedReplica returns nil if p follows its primary.
func linkedReplica(p *process) error {
	role, err := p.Field("role", "INFO", "replication")
	if err != nil {
		return err
	}
	if role != "slave" {
		return fmt.Errorf("%s is %s, not a replica", p.Addr, role)
	}
	link, err := p.Field("master_link_status", "INFO", "replication")
	if err != nil {
		return err
	}
	if link != "up" {
		return fmt.Errorf("the link of %s is %s", p.Addr, link)
	}
	return nil
}

// waitReplicated waits until each primary's replicas have what it had at the call.
func waitReplicated(t *testing.T, n nodes) {
	t.Helper()
	for _, p := range n.byRole(t, "master") {
		realnode.Eventually(t, 20*time.Second, func() error {
			got := p.must("WAIT", "1", "1000")
			if got != "1" {
				return fmt.Errorf("%s has %s replicas that are up to date", p.Addr, got)
			}
			return nil
		})
	}
}

func slotCount(t *testing.T, p *process) int {
	t.Helper()
	id := p.must("CLUSTER", "MYID")
	total := 0
	for line := range strings.Lines(p.must("CLUSTER", "NODES")) {
		f := strings.Fields(line)
		if len(f) < 8 || f[0] != id {
			continue
		}
		for _, text := range f[8:] {
			from, to, both := strings.Cut(text, "-")
			a, errA := strconv.Atoi(from)
			b := a
			var errB error
			if both {
				b, errB = strconv.Atoi(to)
			}
			if errA != nil || errB != nil {
				t.Fatalf("slot range %q", text)
			}
			total += b - a + 1
		}
	}
	return total
}
