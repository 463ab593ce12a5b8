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

func TestMain(m *testing.M) {
	if addr := os.Getenv(watchEnv); addr != "" {
		if err := watchMain(addr, os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(realnode.Main(m, &bin, false))
}

// process is one node.
type process struct{ *realnode.Process }

// startPlain runs a node without cluster and waits until it has its data.
func startPlain(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{realnode.Run(t, options(args))}
	p.AwaitLoaded()
	return p
}

// startCluster runs n fresh cluster nodes and waits until they answer.
func startCluster(t *testing.T, n int, args ...string) []*process {
	t.Helper()
	var out []*process
	for range n {
		out = append(out, startPlain(t, append([]string{"--cluster-enabled", "yes"}, args...)...))
	}
	return out
}

func options(args []string) realnode.Options {
	return realnode.Options{Program: filepath.Join(bin, "node"), Args: args}
}

// form makes the nodes a cluster of primaries with the given number of replicas each.
func form(t *testing.T, nodes []*process, replicas int) {
	t.Helper()
	args := []string{"-a", nodes[0].Addr, "create", "--yes", "--replicas", strconv.Itoa(replicas)}
	for _, p := range nodes {
		args = append(args, p.Addr)
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
		out, err := exec.Command(filepath.Join(bin, "clusterctl"), "-a", via.Addr, "check").CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	})
}

// rss returns the resident memory of the process in bytes.
func (p *process) rss() int64 {
	p.T.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.PID()))
	if err != nil {
		p.T.Fatal(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	if err != nil {
		p.T.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// client is a connection to a node.
type client struct {
	net.Conn
	t  *testing.T
	in *bufio.Reader
}

// replyWait bounds how long a reply may take: these machines are loaded.
const replyWait = 2 * time.Minute

func (p *process) tryDial() (*client, error) {
	nc, err := net.DialTimeout("tcp", p.Addr, 5*time.Second)
	if err != nil {
		return nil, err
	}
	return &client{Conn: nc, t: p.T, in: bufio.NewReader(nc)}, nil
}

// dial returns a connection that is closed with the test.
func (p *process) dial() *client {
	p.T.Helper()
	c, err := p.tryDial()
	if err != nil {
		p.Running()
		p.T.Fatal(err)
	}
	p.T.Cleanup(func() { c.Close() })
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
	p.T.Helper()
	c := p.dial()
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(replyWait)); err != nil {
		p.T.Fatal(err)
	}
	if _, err := c.Write(b); err == nil { // a node that has closed already has still answered
		_ = c.Conn.(*net.TCPConn).CloseWrite()
	}
	got, err := io.ReadAll(c.in)
	if err != nil && !errors.Is(err, syscall.ECONNRESET) {
		p.T.Fatalf("%.100q: %v", b, err)
	}
	return string(got)
}

func request(words ...string) []byte {
	return resp.AppendCommand(nil, commandtest.Args(words...)...)
}
