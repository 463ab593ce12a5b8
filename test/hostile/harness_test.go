package hostile

import (
	"bufio"
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

	"github.com/redwingdb/redwing/internal/command/commandtest"
	"github.com/redwingdb/redwing/internal/resp"
	"github.com/redwingdb/redwing/test/realnode"
)

// bin holds the binaries under test, built once for the whole package.
var bin string

func TestMain(m *testing.M) { os.Exit(realnode.Main(m, &bin, false)) }

// process is one node. Its output goes to a file of its folder.
type process struct {
	t    *testing.T
	addr string
	port int
	dir  string
	args []string
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
}

// startPlain runs a node without cluster and waits until it answers.
func startPlain(t *testing.T, args ...string) *process {
	t.Helper()
	p := prepare(t, args)
	p.start()
	p.await()
	return p
}

// startCluster runs n fresh cluster nodes and waits until they answer.
func startCluster(t *testing.T, n int, args ...string) []*process {
	t.Helper()
	var out []*process
	for range n {
		p := prepare(t, append([]string{"--cluster-enabled", "yes"}, args...))
		p.start()
		out = append(out, p)
	}
	for _, p := range out {
		p.await()
	}
	return out
}

// form makes the nodes a cluster of primaries with the given number of replicas each.
func form(t *testing.T, nodes []*process, replicas int) {
	t.Helper()
	args := []string{"-a", nodes[0].addr, "create", "--yes", "--replicas", strconv.Itoa(replicas)}
	for _, p := range nodes {
		args = append(args, p.addr)
	}
	if out, err := exec.Command(filepath.Join(bin, "clusterctl"), args...).CombinedOutput(); err != nil {
		t.Fatalf("create: %v\n%s", err, out)
	}
	healthy(t, nodes[0])
}

// healthy waits until clusterctl finds no fault.
func healthy(t *testing.T, via *process) {
	t.Helper()
	realnode.Eventually(t, time.Minute, func() error {
		out, err := exec.Command(filepath.Join(bin, "clusterctl"), "-a", via.addr, "check").CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	})
}

func prepare(t *testing.T, args []string) *process {
	p := &process{t: t, port: realnode.FreePorts(t, 1), dir: t.TempDir(), args: args}
	p.addr = fmt.Sprintf("127.0.0.1:%d", p.port)
	t.Cleanup(p.cleanup)
	return p
}

func (p *process) logPath() string { return filepath.Join(p.dir, "node.log") }

func (p *process) start() {
	p.t.Helper()
	out, err := os.OpenFile(p.logPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		p.t.Fatal(err)
	}
	defer out.Close()
	args := append([]string{"--port", strconv.Itoa(p.port), "--bind", "127.0.0.1", "--dir", p.dir}, p.args...)
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

// await waits until the node answers PING, and fails the test if it ends before.
func (p *process) await() {
	p.t.Helper()
	realnode.Eventually(p.t, 30*time.Second, func() error {
		p.running()
		c, err := p.tryDial()
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = c.try("PING")
		return err
	})
}

// running fails the test if the process has ended.
func (p *process) running() {
	p.t.Helper()
	select {
	case <-p.done:
		p.t.Fatalf("node %s has ended: %v\n%s", p.addr, p.cmd.ProcessState, p.log())
	default:
	}
}

// log returns the end of what the process has written.
func (p *process) log() string {
	text, err := os.ReadFile(p.logPath())
	if err != nil {
		return err.Error()
	}
	const most = 6000
	return string(text[max(0, len(text)-most):])
}

func (p *process) signal(sig syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Fatal(err)
	}
}

// kill sends SIGKILL and returns when the process is gone.
func (p *process) kill() {
	p.t.Helper()
	p.signal(syscall.SIGKILL)
	<-p.done
}

// ended waits until the process has ended and returns its exit code.
func (p *process) ended(limit time.Duration) int {
	p.t.Helper()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(limit):
		p.t.Fatalf("node %s still runs after %v\n%s", p.addr, limit, p.log())
		return 0
	}
}

func (p *process) cleanup() {
	if p.cmd == nil || p.cmd.Process == nil {
		return
	}
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.done
	if p.t.Failed() {
		p.t.Logf("log of %s:\n%s", p.addr, p.log())
	}
	if text := p.log(); strings.Contains(text, "panic:") || strings.Contains(text, "fatal error:") {
		p.t.Errorf("node %s panicked:\n%s", p.addr, text)
	}
}

// rss returns the resident memory of the process in bytes.
func (p *process) rss() int64 {
	p.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	if err != nil {
		p.t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// field returns a field of a reply of lines such as that to INFO; empty if it has none.
func (p *process) field(name string, words ...string) (string, error) {
	c, err := p.tryDial()
	if err != nil {
		return "", err
	}
	defer c.Close()
	v, err := c.try(words...)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(v.Text) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+":"); ok {
			return value, nil
		}
	}
	return "", nil
}

// client is a connection to a node.
type client struct {
	net.Conn
	t  *testing.T
	in *bufio.Reader
}

// replyWait bounds how long a reply may take: these machines are loaded.
const replyWait = 30 * time.Second

func (p *process) tryDial() (*client, error) {
	nc, err := net.DialTimeout("tcp", p.addr, 5*time.Second)
	if err != nil {
		return nil, err
	}
	return &client{Conn: nc, t: p.t, in: bufio.NewReader(nc)}, nil
}

// dial returns a connection that is closed with the test.
func (p *process) dial() *client {
	p.t.Helper()
	c, err := p.tryDial()
	if err != nil {
		p.running()
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { c.Close() })
	return c
}

// try sends one request and reads its reply; an error reply is no error.
func (c *client) try(words ...string) (commandtest.Reply, error) {
	if err := c.SetDeadline(time.Now().Add(replyWait)); err != nil {
		return commandtest.Reply{}, err
	}
	if _, err := c.Write(request(words...)); err != nil {
		return commandtest.Reply{}, err
	}
	v, _, err := commandtest.ReadReply(c.in)
	return v, err
}

// receive reads the reply to a request that was sent before.
func (c *client) receive() (commandtest.Reply, error) {
	if err := c.SetDeadline(time.Now().Add(replyWait)); err != nil {
		return commandtest.Reply{}, err
	}
	v, _, err := commandtest.ReadReply(c.in)
	return v, err
}

// do sends one request and returns its reply as the kind and text of its first line.
func (c *client) do(words ...string) string {
	c.t.Helper()
	v, err := c.try(words...)
	if err != nil {
		c.t.Fatalf("%.100q: %v", words, err)
	}
	if v.Null {
		return string(v.Kind) + "-1"
	}
	return string(v.Kind) + v.Text
}

// is sends one request and compares the reply.
func (c *client) is(want string, words ...string) {
	c.t.Helper()
	if got := c.do(words...); got != want {
		c.t.Errorf("%.200q: %.200q, want %.200q", words, got, want)
	}
}

// exchange sends b on a connection of its own, closes it for writing, and returns all
// that comes back until the node closes it too.
func (p *process) exchange(b []byte) string {
	p.t.Helper()
	c := p.dial()
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(replyWait)); err != nil {
		p.t.Fatal(err)
	}
	if _, err := c.Write(b); err == nil { // a node that has closed already has still answered
		_ = c.Conn.(*net.TCPConn).CloseWrite()
	}
	got, err := io.ReadAll(c.in)
	if err != nil && !errors.Is(err, syscall.ECONNRESET) {
		p.t.Fatalf("%.100q: %v", b, err)
	}
	return string(got)
}

func request(words ...string) []byte {
	return resp.AppendCommand(nil, commandtest.Args(words...)...)
}
