package main

import (
	"context"
	"errors"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// gcTrace makes the Go runtime write a line for every collection, and changes nothing else.
const gcTrace = "GODEBUG=gctrace=1"

// gcLine is what the runtime writes: the clock times of the first pause, the marking and
// the second pause, then their CPU times, those of marking as assists/background/idle.
var gcLine = regexp.MustCompile(`^gc \d+ @[\d.]+s \d+%: ([\d.]+)\+[\d.]+\+([\d.]+) ms clock, ([\d.]+)\+([\d.]+)/([\d.]+)/([\d.]+)\+([\d.]+) ms cpu`)

// garbage measures which share of the node's CPU its collector takes, and its longest
// pause, with many keys under load.
func garbage(ctx context.Context, o *options, t *table) (err error) {
	ours, theirs, stop, err := startBoth(ctx, o, "plain", gcTrace)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	if err := theirs.cmd.Process.Kill(); err != nil { // it has no collector; the memory is for the other
		return err
	}
	n := o.scaled(5_000_000)
	if err := ours.fill(ctx, n); err != nil {
		return err
	}
	logged, err := os.ReadFile(ours.log)
	if err != nil {
		return err
	}
	before, err := ours.cpu()
	if err != nil {
		return err
	}
	begin := time.Now()
	var wg sync.WaitGroup
	errs := make([]error, 2)
	for i, words := range [][]string{{"GET", "key:" + random}, {"SET", "key:" + random, strings.Repeat("v", 64)}} {
		wg.Add(1)
		go func() {
			defer wg.Done()
			_, errs[i] = ours.benchmark(ctx, o, o.scaled(8_000_000), n, 16, words)
		}()
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	seconds := time.Since(begin).Seconds()
	after, err := ours.cpu()
	if err != nil {
		return err
	}
	all, err := os.ReadFile(ours.log)
	if err != nil {
		return err
	}
	cpuMillis, longest, count := 0.0, 0.0, 0
	for line := range strings.Lines(string(all[len(logged):])) {
		m := gcLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		count++
		ms := make([]float64, len(m))
		for i := 1; i < len(m); i++ {
			if ms[i], err = strconv.ParseFloat(m[i], 64); err != nil {
				return err
			}
		}
		longest = max(longest, ms[1], ms[2])
		cpuMillis += ms[3] + ms[4] + ms[5] + ms[6] + ms[7]
	}
	t.add(figure{"5 M keys, share of the collector in CPU", cpuMillis / 10 / (after - before), 0, 0, "%", "<= 2 %"})
	t.add(figure{"5 M keys, longest pause of the collector", longest, 0, 0, "ms", "<= 1 ms"})
	t.add(figure{"5 M keys, collections a minute", float64(count) * 60 / seconds, 0, 0, "", ""})
	return nil
}
