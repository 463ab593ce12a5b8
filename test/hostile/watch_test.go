package hostile

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/command/commandtest"
)

// watchEnv is set in the process of a watcher: the address of the node.
const watchEnv = "REDWING_TEST_WATCH"

// watcher is a client that asks small things while others ask big ones. It is a process of
// its own, so that what the others do with their big things does not count.
type watcher struct {
	stop io.WriteCloser
	out  *bufio.Reader
	cmd  *exec.Cmd
}

func watch(t *testing.T, p *process, words ...string) *watcher {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	w := &watcher{cmd: exec.Command(self, words...)}
	w.cmd.Env = append(os.Environ(), watchEnv+"="+p.Addr)
	w.cmd.Stderr = os.Stderr
	if w.stop, err = w.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	w.out = bufio.NewReader(out)
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = w.cmd.Process.Kill() // of one that ended long ago, as a rule
		_ = w.cmd.Wait()
	})
	if _, err := w.out.ReadString('\n'); err != nil {
		t.Fatalf("the watcher does not begin: %v", err)
	}
	return w
}

// end stops the watcher and wants that it was served all the time.
func (w *watcher) end(t *testing.T, what string) {
	t.Helper()
	w.stop.Close()
	var count int
	var nanos int64
	if _, err := fmt.Fscan(w.out, &count, &nanos); err != nil {
		t.Fatalf("%s: another client: %v", what, err)
	}
	worst := time.Duration(nanos)
	t.Logf("%s: another client got %d replies meanwhile, worst after %v", what, count, worst)
	if worst > time.Second { // of a machine that runs other things too
		t.Errorf("%s: another client waited for %v", what, worst)
	}
}

// watchMain is the process of a watcher: it asks until its input ends, having written a line
// when it began, and writes how many replies came and the longest wait, in nanoseconds.
func watchMain(addr string, words []string) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(ended)
	}()
	in, ask := bufio.NewReader(c), request(words...)
	var worst time.Duration
	for count := 0; ; count++ {
		select {
		case <-ended:
			_, err := fmt.Println(count, int64(worst))
			return err
		default:
		}
		began := time.Now()
		if err := c.SetDeadline(began.Add(replyWait)); err != nil {
			return err
		}
		if _, err := c.Write(ask); err != nil {
			return err
		}
		if v, _, err := commandtest.ReadReply(in); err != nil || v.Kind == '-' {
			return fmt.Errorf("%q: %q, %w", words, v.Text, err)
		}
		worst = max(worst, time.Since(began))
		if count == 0 {
			fmt.Println("watching")
		}
	}
}
