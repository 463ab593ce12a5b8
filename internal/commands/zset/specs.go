package zset

import (
	"github.com/redwingdb/redwing/internal/acl"
	"github.com/redwingdb/redwing/internal/command"
)

const group = "sorted-set" // as COMMAND DOCS has it

const (
	readKey   = command.KeyRO | command.KeyAccess
	updateKey = command.KeyRW | command.KeyUpdate
	deleteKey = command.KeyRW | command.KeyDelete
	popKey    = command.KeyRW | command.KeyAccess | command.KeyDelete
	storeKey  = command.KeyOW | command.KeyUpdate
)

// counted returns the spec of keys whose number stands at argument at.
func counted(at int, f command.KeyFlags) command.KeySpec {
	return command.KeySpec{Flags: f, Begin: at, UseCount: true, FirstAt: 1, Step: 1}
}

func (h *handlers) readSpecs() []command.Spec {
	return []command.Spec{
		{
			Name: "zcard", Arity: 2, Flags: command.ReadOnly | command.Fast, Cats: acl.SortedSet,
			Keys:  command.Key(command.KeyRO),
			Run:   zcard,
			Group: group, Since: "1.2.0",
			Summary:    "Get the number of members in a sorted set",
			Complexity: "O(1)",
		},
		{
			Name: "zcount", Arity: 4, Flags: command.ReadOnly | command.Fast, Cats: acl.SortedSet,
			Keys:  command.Key(readKey),
			Run:   zcount,
			Group: group, Since: "2.0.0",
			Summary:    "Count the members in a sorted set with scores within the given values",
			Complexity: "O(log(N)) with N being the number of elements in the sorted set.",
		},
		{
			Name: "zlexcount", Arity: 4, Flags: command.ReadOnly | command.Fast, Cats: acl.SortedSet,
			Keys:  command.Key(readKey),
			Run:   zlexcount,
			Group: group, Since: "2.8.9",
			Summary:    "Count the number of members in a sorted set between a given lexicographical range",
			Complexity: "O(log(N)) with N being the number of elements in the sorted set.",
		},
		{
			Name: "zmscore", Arity: -3, Flags: command.ReadOnly | command.Fast, Cats: acl.SortedSet,
			Keys:  command.Key(readKey),
			Run:   zmscore,
			Group: group, Since: "6.2.0",
			Summary:    "Get the score associated with the given members in a sorted set",
			Complexity: "O(N) where N is the number of members being requested.",
		},
		{
			Name: "zrandmember", Arity: -2, Flags: command.ReadOnly, Cats: acl.SortedSet,
			Keys: command.Key(readKey),
			Run:  h.zrandmember, Tips: []string{"nondeterministic_output"},
			Group: group, Since: "6.2.0",
			Summary:    "Get one or multiple random elements from a sorted set",
			Complexity: "O(N) where N is the number of members returned",
		},
		{
			Name: "zrank", Arity: -3, Flags: command.ReadOnly | command.Fast, Cats: acl.SortedSet,
			Keys:  command.Key(readKey),
			Run:   zrank,
			Group: group, Since: "2.0.0",
			Summary:    "Determine the index of a member in a sorted set",
			Complexity: "O(log(N))",
		},
		{
			Name: "zrevrank", Arity: -3, Flags: command.ReadOnly | command.Fast, Cats: acl.SortedSet,
			Keys:  command.Key(readKey),
			Run:   zrevrank,
			Group: group, Since: "2.0.0",
			Summary:    "Determine the index of a member in a sorted set, with scores ordered from high to low",
			Complexity: "O(log(N))",
		},
		{
			Name: "zscan", Arity: -3, Flags: command.ReadOnly, Cats: acl.SortedSet,
			Keys: command.Key(readKey),
			Run:  zscan, Tips: []string{"nondeterministic_output"},
			Group: group, Since: "2.8.0",
			Summary:    "Incrementally iterate sorted sets elements and associated scores",
			Complexity: "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to return back to 0. N is the number of elements inside the collection.",
		},
		{
			Name: "zscore", Arity: 3, Flags: command.ReadOnly | command.Fast, Cats: acl.SortedSet,
			Keys:  command.Key(readKey),
			Run:   zscore,
			Group: group, Since: "1.2.0",
			Summary:    "Get the score associated with the given member in a sorted set",
			Complexity: "O(1)",
		},
	}
}

