package cluster

import (
	"github.com/redwingdb/redwing/internal/topology"
)

// sight is what one CLUSTER command prints from: one View, which always has this
// node, and the health of the others.
type sight struct {
	control  Control
	view     *topology.View
	self     topology.NodeID
	endpoint string // cluster-preferred-endpoint-type
}

func (d *Deps) look() *sight {
	s := &sight{control: d.Control, view: d.Control.View(), self: d.Control.Self(), endpoint: d.Config.EndpointType.Get()}
	if s.view.Node(s.self) == nil {
		s.view = loneView(d.Control)
	}
	return s
}

// loneView is the View of a node that is in no cluster: itself, without slots.
func loneView(c Control) *topology.View {
	n := c.Local()
	v := &topology.View{
		Nodes: []topology.Node{n},
		Shards: []topology.Shard{{
			ID: n.Shard, Epoch: c.ConfigEpoch(), Primary: n.ID, PrimaryRun: n.Run,
		}},
		EpochCounter: c.ConfigEpoch(),
	}
	return v.Seal()
}

func (s *sight) shard() *topology.Shard { return s.view.ShardOf(s.self) }

func (s *sight) isPrimary() bool { return s.shard().Primary == s.self }

func (s *sight) health(node topology.NodeID) Health {
	if node == s.self {
		h := s.control.Health(node)
		h.Linked, h.Suspect, h.Failed = true, false, false
		h.PingSentMillis, h.PongReceivedMillis = 0, 0
		return h
	}
	return s.control.Health(node)
}

// endpointOf returns the name under which clients are told to reach n; known is
// false where they are told nothing and go on with the address they have.
func (s *sight) endpointOf(n *topology.Node) (name string, known bool) {
	switch s.endpoint {
	case "hostname":
		if n.Hostname != "" {
			return n.Hostname, true
		}
		return "?", true
	case "unknown-endpoint":
		return "", false
	default:
		return n.Addr.Host, true
	}
}

// available reports whether this node takes the cluster to be serving.
func (s *sight) available(fullCoverage bool) bool {
	if s.view.Owned() == 0 || fullCoverage && s.view.Owned() < slotCount {
		return false
	}
	return s.control.HasQuorum()
}
