package consensus

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/redwingdb/redwing/internal/bus"
)

// streamLayer is raft's network over the bus. Addresses are node ids: the bus finds the
// host, so that nodes may come back elsewhere without a change of raft's configuration.
type streamLayer struct {
	bus    *bus.Bus
	self   string
	ctx    context.Context
	cancel context.CancelFunc
	conns  chan net.Conn
	mu     struct {
		sync.Mutex
		open map[net.Conn]struct{}
	}
}

// nodeAddr is a node id as a net.Addr.
type nodeAddr string

func (a nodeAddr) Network() string { return "bus" }
func (a nodeAddr) String() string  { return string(a) }

func newStreamLayer(b *bus.Bus, self string) *streamLayer {
	l := &streamLayer{bus: b, self: self, conns: make(chan net.Conn)}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.mu.open = map[net.Conn]struct{}{}
	b.Handle(bus.ProtoRaft, l.take)
	return l
}

// raftConn leaves the layer's books when it is closed.
type raftConn struct {
	net.Conn
	layer *streamLayer
}

func (c *raftConn) Close() error {
	c.layer.mu.Lock()
	delete(c.layer.mu.open, c)
	c.layer.mu.Unlock()
	return c.Conn.Close()
}

// own makes a connection one that Close of the layer closes.
func (l *streamLayer) own(c net.Conn) (net.Conn, error) {
	rc := &raftConn{c, l}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ctx.Err() != nil {
		c.Close()
		return nil, net.ErrClosed
	}
	l.mu.open[rc] = struct{}{}
	return rc, nil
}

// take hands an accepted connection to raft's listener.
func (l *streamLayer) take(c net.Conn, _ bus.Peer) {
	rc, err := l.own(c)
	if err != nil {
		return
	}
	select {
	case l.conns <- rc:
	case <-l.ctx.Done():
		rc.Close()
	}
}

// Accept implements net.Listener.
func (l *streamLayer) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.ctx.Done():
		return nil, net.ErrClosed
	}
}

// Close takes this node's raft off the network: no new connections, none left.
func (l *streamLayer) Close() error {
	if l.ctx.Err() != nil {
		return nil
	}
	l.bus.Handle(bus.ProtoRaft, nil)
	l.mu.Lock()
	l.cancel()
	open := make([]net.Conn, 0, len(l.mu.open))
	for c := range l.mu.open {
		open = append(open, c)
	}
	l.mu.Unlock()
	for _, c := range open {
		c.Close()
	}
	return nil
}

// Addr implements net.Listener: the address that the others' configuration holds.
func (l *streamLayer) Addr() net.Addr { return nodeAddr(l.self) }

// Dial implements raft.StreamLayer.
func (l *streamLayer) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(l.ctx, timeout)
	defer cancel()
	c, err := l.bus.Dial(ctx, bus.ProtoRaft, string(address))
	if err != nil {
		return nil, err
	}
	return l.own(c)
}

var errNotMember = errors.New("consensus: this node keeps no raft log")
