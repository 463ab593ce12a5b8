package bus

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"go.uber.org/zap"
)

// Resolver finds the address of a node's bus.
type Resolver interface {
	Resolve(node string) (addr string, ok bool)
}

// Options of a Bus. Zero values mean the defaults named here.
type Options struct {
	// Listener accepts the bus connections. Required; the bus closes it.
	Listener net.Listener
	// Secret is shared by all nodes of the cluster. Empty: none is asked for.
	Secret []byte
	// TLS, if set, wraps every connection; for mutual TLS it demands client certificates.
	TLS *tls.Config
	// Logger. Default: none.
	Logger *zap.Logger
	// HandshakeTimeout bounds a handshake. Default 1 s.
	HandshakeTimeout time.Duration
	// PingEvery is how often a kept connection carries something. Default 100 ms.
	PingEvery time.Duration
	// SilentAfter closes a kept connection that brought no byte for so long; it is
	// dialled again at once. Default 1 s.
	SilentAfter time.Duration
	// MaxConns bounds accepted connections. Default 8192.
	MaxConns int
	// MaxHandshakes bounds connections that have not finished their handshake. Default 256.
	MaxHandshakes int
}

func (o *Options) setDefaults() {
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.HandshakeTimeout == 0 {
		o.HandshakeTimeout = time.Second
	}
	if o.PingEvery == 0 {
		o.PingEvery = 100 * time.Millisecond
	}
	if o.SilentAfter == 0 {
		o.SilentAfter = time.Second
	}
	if o.MaxConns == 0 {
		o.MaxConns = 8192
	}
	if o.MaxHandshakes == 0 {
		o.MaxHandshakes = 256
	}
}

// Validate names every bad field at once.
func (o *Options) Validate() error {
	var errs []error
	if o.Listener == nil {
		errs = append(errs, errors.New("bus: Listener is missing"))
	}
	if o.HandshakeTimeout < 0 || o.PingEvery < 0 || o.SilentAfter < 0 {
		errs = append(errs, errors.New("bus: a negative duration"))
	}
	if o.MaxConns < 0 || o.MaxHandshakes < 0 {
		errs = append(errs, errors.New("bus: a negative limit"))
	}
	if o.SilentAfter != 0 && o.SilentAfter < 2*o.PingEvery {
		errs = append(errs, fmt.Errorf("bus: SilentAfter %v is below two pings of %v", o.SilentAfter, o.PingEvery))
	}
	return errors.Join(errs...)
}

// ErrInsecure is returned by CheckExposure.
var ErrInsecure = errors.New("bus: an address that others can reach needs a shared secret or TLS (or --insecure-bus yes)")

// CheckExposure refuses hosts that are not loopback when neither a secret nor TLS
// protects the bus. An empty host means all interfaces.
func CheckExposure(host string, secret []byte, cfg *tls.Config) error {
	if len(secret) > 0 || cfg != nil || host == "localhost" {
		return nil
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("%w: %q", ErrInsecure, host)
}
