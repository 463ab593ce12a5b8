package realnode

import (
	"bufio"
	"errors"
	"fmt"
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
)

// Options say which server a Process is.
type Options struct {
	// Program is the path of a node or of a redis-server.
	Program string
	// Lines stand in the configuration file behind port, bind and dir, Args behind its path
	// on the command line.
	Lines, Args []string
	// Port is where it listens. 0: a free one.
	Port int
	// Socket: it listens at a unix socket alone.
	Socket bool
}

// Process is a server with a folder and a configuration file of its own, which ends with
// the test. It can be killed, stopped and started again.
type Process struct {
	T    *testing.T
	Port int
	Addr string // host:port, or the path of its socket
	Dir  string // its data, configuration and output
	Args []string

	network string
	program string
	lines   []string
	cmd     *exec.Cmd
	done    chan struct{} // closed when the process has ended
}

// patience is how long a start may take on a machine under load.
const patience = time.Minute

// logEnd is how much of an output a failure shows.
const logEnd = 20_000

// Prepare makes a process that is not started yet.
func Prepare(t *testing.T, o Options) *Process {
	t.Helper()
	p := &Process{T: t, Port: o.Port, Args: o.Args, network: "tcp", program: o.Program, lines: o.Lines}
	if o.Socket {
		dir, err := os.MkdirTemp("", "rw") // t.TempDir may be too long for a socket's name
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		p.Dir, p.network, p.Addr = dir, "unix", filepath.Join(dir, "s")
		p.lines = append([]string{"unixsocket " + p.Addr}, p.lines...)
	} else {
		p.Dir = t.TempDir()
		if p.Port == 0 {
			p.Port = FreePorts(t, 1)
		}
	}
	p.configure()
	t.Cleanup(p.cleanup)
	return p
}

// Run prepares a process, starts it and waits until it answers.
func Run(t *testing.T, o Options) *Process {
	t.Helper()
	p := Prepare(t, o)
	// A port may be taken between its choice and its use: another one is tried then.
	for tries := 1; ; tries++ {
		p.Start()
		if p.answers(false) {
			return p
		}
		if tries == 5 || o.Port != 0 || o.Socket {
			p.Running() // it is not
		}
		p.Port = FreePorts(t, 1)
		p.configure()
	}
}

// configure writes the configuration file.
func (p *Process) configure() {
	p.T.Helper()
	if p.network == "tcp" {
		p.Addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(p.Port))
	}
	lines := append([]string{"port " + strconv.Itoa(p.Port), "bind 127.0.0.1", "dir " + p.Dir}, p.lines...)
	if err := os.WriteFile(p.confPath(), []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		p.T.Fatal(err)
	}
}

func (p *Process) confPath() string { return filepath.Join(p.Dir, "conf") }

// LogPath is the file with all that the process has written, over all its lives.
func (p *Process) LogPath() string { return filepath.Join(p.Dir, "output") }

// Start starts the process, which has ended or was not started yet. It does not wait.
func (p *Process) Start() {
	p.T.Helper()
	out, err := os.OpenFile(p.LogPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		p.T.Fatal(err)
	}
	defer out.Close()
	cmd := exec.Command(p.program, append([]string{p.confPath()}, p.Args...)...)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		p.T.Fatal(err)
	}
	done := make(chan struct{})
	p.cmd, p.done = cmd, done
	go func() {
		_ = cmd.Wait() // how a process ends is the test's business
		close(done)
	}()
}

// Await waits until the process answers, and fails the test if it ends before.
func (p *Process) Await() {
	p.T.Helper()
	if !p.answers(false) {
		p.Running()
	}
}

// AwaitLoaded is Await, and waits until the process has its data.
func (p *Process) AwaitLoaded() {
	p.T.Helper()
	if !p.answers(true) {
		p.Running()
	}
}

// answers waits until INFO shows this very process, not another one that has the port;
// false if it ends before.
func (p *Process) answers(loaded bool) (ok bool) {
	p.T.Helper()
	Eventually(p.T, patience, func() error {
		select {
		case <-p.done:
			return nil
		default:
		}
		info, err := p.text("INFO", "everything")
		if err != nil && strings.HasPrefix(err.Error(), "NOAUTH") {
			ok = true // it serves, and does not say more
			return nil
		}
		if err != nil {
			return err
		}
		if pid := field(info, "process_id"); pid != strconv.Itoa(p.PID()) {
			return fmt.Errorf("process %s has the port of %d", pid, p.PID())
		}
		if loaded && field(info, "loading") != "0" {
			return errors.New("it is loading")
		}
		ok = true
		return nil
	})
	return ok
}

// Running fails the test if the process has ended.
func (p *Process) Running() {
	p.T.Helper()
	select {
	case <-p.done:
		p.T.Fatalf("%s has ended: %v\n%s", p, p.cmd.ProcessState, p.Log())
	default:
	}
}

// String names the process in messages.
func (p *Process) String() string { return filepath.Base(p.program) + " " + p.Addr }

// PID is the id of the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended that was started last.
func (p *Process) Done() <-chan struct{} { return p.done }

// Ended waits until the process has ended and returns its exit code.
func (p *Process) Ended(limit time.Duration) int {
	p.T.Helper()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(limit):
		p.T.Fatalf("%s still runs after %v\n%s", p, limit, p.Log())
		return 0
	}
}

// Signal sends a signal to the process, which may have ended.
func (p *Process) Signal(sig syscall.Signal) {
	p.T.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.T.Fatal(err)
	}
}

// Kill sends SIGKILL and returns when the process is gone.
func (p *Process) Kill() {
	p.T.Helper()
	p.Signal(syscall.SIGKILL)
	<-p.done
}

// Log returns the end of what the process has written.
func (p *Process) Log() string {
	text, err := os.ReadFile(p.LogPath())
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-logEnd):])
}

// faults are what no process may write.
var faults = []string{"DATA RACE", "panic: ", "fatal error: "}

// cleanup ends the process and shows what it said where the test has failed.
func (p *Process) cleanup() {
	if p.cmd == nil {
		return
	}
	p.Kill()
	text, err := os.ReadFile(p.LogPath())
	if err != nil {
		p.T.Error(err)
	}
	for _, fault := range faults {
		if strings.Contains(string(text), fault) {
			p.T.Errorf("%s says %q", p, fault)
		}
	}
	if p.T.Failed() {
		p.T.Logf("%s says:\n%s", p, p.Log())
	}
}

// Field returns a field of a reply of lines such as that to INFO, asked on a connection of
// its own; empty if the reply has none of that name.
func (p *Process) Field(name string, words ...string) (string, error) {
	text, err := p.text(words...)
	return field(text, name), err
}

func field(text, name string) string {
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+":"); ok {
			return value
		}
	}
	return ""
}

// text returns the reply to a request.
func (p *Process) text(words ...string) (string, error) {
	c, err := net.DialTimeout(p.network, p.Addr, 5*time.Second)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return "", err
	}
	if _, err := c.Write(resp.AppendCommand(nil, commandtest.Args(words...)...)); err != nil {
		return "", err
	}
	v, _, err := commandtest.ReadReply(bufio.NewReader(c))
	if err == nil && v.Kind == '-' {
		err = errors.New(v.Text)
	}
	return v.Text, err
}
