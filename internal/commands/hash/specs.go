package hash

import (
	"github.com/redwingdb/redwing/internal/acl"
	"github.com/redwingdb/redwing/internal/command"
)

var nondeterministicOrder = []string{"nondeterministic_output_order"}

func (h *handlers) specs() []command.Spec {
	return []command.Spec{
		{
			Name: "hdel", Arity: -3, Flags: command.Write | command.Fast, Cats: acl.Hash,
			Keys:  command.Key(command.KeyRW | command.KeyDelete),
			Run:   hdel,
			Group: "hash", Since: "2.0.0",
			Summary:    "Delete one or more hash fields",
			Complexity: "O(N) where N is the number of fields to be removed.",
		},
		{
			Name: "hexists", Arity: 3, Flags: command.ReadOnly | command.Fast, Cats: acl.Hash,
			Keys:  command.Key(command.KeyRO),
			Run:   hexists,
			Group: "hash", Since: "2.0.0",
			Summary:    "Determine if a hash field exists",
			Complexity: "O(1)",
		},
		{
			Name: "hget", Arity: 3, Flags: command.ReadOnly | command.Fast, Cats: acl.Hash,
			Keys:  command.Key(command.KeyRO | command.KeyAccess),
			Run:   hget,
			Group: "hash", Since: "2.0.0",
			Summary:    "Get the value of a hash field",
			Complexity: "O(1)",
		},
		{
			Name: "hgetall", Arity: 2, Flags: command.ReadOnly, Cats: acl.Hash,
			Keys:  command.Key(command.KeyRO | command.KeyAccess),
			Tips:  nondeterministicOrder,
			Run:   hgetall,
			Group: "hash", Since: "2.0.0",
			Summary:    "Get all the fields and values in a hash",
			Complexity: "O(N) where N is the size of the hash.",
		},
		{
			Name: "hincrby", Arity: 4, Flags: command.Write | command.DenyOOM | command.Fast, Cats: acl.Hash,
			Keys:  command.Key(command.KeyRW | command.KeyAccess | command.KeyUpdate),
			Run:   hincrby,
			Group: "hash", Since: "2.0.0",
			Summary:    "Increment the integer value of a hash field by the given number",
			Complexity: "O(1)",
		},
		{
			Name: "hincrbyfloat", Arity: 4, Flags: command.Write | command.DenyOOM | command.Fast, Cats: acl.Hash,
			Keys:  command.Key(command.KeyRW | command.KeyAccess | command.KeyUpdate),
			Run:   hincrbyfloat,
			Group: "hash", Since: "2.6.0",
			Summary:    "Increment the float value of a hash field by the given amount",
			Complexity: "O(1)",
		},
		{
			Name: "hkeys", Arity: 2, Flags: command.ReadOnly, Cats: acl.Hash,
			Keys:  command.Key(command.KeyRO | command.KeyAccess),
			Tips:  nondeterministicOrder,
			Run:   hkeys,
			Group: "hash", Since: "2.0.0",
			Summary:    "Get all the fields in a hash",
			Complexity: "O(N) where N is the size of the hash.",
		},
		{
			Name: "hlen", Arity: 2, Flags: command.ReadOnly | command.Fast, Cats: acl.Hash,
			Keys:  command.Key(command.KeyRO),
			Run:   hlen,
			Group: "hash", Since: "2.0.0",
			Summary:    "Get the number of fields in a hash",
			Complexity: "O(1)",
		},
		{
			Name: "hmget", Arity: -3, Flags: command.ReadOnly | command.Fast, Cats: acl.Hash,
			Keys:  command.Key(command.KeyRO | command.KeyAccess),
			Run:   hmget,
			Group: "hash", Since: "2.0.0",
			Summary:    "Get the values of all the given hash fields",
			Complexity: "O(N) where N is the number of fields being requested.",
		},
		{
			Name: "hmset", Arity: -4, Flags: command.Write | command.DenyOOM | command.Fast, Cats: acl.Hash,
			Keys:  command.Key(command.KeyRW | command.KeyUpdate),
			Run:   hmset,
			Group: "hash", Since: "2.0.0",
			Summary:    "Set multiple hash fields to multiple values",
			Complexity: "O(N) where N is the number of fields being set.",
		},
		{
			Name: "hrandfield", Arity: -2, Flags: command.ReadOnly, Cats: acl.Hash,
			Keys:  command.Key(command.KeyRO | command.KeyAccess),
			Tips:  []string{"nondeterministic_output"},
			Run:   h.hrandfield,
			Group: "hash", Since: "6.2.0",
			Summary:    "Get one or multiple random fields from a hash",
			Complexity: "O(N) where N is the number of fields returned",
		},
		{
			Name: "hscan", Arity: -3, Flags: command.ReadOnly, Cats: acl.Hash,
			Keys:  command.Key(command.KeyRO | command.KeyAccess),
			Tips:  []string{"nondeterministic_output"},
			Run:   hscan,
			Group: "hash", Since: "2.8.0",
			Summary:    "Incrementally iterate hash fields and associated values",
			Complexity: "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to return back to 0. N is the number of elements inside the collection.",
		},
		{
			Name: "hset", Arity: -4, Flags: command.Write | command.DenyOOM | command.Fast, Cats: acl.Hash,
			Keys:  command.Key(command.KeyRW | command.KeyUpdate),
			Run:   hset,
			Group: "hash", Since: "2.0.0",
			Summary:    "Set the string value of a hash field",
			Complexity: "O(1) for each field/value pair added, so O(N) to add N field/value pairs when the command is called with multiple field/value pairs.",
		},
		{
			Name: "hsetnx", Arity: 4, Flags: command.Write | command.DenyOOM | command.Fast, Cats: acl.Hash,
			Keys:  command.Key(command.KeyRW | command.KeyInsert),
			Run:   hsetnx,
			Group: "hash", Since: "2.0.0",
			Summary:    "Set the value of a hash field, only if the field does not exist",
			Complexity: "O(1)",
		},
		{
			Name: "hstrlen", Arity: 3, Flags: command.ReadOnly | command.Fast, Cats: acl.Hash,
			Keys:  command.Key(command.KeyRO),
			Run:   hstrlen,
			Group: "hash", Since: "3.2.0",
			Summary:    "Get the length of the value of a hash field",
			Complexity: "O(1)",
		},
		{
			Name: "hvals", Arity: 2, Flags: command.ReadOnly, Cats: acl.Hash,
			Keys:  command.Key(command.KeyRO | command.KeyAccess),
			Tips:  nondeterministicOrder,
			Run:   hvals,
			Group: "hash", Since: "2.0.0",
			Summary:    "Get all the values in a hash",
			Complexity: "O(N) where N is the size of the hash.",
		},
	}
}
