package bus

import (
	"context"
	"crypto/hmac"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// Handler takes over an accepted connection and closes it. It may return before it does.
type Handler func(conn net.Conn, peer Peer)

// CallHandler answers a call. It runs on a goroutine of its own and must return within
// seconds; the error's text crosses the wire as a RemoteError.
type CallHandler func(from Peer, req []byte) ([]byte, error)

// Bus is one node's end of all connections between nodes.
type Bus struct {
	opt    Options
	log    *zap.Logger
	ctx    context.Context // ends when the bus closes
	cancel context.CancelFunc
	wg     sync.WaitGroup // every goroutine of the bus

	dropped   [reasonEnd]atomic.Int64
	accepted  atomic.Int64
	sent      atomic.Uint64 // writes to connections
	received  atomic.Uint64 // reads from connections that brought bytes
	shaking   atomic.Int64  // connections in their handshake
	open      atomic.Int64  // accepted connections
	handlers  [protoEnd]atomic.Pointer[Handler]
	callKinds [2][256]atomic.Pointer[CallHandler] // members, open

	mu struct {
		sync.Mutex
		closed   bool
		identity Identity
		epoch    uint64 // changes with the identity's node, cluster or generation
		resolver Resolver
		peers    map[string]*peer
		conns    map[*conn]Protocol
		raw      map[net.Conn]struct{} // connections in their handshake
	}
}

// New builds a bus; it accepts nothing before Run and has no identity before SetIdentity.
func New(o Options) (*Bus, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o.setDefaults()
	b := &Bus{opt: o, log: o.Logger.Named("bus")}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	b.mu.peers = map[string]*peer{}
	b.mu.conns = map[*conn]Protocol{}
	b.mu.raw = map[net.Conn]struct{}{}
	return b, nil
}

// Addr is where the bus listens.
func (b *Bus) Addr() net.Addr { return b.opt.Listener.Addr() }

// Secret is the shared secret the bus was built with; gossip derives its key from it.
func (b *Bus) Secret() []byte { return b.opt.Secret }

// SetResolver sets who knows the nodes' addresses.
func (b *Bus) SetResolver(r Resolver) {
	b.mu.Lock()
	b.mu.resolver = r
	b.mu.Unlock()
}

// Identity returns who this node says it is.
func (b *Bus) Identity() Identity {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.mu.identity
}

// SetIdentity changes who this node says it is. Unless only run or address changed, all
// connections of members are closed: they belong to what this node was before.
func (b *Bus) SetIdentity(id Identity) {
	b.mu.Lock()
	old := b.mu.identity
	b.mu.identity = id
	var stale []*conn
	if old.Node != id.Node || old.Cluster != id.Cluster || old.Generation != id.Generation {
		b.mu.epoch++
		for c, proto := range b.mu.conns {
			if proto != ProtoOpen {
				stale = append(stale, c)
			}
		}
	}
	b.mu.Unlock()
	for _, c := range stale {
		c.Close()
	}
}

// Handle sets who takes the connections of a protocol; nil: nobody, and those that come
// are dropped. ProtoRPC and ProtoOpen belong to HandleRPC and HandleOpen.
func (b *Bus) Handle(proto Protocol, h func(conn net.Conn, peer Peer)) {
	if h == nil {
		b.handlers[proto].Store(nil)
		return
	}
	hh := Handler(h)
	b.handlers[proto].Store(&hh)
}

// HandleRPC sets who answers the members' calls of a kind; nil: nobody.
func (b *Bus) HandleRPC(kind uint8, h func(from Peer, req []byte) ([]byte, error)) {
	b.setCall(0, kind, h)
}

// HandleOpen sets who answers calls of nodes that need not be members; nil: nobody.
func (b *Bus) HandleOpen(kind uint8, h func(from Peer, req []byte) ([]byte, error)) {
	b.setCall(1, kind, h)
}

func (b *Bus) setCall(set int, kind uint8, h CallHandler) {
	if h == nil {
		b.callKinds[set][kind].Store(nil)
		return
	}
	b.callKinds[set][kind].Store(&h)
}

// Dropped returns how many connections and frames were dropped, by reason.
func (b *Bus) Dropped() map[string]int64 {
	m := make(map[string]int64, reasonEnd)
	for r := range b.dropped {
		m[Reason(r).String()] = b.dropped[r].Load()
	}
	return m
}

// Messages returns how often something was written to and read from connections with
// other nodes; several frames may go at once.
func (b *Bus) Messages() (sent, received uint64) { return b.sent.Load(), b.received.Load() }

// DroppedBy returns the count of one reason.
func (b *Bus) DroppedBy(r Reason) int64 { return b.dropped[r].Load() }

func (b *Bus) drop(r Reason) { b.dropped[r].Add(1) }

// Run accepts connections until ctx ends or Close is called.
func (b *Bus) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { b.opt.Listener.Close() })
	defer stop()
	backoff := 5 * time.Millisecond
	for {
		c, err := b.opt.Listener.Accept()
		if err != nil {
			if ctx.Err() != nil || b.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return nil
			}
			// Out of descriptors, most likely: go on when some are free again.
			b.log.Warn("accept failed", zap.Error(err))
			select {
			case <-b.ctx.Done():
				return nil
			case <-time.After(backoff):
			}
			backoff = min(2*backoff, time.Second)
			continue
		}
		backoff = 5 * time.Millisecond
		b.accepted.Add(1)
		if b.open.Load() >= int64(b.opt.MaxConns) || b.shaking.Load() >= int64(b.opt.MaxHandshakes) || !b.spawn(func() { b.serve(c) }) {
			b.drop(DropOverload)
			c.Close()
		}
	}
}

