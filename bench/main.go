// Command bench runs bin/node and the machine's redis-server side by side and prints
// median ratios: throughput, server CPU time an operation, and resident bytes a key.
//
// Rounds alternate between the two servers, so that whatever else the machine does
// meets both alike; a ratio is taken within each round and the median of the ratios
// is printed. The load comes from redis-benchmark. The modes everysec and always are plain
// servers with an append-only file.
//
// A row of its own compares synchronous writes with others: a primary with one replica, with
// itself.
//
// With -types it measures what each type of value costs: resident bytes, server CPU an
// operation, the longest waits that big values, mass expiry and the collector bring, and
// what saving and loading an RDB file takes.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"text/tabwriter"
)

type options struct {
	node, redis string
	rounds      int
	clients     int
	keys        int
	only        string
	types       bool
	quick       bool
}

func main() {
	var o options
	flag.StringVar(&o.node, "node", "bin/node", "path of the node binary")
	flag.StringVar(&o.redis, "redis", "redis-server", "path of redis-server")
	flag.IntVar(&o.rounds, "rounds", 5, "rounds a measurement, at least 5 for figures worth quoting")
	flag.IntVar(&o.clients, "clients", 50, "connections of redis-benchmark")
	flag.IntVar(&o.keys, "keys", 1_000_000, "keys of the memory measurement")
	flag.StringVar(&o.only, "only", "", "run only what contains this word: memory, plain, cluster, everysec, always, sync, GET, SET, P1, P16; with -types: memory, CPU, GC, expiry, DEL, UNLINK, BGSAVE, load, or a part of a row's name")
	flag.BoolVar(&o.types, "types", false, "measure the types of values instead")
	flag.BoolVar(&o.quick, "quick", false, "a tenth of the requests, with -types a quarter of the data, and one round, for a first look")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, &o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// load is one row of the report: what redis-benchmark sends.
type load struct {
	mode     string // "plain", "cluster", "everysec" or "always"
	command  string
	pipeline int
	requests int
}

func (l load) String() string { return fmt.Sprintf("%s %s P%d", l.mode, l.command, l.pipeline) }

func loads() []load {
	var out []load
	for _, mode := range []string{"plain", "cluster"} {
		for _, pipeline := range []int{1, 16} {
			for _, command := range []string{"SET", "GET"} {
				out = append(out, load{mode, command, pipeline, map[int]int{1: 150_000, 16: 1_500_000}[pipeline]})
			}
		}
	}
	for _, mode := range []string{"everysec", "always"} {
		for _, pipeline := range []int{1, 16} {
			out = append(out, load{mode, "SET", pipeline, map[int]int{1: 150_000, 16: 1_500_000}[pipeline]})
		}
	}
	return out
}

// bar is what the row is held to: ours / redis.
func (l load) bar() string {
	switch {
	case l.mode == "everysec":
		return "throughput >= 1.0"
	case l.mode == "always" && l.pipeline == 1:
		return "throughput >= 1.5"
	case l.mode == "always":
		return ""
	case l.pipeline > 1:
		return "CPU <= 0.85"
	}
	return "CPU <= 1.15"
}

func run(ctx context.Context, o *options) error {
	for _, name := range []string{o.node, o.redis, "redis-benchmark"} {
		if _, err := exec.LookPath(name); err != nil {
			return fmt.Errorf("%w (make build; Debian packages redis-server and redis-tools)", err)
		}
	}
	if o.types {
		return types(ctx, o)
	}
	if o.quick {
		o.rounds, o.keys = 1, o.keys/10
	}
	out := tabwriter.NewWriter(os.Stdout, 2, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(out, "load\tops/s redwing\tops/s redis\tratio\tCPU us/op redwing\tCPU us/op redis\tratio\tbar\t")
	for _, l := range loads() {
		if !strings.Contains(l.String(), o.only) {
			continue
		}
		if o.quick {
			l.requests /= 10
		}
		if err := compare(ctx, o, l, out); err != nil {
			return fmt.Errorf("%s: %w", l, err)
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	if strings.Contains("sync SET P1", o.only) {
		if err := syncWrites(ctx, o, os.Stdout); err != nil {
			return fmt.Errorf("synchronous writes: %w", err)
		}
	}
	if strings.Contains("memory", o.only) {
		return memory(ctx, o)
	}
	return nil
}

// compare runs the alternating rounds of one load and writes its row.
func compare(ctx context.Context, o *options, l load, out *tabwriter.Writer) (err error) {
	ours, theirs, stop, err := startBoth(ctx, o, l.mode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	for _, s := range []*server{ours, theirs} { // fill the keys that GET will find, warm up
		if _, err := s.measure(ctx, o, load{l.mode, "SET", 16, 200_000}); err != nil {
			return err
		}
	}
	var a, b []sample
	for round := range o.rounds {
		order := []*server{ours, theirs}
		if round%2 == 1 {
			slices.Reverse(order)
		}
		for _, s := range order {
			got, err := s.measure(ctx, o, l)
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
	fmt.Fprintf(out, "%s\t%.0f\t%.0f\t%.2f\t%.3f\t%.3f\t%.2f\t%s\t\n", l,
		median(each(a, sample.rate)), median(each(b, sample.rate)), medianRatio(a, b, sample.rate),
		median(each(a, sample.cpuMicros)), median(each(b, sample.cpuMicros)), medianRatio(a, b, sample.cpuMicros), l.bar())
	return out.Flush()
}

// memory fills each server in cluster mode with the same keys and compares what is
// resident, the empty process included.
func memory(ctx context.Context, o *options) (err error) {
	ours, theirs, stop, err := startBoth(ctx, o, "cluster")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	fmt.Printf("\n%d keys of 16 bytes with values of 64 bytes, cluster mode\n", o.keys)
	var perKey [2]float64
	for i, s := range []*server{ours, theirs} {
		empty, err := s.resident()
		if err != nil {
			return err
		}
		if err := s.fill(ctx, o.keys); err != nil {
			return err
		}
		full, err := s.resident()
		if err != nil {
			return err
		}
		perKey[i] = float64(full) / float64(o.keys)
		fmt.Printf("  %-8s %6.1f resident bytes a key (empty process %.1f MB, without it %.1f a key)\n",
			s.name, perKey[i], float64(empty)/(1<<20), float64(full-empty)/float64(o.keys))
	}
	fmt.Printf("  ratio    %6.2f, bar <= 0.65\n", perKey[0]/perKey[1])
	return nil
}
