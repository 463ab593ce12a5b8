package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

func stallRows() []typeRow {
	return []typeRow{
		{"GC with 5 M keys, half GET and half SET", garbage},
		{"expiry of 1 M keys within a second", expiry},
		{"DEL of a set of 5 M", func(ctx context.Context, o *options, t *table) error { return bigDelete(ctx, o, t, "DEL") }},
		{"UNLINK of a set of 5 M", func(ctx context.Context, o *options, t *table) error { return bigDelete(ctx, o, t, "UNLINK") }},
	}
}

// probe asks for one key over and over and notes how long each answer takes.
type probe struct {
	stop  chan struct{}
	ended chan error
	waits []time.Duration
	at    []time.Time
}

// probeEvery is the pause between two questions of a probe.
const probeEvery = 500 * time.Microsecond

func (s *server) startProbe() (*probe, error) {
	conn, err := net.Dial("tcp", s.addr())
	if err != nil {
		return nil, err
	}
	p := &probe{stop: make(chan struct{}), ended: make(chan error, 1)}
	go func() {
		defer conn.Close()
		r := bufio.NewReader(conn)
		request := appendRequest(nil, []string{"GET", "probe"})
		for {
			select {
			case <-p.stop:
				p.ended <- nil
				return
			case <-time.After(probeEvery):
			}
			begin := time.Now()
			_, err := conn.Write(request)
			if err == nil {
				err = skipReply(r)
			}
			if err != nil {
				p.ended <- err
				return
			}
			p.waits, p.at = append(p.waits, time.Since(begin)), append(p.at, begin)
		}
	}()
	return p, nil
}

// end stops the probe and returns the waits of the questions asked since a time, sorted.
func (p *probe) end(since time.Time) ([]time.Duration, error) {
	close(p.stop)
	if err := <-p.ended; err != nil {
		return nil, err
	}
	var out []time.Duration
	for i, at := range p.at {
		if at.Add(p.waits[i]).After(since) {
			out = append(out, p.waits[i])
		}
	}
	if len(out) == 0 {
		return nil, errors.New("the probe has no answers")
	}
	slices.Sort(out)
	return out, nil
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// bigDelete measures how long other clients wait while a big set is deleted.
func bigDelete(ctx context.Context, o *options, t *table, command string) (err error) {
	ours, theirs, stop, err := startBoth(ctx, o, "plain")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	n := o.scaled(5_000_000)
	var worst [2]float64
	for i, s := range []*server{ours, theirs} {
		err := s.send(ctx, n/100, func(i int) []string {
			words := []string{"SADD", "big"}
			for j := range 100 {
				words = append(words, fmt.Sprintf("member:%d", i*100+j))
			}
			return words
		})
		if err != nil {
			return err
		}
		p, err := s.startProbe()
		if err != nil {
			return err
		}
		time.Sleep(200 * time.Millisecond)
		begin := time.Now()
		if err := s.send(ctx, 1, func(int) []string { return []string{command, "big"} }); err != nil {
			return err
		}
		time.Sleep(3 * time.Second) // what is freed behind the command counts too
		waits, err := p.end(begin)
		if err != nil {
			return err
		}
		worst[i] = millis(waits[len(waits)-1])
	}
	t.add(figure{command + " of a set of 5 M, longest wait of others", worst[0], worst[1], worst[0] / worst[1], "ms", "<= 5 ms"})
	return nil
}

// expiry measures how long it takes until the memory of keys that expire all at once is
// back, and how long other commands wait meanwhile.
func expiry(ctx context.Context, o *options, t *table) (err error) {
	ours, theirs, stop, err := startBoth(ctx, o, "plain")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	n := o.scaled(1_000_000)
	var back, wait [2]float64
	for i, s := range []*server{ours, theirs} {
		empty, err := s.usedMemory()
		if err != nil {
			return err
		}
		due := time.Now().Add(time.Duration(4+n/50_000) * time.Second)
		at := strconv.FormatInt(due.UnixMilli(), 10)
		value := strings.Repeat("v", 64)
		if err := s.send(ctx, n, func(i int) []string { return []string{"SET", fmt.Sprintf("key:%012d", i), value, "PXAT", at} }); err != nil {
			return err
		}
		full, err := s.usedMemory()
		if err != nil {
			return err
		}
		if time.Now().After(due) {
			return fmt.Errorf("%s took too long to fill", s.name)
		}
		p, err := s.startProbe()
		if err != nil {
			return err
		}
		time.Sleep(time.Until(due))
		end := empty + (full-empty)/10
		for used := full; used > end; {
			select {
			case <-time.After(20 * time.Millisecond):
			case <-ctx.Done():
				return ctx.Err()
			}
			if used, err = s.usedMemory(); err != nil {
				return err
			}
			if time.Since(due) > 2*time.Minute {
				return fmt.Errorf("%s still uses %d of %d bytes", s.name, used, full)
			}
		}
		back[i] = time.Since(due).Seconds()
		waits, err := p.end(due)
		if err != nil {
			return err
		}
		wait[i] = millis(waits[len(waits)*999/1000])
	}
	t.add(figure{"1 M keys expire at once, memory back after", back[0], back[1], back[0] / back[1], "s", "<= 2 s"})
	t.add(figure{"1 M keys expire at once, p99.9 of others", wait[0], wait[1], wait[0] / wait[1], "ms", "<= 5 ms"})
	return nil
}

// usedMemory returns used_memory of INFO.
func (s *server) usedMemory() (int64, error) {
	info, err := s.ask("INFO memory")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(info) {
		if rest, ok := strings.CutPrefix(line, "used_memory:"); ok {
			return strconv.ParseInt(strings.TrimSpace(rest), 10, 64)
		}
	}
	return 0, errors.New("INFO memory has no used_memory")
}
