package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// syncClients is how many connections the row of synchronous writes has: with few, each
// waits for its own round trip to the replica.
const syncClients = 200

// syncWrites compares a primary with one replica with itself: writes that wait for the
// replica, and writes that do not.
func syncWrites(ctx context.Context, o *options, out io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "redwing-bench")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	primary, err := startServer(ctx, "primary", o.node, filepath.Join(dir, "primary"), "cluster", nil, nil, nil)
	if primary != nil {
		defer primary.kill()
	}
	if err != nil {
		return err
	}
	replica, err := startServer(ctx, "replica", o.node, filepath.Join(dir, "replica"), "plain", nil, []string{"--cluster-enabled", "yes"}, nil)
	if replica != nil {
		defer replica.kill()
	}
	if err != nil {
		return err
	}
	id, err := primary.ask("CLUSTER MYID")
	if err != nil {
		return err
	}
	for _, step := range []struct{ command, want string }{
		{fmt.Sprintf("CLUSTER MEET 127.0.0.1 %d", primary.port), "+OK"},
		{"CLUSTER INFO", "cluster_known_nodes:2"},
		{"CLUSTER REPLICATE " + strings.TrimSpace(id), "+OK"},
		{"INFO replication", "master_link_status:up"},
	} {
		if err := replica.await(ctx, step.command, step.want); err != nil {
			return err
		}
	}
	many := *o
	many.clients = syncClients
	l := load{"sync", "SET", 1, 150_000}
	if o.quick {
		l.requests /= 10
	}
	rates := map[string][]float64{}
	var ratios []float64
	for round := range o.rounds {
		order := []string{"no", "always"}
		if round%2 == 1 {
			slices.Reverse(order)
		}
		for _, mode := range order {
			// With two copies demanded a write passes once both are in sync.
			if err := primary.await(ctx, "CLUSTER WRITE-CONCERN SET sync-min-copies 2 sync-writes "+mode, "+OK"); err != nil {
				return err
			}
			if err := primary.await(ctx, "SET probe 1", "+OK"); err != nil {
				return err
			}
			got, err := primary.measure(ctx, &many, l)
			if err != nil {
				return err
			}
			rates[mode] = append(rates[mode], got.rate())
		}
		ratios = append(ratios, rates["always"][round]/rates["no"][round])
	}
	_, err = fmt.Fprintf(out, "\nSET with one replica, cluster mode, %d clients: %.0f ops/s sync, %.0f async, ratio %.2f, bar >= 0.60\n",
		syncClients, median(rates["always"]), median(rates["no"]), median(ratios))
	return err
}

// kill ends the server.
func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait() // it was killed: its exit status says only that
}