// spawn starts a goroutine that Close waits for; false when the bus is closed.
func (b *Bus) spawn(f func()) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mu.closed {
		return false
	}
	b.wg.Add(1)
	go func() {
		defer b.wg.Done()
		f()
	}()
	return true
}

// Close closes the listener and all connections and waits for the bus' goroutines;
// handlers of connections see their connection closed.
func (b *Bus) Close() error {
	b.mu.Lock()
	if b.mu.closed {
		b.mu.Unlock()
		return nil
	}
	b.mu.closed = true
	var all []net.Conn
	for c := range b.mu.conns {
		all = append(all, c)
	}
	for c := range b.mu.raw {
		all = append(all, c)
	}
	b.mu.Unlock()
	b.cancel()
	err := b.opt.Listener.Close()
	for _, c := range all {
		c.Close()
	}
	b.wg.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// hold keeps a connection closable by Close while its handshake lasts.
func (b *Bus) hold(c net.Conn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mu.closed {
		return false
	}
	b.mu.raw[c] = struct{}{}
	return true
}

func (b *Bus) unhold(c net.Conn) {
	b.mu.Lock()
	delete(b.mu.raw, c)
	b.mu.Unlock()
}

func (b *Bus) state() (id Identity, epoch uint64, r Resolver) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.mu.identity, b.mu.epoch, b.mu.resolver
}

// serve runs an accepted connection: handshake, then its protocol's handler.
func (b *Bus) serve(raw net.Conn) {
	b.open.Add(1)
	defer b.open.Add(-1)
	if !b.hold(raw) {
		raw.Close()
		return
	}
	b.shaking.Add(1)
	c, proto, err := b.accept(raw)
	b.shaking.Add(-1)
	b.unhold(raw)
	if err != nil {
		raw.Close()
		b.log.Debug("connection dropped", zap.Stringer("addr", raw.RemoteAddr()), zap.Error(err))
		return
	}
	switch proto {
	case ProtoRPC, ProtoOpen:
		b.serveCalls(c, proto)
	default:
		// The handler was there during the handshake; gone since means shutting down.
		h := b.handlers[proto].Load()
		if h == nil {
			b.drop(DropProtocol)
			c.Close()
			return
		}
		(*h)(c, c.peer)
	}
}

