package consensus

import (
	"context"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/clock"
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

// BenchmarkElection is the time from the death of the leader of three voters to the
// election of the next.
func BenchmarkElection(b *testing.B) {
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
	find := func(voters int) *node {
		for {
			for _, n := range nodes {
				if n.c != nil && n.c.IsLeader() && len(n.c.View().Voters()) == voters {
					return n
				}
			}
			time.Sleep(time.Millisecond)
		}
	}
	var took []time.Duration
	for b.Loop() {
		lead := find(3)
		addr := lead.addr
		for _, n := range nodes { // all have heard of it for a while
			if _, err := n.c.Fresh(ctx); err != nil {
				b.Fatal(err)
			}
		}
		began := clock.Mono()
		lead.kill()
		took = append(took, time.Duration(find(3).c.ElectedAt()-began))
		lead.boot(addr)
		for lead.c.Leader() == "" {
			time.Sleep(time.Millisecond)
		}
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Milliseconds()), "p50-ms")
	b.ReportMetric(float64(took[len(took)*9/10].Milliseconds()), "p90-ms")
}

// BenchmarkIdle is the CPU time six nodes, five of them voters, take while nothing
// happens: one iteration is a second.
func BenchmarkIdle(b *testing.B) {
	var nodes []*node
	ctx := context.Background()
	for i := range 6 {
		n := &node{t: b, name: string(rune('a' + i)), dir: b.TempDir()}
		n.boot("127.0.0.1:0")
		defer n.kill()
		nodes = append(nodes, n)
		if i > 0 {
			if err := n.c.Meet(ctx, nodes[0].addr); err != nil {
				b.Fatal(err)
			}
		}
	}
	for len(nodes[0].c.View().Voters()) != 5 {
		time.Sleep(10 * time.Millisecond)
	}
	cpu := func() time.Duration {
		var r syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
			b.Fatal(err)
		}
		return time.Duration(r.Utime.Nano() + r.Stime.Nano())
	}
	before, n := cpu(), 0
	for b.Loop() {
		time.Sleep(time.Second)
		n++
	}
	b.ReportMetric(float64((cpu()-before).Milliseconds())/float64(n), "cpu-ms/s")
}
