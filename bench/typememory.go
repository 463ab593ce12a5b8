package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// filling is a data set: requests that make it, each with so many elements.
type filling struct {
	name     string
	requests int
	elements int // a request
	request  func(i int) []string
}

func memoryRows() (rows []typeRow) {
	value := strings.Repeat("v", 64)
	member := func(i int) string { return fmt.Sprintf("member:%08d", i) }
	// hundred adds 100 elements to one key a request.
	hundred := func(command string, words func(j int) []string) func(i int) []string {
		return func(i int) []string {
			out := []string{command, fmt.Sprintf("key:%012d", i)}
			for j := range 100 {
				out = append(out, words(j)...)
			}
			return out
		}
	}
	// big adds 100 elements a request to keys of 10,000.
	big := func(command string, words func(j int) []string) func(i int) []string {
		return func(i int) []string {
			out := []string{command, fmt.Sprintf("key:%012d", i/100)}
			for j := range 100 {
				out = append(out, words(i%100*100+j)...)
			}
			return out
		}
	}
	pair := func(j int) []string { return []string{member(j), value[:16]} }
	scored := func(j int) []string { return []string{strconv.Itoa(j * 7 % 10_000), member(j)} }
	one := func(j int) []string { return []string{member(j)} }
	for _, f := range []filling{
		{"memory of strings of 16+64 bytes", 1_000_000, 1, func(i int) []string { return []string{"SET", fmt.Sprintf("key:%012d", i), value} }},
		{"memory of integers", 1_000_000, 1, func(i int) []string {
			return []string{"SET", fmt.Sprintf("key:%012d", i), strconv.Itoa(i*7919 + 100_000)}
		}},
		{"memory of hashes of 5 fields", 300_000, 5, func(i int) []string {
			return []string{"HSET", fmt.Sprintf("key:%012d", i), "name", member(i), "age", strconv.Itoa(i % 90), "mail", value[:20], "city", "Palermo", "score", strconv.Itoa(i)}
		}},
		{"memory of sets of 100", 20_000, 100, hundred("SADD", one)},
		{"memory of lists of 100", 20_000, 100, hundred("RPUSH", one)},
		{"memory of sorted sets of 100", 20_000, 100, hundred("ZADD", scored)},
		{"memory of hashes of 10,000", 15_000, 100, big("HSET", pair)},
		{"memory of sorted sets of 10,000", 15_000, 100, big("ZADD", scored)},
		{"memory of stream entries", 1_500_000, 1, func(i int) []string {
			return []string{"XADD", fmt.Sprintf("key:%012d", i/10_000), fmt.Sprintf("%d-1", i+1), "sensor", member(i % 100), "temperature", strconv.Itoa(i % 50)}
		}},
	} {
		rows = append(rows, typeRow{f.name, f.measure})
	}
	return rows
}

// measure fills both servers and compares what is resident, the empty process included.
func (f filling) measure(ctx context.Context, o *options, t *table) (err error) {
	ours, theirs, stop, err := startBoth(ctx, o, "plain")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	n := o.scaled(f.requests)
	var per [2]float64
	for i, s := range []*server{ours, theirs} {
		if err := s.send(ctx, n, f.request); err != nil {
			return err
		}
		full, err := s.resident()
		if err != nil {
			return err
		}
		per[i] = float64(full) / float64(n*f.elements)
	}
	t.add(figure{f.name, per[0], per[1], per[0] / per[1], "B", "<= 0.65"})
	return nil
}
