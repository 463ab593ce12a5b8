package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// server is one process under measurement.
type server struct {
	name string
	port int
	cmd  *exec.Cmd
	log  string
}

// startBoth starts bin/node and redis-server in the given mode on free ports, in
// folders of their own; bin/node with env in its environment. stop ends both and removes
// the folders.
func startBoth(ctx context.Context, o *options, mode string, env ...string) (ours, theirs *server, stop func() error, err error) {
	dir, err := os.MkdirTemp("", "redwing-bench")
	if err != nil {
		return nil, nil, nil, err
	}
	var started []*server
	stop = func() error {
		var errs []error
		for _, s := range started {
			errs = append(errs, s.cmd.Process.Kill())
			_ = s.cmd.Wait() // it was killed: its exit status says only that
		}
		return errors.Join(append(errs, os.RemoveAll(dir))...)
	}
	start := func(name, path string, env []string, extra ...string) (*server, error) {
		s, err := startServer(ctx, name, path, filepath.Join(dir, name), mode, env, extra, nil)
		if s != nil {
			started = append(started, s)
		}
		return s, err
	}
	if ours, err = start("redwing", o.node, env); err == nil {
		theirs, err = start("redis", o.redis, nil, "--daemonize", "no")
	}
	if err != nil {
		return nil, nil, nil, errors.Join(err, stop())
	}
	return ours, theirs, stop, nil
}

// startServer starts a server in a new folder, with an RDB file if dump is not nil.
func startServer(ctx context.Context, name, path, dir, mode string, env, extra []string, dump []byte) (*server, error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	if dump != nil {
		if err := os.WriteFile(filepath.Join(dir, "dump.rdb"), dump, 0o600); err != nil {
			return nil, err
		}
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	args := append([]string{"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", dir, "--save", ""}, extra...)
	switch mode {
	case "cluster":
		args = append(args, "--cluster-enabled", "yes")
	case "everysec", "always":
		args = append(args, "--appendonly", "yes", "--appendfsync", mode)
	}
	s := &server{name: name, port: port, log: filepath.Join(dir, "log")}
	out, err := os.Create(s.log)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	s.cmd = exec.Command(path, args...)
	s.cmd.Env = append(os.Environ(), env...)
	s.cmd.Stdout, s.cmd.Stderr = out, out
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	if mode == "cluster" {
		err = s.await(ctx, "CLUSTER ADDSLOTSRANGE 0 16383", "+OK")
		if err == nil {
			err = s.await(ctx, "CLUSTER INFO", "cluster_state:ok")
		}
	} else {
		err = s.await(ctx, "PING", "+PONG")
	}
	return s, err
}

// freePort returns a port p such that p and the bus port p + 10000 are free.
func freePort() (int, error) {
	for range 100 {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return 0, err
		}
		port := ln.Addr().(*net.TCPAddr).Port
		if err := ln.Close(); err != nil {
			return 0, err
		}
		if port+10000 > 65535 {
			port -= 20000
		}
		free := true
		for _, p := range []int{port, port + 10000} {
			ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", p))
			if err != nil {
				free = false
				break
			}
			if err := ln.Close(); err != nil {
				return 0, err
			}
		}
		if free {
			return port, nil
		}
	}
	return 0, errors.New("found no free port")
}

// await repeats an inline command until its reply contains want, 20 s at most.
func (s *server) await(ctx context.Context, command, want string) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var last string
	for {
		reply, err := s.ask(command)
		if err == nil && strings.Contains(reply, want) {
			return nil
		}
		if err != nil {
			last = err.Error()
		} else {
			last = reply
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			text, _ := os.ReadFile(s.log) // whatever it has said helps
			return fmt.Errorf("%s: no %q to %q: %s\n%s", s.name, want, command, last, text)
		}
	}
}

// ask sends an inline command and returns what comes back at once.
func (s *server) ask(command string) (string, error) {
	conn, err := net.DialTimeout("tcp", s.addr(), time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return "", err
	}
	if _, err := fmt.Fprintf(conn, "%s\r\n", command); err != nil {
		return "", err
	}
	r := bufio.NewReader(conn)
	head, err := r.ReadString('\n')
	if err != nil || head[0] != '$' {
		return head, err
	}
	n, err := strconv.Atoi(strings.TrimSpace(head[1:]))
	if err != nil {
		return "", err
	}
	body := make([]byte, n)
	_, err = io.ReadFull(r, body)
	return string(body), err
}

func (s *server) addr() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

// measure runs one load of redis-benchmark over 100,000 random keys of 16 bytes
// with values of 64 bytes.
func (s *server) measure(ctx context.Context, o *options, l load) (sample, error) {
	words := []string{"GET", "key:" + random}
	if l.command == "SET" {
		words = []string{"SET", "key:" + random, strings.Repeat("v", 64)}
	}
	return s.benchmark(ctx, o, l.requests, 100_000, l.pipeline, words)
}

// random is replaced by redis-benchmark with twelve digits, anew wherever it stands.
const random = "__rand_int__"

// benchmark has redis-benchmark send a command so often, its random numbers below keys.
func (s *server) benchmark(ctx context.Context, o *options, requests, keys, pipeline int, words []string) (sample, error) {
	args := append([]string{"-p", strconv.Itoa(s.port), "-c", strconv.Itoa(o.clients), "-n", strconv.Itoa(requests),
		"-P", strconv.Itoa(pipeline), "-r", strconv.Itoa(keys), "--csv"}, words...)
	before, err := s.cpu()
	if err != nil {
		return sample{}, err
	}
	out, err := exec.CommandContext(ctx, "redis-benchmark", args...).CombinedOutput()
	if err != nil {
		return sample{}, fmt.Errorf("redis-benchmark: %w: %s", err, out)
	}
	after, err := s.cpu()
	if err != nil {
		return sample{}, err
	}
	rate, err := csvRate(string(out))
	if err != nil {
		return sample{}, err
	}
	return sample{requests, float64(requests) / rate, after - before}, nil
}

// csvRate finds the requests per second in the last line of redis-benchmark --csv:
// "command","rps",...
func csvRate(out string) (float64, error) {
	lines := strings.Split(strings.TrimSpace(out), "\n")
	fields := strings.Split(lines[len(lines)-1], "\",\"")
	if len(fields) < 2 {
		return 0, fmt.Errorf("unexpected output of redis-benchmark: %s", out)
	}
	return strconv.ParseFloat(strings.Trim(fields[1], "\""), 64)
}

// cpu returns the user and system seconds that the process has used so far.
func (s *server) cpu() (float64, error) {
	const ticksPerSecond = 100 // USER_HZ, the same on every Linux
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	f := strings.Fields(rest)
	user, err1 := strconv.ParseFloat(f[11], 64)
	system, err2 := strconv.ParseFloat(f[12], 64)
	return (user + system) / ticksPerSecond, errors.Join(err1, err2)
}

// resident returns VmRSS in bytes.
func (s *server) resident() (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kb << 10, err
		}
	}
	return 0, errors.New("no VmRSS")
}

// fill sets n keys of 16 bytes, every value 64 bytes, and checks DBSIZE.
func (s *server) fill(ctx context.Context, n int) error {
	value := strings.Repeat("v", 64)
	err := s.send(ctx, n, func(i int) []string { return []string{"SET", fmt.Sprintf("key:%012d", i), value} })
	if err != nil {
		return err
	}
	reply, err := s.ask("DBSIZE")
	if err == nil && strings.TrimSpace(reply) != fmt.Sprintf(":%d", n) {
		err = fmt.Errorf("DBSIZE says %q, want %d", strings.TrimSpace(reply), n)
	}
	return err
}
