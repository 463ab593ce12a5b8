package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

func resyncRows() []typeRow {
	return []typeRow{{"full resync of 5 M keys of 64 bytes", resync}}
}

// resync measures how long it takes until a new replica has all data: two nodes, and two
// redis-servers with their defaults, but without the delay before a diskless sync.
func resync(ctx context.Context, o *options, t *table) (err error) {
	ourPrimary, theirPrimary, stop, err := startBoth(ctx, o, "plain")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	ourReplica, theirReplica, stopReplicas, err := startBoth(ctx, o, "plain")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopReplicas()) }()
	n := o.scaled(5_000_000)
	pairs := [][2]*server{{ourPrimary, ourReplica}, {theirPrimary, theirReplica}}
	for _, p := range pairs {
		if err := p[0].fill(ctx, n); err != nil {
			return err
		}
	}
	if err := theirPrimary.await(ctx, "CONFIG SET repl-diskless-sync-delay 0", "+OK"); err != nil {
		return err
	}
	rounds := o.rounds
	if o.quick {
		rounds = 1
	}
	var took [2][]float64
	var ratios []float64
	for round := range rounds {
		order := []int{0, 1}
		if round%2 == 1 {
			slices.Reverse(order)
		}
		for _, i := range order {
			d, err := pairs[i][1].follow(ctx, pairs[i][0])
			if err != nil {
				return err
			}
			took[i] = append(took[i], d.Seconds())
		}
		ratios = append(ratios, took[0][round]/took[1][round])
	}
	t.add(figure{fmt.Sprintf("full resync of %d keys of 64 bytes", n), median(took[0]), median(took[1]), median(ratios), "s", "<= 0.8"})
	return nil
}

// follow makes s a replica of p, waits until it has everything, and makes it a primary
// again: p does not know its new history, so that the next time is a full resync, too.
func (s *server) follow(ctx context.Context, p *server) (time.Duration, error) {
	begin := time.Now()
	if err := s.await(ctx, fmt.Sprintf("REPLICAOF 127.0.0.1 %d", p.port), "+OK"); err != nil {
		return 0, err
	}
	if err := s.await(ctx, "INFO replication", "master_link_status:up"); err != nil {
		return 0, err
	}
	took := time.Since(begin)
	return took, s.await(ctx, "REPLICAOF NO ONE", "+OK")
}
