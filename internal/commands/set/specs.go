package set

import (
	"github.com/redwingdb/redwing/internal/acl"
	"github.com/redwingdb/redwing/internal/command"
)

func (h *handlers) memberSpecs() []command.Spec {
	return []command.Spec{
		{
			Name: "sadd", Arity: -3, Flags: command.Write | command.DenyOOM | command.Fast, Cats: acl.Set,
			Keys:  command.Key(command.KeyRW | command.KeyInsert),
			Run:   sadd,
			Group: "set", Since: "1.0.0",
			Summary:    "Adds one or more members to a set. Creates the key if it doesn't exist.",
			Complexity: "O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments.",
		},
		{
			Name: "scard", Arity: 2, Flags: command.ReadOnly | command.Fast, Cats: acl.Set,
			Keys:  command.Key(command.KeyRO),
			Run:   scard,
			Group: "set", Since: "1.0.0",
			Summary:    "Returns the number of members in a set.",
			Complexity: "O(1)",
		},
		{
			Name: "sismember", Arity: 3, Flags: command.ReadOnly | command.Fast, Cats: acl.Set,
			Keys:  command.Key(command.KeyRO),
			Run:   sismember,
			Group: "set", Since: "1.0.0",
			Summary:    "Determines whether a member belongs to a set.",
			Complexity: "O(1)",
		},
		{
			Name: "smembers", Arity: 2, Flags: command.ReadOnly, Cats: acl.Set,
			Keys:  command.Key(command.KeyRO | command.KeyAccess),
			Tips:  []string{"nondeterministic_output_order"},
			Run:   smembers,
			Group: "set", Since: "1.0.0",
			Summary:    "Returns all members of a set.",
			Complexity: "O(N) where N is the set cardinality.",
		},
		{
			Name: "smismember", Arity: -3, Flags: command.ReadOnly | command.Fast, Cats: acl.Set,
			Keys:  command.Key(command.KeyRO),
			Run:   smismember,
			Group: "set", Since: "6.2.0",
			Summary:    "Determines whether multiple members belong to a set.",
			Complexity: "O(N) where N is the number of elements being checked for membership",
		},
		{
			Name: "smove", Arity: 4, Flags: command.Write | command.Fast, Cats: acl.Set,
			Keys: []command.KeySpec{
				{Flags: command.KeyRW | command.KeyAccess | command.KeyDelete, Begin: 1, Step: 1},
				{Flags: command.KeyRW | command.KeyInsert, Begin: 2, Step: 1},
			},
			Run:   smove,
			Group: "set", Since: "1.0.0",
			Summary:    "Moves a member from one set to another.",
			Complexity: "O(1)",
		},
		{
			Name: "spop", Arity: -2, Flags: command.Write | command.Fast, Cats: acl.Set,
			Keys:  command.Key(command.KeyRW | command.KeyAccess | command.KeyDelete),
			Tips:  []string{"nondeterministic_output"},
			Run:   h.spop,
			Group: "set", Since: "1.0.0",
			Summary:    "Returns one or more random members from a set after removing them. Deletes the set if the last member was popped.",
			Complexity: "Without the count argument O(1), otherwise O(N) where N is the value of the passed count.",
		},
		{
			Name: "srandmember", Arity: -2, Flags: command.ReadOnly, Cats: acl.Set,
			Keys:  command.Key(command.KeyRO | command.KeyAccess),
			Tips:  []string{"nondeterministic_output"},
			Run:   h.srandmember,
			Group: "set", Since: "1.0.0",
			Summary:    "Gets one or multiple random members from a set.",
			Complexity: "Without the count argument O(1), otherwise O(N) where N is the absolute value of the passed count.",
		},
		{
			Name: "srem", Arity: -3, Flags: command.Write | command.Fast, Cats: acl.Set,
			Keys:  command.Key(command.KeyRW | command.KeyDelete),
			Run:   srem,
			Group: "set", Since: "1.0.0",
			Summary:    "Removes one or more members from a set. Deletes the set if the last member was removed.",
			Complexity: "O(N) where N is the number of members to be removed.",
		},
		{
			Name: "sscan", Arity: -3, Flags: command.ReadOnly, Cats: acl.Set,
			Keys:  command.Key(command.KeyRO | command.KeyAccess),
			Tips:  []string{"nondeterministic_output"},
			Run:   sscan,
			Group: "set", Since: "2.8.0",
			Summary:    "Iterates over members of a set.",
			Complexity: "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to return back to 0. N is the number of elements inside the collection.",
		},
	}
}