func (h *handlers) writeSpecs() []command.Spec {
	return []command.Spec{
		{
			Name: "zadd", Arity: -4, Flags: command.Write | command.DenyOOM | command.Fast, Cats: acl.SortedSet,
			Keys:  command.Key(updateKey),
			Run:   zadd,
			Group: group, Since: "1.2.0",
			Summary:    "Add one or more members to a sorted set, or update its score if it already exists",
			Complexity: "O(log(N)) for each item added, where N is the number of elements in the sorted set.",
		},
		{
			Name: "zincrby", Arity: 4, Flags: command.Write | command.DenyOOM | command.Fast, Cats: acl.SortedSet,
			Keys:  command.Key(command.KeyRW | command.KeyAccess | command.KeyUpdate),
			Run:   zincrby,
			Group: group, Since: "1.2.0",
			Summary:    "Increment the score of a member in a sorted set",
			Complexity: "O(log(N)) where N is the number of elements in the sorted set.",
		},
		{
			Name: "zrem", Arity: -3, Flags: command.Write | command.Fast, Cats: acl.SortedSet,
			Keys:  command.Key(deleteKey),
			Run:   zrem,
			Group: group, Since: "1.2.0",
			Summary:    "Remove one or more members from a sorted set",
			Complexity: "O(M*log(N)) with N being the number of elements in the sorted set and M the number of elements to be removed.",
		},
		{
			Name: "zremrangebylex", Arity: 4, Flags: command.Write, Cats: acl.SortedSet,
			Keys:  command.Key(deleteKey),
			Run:   zremrangebylex,
			Group: group, Since: "2.8.9",
			Summary:    "Remove all members in a sorted set between the given lexicographical range",
			Complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements removed by the operation.",
		},
		{
			Name: "zremrangebyrank", Arity: 4, Flags: command.Write, Cats: acl.SortedSet,
			Keys:  command.Key(deleteKey),
			Run:   zremrangebyrank,
			Group: group, Since: "2.0.0",
			Summary:    "Remove all members in a sorted set within the given indexes",
			Complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements removed by the operation.",
		},
		{
			Name: "zremrangebyscore", Arity: 4, Flags: command.Write, Cats: acl.SortedSet,
			Keys:  command.Key(deleteKey),
			Run:   zremrangebyscore,
			Group: group, Since: "1.2.0",
			Summary:    "Remove all members in a sorted set within the given scores",
			Complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements removed by the operation.",
		},
		{
			Name: "zpopmax", Arity: -2, Flags: command.Write | command.Fast, Cats: acl.SortedSet,
			Keys:  command.Key(popKey),
			Run:   zpopmax,
			Group: group, Since: "5.0.0",
			Summary:    "Remove and return members with the highest scores in a sorted set",
			Complexity: "O(log(N)*M) with N being the number of elements in the sorted set, and M being the number of elements popped.",
		},
		{
			Name: "zpopmin", Arity: -2, Flags: command.Write | command.Fast, Cats: acl.SortedSet,
			Keys:  command.Key(popKey),
			Run:   zpopmin,
			Group: group, Since: "5.0.0",
			Summary:    "Remove and return members with the lowest scores in a sorted set",
			Complexity: "O(log(N)*M) with N being the number of elements in the sorted set, and M being the number of elements popped.",
		},
		{
			Name: "zmpop", Arity: -4, Flags: command.Write, Cats: acl.SortedSet,
			Keys:  []command.KeySpec{counted(1, popKey)},
			Run:   zmpop,
			Group: group, Since: "7.0.0",
			Summary:    "Remove and return members with scores in a sorted set",
			Complexity: "O(K) + O(M*log(N)) where K is the number of provided keys, N being the number of elements in the sorted set, and M being the number of elements popped.",
		},
		{
			Name: "bzpopmax", Arity: -3, Flags: command.Write | command.Fast | command.Blocking, Cats: acl.SortedSet,
			Keys:  command.KeysTo(-2, 1, popKey),
			Run:   bzpopmax,
			Group: group, Since: "5.0.0",
			Summary:    "Remove and return the member with the highest score from one or more sorted sets, or block until one is available",
			Complexity: "O(log(N)) with N being the number of elements in the sorted set.",
		},
		{
			Name: "bzpopmin", Arity: -3, Flags: command.Write | command.Fast | command.Blocking, Cats: acl.SortedSet,
			Keys:  command.KeysTo(-2, 1, popKey),
			Run:   bzpopmin,
			Group: group, Since: "5.0.0",
			Summary:    "Remove and return the member with the lowest score from one or more sorted sets, or block until one is available",
			Complexity: "O(log(N)) with N being the number of elements in the sorted set.",
		},
		{
			Name: "bzmpop", Arity: -5, Flags: command.Write | command.Blocking, Cats: acl.SortedSet,
			Keys:  []command.KeySpec{counted(2, popKey)},
			Run:   bzmpop,
			Group: group, Since: "7.0.0",
			Summary:    "Remove and return members with scores in a sorted set or block until one is available",
			Complexity: "O(K) + O(M*log(N)) where K is the number of provided keys, N being the number of elements in the sorted set, and M being the number of elements popped.",
		},
	}
}
