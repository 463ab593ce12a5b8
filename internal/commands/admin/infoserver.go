package admin

import (
	"slices"
	"strconv"
	"strings"

	"github.com/redwingdb/redwing/internal/command"
)

func (d *Deps) totals(c *command.Ctx) Totals {
	if d.Stats == nil {
		return Totals{}
	}
	return d.Stats.Totals(c.Client)
}

func (d *Deps) infoClients(f *fields, c *command.Ctx) {
	t := d.totals(c)
	f.add("connected_clients", t.Clients)
	f.add("cluster_connections", 0)
	f.add("maxclients", d.Config.MaxClients.Get())
	f.add("client_recent_max_input_buffer", 0)
	f.add("client_recent_max_output_buffer", 0)
	f.add("blocked_clients", t.Blocked)
	f.add("tracking_clients", 0)
	f.add("clients_in_timeout_table", 0)
	f.add("total_blocking_keys", t.BlockingKeys)
	f.add("total_blocking_keys_on_nokey", t.BlockingOnNoKey)
}

func (d *Deps) infoStats(f *fields, c *command.Ctx) {
	t := d.totals(c)
	ops, in, out := d.Rates.perSecond()
	var full, partial, refused int64
	if d.Syncs != nil {
		full, partial, refused = d.Syncs()
	}
	f.add("total_connections_received", t.Connections)
	f.add("total_commands_processed", t.Commands)
	f.addf("instantaneous_ops_per_sec", "%.0f", ops)
	f.add("total_net_input_bytes", t.NetInBytes)
	f.add("total_net_output_bytes", t.NetOutBytes)
	f.addf("instantaneous_input_kbps", "%.2f", in/1024)
	f.addf("instantaneous_output_kbps", "%.2f", out/1024)
	f.add("rejected_connections", t.RefusedConnections)
	f.add("sync_full", full)
	f.add("sync_partial_ok", partial)
	f.add("sync_partial_err", refused)
	st := d.Keyspace.Stats()
	f.add("expired_keys", st.ExpiredKeys)
	f.add("evicted_keys", st.EvictedKeys)
	f.add("evicted_clients", 0)
	f.add("total_eviction_exceeded_time", st.OverLimitNanos/1_000_000)
	f.add("current_eviction_exceeded_time", st.OverNowNanos/1_000_000)
	f.add("keyspace_hits", t.Hits)
	f.add("keyspace_misses", t.Misses)
	f.add("pubsub_channels", t.Channels)
	f.add("pubsub_patterns", t.Patterns)
	f.add("pubsubshard_channels", t.ShardChannels)
	f.add("latest_fork_usec", 0)
	f.add("total_forks", 0)
	f.add("migrate_cached_sockets", 0)
	f.add("tracking_total_keys", 0)
	moved, spent := d.Keyspace.DefragStats(), MemoryCounts{}
	if d.Memory != nil {
		spent = d.Memory()
	}
	f.add("active_defrag_hits", moved.Hits)
	f.add("active_defrag_misses", moved.Misses)
	f.add("active_defrag_key_hits", moved.KeyHits)
	f.add("active_defrag_key_misses", moved.KeyMisses)
	f.add("total_active_defrag_time", spent.DefragMillis)
	f.add("current_active_defrag_time", spent.DefragNowMillis)
	f.add("unexpected_error_replies", 0)
	f.add("total_error_replies", t.Errors+t.RejectedCalls)
	f.add("rejected_calls", t.RejectedCalls)
}

func (d *Deps) infoReplication(f *fields, _ *command.Ctx) {
	if d.Replication != nil {
		f.text = d.Replication(f.text)
		return
	}
	f.add("role", "master")
	f.add("connected_slaves", 0)
}

func (d *Deps) infoCommandStats(f *fields, _ *command.Ctx) {
	if d.Stats == nil {
		return
	}
	type line struct {
		name        string
		calls, usec int64
	}
	var lines []line
	d.Stats.EachSpec(func(s *command.Spec, calls, nanos int64) {
		lines = append(lines, line{s.FullName(), calls, nanos / 1000})
	})
	slices.SortFunc(lines, func(a, b line) int { return strings.Compare(a.name, b.name) })
	for _, l := range lines {
		f.addf("cmdstat_"+l.name, "calls=%d,usec=%d,usec_per_call=%.2f", l.calls, l.usec, float64(l.usec)/float64(max(l.calls, 1)))
	}
}

func (d *Deps) infoCluster(f *fields, _ *command.Ctx) {
	f.add("cluster_enabled", asBit(d.Config.ClusterEnabled.Get()))
}

func (d *Deps) infoKeyspace(f *fields, _ *command.Ctx) {
	for db := range d.Keyspace.Databases() {
		if keys := d.Keyspace.Len(db); keys > 0 {
			f.addf("db"+strconv.Itoa(db), "keys=%d,expires=%d,avg_ttl=0", keys, d.Keyspace.Expires(db))
		}
	}
}
