package pubsub

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// Bounds of the Relay.
const (
	// relayQueue bounds what waits for one node, in bytes; what comes on top is dropped.
	relayQueue = 32 << 20
	// relayWrite is how long a node may take for what was written to it.
	relayWrite = 5 * time.Second
	// relayRetry is the pause before a node is dialled again.
	relayRetry = 200 * time.Millisecond
	// relayMax bounds one message, in bytes.
	relayMax = 1 << 30
)

// errRelayFrame is returned for a frame that no node of ours sends.
var errRelayFrame = errors.New("pubsub: malformed frame from another node")

// RelayOptions are what a Relay is built of.
type RelayOptions struct {
	Hub *Hub
	// Dial opens a connection to another node that ends in its Serve.
	Dial   func(ctx context.Context, node string) (net.Conn, error)
	Logger *zap.Logger
}

// Relay carries messages between the nodes of a cluster, at most once: what a node
// cannot take in time is dropped. To publish never blocks; messages of one node reach
// another in the order in which they were published. A frame is
//
//	kind u8 (0 channel, 2 shard channel), channel length u32, payload length u32, channel, payload
//
// with numbers in big-endian.
type Relay struct {
	o       RelayOptions
	ctx     context.Context
	cancel  context.CancelFunc
	wg      sync.WaitGroup
	dropped atomic.Int64

	mu struct {
		sync.RWMutex
		closed  bool
		outlets map[string]*outlet
	}
}

// outlet is the way to one node.
type outlet struct {
	r      *Relay
	node   string
	shard  bool // it is of this node's shard
	ctx    context.Context
	cancel context.CancelFunc
	more   chan struct{}
	mu     sync.Mutex
	queue  []byte
}

// NewRelay returns a relay that reaches nobody before Keep.
func NewRelay(o RelayOptions) *Relay {
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	r := &Relay{o: o}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.mu.outlets = make(map[string]*outlet)
	return r
}

// Keep names the other nodes of the cluster, and those of them that are of this node's
// shard.
func (r *Relay) Keep(nodes, mates []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.closed {
		return
	}
	for node, o := range r.mu.outlets {
		if !slices.Contains(nodes, node) {
			o.cancel()
			delete(r.mu.outlets, node)
		}
	}
	for _, node := range nodes {
		o := r.mu.outlets[node]
		if o == nil {
			o = &outlet{r: r, node: node, more: make(chan struct{}, 1)}
			o.ctx, o.cancel = context.WithCancel(r.ctx)
			r.mu.outlets[node] = o
			r.wg.Add(1)
			go o.run()
		}
		o.shard = slices.Contains(mates, node)
	}
}

// Publish sends a message to the other nodes: of a Channel to all, of a Shard channel to
// those of this node's shard.
func (r *Relay) Publish(k Kind, channel, payload []byte) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, o := range r.mu.outlets {
		if k != Shard || o.shard {
			o.add(k, channel, payload)
		}
	}
}

// Dropped returns how many messages nodes did not get.
func (r *Relay) Dropped() int64 { return r.dropped.Load() }

// Close ends all connections to other nodes and waits for their goroutines.
func (r *Relay) Close() {
	r.mu.Lock()
	r.mu.closed = true
	r.mu.Unlock()
	r.cancel()
	r.wg.Wait()
}

func (o *outlet) add(k Kind, channel, payload []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.queue) > 0 && len(o.queue)+len(channel)+len(payload) > relayQueue {
		o.r.dropped.Add(1)
		return
	}
	o.queue = append(o.queue, byte(k))
	o.queue = binary.BigEndian.AppendUint32(o.queue, uint32(len(channel)))
	o.queue = binary.BigEndian.AppendUint32(o.queue, uint32(len(payload)))
	o.queue = append(append(o.queue, channel...), payload...)
	select {
	case o.more <- struct{}{}:
	default:
	}
}

// take returns what waits, leaving spare in its place.
func (o *outlet) take(spare []byte) []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	b := o.queue
	o.queue = spare[:0]
	return b
}

// run sends what comes until the node is no longer to be reached.
func (o *outlet) run() {
	defer o.r.wg.Done()
	for o.ctx.Err() == nil {
		select {
		case <-o.more:
		case <-o.ctx.Done():
			return
		}
		if err := o.send(); err != nil && o.ctx.Err() == nil {
			// The node may be gone for long: nobody wants these messages then.
			if b := o.take(nil); len(b) > 0 {
				o.r.dropped.Add(1)
			}
			o.r.o.Logger.Debug("messages to a node are lost", zap.String("node", o.node), zap.Error(err))
			select {
			case <-time.After(relayRetry):
			case <-o.ctx.Done():
			}
		}
	}
}

// send connects and sends all that comes, until an error.
func (o *outlet) send() error {
	conn, err := o.r.o.Dial(o.ctx, o.node)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(o.ctx, func() { conn.Close() })
	defer stop()
	gone := make(chan struct{})
	go func() { // the other side sends nothing: a read ends with the connection
		defer close(gone)
		var b [1]byte
		conn.Read(b[:])
	}()
	defer func() { conn.Close(); <-gone }()
	var b []byte
	for {
		b = o.take(b)
		for rest := b; len(rest) > 0; {
			n := min(len(rest), 64<<10)
			conn.SetWriteDeadline(time.Now().Add(relayWrite))
			if _, err := conn.Write(rest[:n]); err != nil {
				return err
			}
			rest = rest[n:]
		}
		if cap(b) > 1<<20 {
			b = nil
		}
		select {
		case <-o.more:
		case <-gone:
			return io.EOF
		case <-o.ctx.Done():
			return o.ctx.Err()
		}
	}
}

// Serve takes the messages of another node from conn until it ends, and closes it.
func (r *Relay) Serve(conn net.Conn) {
	defer conn.Close()
	stop := context.AfterFunc(r.ctx, func() { conn.Close() })
	defer stop()
	if err := r.receive(bufio.NewReader(conn)); err != nil && r.ctx.Err() == nil {
		r.o.Logger.Debug("messages of a node end", zap.Error(err))
	}
}

func (r *Relay) receive(in *bufio.Reader) error {
	var head [9]byte
	var body bytes.Buffer
	for {
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return err
		}
		k := Kind(head[0])
		nc, np := int64(binary.BigEndian.Uint32(head[1:])), int64(binary.BigEndian.Uint32(head[5:]))
		if k != Channel && k != Shard || nc+np > relayMax {
			return errRelayFrame
		}
		body.Reset()
		if _, err := io.CopyN(&body, in, nc+np); err != nil { // grows as the bytes come
			return err
		}
		b := body.Bytes()
		r.o.Hub.Publish(k, b[:nc], b[nc:], 0)
		if body.Cap() > 1<<20 {
			body = bytes.Buffer{}
		}
	}
}
