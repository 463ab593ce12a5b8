package migration

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/slots"
	"github.com/redwingdb/redwing/internal/topology"
)

const shardC = topology.ShardID("ffffffffffffffffffffffffffffffffffffffff")

// thirdShard adds shard C, which is one node and owns no slots.
func (c *testCluster) thirdShard() *testNode {
	n := c.newNode("5")
	c.log.must(topology.JoinNode{Node: n.member(), Shard: shardC})
	n.start()
	return n
}

// beginMany begins n moves of 100 slots each, from slot first on.
func beginMany(t *testing.T, from *testNode, target topology.ShardID, first, n int) (jobs []string) {
	t.Helper()
	for i := range n {
		at := slots.Slot(first + 100*i)
		job, err := from.mover.Begin(context.Background(), shardA, target, slots.SetOf(slots.Range{From: at, To: at + 99}))
		if err != nil {
			t.Fatal(err)
		}
		jobs = append(jobs, job)
	}
	return jobs
}

// Jobs whose target is down wait to connect again; they do not keep the node's other
// jobs from going.
func TestJobsToADeadShardLeaveOthersTheirTurn(t *testing.T) {
	c, a1, _, b1, b2 := newCluster(t)
	c1 := c.thirdShard()
	m := load(t, a1, 500)
	b1.stop()
	b2.stop()
	dead := beginMany(t, a1, shardB, 0, 2*maxSources)
	eventually(t, "they all try", func() bool {
		for _, job := range dead {
			if s, ok := a1.mover.StatusOf(job); !ok || s.Message == "" {
				return false
			}
		}
		return true
	})
	jobs := beginMany(t, a1, shardC, 8000, 2)
	for _, job := range jobs {
		eventually(t, "the job to the living shard is committed", func() bool { return c.move(job).State == topology.MoveCommitted })
	}
	for _, job := range dead {
		if err := a1.mover.Cancel(context.Background(), job); err != nil {
			t.Fatal(err)
		}
	}
	c.settled(t, jobs[1], topology.MoveCommitted, a1, c1)
	m.verify(t, c.log.truth.Load(), map[topology.ShardID][]*testNode{shardA: {a1}, shardC: {c1}})
}

// No more than maxSources jobs are connected at once, the others wait longer than a
// silent target may, and each has its turn.
func TestSourcesTakeTurns(t *testing.T) {
	c, a1, a2, _, _ := newCluster(t)
	c1 := c.thirdShard()
	m := load(t, a1, 500)
	var open atomic.Bool
	c.log.refuse = func(_ *nodeLog, e topology.Entry) error {
		if e.Kind() == topology.KindCommitMove && !open.Load() {
			return errors.New("no leader")
		}
		return nil
	}
	jobs := beginMany(t, a1, shardC, 0, maxSources+2)
	connected := func() (n int) {
		for _, job := range jobs {
			if s, ok := a1.mover.StatusOf(job); ok && s.Phase == SourceReady.String() {
				n++
			}
		}
		return n
	}
	eventually(t, "as many as may are connected", func() bool { return connected() == maxSources })
	patience := time.Now().Add(2 * testNodeTimeout)
	eventually(t, "a silent target would have been given up", func() bool {
		if n := connected(); n > maxSources {
			t.Fatalf("%d jobs are connected", n)
		}
		return time.Now().After(patience)
	})
	for _, s := range a1.mover.Status() {
		if s.Tries != 1 || s.Message != "" {
			t.Errorf("job %s in phase %s after %d tries: %s", s.Job, s.Phase, s.Tries, s.Message)
		}
	}
	open.Store(true)
	for _, job := range jobs {
		eventually(t, "each job is committed", func() bool { return c.move(job).State == topology.MoveCommitted })
		if got := c.move(job).Attempt; got != 1 {
			t.Errorf("attempt %d of %s has won", got, job)
		}
	}
	c.settled(t, jobs[0], topology.MoveCommitted, a1, c1)
	m.verify(t, c.log.truth.Load(), map[topology.ShardID][]*testNode{shardA: {a1, a2}, shardC: {c1}})
}
