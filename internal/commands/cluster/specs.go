package cluster

import (
	"time"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/config"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/resp"
	"github.com/redwingdb/redwing/internal/slots"
)

// Deps is what the command needs.
type Deps struct {
	// Control is nil on a plain server: every subcommand is refused then.
	Control  Control
	Keyspace *engine.Keyspace
	Config   *config.Config
	// SlotUse returns what commands on the keys of a slot have taken, false if that is
	// not counted. nil: it never is.
	SlotUse func(slots.Slot) (use SlotUse, counted bool)
}

// slack is granted on top of cluster-node-timeout, for which a change is retried:
// it is answered once the nodes that answer within 500 ms have applied it.
const slack = time.Second

func (d *Deps) timeout() time.Duration {
	return time.Duration(d.Config.ClusterNodeTimeoutMillis.Get())*time.Millisecond + slack
}

// Specs returns the command. Arities, flags and tips are those of Redis 7.2, and of
// Valkey 9 for slot migrations.
func Specs(deps Deps) []command.Spec { return specsOf(&deps) }

func specsOf(d *Deps) []command.Spec {
	const (
		read     = command.Stale
		readLoad = command.Loading | command.Stale
		admin    = command.Admin | command.Stale
		change   = admin | command.NoAsyncLoading | command.OffLoop
	)
	unstable := []string{"nondeterministic_output"}
	sub := func(name string, arity int, flags command.Flags, run command.Handler, since, summary string, tips []string) command.Spec {
		return command.Spec{
			Name: name, Arity: arity, Flags: flags, Shards: command.ShardsNone, Run: d.guard(run),
			Tips: tips, Group: "cluster", Since: since, Summary: summary,
		}
	}
	getKeys := sub("getkeysinslot", 4, read, d.getKeysInSlot, "3.0.0", "Returns the key names in a hash slot.", unstable)
	getKeys.Shards, getKeys.ShardsFor = command.ShardsOfKeys, slotShard
	return []command.Spec{{
		Name: "cluster", Arity: -2, Group: "cluster", Since: "3.0.0", Shards: command.ShardsNone,
		Summary: "A container for Redis Cluster commands.", Complexity: "Depends on subcommand.",
		Subs: []command.Spec{
			sub("addslots", -3, change, d.addSlots, "3.0.0", "Assigns new hash slots to a node.", nil),
			sub("addslotsrange", -4, change, d.addSlotsRange, "7.0.0", "Assigns new hash slot ranges to a node.", nil),
			sub("cancelslotmigrations", -2, change, d.cancelSlotMigrations, "9.0.0", "Cancels all running slot migrations that leave this node.", nil),
			sub("countkeysinslot", 3, read, d.countKeysInSlot, "3.0.0", "Returns the number of keys in a hash slot.", nil),
			sub("delslots", -3, change, d.delSlots, "3.0.0", "Sets hash slots as unbound for a node.", nil),
			sub("delslotsrange", -4, change, d.delSlotsRange, "7.0.0", "Sets hash slot ranges as unbound for a node.", nil),
			sub("failover", -2, change, d.failover, "3.0.0", "Forces a replica to perform a manual failover of its master.", nil),
			sub("flushslots", 2, change, d.flushSlots, "3.0.0", "Deletes all slots information from a node.", nil),
			sub("forget", 3, change, d.forget, "3.0.0", "Removes a node from the cluster.", nil),
			getKeys,
			sub("getslotmigrations", 2, admin, d.getSlotMigrations, "9.0.0", "Returns running and recent slot migrations of this node's shard.", unstable),
			sub("help", 2, readLoad, help, "5.0.0", "Returns helpful text about the different subcommands.", nil),
			sub("info", 2, read, d.info, "3.0.0", "Returns information about the state of a node.", unstable),
			sub("keyslot", 3, read, d.keySlot, "3.0.0", "Returns the hash slot for a key.", nil),
			sub("meet", -4, change, d.meet, "3.0.0", "Forces a node to handshake with another node.", nil),
			sub("migrateslots", -4, change, d.migrateSlots, "9.0.0", "Moves hash slots to another node, atomically.", nil),
			sub("myid", 2, read, d.myID, "3.0.0", "Returns the ID of a node.", nil),
			sub("myshardid", 2, read, d.myShardID, "7.2.0", "Returns the shard ID of a node.", unstable),
			sub("nodes", 2, read, d.nodes, "3.0.0", "Returns the cluster configuration for a node.", unstable),
			sub("replicas", 3, admin, d.replicas, "5.0.0", "Lists the replica nodes of a master node.", unstable),
			sub("replicate", 3, change, d.replicate, "3.0.0", "Configure a node as replica of a master node.", nil),
			sub("reset", -2, admin|command.NoScript|command.OffLoop, d.reset, "3.0.0", "Resets a node.", nil),
			sub("saveconfig", 2, admin|command.NoAsyncLoading, d.saveConfig, "3.0.0", "Forces a node to save the cluster configuration to disk.", nil),
			sub("set-config-epoch", 3, change, d.setConfigEpoch, "3.0.0", "Sets the configuration epoch for a new node.", nil),
			sub("shards", 2, read, d.shards, "7.0.0", "Returns the mapping of cluster slots to shards.", unstable),
			sub("slaves", 3, admin, d.replicas, "3.0.0", "Lists the replica nodes of a master node.", unstable),
			sub("slot-stats", -4, readLoad, d.slotStats, "8.2.0", "Returns usage statistics of the slots of this node's shard.", []string{"nondeterministic_output", "request_policy:all_shards"}),
			sub("write-concern", -2, change, d.writeConcern, "7.2.0", "Returns or changes what holds for synchronous writes in the cluster.", unstable),
			sub("slots", 2, read, d.slots, "3.0.0", "Returns the mapping of cluster slots to nodes.", unstable),
		},
	}}
}

// guard refuses everything on a plain server, as Redis does.
func (d *Deps) guard(run command.Handler) command.Handler {
	return func(c *command.Ctx) error {
		if d.Control == nil {
			return resp.ErrClusterDisabled
		}
		return run(c)
	}
}
