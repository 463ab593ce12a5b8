package gossip

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
	"go.uber.org/zap"

	"github.com/redwingdb/redwing/internal/bus"
)

// Options of a Gossip.
type Options struct {
	// Bus carries the streams; its secret keys the packets. Required.
	Bus *bus.Bus
	// Conn is the UDP socket beside the bus port; Close closes it. Required.
	Conn net.PacketConn
	// Cluster labels everything sent. Required.
	Cluster string
	// Self is what others are told of this node. Node, Run and Addr are required.
	Self Member
	// Newest is the newest View index this node has; it travels in every
	// acknowledgement. Required.
	Newest func() uint64
	// Heard is told of others' newest index. It must not block. Required.
	Heard func(index uint64)
	// Event is told of members, from one goroutine. Default: nobody.
	Event func(Event)
	// Logger. Default: none.
	Logger *zap.Logger
	// ProbeInterval is memberlist's. Default 1 s.
	ProbeInterval time.Duration
	// RejoinInterval is how often missing peers are looked for. Default 2 s.
	RejoinInterval time.Duration
}

func (o *Options) validate() error {
	var errs []error
	if o.Bus == nil || o.Conn == nil || o.Newest == nil || o.Heard == nil {
		errs = append(errs, errors.New("gossip: Bus, Conn, Newest and Heard are required"))
	}
	if o.Cluster == "" || len(o.Cluster) > memberlist.LabelMaxSize {
		errs = append(errs, errors.New("gossip: Cluster is missing or too long"))
	}
	if o.Self.Node == "" || o.Self.Run == "" || o.Self.Addr == "" {
		errs = append(errs, errors.New("gossip: Self needs node, run and address"))
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.Event == nil {
		o.Event = func(Event) {}
	}
	if o.ProbeInterval == 0 {
		o.ProbeInterval = time.Second
	}
	if o.RejoinInterval == 0 {
		o.RejoinInterval = 2 * time.Second
	}
	return errors.Join(errs...)
}

// Peer is where a member should be, by the View.
type Peer struct {
	Node string
	Addr string // of its bus, host:port
}

const (
	// eventQueue bounds events not yet delivered; past it they are dropped and counted:
	// Members has the state.
	eventQueue = 1024
	// maxRejoins bounds the peers looked for at once.
	maxRejoins = 3
)

// Gossip is this node's part in the gossip of one cluster.
type Gossip struct {
	opt    Options
	log    *zap.Logger
	list   *memberlist.Memberlist
	trans  *transport
	ring   *memberlist.Keyring // nil without a secret
	meta   []byte
	events chan Event
	lost   atomic.Int64
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	mu     struct {
		sync.Mutex
		peers []Peer
	}
}

// Start begins to gossip; it knows nobody before SetPeers.
func Start(o Options) (*Gossip, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	meta, err := o.Self.encode(memberlist.MetaMaxSize)
	if err != nil {
		return nil, err
	}
	g := &Gossip{opt: o, log: o.Logger.Named("gossip"), meta: meta, events: make(chan Event, eventQueue)}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	g.trans = newTransport(o.Bus, o.Conn, o.Self.Addr)
	conf := memberlist.DefaultLANConfig()
	conf.Name = o.Self.Node + "/" + o.Self.Run
	conf.Transport = g.trans
	conf.Label = o.Cluster
	conf.Delegate, conf.Events, conf.Ping = delegate{g}, delegate{g}, delegate{g}
	conf.ProbeInterval = o.ProbeInterval
	conf.ProbeTimeout = o.ProbeInterval / 2
	conf.PushPullInterval = 60 * time.Second
	conf.TCPTimeout = 2 * time.Second
	conf.EnableCompression = false
	conf.LogOutput = logWriter{g.log}
	conf.DNSConfigPath = ""
	if secret := o.Bus.Secret(); len(secret) > 0 {
		if g.ring, err = memberlist.NewKeyring(nil, KeyOf(secret)); err != nil {
			return nil, err
		}
		conf.Keyring = g.ring
	}
	if g.list, err = memberlist.Create(conf); err != nil {
		g.trans.Shutdown()
		return nil, fmt.Errorf("gossip: %w", err)
	}
	g.wg.Go(g.deliver)
	g.wg.Go(g.rejoin)
	return g, nil
}

// KeyOf derives the key of packets from the bus' secret.
func KeyOf(secret []byte) []byte {
	h := sha256.New()
	h.Write([]byte("redwing gossip v1\x00"))
	h.Write(secret)
	return h.Sum(nil)
}

// ErrNoKeys is returned by the key functions when the bus has no secret.
var ErrNoKeys = errors.New("gossip: packets are not keyed")

// AddKey accepts packets under another secret too; the first step of a rotation.
func (g *Gossip) AddKey(secret []byte) error {
	if g.ring == nil {
		return ErrNoKeys
	}
	return g.ring.AddKey(KeyOf(secret))
}

// UseKey sends under a secret that AddKey has made known; the second step, when all
// nodes have added it.
func (g *Gossip) UseKey(secret []byte) error {
	if g.ring == nil {
		return ErrNoKeys
	}
	return g.ring.UseKey(KeyOf(secret))
}

// RemoveKey refuses packets under a secret from now on; the last step.
func (g *Gossip) RemoveKey(secret []byte) error {
	if g.ring == nil {
		return ErrNoKeys
	}
	return g.ring.RemoveKey(KeyOf(secret))
}

// Close says goodbye and stops.
func (g *Gossip) Close() error {
	g.cancel()
	g.list.Leave(100 * time.Millisecond)
	err := g.list.Shutdown()
	g.wg.Wait()
	return err
}

// SetPeers names the members that the View has. Those that gossip does not know are
// looked for, a few at a time.
func (g *Gossip) SetPeers(peers []Peer) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.mu.peers = slices.DeleteFunc(slices.Clone(peers), func(p Peer) bool { return p.Node == g.opt.Self.Node })
}