// verdict decides on a hello; statusOK or a reason.
func (b *Bus) verdict(id Identity, h *hello) (Reason, bool) {
	switch {
	case h.proto == 0 || h.proto >= protoEnd:
		return DropProtocol, false
	case (h.flags&flagSecret != 0) != (len(b.opt.Secret) > 0):
		return DropAuth, false
	case id.Node == "" || h.node == id.Node && h.run != id.Run:
		return DropNode, false
	case h.expect != "" && h.expect != id.Node:
		return DropNode, false
	}
	if h.proto != ProtoOpen {
		switch {
		case h.expect == "":
			return DropNode, false
		case h.cluster != id.Cluster || id.Cluster == "":
			return DropCluster, false
		case h.generation != id.Generation:
			return DropGeneration, false
		case h.proto != ProtoRPC && b.handlers[h.proto].Load() == nil:
			return DropProtocol, false
		}
	}
	return 0, true
}

// accept is the listener's side of the handshake.
func (b *Bus) accept(raw net.Conn) (*conn, Protocol, error) {
	raw.SetDeadline(time.Now().Add(b.opt.HandshakeTimeout))
	id, epoch, _ := b.state()
	nc := raw
	if b.opt.TLS != nil {
		t := tls.Server(raw, b.opt.TLS)
		if err := t.HandshakeContext(b.ctx); err != nil {
			b.drop(DropAuth)
			return nil, 0, err
		}
		nc = t
	}
	helloBody, err := readMessage(nc)
	if err != nil {
		b.dropRead(err)
		return nil, 0, err
	}
	h, err := parseHello(helloBody)
	if err != nil {
		b.drop(DropMalformed)
		return nil, 0, err
	}
	w := welcome{generation: id.Generation, nonce: newNonce(), cluster: id.Cluster, node: id.Node, run: id.Run}
	if w.node == "" { // before SetIdentity; the parser on the other side wants something
		w.node, w.run = "?", "?"
	}
	if len(b.opt.Secret) > 0 {
		w.flags |= flagSecret
	}
	reason, ok := b.verdict(id, &h)
	if !ok {
		b.drop(reason)
		w.status = uint8(reason) + 1
	}
	welcomeBody := w.append(nil)
	var mac []byte
	if ok && len(b.opt.Secret) > 0 {
		mac = prove(b.opt.Secret, "listener", helloBody, welcomeBody)
	}
	msg := appendMessage(nil, appendString(welcomeBody[:len(welcomeBody):len(welcomeBody)], string(mac)))
	if _, err := nc.Write(msg); err != nil {
		return nil, 0, err
	}
	if !ok {
		return nil, 0, fmt.Errorf("%w: %s", ErrHandshake, reason)
	}
	if len(b.opt.Secret) > 0 {
		var got [macLen]byte
		if err := readFull(nc, got[:]); err != nil {
			b.dropRead(err)
			return nil, 0, err
		}
		if !hmac.Equal(got[:], prove(b.opt.Secret, "dialler", helloBody, welcomeBody)) {
			b.drop(DropAuth)
			return nil, 0, fmt.Errorf("%w: wrong secret", ErrHandshake)
		}
	}
	p := Peer{Node: h.node, Run: h.run, Cluster: h.cluster, Generation: h.generation, Addr: withHost(h.addr, raw.RemoteAddr()), Remote: raw.RemoteAddr()}
	c := &conn{Conn: nc, bus: b, peer: p}
	if h.proto == ProtoOpen {
		c.life = &life{run: h.run} // strangers are not remembered
	} else {
		c.life = b.peer(h.node).met(h.run, p.Addr)
	}
	if err := b.track(c, epoch, h.proto); err != nil {
		return nil, 0, err
	}
	raw.SetDeadline(time.Time{})
	return c, h.proto, nil
}

// dropRead counts a handshake that could not be read to its end.
func (b *Bus) dropRead(err error) {
	var ne net.Error
	switch {
	case b.ctx.Err() != nil:
	case errors.Is(err, errVersion):
		b.drop(DropVersion)
	case errors.As(err, &ne) && ne.Timeout():
		b.drop(DropTimeout)
	default:
		b.drop(DropMalformed)
	}
}
