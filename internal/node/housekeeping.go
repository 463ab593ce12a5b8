package node

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redwingdb/redwing/internal/clock"
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/commands/admin"
	"github.com/redwingdb/redwing/internal/replication"
)

// How often the house is kept.
const (
	houseEvery   = 100 * time.Millisecond
	collectEvery = 10 // rounds
)

// keepHouse samples the counters and collects garbage until ctx ends.
func (n *Node) keepHouse(ctx context.Context) error {
	tick := time.NewTicker(houseEvery)
	defer tick.Stop()
	garbage := newCollector()
	for round := 1; ; round++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if round%collectEvery == 0 {
			garbage.step()
		}
		n.countMemory()
		if n.whole() {
			n.saves.Tick()
		}
		n.rates.Sample(clock.Mono(), serverStats{n}.Totals(nil))
	}
}

// countMemory notes the peak, and holds the backlog against maxmemory: what replicas have
// not taken yet beyond it does not count, or it would evict keys whose deletion makes it
// longer (Redis 7.2, evict.c, freeMemoryGetNotCountedMemory).
func (n *Node) countMemory() {
	b := n.effects.Backlog()
	bytes := min(b.Bytes, b.Size)
	n.keyspace.CountBytes(bytes - n.backlogBytes.Swap(bytes))
	n.peakBytes.Store(max(n.peakBytes.Load(), n.keyspace.CountedBytes()))
}

// memoryCounts is what INFO and MEMORY ask beside the engine's counters.
func (n *Node) memoryCounts() admin.MemoryCounts {
	backlog := n.backlogBytes.Load()
	total, current := n.defrag.millis()
	return admin.MemoryCounts{
		DefragPercent: n.defrag.percent.Load(), DefragMillis: total, DefragNowMillis: current,
		PeakBytes: n.peakBytes.Load(), StartupBytes: n.startBytes, BacklogBytes: backlog,
		ReplicaBytes: max(0, n.effects.MemoryBytes()-backlog),
		ClientBytes:  max(0, n.keyspace.BufferBytes()-backlog),
	}
}

// serverStats is the server's counters as INFO takes them. The server is built after
// the commands, so it is asked late.
type serverStats struct{ n *Node }

func (s serverStats) Totals(client command.Client) admin.Totals {
	return admin.Totals(s.n.server.Totals(client))
}

func (s serverStats) EachSpec(f func(spec *command.Spec, calls, nanos int64)) {
	s.n.server.EachSpec(f)
}

func (s serverStats) ResetStats(client command.Client) {
	s.n.server.ResetStats(client)
	s.n.server.KeepSlotUses(nil)
}

// followConfigured makes a plain node the replica that its configuration says.
func (n *Node) followConfigured() error {
	of := n.cfg.ReplicaOf.Get()
	if len(of) != 2 {
		return nil
	}
	port, err := strconv.Atoi(of[1])
	if err != nil {
		return fmt.Errorf("replicaof: %w", err)
	}
	n.repl.Follow(replication.Target{Host: of[0], Port: port})
	return nil
}
