package cluster

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/topology"
)

// info answers CLUSTER INFO. The fields are those of Redis 7.2, then ours: what the
// topology log has come to.
func (d *Deps) info(c *command.Ctx) error {
	s := d.look()
	state := "fail"
	if s.available(d.Config.RequireFullCoverage.Get()) {
		state = "ok"
	}
	suspect, failed := 0, 0
	for i := range s.view.Shards {
		shard := &s.view.Shards[i]
		switch h := s.health(shard.Primary); {
		case h.Failed:
			failed += shard.Slots.Len()
		case h.Suspect:
			suspect += shard.Slots.Len()
		}
	}
	sent, received := d.Control.Messages()
	var b strings.Builder
	field := func(name string, value any) { fmt.Fprintf(&b, "%s:%v\r\n", name, value) }
	field("cluster_state", state)
	field("cluster_slots_assigned", s.view.Owned())
	field("cluster_slots_ok", s.view.Owned()-suspect-failed)
	field("cluster_slots_pfail", suspect)
	field("cluster_slots_fail", failed)
	field("cluster_known_nodes", len(s.view.Nodes))
	field("cluster_size", s.view.Size())
	field("cluster_current_epoch", s.view.EpochCounter)
	field("cluster_my_epoch", s.shard().Epoch)
	field("cluster_stats_messages_sent", sent)
	field("cluster_stats_messages_received", received)
	field("total_cluster_links_buffer_limit_exceeded", 0)
	field("redwing_cluster_id", s.view.ClusterID)
	field("redwing_cluster_generation", s.view.Generation)
	field("redwing_view_index", s.view.Index)
	field("redwing_shard_term", s.shard().Term)
	field("redwing_voters", len(s.view.Voters()))
	field("redwing_voters_wanted", topology.VotersFor(len(s.view.Nodes)))
	field("redwing_open_moves", len(s.view.OpenMoves("")))
	dropped := d.Control.Dropped()
	for _, reason := range slices.Sorted(maps.Keys(dropped)) {
		field("redwing_bus_dropped_"+reason, dropped[reason])
	}
	c.Out.Verbatim("txt", b.String())
	return nil
}

func (d *Deps) myID(c *command.Ctx) error {
	c.Out.BulkString(string(d.Control.Self()))
	return nil
}

func (d *Deps) myShardID(c *command.Ctx) error {
	c.Out.BulkString(string(d.look().shard().ID))
	return nil
}

// saveConfig has nothing to do: the log is on disk before a change is answered.
func (d *Deps) saveConfig(c *command.Ctx) error {
	c.Out.OK()
	return nil
}
