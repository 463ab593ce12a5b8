package clusterctl

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
)

// ErrUnreachable is returned when no connection to a node can be made.
var ErrUnreachable = errors.New("cannot be reached")

// ErrDenied is returned when a node wants a password or refuses the one it got.
var ErrDenied = errors.New("access denied")

// replies are the answers of a node that deserve plainer words. What a node answers
// comes as text; the first word, or all of a fixed text, identifies it.
var replies = []struct {
	prefix string
	text   string
	err    error
}{
	{"NOAUTH", "the node asks for a password (CLUSTERCTL_PASSWORD or --password)", ErrDenied},
	{"WRONGPASS", "the node refuses the password (CLUSTERCTL_PASSWORD or --password)", ErrDenied},
	{"ERR This instance has cluster support disabled", "not a cluster node (start it with --cluster-enabled yes)", nil},
	{"DENIED", "the node is in protected mode and talks to its own machine only", ErrDenied},
}

// explain turns an error of a command to a node into one line that says what is wrong.
func explain(addr, command string, err error) error {
	for _, r := range replies {
		if !strings.HasPrefix(err.Error(), r.prefix) {
			continue
		}
		if r.err != nil {
			return fmt.Errorf("%s: %w: %s", addr, r.err, r.text)
		}
		return fmt.Errorf("%s: %s", addr, r.text)
	}
	var dial *net.OpError
	var timeout net.Error
	switch {
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("interrupted: %w", err)
	case errors.As(err, &dial) && dial.Op == "dial":
		return fmt.Errorf("%s %w: %w", addr, ErrUnreachable, rootCause(dial))
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Errorf("%s did not answer %s within %v", addr, command, callTimeout)
	}
	return fmt.Errorf("%s: %s: %w", addr, command, err)
}

// rootCause strips what repeats the address: "connection refused", "no such host".
func rootCause(e *net.OpError) error {
	var call *os.SyscallError
	if errors.As(e.Err, &call) {
		return call.Err
	}
	return e.Err
}
