package keys

import (
	"github.com/redwingdb/redwing/internal/acl"
	"github.com/redwingdb/redwing/internal/command"
)

// databaseSpecs are the commands on whole databases, which Redis counts among its
// server commands.
func (h *handlers) databaseSpecs() []command.Spec {
	return []command.Spec{
		{
			Name: "dbsize", Arity: 1, Flags: command.ReadOnly | command.Fast, Cats: acl.Keyspace,
			Tips:   []string{"request_policy:all_shards", "response_policy:agg_sum"},
			Shards: command.ShardsNone,
			Run:    dbsize,
			Group:  "server", Since: "1.0.0",
			Summary:    "Return the number of keys in the selected database",
			Complexity: "O(1)",
		},
		{
			Name: "flushall", Arity: -1, Flags: command.Write, Cats: acl.Keyspace | acl.Dangerous,
			Tips:   []string{"request_policy:all_shards", "response_policy:all_succeeded"},
			Shards: command.ShardsAll,
			Run:    h.flushall,
			Group:  "server", Since: "1.0.0",
			Summary:    "Remove all keys from all databases",
			Complexity: "O(N) where N is the total number of keys in all databases",
		},
		{
			Name: "flushdb", Arity: -1, Flags: command.Write, Cats: acl.Keyspace | acl.Dangerous,
			Tips:   []string{"request_policy:all_shards", "response_policy:all_succeeded"},
			Shards: command.ShardsAll,
			Run:    h.flushdb,
			Group:  "server", Since: "1.0.0",
			Summary:    "Remove all keys from the current database",
			Complexity: "O(N) where N is the number of keys in the selected database",
		},
		{
			Name: "swapdb", Arity: 3, Flags: command.Write | command.Fast, Cats: acl.Keyspace | acl.Dangerous,
			Shards: command.ShardsAll,
			Run:    h.swapdb,
			Group:  "server", Since: "4.0.0",
			Summary:    "Swaps two Redis databases",
			Complexity: "O(N) where N is the count of clients watching or blocking on keys from both databases.",
		},
	}
}
