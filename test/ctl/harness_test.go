package ctl

import (
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
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redwingdb/redwing/test/realnode"
)

// bin holds the binaries under test, built once for the whole package.
var bin string

func TestMain(m *testing.M) {
	redis.SetLogger(silent{}) // nodes are killed here
	os.Exit(realnode.Main(m, &bin, false))
}

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// dev is a local cluster made by "clusterctl dev".
type dev struct {
	t    *testing.T
	dir  string
	port int
	args []string

	directives []string // of the nodes
}

// newDev picks ports and a folder; every process of it ends with the test.
// Directives go to its nodes.
func newDev(t *testing.T, primaries, replicas, spare int, directives ...string) *dev {
	t.Helper()
	d := &dev{t: t, dir: filepath.Join(t.TempDir(), "dev"), port: realnode.FreePorts(t, primaries*(1+replicas)+spare), directives: directives}
	d.args = []string{
		"--dir", d.dir, "--port", strconv.Itoa(d.port), "--node", filepath.Join(bin, "node"),
		"--primaries", strconv.Itoa(primaries), "--replicas", strconv.Itoa(replicas),
	}
	t.Cleanup(func() {
		if t.Failed() {
			d.logs()
		}
		if r := d.run("down"); r.code != 0 {
			t.Errorf("dev down: %s", r)
		}
	})
	return d
}

// up starts the cluster.
func (d *dev) up() result {
	d.t.Helper()
	r := d.run("up")
	r.want(d.t, 0)
	return r
}

func (d *dev) run(command string) result {
	args := append([]string{"dev", command}, d.args...)
	if command == "up" && len(d.directives) > 0 {
		args = append(append(args, "--"), d.directives...)
	}
	return ctl(args...)
}

func (d *dev) addr(i int) string { return fmt.Sprintf("127.0.0.1:%d", d.port+i) }

// ctl runs the tool against the first node.
func (d *dev) ctl(args ...string) result { return ctl(append([]string{"-a", d.addr(0)}, args...)...) }

// pid returns the process of node i.
func (d *dev) pid(i int) int {
	d.t.Helper()
	text, err := os.ReadFile(filepath.Join(d.dir, strconv.Itoa(d.port+i), "node.pid"))
	if err != nil {
		d.t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		d.t.Fatal(err)
	}
	return pid
}

// kill ends node i at once and waits until its port is closed.
func (d *dev) kill(i int) {
	d.t.Helper()
	if err := syscall.Kill(d.pid(i), syscall.SIGKILL); err != nil {
		d.t.Fatal(err)
	}
	realnode.Eventually(d.t, 5*time.Second, func() error {
		conn, err := net.Dial("tcp", d.addr(i))
		if err != nil {
			return nil
		}
		return errors.Join(fmt.Errorf("%s still answers", d.addr(i)), conn.Close())
	})
}

func (d *dev) logs() {
	files, err := filepath.Glob(filepath.Join(d.dir, "*", "node.log"))
	if err != nil {
		d.t.Log(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			d.t.Log(err)
		}
		const most = 3000
		d.t.Logf("%s:\n%s", f, text[max(0, len(text)-most):])
	}
}

// fresh starts one node outside of any cluster at port i of d's range.
func (d *dev) fresh(i int, args ...string) string {
	d.t.Helper()
	p := realnode.Run(d.t, realnode.Options{
		Program: filepath.Join(bin, "node"), Port: d.port + i, Args: append([]string{"--cluster-enabled", "yes"}, args...),
	})
	p.AwaitLoaded()
	return d.addr(i)
}

// ask runs f with a connection to a node.
func ask(addr string, f func(c *redis.Client) error) error {
	c := redis.NewClient(&redis.Options{Addr: addr, Protocol: 2, DisableIdentity: true, MaxRetries: -1, DialTimeout: time.Second, ReadTimeout: 10 * time.Second})
	defer c.Close()
	return f(c)
}

// result is what a run of the tool leaves.
type result struct {
	args     []string
	code     int
	out, err string
}

func (r result) String() string {
	return fmt.Sprintf("clusterctl %s: exit code %d\n%s%s", strings.Join(r.args, " "), r.code, r.out, r.err)
}

func (r result) want(t *testing.T, code int, words ...string) {
	t.Helper()
	if r.code != code {
		t.Fatalf("want exit code %d: %s", code, r)
	}
	for _, w := range words {
		if !strings.Contains(r.out+r.err, w) {
			t.Fatalf("want %q: %s", w, r)
		}
	}
}

// runLimit bounds one run of the tool.
const runLimit = time.Minute

func ctl(args ...string) result { return command(args...).wait() }

// running is a run of the tool that may be interrupted.
type running struct {
	cmd    *exec.Cmd
	cancel context.CancelFunc
	args   []string
	out    strings.Builder
	err    strings.Builder
}

func command(args ...string) *running {
	ctx, cancel := context.WithTimeout(context.Background(), runLimit)
	r := &running{args: args, cancel: cancel, cmd: exec.CommandContext(ctx, filepath.Join(bin, "clusterctl"), args...)}
	r.cmd.Stdout, r.cmd.Stderr = &r.out, &r.err
	return r
}

// pipe lets what the command writes to standard error be read while it runs.
func (r *running) pipe() (io.ReadCloser, error) {
	r.cmd.Stderr = nil
	return r.cmd.StderrPipe()
}

// wait runs the command unless it runs already, and waits for its end.
func (r *running) wait() result {
	defer r.cancel()
	var err error
	if r.cmd.Process == nil {
		err = r.cmd.Run()
	} else {
		err = r.cmd.Wait()
	}
	code := r.cmd.ProcessState.ExitCode()
	if err != nil && r.cmd.ProcessState == nil {
		return result{r.args, -1, "", err.Error()}
	}
	return result{r.args, code, r.out.String(), r.err.String()}
}
