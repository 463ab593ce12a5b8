package consensus

import (
	"context"
	"slices"
	"testing"
	"time"
)

// BenchmarkCommit is the latency of a proposal at the leader of three voters, each with
// raft-wal on this disk.
func BenchmarkCommit(b *testing.B) {
	var nodes []*node
	for i := range 3 {
		n := &node{t: b, name: string(rune('a' + i)), dir: b.TempDir()}
		n.boot("127.0.0.1:0")
		defer n.kill()
		nodes = append(nodes, n)
	}
	ctx := context.Background()
	for _, n := range nodes[1:] {
		if err := n.c.Meet(ctx, nodes[0].addr); err != nil {
			b.Fatal(err)
		}
	}
	var lead *node
	for lead == nil || len(lead.c.View().Voters()) != 3 {
		for _, n := range nodes {
			if n.c.IsLeader() {
				lead = n
			}
		}
		time.Sleep(time.Millisecond)
	}
	var took []time.Duration
	for b.Loop() {
		began := time.Now()
		if _, err := lead.c.Propose(ctx, bump(lead.c.View())); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}
