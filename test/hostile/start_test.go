package hostile

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redwingdb/redwing/test/realnode"
)

// launch runs a node to its end and returns what it wrote and its exit code.
func launch(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var out, errOut bytes.Buffer
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "node"), args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = t.TempDir(), &out, &errOut
	_ = cmd.Run() // the exit code tells
	if ctx.Err() != nil {
		t.Fatalf("%q: still runs\n%s", args, out.String())
	}
	return out.String(), errOut.String(), cmd.ProcessState.ExitCode()
}

// refused wants one line on standard error that holds every part, nothing on standard
// output, and exit code 1.
func refused(t *testing.T, args []string, parts ...string) {
	t.Helper()
	stdout, stderr, code := launch(t, args...)
	if code != 1 || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.HasSuffix(stderr, "\n") {
		t.Errorf("%.200q: exit code %d, standard output %.300q, standard error %.2000q", args, code, stdout, stderr)
	}
	for _, part := range parts {
		if !strings.Contains(stderr, part) {
			t.Errorf("%.200q: %.500q does not say %q", args, stderr, part)
		}
	}
}

// TestRefusedStart: what a node cannot run with ends it with one clear line.
func TestRefusedStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	write(t, file, "x")
	bad := filepath.Join(dir, "bad.conf")
	write(t, bad, "# a comment\nmaxclients 10\nmaxclient 10\n")
	quotes := filepath.Join(dir, "quotes.conf")
	write(t, quotes, "dir \"/tmp\nport 1\n")
	noise := filepath.Join(dir, "noise.conf")
	write(t, noise, "\x00\x01\xff "+string(random(3000)))
	port := strconv.Itoa(realnode.FreePorts(t, 1))
	clustered := func(args ...string) []string {
		return append([]string{"--port", port, "--bind", "127.0.0.1", "--dir", dir, "--cluster-enabled", "yes"}, args...)
	}
	for _, c := range []struct {
		args  []string
		parts []string
	}{
		{[]string{"--maxclents", "5"}, []string{"unknown directive 'maxclents'", "'maxclients'"}},
		{[]string{"--nosuchthing", "5"}, []string{"unknown directive 'nosuchthing'"}},
		{[]string{bad}, []string{"bad.conf:3", "'maxclient'", "'maxclients'"}},
		{[]string{quotes}, []string{"quotes.conf:1", "unbalanced quotes"}},
		{[]string{noise}, []string{"noise.conf"}},
		{[]string{filepath.Join(dir, "none.conf")}, []string{"none.conf", "no such file"}},
		{[]string{dir}, []string{dir}},
		{[]string{"--port", "abc"}, []string{"port"}},
		{[]string{"--port", "70000"}, []string{"port", "65535"}},
		{[]string{"--port"}, []string{"port", "arguments"}},
		{[]string{"--port", "0"}, []string{"port is 0"}},
		{[]string{"--maxmemory", "lots"}, []string{"maxmemory"}},
		{[]string{"--databases", "0"}, []string{"databases"}},
		{[]string{"--loglevel", "loud"}, []string{"loglevel"}},
		{[]string{"--cluster-enabled", "maybe"}, []string{"cluster-enabled", "'yes' or 'no'"}},
		{[]string{"--appendonly", "maybe"}, []string{"appendonly", "'yes' or 'no'"}},
		{[]string{"--port", port, "--bind", "127.0.0.300"}, []string{"127.0.0.300"}},
		{[]string{"--port", port, "--bind", "192.0.2.1"}, []string{"192.0.2.1", "cannot assign"}},
		{[]string{"--port", port, "--logfile", "/nonexistent/log"}, []string{"logfile", "/nonexistent/log"}},
		{[]string{"--port", port, "--dir", dir, "--pidfile", "/nonexistent/pid"}, []string{"pidfile", "/nonexistent/pid"}},
		{[]string{"--port", "0", "--dir", dir, "--unixsocket", "/nonexistent/s"}, []string{"unixsocket", "/nonexistent/s"}},
		// Directories.
		{[]string{"--port", port, "--dir", filepath.Join(dir, "none")}, []string{"none", "no such file"}},
		{[]string{"--port", port, "--dir", file}, []string{file, "not a directory"}},
		{[]string{"--port", port, "--dir", filepath.Join(file, "below")}, []string{"below", "not a directory"}},
		{[]string{"--port", port, "--dir", "/proc"}, []string{"/proc", "cannot be written"}},
		{clustered("--cluster-dir", filepath.Join(file, "below")), []string{file, "not a directory"}},
		{clustered("--cluster-dir", file), []string{file, "not a directory"}},
		// The bus.
		{[]string{"--port", "60000", "--bind", "127.0.0.1", "--dir", dir, "--cluster-enabled", "yes"}, []string{"bus port", "65535"}},
		{clustered("--bind", "0.0.0.0"), []string{"bus-secret", "insecure-bus"}},
		{clustered("--bind", "127.0.0.1", "192.0.2.1"), []string{"192.0.2.1"}},
		{clustered("--cluster-node-timeout", "0"), []string{"cluster-node-timeout"}},
		{clustered("--cluster-node-timeout", "9223372036854775807"), []string{"cluster-node-timeout"}},
		{clustered("--replicaof", "127.0.0.1", "1"), []string{"replicaof"}},
	} {
		refused(t, c.args, c.parts...)
	}
}

