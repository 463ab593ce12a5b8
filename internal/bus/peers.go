package bus

import (
	"sync"
	"sync/atomic"

	"github.com/redwingdb/redwing/internal/clock"
)

// maxPeers bounds what is remembered of other nodes; only nodes that proved themselves,
// or that this node wants to reach, are remembered.
const maxPeers = 4096

// life is one run of a peer: what came from that process.
type life struct {
	run   string
	heard atomic.Int64 // clock.Mono of the last byte
}

func (l *life) touch() { l.heard.Store(clock.Mono()) }

// peer is what the bus remembers of another node.
type peer struct {
	node    string
	cur     atomic.Pointer[life]
	refused atomic.Bool // connection lost, connecting again refused
	mu      struct {
		sync.Mutex
		addr string // last announced address
		link *link  // kept connection, nil until first needed
	}
}

// met notes a finished handshake and returns the life to credit with bytes.
func (p *peer) met(run, addr string) *life {
	p.mu.Lock()
	defer p.mu.Unlock()
	if addr != "" {
		p.mu.addr = addr
	}
	l := p.cur.Load()
	if l == nil || l.run != run {
		l = &life{run: run}
		p.cur.Store(l)
	}
	l.touch()
	return l
}

func (p *peer) learned() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.addr
}

// peer returns the entry of a node, made if need be; nil when the table is full.
func (b *Bus) peer(node string) *peer {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.peerLocked(node)
}

// peerLocked: REQUIRES b.mu held.
func (b *Bus) peerLocked(node string) *peer {
	if p := b.mu.peers[node]; p != nil {
		return p
	}
	if len(b.mu.peers) >= maxPeers {
		b.dropOldestLocked()
	}
	p := &peer{node: node}
	b.mu.peers[node] = p
	return p
}

// dropOldestLocked forgets the peer without a link that was silent longest. If every
// peer has a link the table grows: links are bounded by the nodes that callers name.
// REQUIRES b.mu held.
func (b *Bus) dropOldestLocked() {
	var victim *peer
	var oldest int64
	for _, p := range b.mu.peers {
		p.mu.Lock()
		linked := p.mu.link != nil
		p.mu.Unlock()
		if linked {
			continue
		}
		var heard int64
		if l := p.cur.Load(); l != nil {
			heard = l.heard.Load()
		}
		if victim == nil || heard < oldest {
			victim, oldest = p, heard
		}
	}
	if victim != nil {
		delete(b.mu.peers, victim.node)
	}
}

func (b *Bus) known(node string) *peer {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.mu.peers[node]
}

// LastHeard returns clock.Mono of the last byte that came from the node's newest known
// run on any connection; 0 if none did.
func (b *Bus) LastHeard(node string) int64 {
	_, at := b.Heard(node)
	return at
}

// Heard returns the newest known run of a node and when its last byte came.
func (b *Bus) Heard(node string) (run string, at int64) {
	if p := b.known(node); p != nil {
		if l := p.cur.Load(); l != nil {
			return l.run, l.heard.Load()
		}
	}
	return "", 0
}

// Refused reports whether the kept connection to the node went away and connecting
// again has been refused since. Only kept connections notice: see Keep.
func (b *Bus) Refused(node string) bool {
	p := b.known(node)
	return p != nil && p.refused.Load()
}

// Learn tells the bus where a node was last seen; used when the Resolver does not know
// or its address does not answer.
func (b *Bus) Learn(node, addr string) {
	if node == "" || addr == "" {
		return
	}
	p := b.peer(node)
	p.mu.Lock()
	p.mu.addr = addr
	p.mu.Unlock()
}
