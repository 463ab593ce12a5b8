//go:build linux && !race && !arenacheck

package engine

import (
	"os"
	"os/exec"
	"testing"
)

// Under a limit of addresses the shards get less, all the same, and work.
func TestReserveUnderLimit(t *testing.T) {
	const inside = "REDWING_TEST_ADDRESS_LIMIT"
	if os.Getenv(inside) == "" {
		exe, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("sh", "-c", `ulimit -v 16000000 && exec "$0" -test.run '^TestReserveUnderLimit$'`, exe)
		cmd.Env = append(os.Environ(), inside+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return
	}
	k := newKeyspace(t, Options{Shards: 8})
	limit := k.Stats().LimitBytes
	if limit < 8*leastShardBytes || limit > 8_000_000<<10 {
		t.Fatalf("%d bytes reserved under a limit of 16 GB", limit)
	}
	for i := range k.shards {
		if k.shards[i].arena.Limit() != limit/8 {
			t.Errorf("shard %d has %d bytes of %d", i, k.shards[i].arena.Limit(), limit)
		}
	}
	benchKeys(t, k, 1000)
	if err := k.checkInvariants(); err != nil {
		t.Fatal(err)
	}
}
