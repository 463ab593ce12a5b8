package bus

import (
	"net"
	"sync"
)

// conn is a connection after its handshake. Bytes read credit the peer's life.
type conn struct {
	net.Conn
	bus  *Bus
	life *life
	peer Peer
	once sync.Once
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.bus.received.Add(1)
		c.life.touch()
	}
	return n, err
}

func (c *conn) Write(p []byte) (int, error) {
	c.bus.sent.Add(1)
	return c.Conn.Write(p)
}

func (c *conn) Close() error {
	c.once.Do(func() { c.bus.forget(c) })
	return c.Conn.Close()
}

// Peer returns the verified other end of a connection made or accepted by a Bus.
func PeerOf(c net.Conn) (Peer, bool) {
	if bc, ok := c.(*conn); ok {
		return bc.peer, true
	}
	return Peer{}, false
}

// track registers an open connection; it fails when the bus is closed or has been given
// another identity since the handshake began.
func (b *Bus) track(c *conn, epoch uint64, proto Protocol) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mu.closed {
		return ErrClosed
	}
	if epoch != b.mu.epoch && proto != ProtoOpen {
		return ErrNoCluster
	}
	b.mu.conns[c] = proto
	return nil
}

func (b *Bus) forget(c *conn) {
	b.mu.Lock()
	delete(b.mu.conns, c)
	b.mu.Unlock()
}
