package node

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/redwingdb/redwing/internal/bus"
	"github.com/redwingdb/redwing/internal/config"
)

// listenAll opens a TCP listener on port for each address of a bind directive: "*"
// is all of IPv4, "::*" all of IPv6, and "-" before an address means that it may be
// missing on this machine.
func listenAll(bind []string, port int) (_ []net.Listener, err error) {
	var out []net.Listener
	defer func() {
		if err != nil {
			closeAll(out)
		}
	}()
	for _, addr := range bind {
		host, optional := strings.CutPrefix(addr, "-")
		ln, err := listenTCP(host, port)
		if err != nil {
			if optional && !errors.Is(err, errTaken) {
				continue
			}
			return out, err
		}
		out = append(out, ln)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("bind %s: no address to listen on", strings.Join(bind, " "))
	}
	return out, nil
}

var errTaken = errors.New("port is taken")

func listenTCP(host string, port int) (net.Listener, error) {
	network := "tcp"
	switch host {
	case "*":
		network, host = "tcp4", "0.0.0.0"
	case "::*":
		network, host = "tcp6", "::"
	}
	addr := net.JoinHostPort(host, strconv.Itoa(port))
	ln, err := net.Listen(network, addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("listen on %s: %w by another process", addr, errTaken)
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", addr, unwrapNet(err))
	}
	return ln, nil
}

// unwrapNet drops the operation and address that the caller has said already.
func unwrapNet(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}

func closeAll(list []net.Listener) {
	for _, ln := range list {
		_ = ln.Close() // a listener that was never served loses nothing
	}
}

// listenUnix opens the unix socket of clients, replacing what a dead process left.
func listenUnix(path string, mode os.FileMode) (net.Listener, error) {
	if conn, err := net.Dial("unix", path); err == nil {
		_ = conn.Close() // it was opened only to see whether somebody listens
		return nil, fmt.Errorf("unixsocket %s: %w by another process", path, errTaken)
	}
	if st, err := os.Lstat(path); err == nil && st.Mode()&os.ModeSocket != 0 {
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("unixsocket: %w", err)
		}
	}
	ln, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("unixsocket %s: %w", path, unwrapNet(err))
	}
	if mode != 0 {
		if err := os.Chmod(path, mode); err != nil {
			_ = ln.Close() // the error is about the mode
			return nil, fmt.Errorf("unixsocketperm: %w", err)
		}
	}
	return ln, nil
}

// exposed reports whether other machines can reach the bus and no secret protects it.
func exposed(cfg *config.Config) bool {
	for _, addr := range cfg.Bind.Get() {
		if bus.CheckExposure(strings.TrimPrefix(addr, "-"), []byte(cfg.BusSecret.Get()), nil) != nil {
			return true
		}
	}
	return false
}

// announcedHost returns the address under which other nodes and clients reach this
// node where none is configured: the first concrete bind address, else the first
// address of the machine that is not loopback.
func announcedHost(bind []string) string {
	for _, addr := range bind {
		host := strings.TrimPrefix(addr, "-")
		if ip := net.ParseIP(host); ip != nil && !ip.IsUnspecified() {
			return host
		}
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return "127.0.0.1"
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLoopback() && n.IP.To4() != nil {
			return n.IP.String()
		}
	}
	return "127.0.0.1"
}
