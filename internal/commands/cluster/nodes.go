package cluster

import (
	"strconv"
	"strings"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/slots"
	"github.com/redwingdb/redwing/internal/topology"
)

// appendNode appends the line of one node (Redis 7.2, CLUSTER NODES):
//
//	<id> <ip:port@busport[,hostname]> <flags> <primary|-> <ping> <pong> <epoch> <link> <slots>...
func (s *sight) appendNode(b *strings.Builder, n *topology.Node) {
	shard := s.view.ShardByID(n.Shard)
	h := s.health(n.ID)
	primary := shard == nil || shard.Primary == n.ID
	b.WriteString(string(n.ID))
	b.WriteByte(' ')
	b.WriteString(n.Addr.Host)
	b.WriteByte(':')
	b.WriteString(strconv.Itoa(n.Addr.Port))
	b.WriteByte('@')
	b.WriteString(strconv.Itoa(n.Addr.BusPort))
	if n.Hostname != "" {
		b.WriteByte(',')
		b.WriteString(n.Hostname)
	}
	b.WriteByte(' ')
	b.WriteString(s.flags(n, h, primary))
	if primary {
		b.WriteString(" - ")
	} else {
		b.WriteString(" " + string(shard.Primary) + " ")
	}
	b.WriteString(strconv.FormatInt(h.PingSentMillis, 10))
	b.WriteByte(' ')
	b.WriteString(strconv.FormatInt(h.PongReceivedMillis, 10))
	b.WriteByte(' ')
	epoch := uint64(0)
	if shard != nil {
		epoch = shard.Epoch
	}
	b.WriteString(strconv.FormatUint(epoch, 10))
	if h.Linked {
		b.WriteString(" connected")
	} else {
		b.WriteString(" disconnected")
	}
	if primary && shard != nil {
		for _, r := range shard.Slots.Ranges() {
			b.WriteByte(' ')
			b.WriteString(r.String())
		}
	}
	if n.ID == s.self && shard != nil {
		for _, open := range shard.Open {
			arrow := "->-"
			if open.State == topology.Importing {
				arrow = "-<-"
			}
			b.WriteString(" [" + strconv.Itoa(int(open.Slot)) + arrow + string(open.Peer) + "]")
		}
	}
}

func (s *sight) flags(n *topology.Node, h Health, primary bool) string {
	var flags []string
	if n.ID == s.self {
		flags = append(flags, "myself")
	}
	if primary {
		flags = append(flags, "master")
	} else {
		flags = append(flags, "slave")
	}
	switch {
	case h.Failed:
		flags = append(flags, "fail")
	case h.Suspect:
		flags = append(flags, "fail?")
	}
	if n.Priority == 0 && !primary {
		flags = append(flags, "nofailover")
	}
	return strings.Join(flags, ",")
}

func (d *Deps) nodes(c *command.Ctx) error {
	s := d.look()
	var b strings.Builder
	for i := range s.view.Nodes {
		s.appendNode(&b, &s.view.Nodes[i])
		b.WriteByte('\n')
	}
	c.Out.Verbatim("txt", b.String())
	return nil
}

// replicas answers with an array of lines of CLUSTER NODES.
func (d *Deps) replicas(c *command.Ctx) error {
	s := d.look()
	n := s.view.Node(topology.NodeID(c.Args[2]))
	if n == nil {
		return unknownNode(c.Args[2])
	}
	shard := s.view.ShardByID(n.Shard)
	if shard == nil || shard.Primary != n.ID {
		return errNotMaster
	}
	c.Out.Array(len(shard.Replicas))
	for _, id := range shard.Replicas {
		var b strings.Builder
		if r := s.view.Node(id); r != nil {
			s.appendNode(&b, r)
		}
		c.Out.BulkString(b.String())
	}
	return nil
}

const slotCount = slots.Count
