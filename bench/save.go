package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

func saveRows() []typeRow {
	return []typeRow{{"BGSAVE and load of 5 M keys under writes", saving}}
}

// saved is what one server takes to save and to load.
type saved struct {
	longest, p99, idleP99 float64 // ms that another client waits
	peak                  float64 // resident bytes over those before, in MB
	save, load            float64 // s
}

// saving measures BGSAVE while clients write, and the start with the file. Peak memory is
// that of the process; a child of redis-server, which shares what is not changed, counts by
// what it has for itself.
func saving(ctx context.Context, o *options, t *table) (err error) {
	ours, theirs, stop, err := startBoth(ctx, o, "plain")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	n := o.scaled(5_000_000)
	var got [2]saved
	for i, s := range []*server{ours, theirs} {
		if got[i], err = s.saving(ctx, n); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	row := func(name, unit, bar string, f func(s *saved) float64) {
		a, b := f(&got[0]), f(&got[1])
		t.add(figure{name, a, b, a / b, unit, bar})
	}
	row("BGSAVE under writes, longest wait of others", "ms", "<= 5 ms", func(s *saved) float64 { return s.longest })
	row("BGSAVE under writes, p99 of others", "ms", "", func(s *saved) float64 { return s.p99 })
	row("the same writes and questions without BGSAVE, p99 of others", "ms", "", func(s *saved) float64 { return s.idleP99 })
	row("the one over the other", "", "<= 1.5", func(s *saved) float64 { return s.p99 / s.idleP99 })
	row("BGSAVE under writes, peak memory over idle", "MB", "<= 64 MiB + 5 %", func(s *saved) float64 { return s.peak })
	row("BGSAVE under writes takes", "s", "<= 1", func(s *saved) float64 { return s.save })
	row("load of the file takes", "s", "<= 1", func(s *saved) float64 { return s.load })
	return nil
}

func (s *server) saving(ctx context.Context, n int) (out saved, err error) {
	if err := s.fill(ctx, n); err != nil {
		return out, err
	}
	// Writers go on until the save has ended, at a steady rate.
	ctx, cancel := context.WithCancel(ctx)
	wrote := make(chan error, 1)
	go func() { wrote <- s.overwrite(ctx, n) }()
	defer func() {
		cancel()
		if werr := <-wrote; err == nil && !errors.Is(werr, context.Canceled) {
			err = werr
		}
	}()
	before, err := s.taken()
	if err != nil {
		return out, err
	}
	peak := before
	// look is what is asked all the time, with and without a save.
	look := func() (info string, err error) {
		if err := pauseFor(ctx, 10*time.Millisecond); err != nil {
			return "", err
		}
		now, err := s.taken()
		if err != nil {
			return "", err
		}
		peak = max(peak, now)
		return s.ask("INFO persistence")
	}
	began := time.Now()
	idle, err := s.watch(func() error {
		for time.Since(began) < 3*time.Second {
			if _, err := look(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return out, err
	}
	out.idleP99 = millis(idle[len(idle)*99/100])
	peak, began = before, time.Now()
	waits, err := s.watch(func() error {
		if err := s.send(ctx, 1, func(int) []string { return []string{"BGSAVE"} }); err != nil {
			return err
		}
		for {
			info, err := look()
			if err != nil {
				return err
			}
			if strings.Contains(info, "rdb_bgsave_in_progress:0") {
				if !strings.Contains(info, "rdb_last_bgsave_status:ok") {
					return errors.New("BGSAVE has failed")
				}
				return nil
			}
		}
	})
	if err != nil {
		return out, err
	}
	out.save = time.Since(began).Seconds()
	out.longest, out.p99 = millis(waits[len(waits)-1]), millis(waits[len(waits)*99/100])
	out.peak = float64(peak-before) / (1 << 20)
	out.load, err = s.loading(ctx, n)
	return out, err
}

// overwrite changes random keys of fill, about 20,000 a second, until ctx ends.
func (s *server) overwrite(ctx context.Context, n int) error {
	value := strings.Repeat("w", 64)
	at := 0
	for {
		err := s.send(ctx, 100, func(int) []string {
			at = (at*1103515245 + 12345) & (1<<31 - 1)
			return []string{"SET", fmt.Sprintf("key:%012d", at%n), value}
		})
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return err
		}
		if err := pauseFor(ctx, 5*time.Millisecond); err != nil {
			return err
		}
	}
}

func pauseFor(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// watch returns how long another client waits while f runs, sorted.
func (s *server) watch(f func() error) ([]time.Duration, error) {
	p, err := s.startProbe()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	err = f()
	waits, perr := p.end(began)
	return waits, errors.Join(err, perr)
}

// taken returns the resident bytes of the process, and of its children what is theirs
// alone.
func (s *server) taken() (int64, error) {
	total, err := s.resident()
	if err != nil {
		return 0, err
	}
	list, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", s.cmd.Process.Pid, s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for _, pid := range strings.Fields(string(list)) {
		rollup, err := os.ReadFile("/proc/" + pid + "/smaps_rollup")
		if err != nil {
			continue // it has ended
		}
		for line := range strings.Lines(string(rollup)) {
			f := strings.Fields(line)
			if len(f) == 3 && (f[0] == "Private_Dirty:" || f[0] == "Private_Clean:") {
				kb, err := strconv.ParseInt(f[1], 10, 64)
				if err != nil {
					return 0, err
				}
				total += kb << 10
			}
		}
	}
	return total, nil
}

// loading starts another server on the file and returns the seconds until it has the data.
func (s *server) loading(ctx context.Context, n int) (seconds float64, err error) {
	dir := filepath.Dir(s.log)
	file, err := os.ReadFile(filepath.Join(dir, "dump.rdb"))
	if err != nil {
		return 0, err
	}
	began := time.Now()
	loader, err := startServer(ctx, s.name, s.cmd.Path, dir+"-load", "plain", nil, []string{"--appendonly", "no"}, file)
	if loader != nil {
		defer func() {
			err = errors.Join(err, loader.cmd.Process.Kill())
			_ = loader.cmd.Wait() // it was killed
		}()
	}
	if err != nil {
		return 0, err
	}
	seconds = time.Since(began).Seconds()
	reply, err := loader.ask("DBSIZE")
	if err == nil && strings.TrimSpace(reply) != fmt.Sprintf(":%d", n) {
		err = fmt.Errorf("DBSIZE says %q, want %d", strings.TrimSpace(reply), n)
	}
	return seconds, err
}
