package server

import (
	"github.com/redwingdb/redwing/internal/acl"
	"github.com/redwingdb/redwing/internal/command"
)

// session returns the connection of a command that only connections send.
func session(c *command.Ctx) *Session { return c.Client.(*Session) }

const (
	always   = command.Loading | command.Stale
	anywhere = command.NoScript | always
)

// Specs returns the commands about the connection itself and its transaction.
func Specs() []command.Spec {
	specs := []command.Spec{
		{Name: "auth", Arity: -2, Flags: anywhere | command.Fast | command.NoAuth | command.AllowBusy,
			Cats: acl.Connection, Shards: command.ShardsNone, Run: runAuth,
			Group: "connection", Since: "1.0.0", Summary: "Authenticates the connection.", Complexity: "O(N) where N is the number of passwords defined for the user"},
		{Name: "hello", Arity: -1, Flags: anywhere | command.Fast | command.NoAuth | command.AllowBusy,
			Cats: acl.Connection, Shards: command.ShardsNone, Run: runHello,
			Group: "connection", Since: "6.0.0", Summary: "Handshakes with the Redis server.", Complexity: "O(1)"},
		{Name: "ping", Arity: -1, Flags: command.Fast | command.Subscribed, Cats: acl.Connection, Shards: command.ShardsNone, Run: runPing,
			Tips:  []string{"request_policy:all_shards", "response_policy:all_succeeded"},
			Group: "connection", Since: "1.0.0", Summary: "Returns the server's liveliness response.", Complexity: "O(1)"},
		{Name: "echo", Arity: 2, Flags: always | command.Fast, Cats: acl.Connection, Shards: command.ShardsNone, Run: runEcho,
			Group: "connection", Since: "1.0.0", Summary: "Returns the given string.", Complexity: "O(1)"},
		{Name: "select", Arity: 2, Flags: always | command.Fast, Cats: acl.Connection, Shards: command.ShardsNone, Run: runSelect,
			Group: "connection", Since: "1.0.0", Summary: "Changes the selected database.", Complexity: "O(1)"},
		{Name: "quit", Arity: -1, Flags: anywhere | command.Fast | command.NoAuth | command.AllowBusy | command.Immediate | command.Subscribed,
			Cats: acl.Connection, Shards: command.ShardsNone, Run: runQuit,
			Group: "connection", Since: "1.0.0", Summary: "Closes the connection.", Complexity: "O(1)"},
		{Name: "reset", Arity: 1, Flags: anywhere | command.Fast | command.NoAuth | command.AllowBusy | command.Immediate | command.Subscribed,
			Cats: acl.Connection, Shards: command.ShardsNone, Run: runReset,
			Group: "connection", Since: "6.2.0", Summary: "Resets the connection.", Complexity: "O(1)"},
		{Name: "client", Arity: -2, Subs: clientSpecs(),
			Group: "connection", Since: "2.4.0", Summary: "A container for client connection commands.", Complexity: "Depends on subcommand."},
	}
	return append(append(append(specs, transactionSpecs()...), clusterModeSpecs()...), subscriptionSpecs()...)
}

func transactionSpecs() []command.Spec {
	return []command.Spec{
		{Name: "multi", Arity: 1, Flags: anywhere | command.Fast | command.AllowBusy | command.Immediate,
			Cats: acl.Transaction, Shards: command.ShardsNone, Run: runMulti,
			Group: "transactions", Since: "1.2.0", Summary: "Starts a transaction.", Complexity: "O(1)"},
		{Name: "exec", Arity: 1, Flags: anywhere | command.SkipSlowlog | command.Immediate | command.RunsQueue,
			Cats: acl.Transaction, Shards: command.ShardsNone, Run: runExec,
			Group: "transactions", Since: "1.2.0", Summary: "Executes all commands in a transaction.", Complexity: "Depends on commands in the transaction"},
		{Name: "discard", Arity: 1, Flags: anywhere | command.Fast | command.AllowBusy | command.Immediate,
			Cats: acl.Transaction, Shards: command.ShardsNone, Run: runDiscard,
			Group: "transactions", Since: "2.0.0", Summary: "Discards a transaction.", Complexity: "O(N), when N is the number of queued commands"},
		{Name: "watch", Arity: -2, Flags: anywhere | command.Fast | command.AllowBusy | command.Immediate,
			Cats: acl.Transaction, Keys: command.KeysTo(-1, 1, command.KeyRO), Run: runWatch,
			Group: "transactions", Since: "2.2.0", Summary: "Monitors changes to keys to determine the execution of a transaction.", Complexity: "O(1) for every key."},
		{Name: "unwatch", Arity: 1, Flags: anywhere | command.Fast | command.AllowBusy,
			Cats: acl.Transaction, Shards: command.ShardsNone, Run: runUnwatch,
			Group: "transactions", Since: "2.2.0", Summary: "Forgets about watched keys of a transaction.", Complexity: "O(1)"},
	}
}

