// Command clusterctl creates, inspects and changes Redwing clusters.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/redis/go-redis/v9"

	"github.com/redwingdb/redwing/internal/clusterctl"
)

// Exit codes, part of the tool's interface.
const (
	exitFailed    = 1
	exitUsage     = 2
	exitUnhealthy = 3
	exitStale     = 5
	exitTimeout   = 6
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	redis.SetLogger(silent{})
	code := run(ctx, os.Args[1:], terminal{
		in: os.Stdin, out: os.Stdout, err: os.Stderr,
		inTTY: isTerminal(os.Stdin), errTTY: isTerminal(os.Stderr),
	})
	stop()
	os.Exit(code)
}

// terminal is what the tool reads and writes: data to out, everything else to err.
type terminal struct {
	in            io.Reader
	out, err      io.Writer
	inTTY, errTTY bool // whether in and err are a terminal
}

// isTerminal takes every character device for a terminal but the null device.
func isTerminal(f *os.File) bool {
	st, err := f.Stat()
	if err != nil || st.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(st, null)
}

// silent keeps the client library's remarks on failed connections from the operator,
// who gets them as errors.
type silent struct{}

// Printf drops the line.
func (silent) Printf(context.Context, string, ...any) {}

// run executes one command line and returns the exit code.
func run(ctx context.Context, args []string, t terminal) int {
	root := newRoot(t)
	root.SetArgs(args)
	root.SetIn(t.in)
	root.SetOut(t.out)
	root.SetErr(t.err)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if !errors.Is(err, clusterctl.ErrUnhealthy) { // the report has said it
		_, _ = fmt.Fprintln(t.err, "clusterctl:", err) // the exit code says it too
	}
	return exitCode(err)
}

func exitCode(err error) int {
	var usage *usageError
	switch {
	case errors.As(err, &usage), errors.Is(err, clusterctl.ErrUsage):
		return exitUsage
	case errors.Is(err, clusterctl.ErrUnhealthy):
		return exitUnhealthy
	case errors.Is(err, clusterctl.ErrStalePlan):
		return exitStale
	case errors.Is(err, clusterctl.ErrTimeout):
		return exitTimeout
	}
	return exitFailed
}

// usageError marks what cobra finds wrong with flags and arguments.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }
