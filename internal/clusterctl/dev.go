package clusterctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/redwingdb/redwing/internal/config"
)

// Dev is a local cluster of separate processes for trying things out.
type Dev struct {
	Dir       string // holds one folder a node: log, pid file, data
	Node      string // path of the node binary
	BasePort  int    // the nodes listen on BasePort, BasePort+1, ...
	Primaries int
	Replicas  int // a primary
	// Args are further directives of the nodes that are started: "--name", "value".
	Args []string
}

// Validate names every bad field.
func (d *Dev) Validate() error {
	var errs []error
	if d.Primaries < 1 {
		errs = append(errs, fmt.Errorf("%w: --primaries %d: at least 1", ErrUsage, d.Primaries))
	}
	if d.Replicas < 0 {
		errs = append(errs, fmt.Errorf("%w: --replicas %d is negative", ErrUsage, d.Replicas))
	}
	if top := d.BasePort + d.size() - 1 + config.BusOffset; d.BasePort < 1 || top > 65535 {
		errs = append(errs, fmt.Errorf("%w: --port %d: the bus port (port + %d) must stay below 65536", ErrUsage, d.BasePort, config.BusOffset))
	}
	return errors.Join(errs...)
}

func (d *Dev) size() int { return d.Primaries * (1 + d.Replicas) }

// Addrs returns the client addresses of the nodes.
func (d *Dev) Addrs() []string {
	var out []string
	for i := range d.size() {
		out = append(out, net.JoinHostPort("127.0.0.1", strconv.Itoa(d.BasePort+i)))
	}
	return out
}

func (d *Dev) nodeDir(port string) string { return filepath.Join(d.Dir, port) }

// Up starts what does not run yet, forms the cluster if it is not formed, and waits
// until it is healthy. It may be called again at any time. Nothing is started unless
// everything that is missing can be.
func (d *Dev) Up(ctx context.Context, c *Conns, log io.Writer) error {
	if err := d.Validate(); err != nil {
		return err
	}
	missing, err := d.missing()
	if err != nil {
		return err
	}
	for _, addr := range d.Addrs() {
		if slices.Contains(missing, addr) {
			err = d.start(ctx, c, addr, log)
		} else {
			err = d.answers(ctx, c, addr)
		}
		if err != nil {
			return err
		}
	}
	plan, err := PlanCreate(ctx, c, d.Addrs(), d.Replicas)
	if err != nil {
		return err
	}
	if err := plan.Apply(ctx, c, NewTerminal(log, false)); err != nil {
		return err
	}
	return WaitHealthy(ctx, c, d.Addrs()[0], d.size())
}

// missing returns the nodes that do not run, if all of them can be started.
func (d *Dev) missing() ([]string, error) {
	var out []string
	for _, addr := range d.Addrs() {
		host, port, err := splitAddr(addr)
		if err != nil {
			return nil, err
		}
		if _, ok := d.running(strconv.Itoa(port)); ok {
			continue
		}
		for _, p := range []int{port, port + config.BusOffset} {
			if !portFree(host, p) {
				return nil, fmt.Errorf("port %d is taken by another process: choose others with --port", p)
			}
		}
		out = append(out, addr)
	}
	if len(out) == 0 {
		return nil, nil
	}
	if _, err := exec.LookPath(d.Node); err != nil {
		return nil, fmt.Errorf("there is no node binary at %s: build it (make build) or name it with --node", d.Node)
	}
	return out, nil
}

func portFree(host string, port int) bool {
	ln, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return false
	}
	return ln.Close() == nil
}

// startTimeout bounds how long a started node may take to answer.
const startTimeout = 30 * time.Second

// answers waits until the running node of addr answers.
func (d *Dev) answers(ctx context.Context, c *Conns, addr string) error {
	return waitFor(ctx, min(startTimeout, c.o.Timeout), func() (bool, string, error) {
		_, err := c.Text(ctx, addr, "PING")
		return err == nil, fmt.Sprintf("node %s runs but does not answer; see %s", addr, d.logPath(addr)), nil
	})
}

func (d *Dev) logPath(addr string) string {
	_, port, _ := net.SplitHostPort(addr) // addr is one of Addrs
	return filepath.Join(d.nodeDir(port), "node.log")
}

// start runs the node of addr and waits until it answers.
func (d *Dev) start(ctx context.Context, c *Conns, addr string, log io.Writer) error {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	dir := d.nodeDir(port)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	out, err := os.OpenFile(d.logPath(addr), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	args := []string{"--port", port, "--bind", "127.0.0.1", "--dir", dir, "--cluster-enabled", "yes"}
	cmd := exec.Command(d.Node, append(args, d.Args...)...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // it outlives this tool and its terminal
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", d.Node, err)
	}
	pid := cmd.Process.Pid
	if err := os.WriteFile(filepath.Join(dir, "node.pid"), []byte(strconv.Itoa(pid)+"\n"), 0o644); err != nil {
		return errors.Join(err, cmd.Process.Kill())
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()                                 // ends with the node, or with this tool
	_, _ = fmt.Fprintf(log, "started node %s (process %d)\n", addr, pid) // a terminal: nobody to tell if it fails
	return waitFor(ctx, min(startTimeout, c.o.Timeout), func() (bool, string, error) {
		select {
		case err := <-exited:
			return false, "", fmt.Errorf("node %s ended at once (%s): %s", addr, exitText(err), lastLine(d.logPath(addr)))
		default:
		}
		_, err := c.Text(ctx, addr, "PING")
		return err == nil, "node " + addr + " does not answer; see " + d.logPath(addr), nil
	})
}

func exitText(err error) string {
	if err == nil {
		return "exit status 0"
	}
	return err.Error()
}

func lastLine(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[len(lines)-1]
}

// running returns the process of a node that its pid file names, if it is alive and
// really is a node started from this folder.
func (d *Dev) running(port string) (pid int, ok bool) {
	text, err := os.ReadFile(filepath.Join(d.nodeDir(port), "node.pid"))
	if err != nil {
		return 0, false
	}
	pid, err = strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid <= 1 || !alive(pid) {
		return 0, false
	}
	// The number may have gone to a stranger since: on Linux the command line tells.
	if cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err == nil {
		return pid, strings.Contains(string(cmdline), d.nodeDir(port))
	}
	return pid, true
}

// alive reports whether the process runs; a child of ours that has ended counts as gone.
func alive(pid int) bool {
	if err := syscall.Kill(pid, 0); err != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true // no /proc here: the signal has told enough
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z")
}

// Down stops every node of the folder, all at once, and removes their data.
func (d *Dev) Down(ctx context.Context) (stopped int, err error) {
	entries, err := os.ReadDir(d.Dir)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	var pids []int
	for _, e := range entries {
		if pid, ok := d.running(e.Name()); ok {
			pids = append(pids, pid)
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				return 0, fmt.Errorf("stop process %d: %w", pid, err)
			}
		}
	}
	for _, pid := range pids {
		if err := waitFor(ctx, 10*time.Second, func() (bool, string, error) {
			return !alive(pid), fmt.Sprintf("process %d does not end", pid), nil
		}); err != nil {
			return 0, err
		}
	}
	for _, e := range entries { // only what Up has made: folders named by a port
		if _, err := strconv.Atoi(e.Name()); err != nil {
			continue
		}
		if err := os.RemoveAll(filepath.Join(d.Dir, e.Name())); err != nil {
			return len(pids), err
		}
	}
	if err := os.Remove(d.Dir); err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, syscall.ENOTEMPTY) {
		return len(pids), err
	}
	return len(pids), nil
}
