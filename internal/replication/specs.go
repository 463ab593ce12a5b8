package replication

import (
	"context"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/redwingdb/redwing/internal/acl"
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/resp"
)

// Specs returns the specs of the replication commands.
func (r *Replication) Specs() []command.Spec {
	sync := command.Admin | command.NoScript | command.NoAsyncLoading | command.NoMulti
	follow := command.Admin | command.NoScript | command.Stale | command.NoAsyncLoading | command.OffLoop
	return []command.Spec{
		{
			Name: "psync", Arity: -3, Flags: sync, Shards: command.ShardsNone, Run: r.psync,
			Group: "server", Since: "2.8.0", Summary: "An internal command used in replication.",
		},
		{
			Name: "sync", Arity: 1, Flags: sync, Shards: command.ShardsNone, Run: r.psync,
			Group: "server", Since: "1.0.0", Summary: "An internal command used in replication.",
		},
		{
			Name: "replconf", Arity: -1, Shards: command.ShardsNone, Run: r.replconf,
			Flags: command.Admin | command.NoScript | command.Loading | command.Stale | command.AllowBusy,
			Group: "server", Since: "3.0.0", Summary: "An internal command for configuring the replication stream.",
			Complexity: "O(1)",
		},
		{
			Name: "wait", Arity: 3, Flags: command.NoScript, Cats: acl.Connection,
			Shards: command.ShardsNone, Run: r.wait,
			Tips:  []string{"request_policy:all_shards", "response_policy:agg_min"},
			Group: "generic", Since: "3.0.0",
			Summary:    "Blocks until the asynchronous replication of all preceding write commands sent by the connection is completed.",
			Complexity: "O(1)",
		},
		{
			Name: "waitaof", Arity: 4, Flags: command.Blocking, Cats: acl.Connection,
			Shards: command.ShardsNone, Run: r.waitAOF,
			Tips:  []string{"request_policy:all_shards", "response_policy:agg_min"},
			Group: "generic", Since: "7.2.0",
			Summary:    "Blocks until all of the preceding write commands sent by the connection are written to the append-only file of the master and/or replicas.",
			Complexity: "O(1)",
		},
		{
			Name: "role", Arity: 1, Cats: acl.Admin | acl.Dangerous, Shards: command.ShardsNone, Run: r.role,
			Flags: command.NoScript | command.Loading | command.Stale | command.Fast,
			Group: "server", Since: "2.8.12", Summary: "Returns the replication role.", Complexity: "O(1)",
		},
		{
			Name: "replicaof", Arity: 3, Flags: follow, Shards: command.ShardsNone, Run: r.replicaof,
			Group: "server", Since: "5.0.0",
			Summary:    "Configures a server as replica of another, or promotes it to a master.",
			Complexity: "O(1)",
		},
		{
			Name: "failover", Arity: -1, Flags: command.Admin | command.NoScript | command.Stale | command.OffLoop,
			Shards: command.ShardsNone, Run: r.failoverCommand,
			Group: "server", Since: "6.2.0",
			Summary: "Starts a coordinated failover from a server to one of its replicas.", Complexity: "O(1)",
		},
		{
			Name: "slaveof", Arity: 3, Flags: follow, Shards: command.ShardsNone, Run: r.replicaof,
			Group: "server", Since: "1.0.0",
			Summary:    "Sets a Redis server as a replica of another, or promotes it to being a master.",
			Complexity: "O(1)",
		},
	}
}

var (
	errReplicaOfCluster = resp.NewError("ERR REPLICAOF not allowed in cluster mode.")
	errReplicaOfFailing = resp.NewError("ERR REPLICAOF not allowed while failing over.")
	errPrimaryPort      = resp.NewError("ERR Invalid master port")
)

// promoteTimeout bounds how long REPLICAOF NO ONE waits for the old stream to stop.
const promoteTimeout = 30 * time.Second

// replicaof is REPLICAOF host port, or NO ONE.
func (r *Replication) replicaof(c *command.Ctx) error {
	if r.o.Cluster {
		return errReplicaOfCluster
	}
	r.roles.Lock()
	defer r.roles.Unlock()
	r.mu.Lock()
	failing := r.mu.failover != nil
	r.mu.Unlock()
	if failing {
		return errReplicaOfFailing
	}
	if command.Is(c.Args[1], "no") && command.Is(c.Args[2], "one") {
		if r.replica.Load() {
			ctx, cancel := context.WithTimeout(r.ctx, promoteTimeout)
			defer cancel()
			if err := r.Promote(ctx, Mark{}); err != nil {
				r.log.Warn("promotion failed", zap.Error(err))
				return resp.NewError("ERR the link to the primary does not end")
			}
			r.followed("", "")
		}
		c.Out.OK()
		return nil
	}
	port, err := strconv.Atoi(string(c.Args[2]))
	if err != nil || port < 0 || port > 65535 {
		return errPrimaryPort
	}
	t := Target{Host: string(c.Args[1]), Port: port}
	r.mu.Lock()
	same := r.mu.target != nil && r.mu.target.sameServer(t)
	r.mu.Unlock()
	if same {
		c.Out.Simple("OK Already connected to specified master")
		return nil
	}
	r.Follow(t)
	r.followed(t.Host, strconv.Itoa(port))
	c.Out.OK()
	return nil
}

// followed tells the owner what REPLICAOF did. REQUIRES: r.roles held.
func (r *Replication) followed(host, port string) {
	if r.o.Followed != nil {
		r.o.Followed(host, port)
	}
}