// Members are the nodes gossip believes alive, this one among them.
func (g *Gossip) Members() []Member {
	var out []Member
	for _, n := range g.list.Members() {
		if m, err := decodeMember(n.Meta); err == nil {
			out = append(out, m)
		}
	}
	slices.SortFunc(out, func(a, b Member) int {
		if a.Node != b.Node {
			if a.Node < b.Node {
				return -1
			}
			return 1
		}
		return 0
	})
	return out
}

// Lost counts events and packets dropped because somebody did not keep up.
func (g *Gossip) Lost() int64 { return g.lost.Load() + g.trans.lost.Load() }

// rejoin looks for peers that are missing.
func (g *Gossip) rejoin() {
	t := time.NewTicker(g.opt.RejoinInterval)
	defer t.Stop()
	for {
		select {
		case <-g.ctx.Done():
			return
		case <-t.C:
		}
		have := map[string]bool{}
		for _, m := range g.Members() {
			have[m.Node] = true
		}
		var missing []string
		g.mu.Lock()
		for _, p := range g.mu.peers {
			if !have[p.Node] && p.Addr != "" {
				missing = append(missing, p.Node+"/"+p.Addr)
			}
		}
		g.mu.Unlock()
		if len(missing) == 0 {
			continue
		}
		// Begin elsewhere each time, so that the dead do not keep the living out.
		at := int(time.Now().UnixNano() % int64(len(missing)))
		missing = append(missing[at:], missing[:at]...)
		if n, err := g.list.Join(missing[:min(len(missing), maxRejoins)]); n == 0 && err != nil {
			g.log.Debug("no peer joined", zap.Error(err))
		}
	}
}

// deliver hands events out.
func (g *Gossip) deliver() {
	for {
		select {
		case <-g.ctx.Done():
			return
		case e := <-g.events:
			g.opt.Event(e)
		}
	}
}

// delegate is what memberlist calls. Nothing in it may block.
type delegate struct{ g *Gossip }

func (d delegate) NodeMeta(limit int) []byte {
	if len(d.g.meta) > limit {
		return nil
	}
	return d.g.meta
}

func (delegate) NotifyMsg([]byte)                {}
func (delegate) GetBroadcasts(int, int) [][]byte { return nil }
func (delegate) LocalState(bool) []byte          { return nil }
func (delegate) MergeRemoteState([]byte, bool)   {}

// AckPayload puts the newest View index into every acknowledgement.
func (d delegate) AckPayload() []byte {
	return binary.BigEndian.AppendUint64(nil, d.g.opt.Newest())
}

// NotifyPingComplete reads it.
func (d delegate) NotifyPingComplete(_ *memberlist.Node, _ time.Duration, payload []byte) {
	if len(payload) == 8 {
		d.g.opt.Heard(binary.BigEndian.Uint64(payload))
	}
}

func (d delegate) NotifyJoin(n *memberlist.Node)   { d.event(Join, n) }
func (d delegate) NotifyLeave(n *memberlist.Node)  { d.event(Leave, n) }
func (d delegate) NotifyUpdate(n *memberlist.Node) { d.event(Update, n) }

func (d delegate) event(kind EventKind, n *memberlist.Node) {
	m, err := decodeMember(n.Meta)
	if err != nil || m.Node == d.g.opt.Self.Node {
		return
	}
	select {
	case d.g.events <- Event{kind, m}:
	default:
		d.g.lost.Add(1)
	}
}

// logWriter hands memberlist's lines to zap, all of them as debug messages.
type logWriter struct{ log *zap.Logger }

func (w logWriter) Write(p []byte) (int, error) {
	w.log.Debug("memberlist", zap.ByteString("line", p))
	return len(p), nil
}
