package node

import (
	"time"

	"github.com/redwingdb/redwing/internal/config"
	"github.com/redwingdb/redwing/internal/replication"
	"github.com/redwingdb/redwing/internal/server"
)

// bindSettings fills the settings of the data path from the configuration and keeps
// them true when CONFIG SET changes one.
func bindSettings(cfg *config.Config, set *server.Settings) {
	bind := func(directive string, apply func()) {
		apply()
		cfg.OnChange(directive, func() error { apply(); return nil })
	}
	bind("proto-max-bulk-len", func() { set.MaxBulk.Store(cfg.MaxBulkBytes.Get()) })
	bind("client-query-buffer-limit", func() { set.QueryBuffer.Store(cfg.QueryBufferBytes.Get()) })
	bind("client-output-buffer-limit", func() {
		normal := cfg.OutputLimits.Get().Normal
		set.OutputHard.Store(normal.HardBytes)
		set.OutputSoft.Store(normal.SoftBytes)
		set.OutputSoftSecs.Store(normal.SoftSeconds)
		subs := cfg.OutputLimits.Get().PubSub
		set.PubSubHard.Store(subs.HardBytes)
		set.PubSubSoft.Store(subs.SoftBytes)
		set.PubSubSoftSecs.Store(subs.SoftSeconds)
	})
	bind("maxclients", func() { set.MaxClients.Store(cfg.MaxClients.Get()) })
	bind("timeout", func() { set.TimeoutSecs.Store(cfg.TimeoutSeconds.Get()) })
	bind("tcp-keepalive", func() { set.KeepAliveSecs.Store(cfg.TCPKeepaliveSeconds.Get()) })
	bind("protected-mode", func() { set.ProtectedMode.Store(cfg.ProtectedMode.Get()) })
	bind("replica-serve-stale-data", func() { set.ServeStale.Store(cfg.ServeStaleData.Get()) })
	bind("cluster-require-full-coverage", func() { set.FullCoverage.Store(cfg.RequireFullCoverage.Get()) })
	bind("cluster-allow-reads-when-down", func() { set.ReadsWhenDown.Store(cfg.AllowReadsWhenDown.Get()) })
	bind("cluster-allow-pubsubshard-when-down", func() { set.ShardChannelsWhenDown.Store(cfg.AllowPubSubShardWhenDown.Get()) })
	set.DebugCommand.Store(int32(debugCommand(cfg.EnableDebug.Get()))) // fixed at start
}

func debugCommand(word string) server.DebugCommand {
	switch word {
	case "yes":
		return server.DebugYes
	case "local":
		return server.DebugLocal
	}
	return server.DebugNo
}

// replicationSettings is what replication asks of the configuration.
func (n *Node) replicationSettings() replication.Settings {
	c := n.cfg
	limit := c.OutputLimits.Get().Replica
	port := int(c.ReplicaAnnouncePort.Get())
	if port == 0 {
		port = int(c.Port.Get())
	}
	seconds := func(i *config.Int) time.Duration { return time.Duration(i.Get()) * time.Second }
	return replication.Settings{
		AnnouncePort: port, AnnounceIP: c.ReplicaAnnounceIP.Get(),
		User: c.MasterUser.Get(), Password: c.MasterAuth.Get(),
		PingPeriod: seconds(&c.ReplPingSeconds), Timeout: seconds(&c.ReplTimeoutSeconds),
		BacklogBytes: c.ReplBacklogBytes.Get(), BacklogTTL: orNever(seconds(&c.ReplBacklogTTLSeconds)),
		SyncDelay: seconds(&c.SyncDelaySeconds), SyncReplicas: int(c.SyncMaxReplicas.Get()),
		OutputHardBytes: unlimited(limit.HardBytes), OutputSoftBytes: unlimited(limit.SoftBytes),
		OutputSoftTime: time.Duration(limit.SoftSeconds) * time.Second,
		MinReplicas:    int(c.MinReplicas.Get()), MinReplicasMaxLag: orNever(seconds(&c.MinReplicasLagSeconds)),
		Priority: int(c.ReplicaPriority.Get()), Unannounced: !c.ReplicaAnnounced.Get(),
		ServeWritable: !c.ReplicaReadOnly.Get(),
		NoCompress:    !c.RDBCompression.Get(), NoChecksum: !c.RDBChecksum.Get(),
	}
}

// orNever turns redis.conf's 0 into replication's word for never.
func orNever(d time.Duration) time.Duration {
	if d == 0 {
		return -1
	}
	return d
}

// bindReplication makes the directives hold at once that replication would else look at
// a second later.
func (n *Node) bindReplication() {
	apply := func() error {
		n.server.Settings().ReplicaReads.Store(n.cfg.ReplicaReadOnly.Get())
		n.repl.Reconfigured()
		return nil
	}
	for _, directive := range []string{
		"repl-backlog-size", "repl-backlog-ttl", "min-replicas-to-write", "min-replicas-max-lag", "replica-read-only",
	} {
		n.cfg.OnChange(directive, apply)
	}
	_ = apply() // never fails
}

// unlimited turns redis.conf's 0 into replication's word for no limit.
func unlimited(bytes int64) int64 {
	if bytes == 0 {
		return -1
	}
	return bytes
}
