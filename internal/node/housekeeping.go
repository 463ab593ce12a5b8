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

// How often the house is kept, and how much of the time it may take.
const (
	houseEvery   = 100 * time.Millisecond
	expireBudget = 5 * time.Millisecond
	rehashBudget = 5 * time.Millisecond
	collectEvery = 10 // rounds
)

// keepHouse expires keys (on a primary), carries rehashing and freeing on, and samples
// the counters, until ctx ends.
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
		if !n.repl.IsReplica() && (n.cluster == nil || n.cluster.mayExpire()) {
			n.keyspace.ExpireStep(clock.WallMillis(), expireBudget)
		}
		n.keyspace.BackgroundStep(clock.WallMillis(), rehashBudget)
		if round%collectEvery == 0 {
			garbage.step()
		}
		n.usedBytes.Store(n.keyspace.UsedMemory())
		n.rates.Sample(clock.Mono(), serverStats{n}.Totals(nil))
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

func (s serverStats) ResetStats(client command.Client) { s.n.server.ResetStats(client) }

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
