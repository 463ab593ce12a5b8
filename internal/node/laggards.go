package node

import (
	"net"
	"strconv"

	"github.com/redwingdb/redwing/internal/replication"
	"github.com/redwingdb/redwing/internal/topology"
)

// laggard is a replica that lacks something.
type laggard struct {
	addr     string
	lagBytes int64
}

// laggards returns the replicas in sync that have not acknowledged all before offset. In a
// cluster there are none for a primary as soon as one that may take over has everything: the
// others take what they lack from it.
func (n *Node) laggards(offset int64) []laggard {
	replicas := n.repl.Replicas()
	if n.cluster != nil {
		v := n.cluster.consensus.View()
		if s := v.ShardOf(n.cluster.Self()); s != nil && hasHeir(v, s, replicas, offset) {
			return nil
		}
	}
	var out []laggard
	for _, r := range replicas {
		if r.Online && r.Offset < offset {
			out = append(out, laggard{net.JoinHostPort(r.IP, strconv.Itoa(r.Port)), offset - r.Offset})
		}
	}
	return out
}

// hasHeir reports whether a replica of s that may be promoted has acknowledged all before
// offset.
func hasHeir(v *topology.View, s *topology.Shard, replicas []replication.ReplicaInfo, offset int64) bool {
	for _, r := range replicas {
		id, run := topology.NodeID(r.Node), topology.RunID(r.Run)
		if n := v.Node(id); n == nil || n.Run != run || id == s.Primary || !s.Has(id) {
			continue
		}
		if r.Online && r.Offset >= offset && (!v.Config.InSyncOnly() || s.IsInSync(id, run)) {
			return true
		}
	}
	return false
}
