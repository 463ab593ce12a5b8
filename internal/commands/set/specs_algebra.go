package set

import (
	"github.com/redwingdb/redwing/internal/acl"
	"github.com/redwingdb/redwing/internal/command"
)

func algebraSpecs() []command.Spec {
	targetAndSources := []command.KeySpec{
		{Flags: command.KeyOW | command.KeyUpdate, Begin: 1, Step: 1},
		{Flags: command.KeyRO | command.KeyAccess, Begin: 2, Last: -1, Step: 1},
	}
	return []command.Spec{
		{
			Name: "sdiff", Arity: -2, Flags: command.ReadOnly, Cats: acl.Set,
			Keys:  command.KeysTo(-1, 1, command.KeyRO|command.KeyAccess),
			Tips:  []string{"nondeterministic_output_order"},
			Run:   replied(difference),
			Group: "set", Since: "1.0.0",
			Summary:    "Returns the difference of multiple sets.",
			Complexity: "O(N) where N is the total number of elements in all given sets.",
		},
		{
			Name: "sdiffstore", Arity: -3, Flags: command.Write | command.DenyOOM, Cats: acl.Set,
			Keys:  targetAndSources,
			Run:   stored(difference, "sdiffstore"),
			Group: "set", Since: "1.0.0",
			Summary:    "Stores the difference of multiple sets in a key.",
			Complexity: "O(N) where N is the total number of elements in all given sets.",
		},
		{
			Name: "sinter", Arity: -2, Flags: command.ReadOnly, Cats: acl.Set,
			Keys:  command.KeysTo(-1, 1, command.KeyRO|command.KeyAccess),
			Tips:  []string{"nondeterministic_output_order"},
			Run:   replied(intersection),
			Group: "set", Since: "1.0.0",
			Summary:    "Returns the intersect of multiple sets.",
			Complexity: "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets.",
		},
		{
			Name: "sintercard", Arity: -3, Flags: command.ReadOnly, Cats: acl.Set,
			Keys:  []command.KeySpec{{Flags: command.KeyRO | command.KeyAccess, Begin: 1, UseCount: true, FirstAt: 1, Step: 1}},
			Run:   sintercard,
			Group: "set", Since: "7.0.0",
			Summary:    "Returns the number of members of the intersect of multiple sets.",
			Complexity: "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets.",
		},
		{
			Name: "sinterstore", Arity: -3, Flags: command.Write | command.DenyOOM, Cats: acl.Set,
			Keys:  targetAndSources,
			Run:   stored(intersection, "sinterstore"),
			Group: "set", Since: "1.0.0",
			Summary:    "Stores the intersect of multiple sets in a key.",
			Complexity: "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets.",
		},
		{
			Name: "sunion", Arity: -2, Flags: command.ReadOnly, Cats: acl.Set,
			Keys:  command.KeysTo(-1, 1, command.KeyRO|command.KeyAccess),
			Tips:  []string{"nondeterministic_output_order"},
			Run:   replied(union),
			Group: "set", Since: "1.0.0",
			Summary:    "Returns the union of multiple sets.",
			Complexity: "O(N) where N is the total number of elements in all given sets.",
		},
		{
			Name: "sunionstore", Arity: -3, Flags: command.Write | command.DenyOOM, Cats: acl.Set,
			Keys:  targetAndSources,
			Run:   stored(union, "sunionstore"),
			Group: "set", Since: "1.0.0",
			Summary:    "Stores the union of multiple sets in a key.",
			Complexity: "O(N) where N is the total number of elements in all given sets.",
		},
	}
}
