package hll

import (
	"github.com/redwingdb/redwing/internal/acl"
	"github.com/redwingdb/redwing/internal/command"
)

// Specs returns the specs of the HyperLogLog commands.
func Specs() []command.Spec {
	return []command.Spec{
		{
			Name: "pfadd", Arity: -2, Flags: command.Write | command.DenyOOM | command.Fast, Cats: acl.HyperLogLog,
			Keys:  command.Key(command.KeyRW | command.KeyInsert),
			Run:   pfadd,
			Group: "hyperloglog", Since: "2.8.9",
			Summary:    "Adds elements to a HyperLogLog key. Creates the key if it doesn't exist.",
			Complexity: "O(1) to add every element.",
		},
		{
			Name: "pfcount", Arity: -2, Flags: command.ReadOnly | command.MayReplicate, Cats: acl.HyperLogLog,
			Keys: []command.KeySpec{
				{Flags: command.KeyRW | command.KeyAccess, Begin: 1, Last: -1, Step: 1,
					Notes: "RW because it may change the internal representation of the key, and propagate to replicas"},
			},
			Run:   pfcount,
			Group: "hyperloglog", Since: "2.8.9",
			Summary:    "Returns the approximated cardinality of the set(s) observed by the HyperLogLog key(s).",
			Complexity: "O(1) with a very small average constant time when called with a single key. O(N) with N being the number of keys, and much bigger constant times, when called with multiple keys.",
		},
		{
			Name: "pfdebug", Arity: 3, Flags: command.Write | command.DenyOOM | command.Admin, Cats: acl.HyperLogLog,
			Keys:  []command.KeySpec{{Flags: command.KeyRW | command.KeyAccess, Begin: 2, Step: 1}},
			Run:   pfdebug,
			Group: "hyperloglog", Since: "2.8.9",
			Summary:    "Internal commands for debugging HyperLogLog values.",
			Complexity: "N/A",
		},
		{
			Name: "pfmerge", Arity: -2, Flags: command.Write | command.DenyOOM, Cats: acl.HyperLogLog,
			Keys: []command.KeySpec{
				{Flags: command.KeyRW | command.KeyAccess | command.KeyInsert, Begin: 1, Step: 1},
				{Flags: command.KeyRO | command.KeyAccess, Begin: 2, Last: -1, Step: 1},
			},
			Run:   pfmerge,
			Group: "hyperloglog", Since: "2.8.9",
			Summary:    "Merges one or more HyperLogLog values into a single key.",
			Complexity: "O(N) to merge N HyperLogLogs, but with high constant times.",
		},
		{
			Name: "pfselftest", Arity: 1, Flags: command.Admin | command.OffLoop, Cats: acl.HyperLogLog,
			Run:   pfselftest,
			Group: "hyperloglog", Since: "2.8.9",
			Summary:    "An internal command for testing HyperLogLog values.",
			Complexity: "N/A",
		},
	}
}