// TestTakenPorts: the port of clients and that of the bus.
func TestTakenPorts(t *testing.T) {
	t.Parallel()
	port := realnode.FreePorts(t, 1)
	for _, taken := range []int{port, port + 10000} {
		ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", taken))
		if err != nil {
			t.Fatal(err)
		}
		refused(t, []string{"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", t.TempDir(), "--cluster-enabled", "yes"},
			strconv.Itoa(taken), "taken")
		if err := ln.Close(); err != nil {
			t.Fatal(err)
		}
	}
	// The same folder of a cluster, on other ports: two processes, one identity.
	p := startCluster(t, 1)[0]
	form(t, []*process{p}, 0)
	refused(t, []string{"--port", strconv.Itoa(realnode.FreePorts(t, 1)), "--bind", "127.0.0.1", "--dir", p.Dir, "--cluster-enabled", "yes"}, p.Dir)
	p.dial().is("+OK", "SET", "k", "v")
}

func TestHelpAndVersion(t *testing.T) {
	t.Parallel()
	for arg, want := range map[string]string{"--help": "Usage:", "-h": "Usage:", "--version": "Redwing", "-v": "Redwing"} {
		if stdout, stderr, code := launch(t, arg); code != 0 || stderr != "" || !strings.HasPrefix(stdout, want) {
			t.Errorf("%s: exit code %d, %q, %q", arg, code, stdout, stderr)
		}
	}
}

// TestDamagedClusterDir: a node that cannot read who it is does not become another one,
// and one whose raft log is damaged does not vote with what is left.
func TestDamagedClusterDir(t *testing.T) {
	t.Parallel()
	p := startCluster(t, 1)[0]
	form(t, []*process{p}, 0)
	id := p.dial().do("CLUSTER", "MYID")
	p.Kill()
	dir := filepath.Join(p.Dir, "cluster")
	args := []string{"--port", strconv.Itoa(p.Port), "--bind", "127.0.0.1", "--dir", p.Dir, "--cluster-enabled", "yes"}
	damage := func(name string, parts ...string) {
		t.Helper()
		path := filepath.Join(dir, name)
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, content := range [][]byte{nil, whole[:len(whole)/3], random(500), []byte("{}"), []byte("null"), []byte(`{"version":99}`)} {
			write(t, path, string(content))
			refused(t, args, parts...)
		}
		write(t, path, string(whole))
	}
	damage("node.json", "node.json")
	damage("raft/wal-meta.db", "raft")

	node := filepath.Join(dir, "node.json")
	whole, err := os.ReadFile(node)
	if err != nil {
		t.Fatal(err)
	}
	write(t, node, strings.Replace(string(whole), strings.TrimPrefix(id, "$"), "zz", 1))
	refused(t, args, "node.json")
	write(t, node, string(whole))

	// The View that is kept to know whom to ask decides nothing.
	write(t, filepath.Join(dir, "view.json"), string(random(500)))
	p.Start()
	p.AwaitLoaded()
	c := p.dial()
	c.is(id, "CLUSTER", "MYID")
	realnode.Eventually(t, 20*time.Second, func() error {
		if got := c.do("SET", "k", "v"); got != "+OK" {
			return fmt.Errorf("%s", got)
		}
		return nil
	})
	p.Kill()

	segments, err := filepath.Glob(filepath.Join(dir, "raft", "*.wal"))
	if err != nil || len(segments) == 0 {
		t.Fatalf("no segments: %v", err)
	}
	for _, path := range segments {
		write(t, path, string(random(4096)))
	}
	p.Start()
	p.AwaitLoaded()
	if got := p.dial().do("SET", "k", "v"); !strings.HasPrefix(got, "-CLUSTERDOWN") {
		t.Errorf("with a damaged log: %s", got)
	}
	if !strings.Contains(p.Log(), "votes no more") {
		t.Errorf("the log does not say that the stores are lost:\n%s", p.Log())
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails since Go 1.24
	return b
}
