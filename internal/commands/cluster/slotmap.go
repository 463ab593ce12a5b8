package cluster

import (
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/resp"
	"github.com/redwingdb/redwing/internal/slots"
	"github.com/redwingdb/redwing/internal/topology"
)

// slotRun is a maximal range of slots with one owner.
type slotRun struct {
	slots.Range
	shard *topology.Shard
}

func slotRuns(v *topology.View) []slotRun {
	var runs []slotRun
	for slot := slots.Slot(0); slot < slotCount; slot++ {
		owner := v.Owner(slot)
		if owner == nil {
			continue
		}
		if n := len(runs); n > 0 && runs[n-1].shard == owner && runs[n-1].To+1 == slot {
			runs[n-1].To = slot
			continue
		}
		runs = append(runs, slotRun{slots.Range{From: slot, To: slot}, owner})
	}
	return runs
}

// slots answers CLUSTER SLOTS: [from, to, primary, replica...], where a node is
// [endpoint, port, id, metadata]. Replicas that cannot serve reads are left out.
func (d *Deps) slots(c *command.Ctx) error {
	s := d.look()
	runs := slotRuns(s.view)
	serving := make(map[*topology.Shard][]*topology.Node)
	for _, r := range runs {
		if _, done := serving[r.shard]; !done {
			serving[r.shard] = s.serving(r.shard)
		}
	}
	c.Out.Array(len(runs))
	for _, r := range runs {
		c.Out.Array(2 + len(serving[r.shard]))
		c.Out.Int(int64(r.From))
		c.Out.Int(int64(r.To))
		for _, n := range serving[r.shard] {
			s.slotNode(c.Out, n)
		}
	}
	return nil
}

// serving returns the primary and the replicas of a shard that have data.
func (s *sight) serving(shard *topology.Shard) []*topology.Node {
	var out []*topology.Node
	for _, id := range shard.Copies() {
		n := s.view.Node(id)
		if n == nil {
			continue
		}
		if h := s.health(id); id != shard.Primary && (h.Failed || h.Loading) {
			continue
		}
		out = append(out, n)
	}
	return out
}

func (s *sight) slotNode(w *resp.Writer, n *topology.Node) {
	w.Array(4)
	s.writeEndpoint(w, n)
	w.Int(int64(n.Addr.Port))
	w.BulkString(string(n.ID))
	byIP := s.endpoint != "hostname" && s.endpoint != "unknown-endpoint"
	nameToo := s.endpoint != "hostname" && n.Hostname != ""
	pairs := 0
	if !byIP {
		pairs++
	}
	if nameToo {
		pairs++
	}
	w.Map(pairs)
	if !byIP {
		w.BulkString("ip")
		w.BulkString(n.Addr.Host)
	}
	if nameToo {
		w.BulkString("hostname")
		w.BulkString(n.Hostname)
	}
}

func (s *sight) writeEndpoint(w *resp.Writer, n *topology.Node) {
	if name, known := s.endpointOf(n); known {
		w.BulkString(name)
		return
	}
	w.Null()
}

// shards answers CLUSTER SHARDS: every shard with its slots as pairs of bounds and
// all of its nodes, those that failed too.
func (d *Deps) shards(c *command.Ctx) error {
	s := d.look()
	c.Out.Array(len(s.view.Shards))
	for i := range s.view.Shards {
		shard := &s.view.Shards[i]
		c.Out.Map(2)
		c.Out.BulkString("slots")
		ranges := shard.Slots.Ranges()
		c.Out.Array(2 * len(ranges))
		for _, r := range ranges {
			c.Out.Int(int64(r.From))
			c.Out.Int(int64(r.To))
		}
		c.Out.BulkString("nodes")
		var nodes []*topology.Node
		for _, id := range shard.Copies() {
			if n := s.view.Node(id); n != nil {
				nodes = append(nodes, n)
			}
		}
		c.Out.Array(len(nodes))
		for _, n := range nodes {
			s.shardNode(c.Out, shard, n)
		}
	}
	return nil
}

func (s *sight) shardNode(w *resp.Writer, shard *topology.Shard, n *topology.Node) {
	h := s.health(n.ID)
	role, health := "master", "online"
	if n.ID != shard.Primary {
		role = "replica"
		if h.Loading {
			health = "loading"
		}
	}
	if h.Failed {
		health = "fail"
	}
	fields := 7
	if n.Hostname != "" {
		fields++
	}
	w.Map(fields)
	w.BulkString("id")
	w.BulkString(string(n.ID))
	w.BulkString("port")
	w.Int(int64(n.Addr.Port))
	w.BulkString("ip")
	w.BulkString(n.Addr.Host)
	w.BulkString("endpoint")
	s.writeEndpoint(w, n)
	if n.Hostname != "" {
		w.BulkString("hostname")
		w.BulkString(n.Hostname)
	}
	w.BulkString("role")
	w.BulkString(role)
	w.BulkString("replication-offset")
	w.Int(h.Offset)
	w.BulkString("health")
	w.BulkString(health)
}
