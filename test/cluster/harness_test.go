package cluster

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
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
	*realnode.Process
	announced int // the port that the others are told, 0: Port
}

// nodes is a set of started nodes.
type nodes []*process

// start runs n fresh nodes in folders of the test and waits until they answer.
func start(t *testing.T, n int, args ...string) nodes {
	t.Helper()
	need(t, "redis-cli", "redis-tools")
	var out nodes
	for range n {
		p := realnode.Run(t, options(args...))
		p.AwaitLoaded()
		out = append(out, &process{Process: p})
	}
	return out
}

func options(args ...string) realnode.Options {
	return realnode.Options{Program: filepath.Join(bin, "node"), Args: append([]string{"--cluster-enabled", "yes"}, args...)}
}

func need(t *testing.T, program, pkg string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Fatalf("%s is missing: install the Debian package %s", program, pkg)
	}
}

// ask runs one command on a connection of its own and returns the reply as text.
func (p *process) ask(args ...any) (string, error) {
	c := redis.NewClient(&redis.Options{Addr: p.Addr, Protocol: 2, DisableIdentity: true, MaxRetries: -1, DialTimeout: time.Second, ReadTimeout: 10 * time.Second})
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 12*time.Second)
	defer cancel()
	reply, err := c.Do(ctx, args...).Result()
	return fmt.Sprint(reply), err
}

func (p *process) must(args ...any) string {
	p.T.Helper()
	reply, err := p.ask(args...)
	if err != nil {
		p.T.Fatalf("%s: %v: %v", p.Addr, args, err)
	}
	return reply
}

func (n nodes) addrs() []string {
	var out []string
	for _, p := range n {
		out = append(out, p.Addr)
	}
	return out
}

// byRole returns the nodes that the cluster shows as primaries with slots, or as replicas.
func (n nodes) byRole(t *testing.T, role string) nodes {
	t.Helper()
	var out nodes
	for _, p := range n {
		got, err := p.Field("role", "INFO", "replication")
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
	return run(t, filepath.Join(bin, "clusterctl"), append([]string{"-a", via.Addr}, args...)...)
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
		out, err := tryRun(filepath.Join(bin, "clusterctl"), "-a", n[0].Addr, "check")
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	})
}
