// Command clusterctl creates, inspects and changes Redwing clusters.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

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
	err := newRoot().ExecuteContext(ctx)
	stop()
	if err == nil {
		return
	}
	if !errors.Is(err, clusterctl.ErrUnhealthy) { // the report has said it
		fmt.Fprintln(os.Stderr, "clusterctl:", err)
	}
	os.Exit(exitCode(err))
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
