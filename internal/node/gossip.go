package node

import (
	"context"
	"net"

	"github.com/redwingdb/redwing/internal/gossip"
	"github.com/redwingdb/redwing/internal/topology"
)

// gossips runs memberlist beside the bus until ctx ends. What it brings are hints: that
// a newer View exists, and where members are now. changed receives with every View.
func (c *clusterSide) gossips(ctx context.Context, changed <-chan struct{}) error {
	f, err := gossip.NewFollower(gossip.FollowOptions{
		Options: gossip.Options{
			Bus:    c.bus,
			Newest: func() uint64 { return c.consensus.View().Index },
			Heard:  c.consensus.HeardOf,
			Event: func(e gossip.Event) {
				if e.Kind != gossip.Leave {
					c.bus.Learn(e.Member.Node, e.Member.Addr)
				}
			},
			Logger: c.n.log,
		},
		Listen:  func() (net.PacketConn, error) { return net.ListenPacket("udp", c.bus.Addr().String()) },
		Now:     c.situation,
		Changed: changed,
	})
	if err != nil {
		return err
	}
	return f.Run(ctx)
}

// situation is what gossip says of this node, and where the View has the others.
func (c *clusterSide) situation() gossip.Situation {
	v := c.consensus.View()
	me := c.announced()
	s := gossip.Situation{
		Cluster: v.ClusterID,
		Self:    gossip.Member{Node: string(c.consensus.Self()), Run: string(c.runID), Addr: me.Addr.Bus(), Zone: me.Zone},
	}
	for i := range v.Nodes {
		if n := &v.Nodes[i]; n.ID != topology.NodeID(s.Self.Node) {
			s.Peers = append(s.Peers, gossip.Peer{Node: string(n.ID), Addr: n.Addr.Bus()})
		}
	}
	return s
}

// notices returns a channel of capacity one that receives when the View changes.
func (c *clusterSide) notices() (changed <-chan struct{}, cancel func()) {
	ch := make(chan struct{}, 1)
	return ch, c.consensus.Subscribe(func(_, _ *topology.View) {
		select {
		case ch <- struct{}{}:
		default:
		}
	})
}
