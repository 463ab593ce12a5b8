package gossip

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// Situation is what a Follower gossips about: of which cluster this node is a member, as
// whom, and who else is.
type Situation struct {
	Cluster string // "": of none, then nothing is said
	Self    Member
	Peers   []Peer
}

// FollowOptions of Follow.
type FollowOptions struct {
	// Options without Conn, Cluster and Self.
	Options
	// Listen opens the UDP socket beside the bus port, anew for each cluster. Required.
	Listen func() (net.PacketConn, error)
	// Now tells the present situation. Required.
	Now func() Situation
	// Changed receives when the situation may have changed. Required.
	Changed <-chan struct{}
}

// Follower gossips in whatever cluster this node belongs to.
type Follower struct {
	opt FollowOptions
	cur atomic.Pointer[Gossip]
}

// NewFollower builds a Follower; it does nothing before Run.
func NewFollower(o FollowOptions) (*Follower, error) {
	if o.Listen == nil || o.Now == nil || o.Changed == nil {
		return nil, errors.New("gossip: Listen, Now and Changed are required")
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	return &Follower{opt: o}, nil
}

// retryListen is the pause before another try when gossip does not start.
const retryListen = time.Second

// Run starts and ends a Gossip as the node joins and leaves clusters, until ctx ends.
// That gossip does not start is told in the log and tried again: nothing depends on it.
func (f *Follower) Run(ctx context.Context) error {
	defer f.replace(nil)
	var cluster string
	var self Member
	for {
		var retry <-chan time.Time
		now := f.opt.Now()
		if now.Cluster != cluster || now.Self != self {
			f.replace(nil)
			cluster, self = now.Cluster, now.Self
			if cluster != "" {
				g, err := f.start(now)
				if err != nil {
					f.opt.Logger.Warn("gossip does not start", zap.Error(err))
					cluster, retry = "", time.After(retryListen)
				} else {
					f.replace(g)
				}
			}
		}
		if g := f.cur.Load(); g != nil {
			g.SetPeers(now.Peers)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-f.opt.Changed:
		case <-retry:
		}
	}
}

func (f *Follower) start(now Situation) (*Gossip, error) {
	conn, err := f.opt.Listen()
	if err != nil {
		return nil, err
	}
	o := f.opt.Options
	o.Conn, o.Cluster, o.Self = conn, now.Cluster, now.Self
	g, err := Start(o)
	if err != nil {
		conn.Close()
	}
	return g, err
}

func (f *Follower) replace(g *Gossip) {
	if old := f.cur.Swap(g); old != nil {
		old.Close()
	}
}

// Members are the nodes gossip believes alive; none while there is no cluster.
func (f *Follower) Members() []Member {
	if g := f.cur.Load(); g != nil {
		return g.Members()
	}
	return nil
}
