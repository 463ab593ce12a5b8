package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redwingdb/redwing/test/realnode"
)

// bin holds the binaries under test, built once for the whole package.
var bin string

func TestMain(m *testing.M) { os.Exit(realnode.Main(m, &bin, raced)) }

// process is one node.
type process struct {
	t    *testing.T
	addr string
	port int
	dir  string
	args []string
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
}

// nodes is a set of started nodes.
type nodes []*process

// start runs n fresh nodes in folders of the test and waits until they answer.
func start(t *testing.T, n int, args ...string) nodes {
	t.Helper()
	need(t, "redis-cli", "redis-tools")
	var out nodes
	for range n {
		p := &process{t: t, port: realnode.FreePorts(t, 1), dir: t.TempDir(), args: args}
		p.addr = fmt.Sprintf("127.0.0.1:%d", p.port)
		p.start()
		t.Cleanup(p.cleanup)
		out = append(out, p)
	}
	for _, p := range out {
		p.await()
	}
	return out
}

func need(t *testing.T, program, pkg string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Fatalf("%s is missing: install the Debian package %s", program, pkg)
	}
}

func (p *process) start() {
	p.t.Helper()
	out, err := os.OpenFile(p.logPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		p.t.Fatal(err)
	}
	defer out.Close()
	args := append([]string{"--port", strconv.Itoa(p.port), "--bind", "127.0.0.1", "--dir", p.dir, "--cluster-enabled", "yes"}, p.args...)
	p.cmd = exec.Command(filepath.Join(bin, "node"), args...)
	p.cmd.Stdout, p.cmd.Stderr = out, out
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.done = make(chan struct{})
	go func(cmd *exec.Cmd, done chan struct{}) {
		_ = cmd.Wait() // how a node ends is the test's business
		close(done)
	}(p.cmd, p.done)
}

func (p *process) logPath() string { return filepath.Join(p.dir, "node.log") }

func (p *process) await() {
	p.t.Helper()
	realnode.Eventually(p.t, 15*time.Second, func() error {
		select {
		case <-p.done:
			p.t.Fatalf("node %s has ended:\n%s", p.addr, p.log())
		default:
		}
		_, err := p.ask("PING")
		return err
	})
}

func (p *process) log() string {
	text, err := os.ReadFile(p.logPath())
	if err != nil {
		return err.Error()
	}
	const most = 6000
	return string(text[max(0, len(text)-most):])
}

// kill sends SIGKILL and returns when the process is gone.
func (p *process) kill() {
	p.t.Helper()
	p.signal(syscall.SIGKILL)
	<-p.done
}

func (p *process) signal(sig syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Fatal(err)
	}
}

func (p *process) cleanup() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.done
	if log, err := os.ReadFile(p.logPath()); err != nil || bytes.Contains(log, []byte("DATA RACE")) || bytes.Contains(log, []byte("panic: ")) {
		p.t.Errorf("node %s: %v: a data race, a panic, or no log", p.addr, err)
	}
	if p.t.Failed() {
		p.t.Logf("log of %s:\n%s", p.addr, p.log())
	}
}

// ask runs one command on a connection of its own and returns the reply as text.
func (p *process) ask(args ...any) (string, error) {
	c := redis.NewClient(&redis.Options{Addr: p.addr, Protocol: 2, DisableIdentity: true, MaxRetries: -1, DialTimeout: time.Second, ReadTimeout: 10 * time.Second})
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 12*time.Second)
	defer cancel()
	reply, err := c.Do(ctx, args...).Result()
	return fmt.Sprint(reply), err
}

func (p *process) must(args ...any) string {
	p.t.Helper()
	reply, err := p.ask(args...)
	if err != nil {
		p.t.Fatalf("%s: %v: %v", p.addr, args, err)
	}
	return reply
}

// field returns a field of INFO replication or CLUSTER INFO.
func (p *process) field(name string, args ...any) (string, error) {
	text, err := p.ask(args...)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), name+":"); ok {
			return v, nil
		}
	}
	return "", fmt.Errorf("no field %s in the reply to %v", name, args)
}

func (n nodes) addrs() []string {
	var out []string
	for _, p := range n {
		out = append(out, p.addr)
	}
	return out
}

// byRole returns the nodes that the cluster shows as primaries with slots, or as replicas.
func (n nodes) byRole(t *testing.T, role string) nodes {
	t.Helper()
	var out nodes
	for _, p := range n {
		got, err := p.field("role", "INFO", "replication")
		if err != nil {
			continue // a dead node has no role
		}
		if got == role {
			out = append(out, p)
		}
	}
	return out
}

// run executes a program and fails the test if it does not succeed.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := tryRun(name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

func tryRun(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	return string(out), err
}

// clusterctl runs the operator's tool against a node.
func clusterctl(t *testing.T, via *process, args ...string) string {
	t.Helper()
	return run(t, filepath.Join(bin, "clusterctl"), append([]string{"-a", via.addr}, args...)...)
}

// create forms a cluster with the operator's tool and waits until it is healthy.
func (n nodes) create(t *testing.T, replicas int) {
	t.Helper()
	clusterctl(t, n[0], append([]string{"create", "--yes", "--replicas", strconv.Itoa(replicas)}, n.addrs()...)...)
	n.awaitHealthy(t)
}

// awaitHealthy waits until clusterctl check finds no fault.
func (n nodes) awaitHealthy(t *testing.T) {
	t.Helper()
	realnode.Eventually(t, 40*time.Second, func() error {
		out, err := tryRun(filepath.Join(bin, "clusterctl"), "-a", n[0].addr, "check")
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	})
}
