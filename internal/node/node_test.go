package node

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/commands/admin/admintest"
	"github.com/redwingdb/redwing/internal/config"
)

// freePort returns a port such that the bus port above it is free as well.
func freePort(t *testing.T) int {
	t.Helper()
	for port := 21000 + os.Getpid()%500; port < 22500; port++ {
		ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		bus, busErr := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port+10000))
		_ = ln.Close() // nobody was served
		if busErr == nil {
			_ = bus.Close() // likewise
			return port
		}
	}
	t.Fatal("found no free port")
	return 0
}

// running is a node that serves in this process.
type running struct {
	t    *testing.T
	port int
	stop context.CancelFunc
	done chan error
}

func start(t *testing.T, args ...string) *running {
	t.Helper()
	cfg, err := config.Parse(nil, append([]string{"--bind", "127.0.0.1", "--logfile", filepath.Join(t.TempDir(), "log")}, args...))
	if err != nil {
		t.Fatal(err)
	}
	n, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{t: t, port: int(cfg.Port.Get()), stop: cancel, done: make(chan error, 1)}
	go func() { r.done <- n.Run(ctx, nil) }()
	return r
}

// end stops the node and waits until everything it started has ended.
func (r *running) end() {
	r.t.Helper()
	r.stop()
	select {
	case err := <-r.done:
		if err != nil {
			r.t.Fatalf("the node ended with: %v", err)
		}
	case <-time.After(20 * time.Second):
		r.t.Fatal("the node did not end")
	}
}

// ask sends one inline command and returns the first line of the reply.
func (r *running) ask(command string) (string, error) {
	conn, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", r.port), time.Second)
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
	line, err := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSpace(line), err
}

// awaitReply repeats a command until its reply begins with want.
func (r *running) awaitReply(command, want string) {
	r.t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		got, err := r.ask(command)
		if err == nil && strings.HasPrefix(got, want) {
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("%s: %q (%v), want %q", command, got, err, want)
		}
		time.Sleep(5 * time.Millisecond) // the rate at which it is asked
	}
}

func TestPlainNodeServes(t *testing.T) {
	port := freePort(t)
	r := start(t, "--port", strconv.Itoa(port), "--dir", t.TempDir())
	r.awaitReply("SET k v", "+OK")
	r.awaitReply("STRLEN k", ":1")
	r.awaitReply("CLUSTER INFO", "-ERR This instance has cluster support disabled")
	r.end()
	if _, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), time.Second); err == nil {
		t.Error("the port is still served")
	}
}

// TestLoneClusterNode forms a cluster of one, restarts it, and finds it with the same
// id and slots, and its data; or without them where they were not to be saved.
func TestLoneClusterNode(t *testing.T) {
	dir := t.TempDir()
	args := []string{"--port", strconv.Itoa(freePort(t)), "--dir", dir, "--cluster-enabled", "yes"}
	r := start(t, args...)
	r.awaitReply("SET k v", "-CLUSTERDOWN Hash slot not served")
	r.awaitReply("CLUSTER ADDSLOTSRANGE 0 16383", "+OK")
	r.awaitReply("SET k v", "+OK")
	r.awaitReply("DBSIZE", ":1")
	r.end()

	r = start(t, args...)
	r.awaitReply("SET other v", "+OK")
	r.awaitReply("EXISTS k", ":1")
	r.awaitReply("DBSIZE", ":2")
	r.end()

	if err := os.Remove(filepath.Join(dir, "dump.rdb")); err != nil {
		t.Fatal(err)
	}
	r = start(t, append(args, "--save", "")...)
	r.awaitReply("SET another v", "+OK")
	r.awaitReply("DBSIZE", ":1")
	r.end()
	if _, err := os.Stat(filepath.Join(dir, "dump.rdb")); !os.IsNotExist(err) {
		t.Errorf("saved without save points: %v", err)
	}
}

func TestMaxMemoryRefusesWrites(t *testing.T) {
	r := start(t, "--port", strconv.Itoa(freePort(t)), "--dir", t.TempDir(), "--maxmemory", "1")
	r.awaitReply("SET k v", "+OK") // nothing is used yet
	r.awaitReply("SET k v", "-OOM command not allowed")
	r.awaitReply("DEL k", ":1")
	r.end()
}

// TestUnusable checks that what cannot work is refused in one line.
func TestUnusable(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := strconv.Itoa(taken.Addr().(*net.TCPAddr).Port)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"port taken":   {[]string{"--port", port}, "port is taken"},
		"no directory": {[]string{"--dir", "/nonexistent/redwing"}, "no such file or directory"},
		"not one":      {[]string{"--dir", file}, "not a directory"},
		"open bus":     {[]string{"--bind", "0.0.0.0", "--cluster-enabled", "yes"}, "bus-secret"},
		"bus port":     {[]string{"--cluster-enabled", "yes", "--cluster-port", port}, "port is taken"},
	} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"--bind", "127.0.0.1", "--port", strconv.Itoa(freePort(t)), "--dir", t.TempDir()}, c.args...)
			cfg, err := config.Parse(nil, args)
			if err != nil {
				t.Fatal(err)
			}
			n, err := New(cfg)
			if err == nil {
				n.closeData()
				t.Fatal("was accepted")
			}
			if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%q, want one line with %q", err, c.want)
			}
		})
	}
}

// TestCompatibilityPage holds docs/compatibility.md against the commands there are.
func TestCompatibilityPage(t *testing.T) {
	cfg, err := config.Parse(nil, []string{"--bind", "127.0.0.1", "--port", strconv.Itoa(freePort(t)), "--dir", t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	n, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer n.closeData()
	defer closeAll(n.listeners)
	page, err := os.ReadFile("../../docs/compatibility.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range admintest.CompatibilityFaults(string(page), n.table) {
		t.Error(fault)
	}
}
