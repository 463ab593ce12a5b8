package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// work is one command under load: __rand_int__ stands for a number below keys, drawn
// anew wherever it stands.
type work struct {
	name     string
	requests int
	keys     int
	// fill, where set, is run before each round, fillTimes as often as the work itself.
	fill      []string
	fillTimes float64
	words     []string
}

func cpuRows() (rows []typeRow) {
	value := strings.Repeat("v", 64)
	words := func(s string) []string { return strings.Fields(s) }
	mset := []string{"MSET"}
	for range 10 {
		mset = append(mset, "key:"+random, value)
	}
	var hundred []string
	for i := range 100 {
		hundred = append(hundred, fmt.Sprintf("element:%08d", i))
	}
	for _, w := range []work{
		{"CPU of GET", 1_000_000, 100_000, []string{"SET", "key:" + random, value}, 0.3, words("GET key:" + random)},
		{"CPU of SET", 1_000_000, 100_000, nil, 0, []string{"SET", "key:" + random, value}},
		{"CPU of INCR", 1_000_000, 100_000, nil, 0, words("INCR counter:" + random)},
		{"CPU of LPUSH", 1_000_000, 100_000, nil, 0, words("LPUSH list:" + random + " element:" + random)},
		{"CPU of RPOP", 1_000_000, 100_000, words("LPUSH list:" + random + " element:" + random), 2, words("RPOP list:" + random)},
		{"CPU of SADD", 1_000_000, 100_000, nil, 0, words("SADD set:" + random + " member:" + random)},
		{"CPU of SPOP", 1_000_000, 100_000, words("SADD set:" + random + " member:" + random), 2, words("SPOP set:" + random)},
		{"CPU of HSET", 1_000_000, 100_000, nil, 0, words("HSET hash:" + random + " field:" + random + " value:" + random)},
		{"CPU of ZADD", 1_000_000, 100_000, nil, 0, words("ZADD zset:" + random + " " + random + " member:" + random)},
		{"CPU of ZPOPMIN", 1_000_000, 100_000, words("ZADD zset:" + random + " " + random + " member:" + random), 2, words("ZPOPMIN zset:" + random)},
		{"CPU of ZADD to one big set", 500_000, 1_000_000, nil, 0, words("ZADD zset " + random + " member:" + random)},
		{"CPU of HSET to one big hash", 500_000, 1_000_000, nil, 0, words("HSET hash field:" + random + " value:" + random)},
		{"CPU of LRANGE_100", 100_000, 1_000, append(words("RPUSH list:"+random), hundred...), 0.05, words("LRANGE list:" + random + " 0 99")},
		{"CPU of MSET(10)", 200_000, 100_000, nil, 0, mset},
		{"CPU of XADD", 1_000_000, 1_000, nil, 0, words("XADD stream:" + random + " * field value:" + random)},
	} {
		rows = append(rows, typeRow{w.name, w.measure})
	}
	return rows
}

// settleAfterFlush is how long a server is left alone after FLUSHALL.
const settleAfterFlush = 300 * time.Millisecond

// measure runs the alternating rounds of one command. Every round begins with the same
// data, so that what a round adds or takes meets both servers alike.
func (w work) measure(ctx context.Context, o *options, t *table) (err error) {
	ours, theirs, stop, err := startBoth(ctx, o, "plain")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	rounds, n := o.rounds, o.scaled(w.requests)
	if o.quick {
		rounds = 1
	}
	var a, b []sample
	for round := range rounds {
		order := []*server{ours, theirs}
		if round%2 == 1 {
			slices.Reverse(order)
		}
		for _, s := range order {
			if _, err := s.ask("FLUSHALL"); err != nil {
				return err
			}
			time.Sleep(settleAfterFlush)
			if w.fill != nil {
				if _, err := s.benchmark(ctx, o, max(1, int(w.fillTimes*float64(n))), w.keys, 16, w.fill); err != nil {
					return err
				}
			}
			got, err := s.benchmark(ctx, o, n, w.keys, 16, w.words)
			if err != nil {
				return err
			}
			if s == ours {
				a = append(a, got)
			} else {
				b = append(b, got)
			}
		}
	}
	t.add(figure{w.name, median(each(a, sample.cpuMicros)), median(each(b, sample.cpuMicros)), medianRatio(a, b, sample.cpuMicros), "us", "<= 0.85"})
	return nil
}