func clusterModeSpecs() []command.Spec {
	return []command.Spec{
		{Name: "readonly", Arity: 1, Flags: always | command.Fast | command.OnlyCluster, Cats: acl.Connection,
			Shards: command.ShardsNone, Run: runReadonly,
			Group: "cluster", Since: "3.0.0", Summary: "Enables read-only queries for a connection to a Redis Cluster replica node.", Complexity: "O(1)"},
		{Name: "readwrite", Arity: 1, Flags: always | command.Fast | command.OnlyCluster, Cats: acl.Connection,
			Shards: command.ShardsNone, Run: runReadwrite,
			Group: "cluster", Since: "3.0.0", Summary: "Enables read-write queries for a connection to a Reids Cluster replica node.", Complexity: "O(1)"},
		{Name: "asking", Arity: 1, Flags: command.Fast | command.OnlyCluster, Cats: acl.Connection,
			Shards: command.ShardsNone, Run: runAsking,
			Group: "cluster", Since: "3.0.0", Summary: "Signals that a cluster client is following an -ASK redirect.", Complexity: "O(1)"},
	}
}

func clientSpecs() []command.Spec {
	sub := func(name string, arity int, flags command.Flags, since, summary string, run command.Handler) command.Spec {
		return command.Spec{Name: name, Arity: arity, Flags: flags, Cats: acl.Connection, Shards: command.ShardsNone,
			Run: run, Group: "connection", Since: since, Summary: summary, Complexity: "O(1)"}
	}
	onAllNodes := []string{"request_policy:all_nodes", "response_policy:all_succeeded"}
	changing := []string{"nondeterministic_output"}
	info := sub("info", 2, anywhere, "6.2.0", "Returns information about the connection.", runClientInfo)
	info.Tips = changing
	list := sub("list", -2, command.Admin|anywhere|command.OffLoop, "2.4.0", "Lists open connections.", runClientList)
	list.Tips, list.Complexity = changing, "O(N) where N is the number of client connections"
	kill := sub("kill", -3, command.Admin|anywhere|command.OffLoop, "2.4.0", "Terminates open connections.", runClientKill)
	kill.Complexity = "O(N) where N is the number of client connections"
	unblock := sub("unblock", -3, command.Admin|anywhere|command.OffLoop, "5.0.0", "Unblocks a client blocked by a blocking command from a different connection.", runClientUnblock)
	unblock.Complexity = "O(log N) where N is the number of client connections"
	pause := sub("pause", -3, command.Admin|anywhere, "3.0.0", "Suspends commands processing.", runClientPause)
	unpause := sub("unpause", 2, command.Admin|anywhere, "6.2.0", "Resumes processing commands from paused clients.", runClientUnpause)
	unpause.Complexity = "O(N) Where N is the number of paused clients"
	setinfo := sub("setinfo", 4, anywhere, "7.2.0", "Sets information specific to the client or connection.", runClientSetInfo)
	setinfo.Tips = onAllNodes
	setname := sub("setname", 3, anywhere, "2.6.9", "Sets the connection name.", runClientSetName)
	return []command.Spec{
		sub("id", 2, anywhere, "5.0.0", "Returns the unique client ID of the connection.", runClientID),
		info, list,
		setname,
		sub("getname", 2, anywhere, "2.6.9", "Returns the name of the connection.", runClientGetName),
		setinfo, kill, unblock, pause, unpause,
		sub("no-evict", 3, command.Admin|anywhere, "7.0.0", "Sets the client eviction mode of the connection.", runClientNoEvict),
		sub("write-concern", -2, anywhere, "7.2.0", "Has the replies to the connection wait for the in-sync copies, or returns whether they do.", runClientWriteConcern),
		sub("reply", 3, anywhere, "3.2.0", "Instructs the server whether to reply to commands.", runClientReply),
		sub("help", 2, always, "5.0.0", "Returns helpful text about the different subcommands.", runClientHelp),
	}
}
