package bus

import (
	"context"
	"crypto/hmac"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

func readFull(r io.Reader, p []byte) error {
	_, err := io.ReadFull(r, p)
	return err
}

// withHost completes an announced address without a host by the one it came from.
func withHost(addr string, remote net.Addr) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || port == "" || port == "0" {
		return ""
	}
	if ip := net.ParseIP(host); host != "" && (ip == nil || !ip.IsUnspecified()) {
		return addr
	}
	rh, _, err := net.SplitHostPort(remote.String())
	if err != nil {
		return ""
	}
	return net.JoinHostPort(rh, port)
}

// Dial opens a connection of a protocol to a member of this cluster. It tries the
// Resolver's address, then the one learned from the node itself.
func (b *Bus) Dial(ctx context.Context, proto Protocol, node string) (net.Conn, error) {
	c, err := b.dial(ctx, proto, node)
	if err != nil {
		return nil, err // not c: a nil *conn in a net.Conn is not nil
	}
	return c, nil
}

func (b *Bus) dial(ctx context.Context, proto Protocol, node string) (*conn, error) {
	_, _, resolver := b.state()
	var first, second string
	if resolver != nil {
		first, _ = resolver.Resolve(node)
	}
	if p := b.known(node); p != nil {
		second = p.learned()
	}
	if first == "" || first == second {
		first, second = second, ""
	}
	if first == "" {
		return nil, fmt.Errorf("%w: node %s", ErrUnknownNode, node)
	}
	c, err := b.dialAddr(ctx, proto, first, node)
	if err == nil || second == "" || ctx.Err() != nil {
		return c, err
	}
	c, err2 := b.dialAddr(ctx, proto, second, node)
	if err2 == nil {
		return c, nil
	}
	return nil, errors.Join(err, err2)
}

// DialAddr opens a connection to an address. An empty node accepts whoever answers.
func (b *Bus) DialAddr(ctx context.Context, proto Protocol, addr, node string) (net.Conn, error) {
	c, err := b.dialAddr(ctx, proto, addr, node)
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (b *Bus) dialAddr(ctx context.Context, proto Protocol, addr, node string) (*conn, error) {
	id, epoch, _ := b.state()
	if proto != ProtoOpen && id.Cluster == "" {
		return nil, ErrNoCluster
	}
	ctx, cancel := context.WithTimeout(ctx, b.opt.HandshakeTimeout)
	defer cancel()
	stop := context.AfterFunc(b.ctx, cancel)
	defer stop()
	var d net.Dialer
	raw, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		if b.ctx.Err() != nil {
			return nil, ErrClosed
		}
		return nil, err
	}
	if !b.hold(raw) {
		raw.Close()
		return nil, ErrClosed
	}
	defer b.unhold(raw)
	// The caller's giving up must not wait for the handshake's deadline.
	stopClose := context.AfterFunc(ctx, func() { raw.SetDeadline(time.Unix(1, 0)) })
	c, err := b.greet(ctx, raw, id, epoch, proto, node)
	if err == nil && !stopClose() {
		c.Close()
		return nil, ctx.Err()
	}
	if err != nil {
		stopClose()
		raw.Close()
		return nil, fmt.Errorf("bus: handshake with %s: %w", addr, err)
	}
	raw.SetDeadline(time.Time{})
	return c, nil
}

// greet is the dialler's side of the handshake.
func (b *Bus) greet(ctx context.Context, raw net.Conn, id Identity, epoch uint64, proto Protocol, node string) (*conn, error) {
	nc := raw
	if b.opt.TLS != nil {
		cfg := b.opt.TLS
		if cfg.ServerName == "" && !cfg.InsecureSkipVerify {
			cfg = cfg.Clone()
			if host, _, err := net.SplitHostPort(raw.RemoteAddr().String()); err == nil {
				cfg.ServerName = host
			}
		}
		t := tls.Client(raw, cfg)
		if err := t.HandshakeContext(ctx); err != nil {
			return nil, err
		}
		nc = t
	}
	h := hello{proto: proto, generation: id.Generation, nonce: newNonce(), cluster: id.Cluster, node: id.Node, run: id.Run, expect: node, addr: id.Addr}
	if len(b.opt.Secret) > 0 {
		h.flags |= flagSecret
	}
	helloBody := h.append(nil)
	if _, err := nc.Write(appendMessage(nil, helloBody)); err != nil {
		return nil, err
	}
	body, err := readMessage(nc)
	if err != nil {
		return nil, err
	}
	w, err := parseWelcome(body)
	if err != nil {
		return nil, err
	}
	if w.status != statusOK {
		return nil, &RefusedError{Node: w.node, Reason: w.refusal()}
	}
	switch {
	case node != "" && w.node != node:
		return nil, fmt.Errorf("%w: wanted node %s, found %s", ErrHandshake, node, w.node)
	case proto != ProtoOpen && (w.cluster != id.Cluster || w.generation != id.Generation):
		return nil, fmt.Errorf("%w: of another cluster", ErrHandshake)
	case (w.flags&flagSecret != 0) != (len(b.opt.Secret) > 0):
		return nil, fmt.Errorf("%w: secret on one side only", ErrHandshake)
	}
	if len(b.opt.Secret) > 0 {
		covered := body[:len(body)-1-len(w.mac)]
		if !hmac.Equal(w.mac, prove(b.opt.Secret, "listener", helloBody, covered)) {
			b.drop(DropAuth)
			return nil, fmt.Errorf("%w: wrong secret", ErrHandshake)
		}
		if _, err := nc.Write(prove(b.opt.Secret, "dialler", helloBody, covered)); err != nil {
			return nil, err
		}
	}
	p := Peer{Node: w.node, Run: w.run, Cluster: w.cluster, Generation: w.generation, Addr: raw.RemoteAddr().String(), Remote: raw.RemoteAddr()}
	c := &conn{Conn: nc, bus: b, peer: p}
	if proto == ProtoOpen {
		c.life = &life{run: w.run}
	} else {
		pe := b.peer(w.node)
		c.life = pe.met(w.run, p.Addr)
		pe.refused.Store(false)
	}
	if err := b.track(c, epoch, proto); err != nil {
		return nil, err
	}
	return c, nil
}
