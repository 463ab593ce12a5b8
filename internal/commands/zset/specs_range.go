package zset

import (
	"github.com/redwingdb/redwing/internal/acl"
	"github.com/redwingdb/redwing/internal/command"
)

func rangeSpecs() []command.Spec {
	const (
		byIndex = "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements returned."
		limited = "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can consider it O(log(N))."
	)
	read := func(name, since, summary, complexity string, run command.Handler) command.Spec {
		return command.Spec{
			Name: name, Arity: -4, Flags: command.ReadOnly, Cats: acl.SortedSet,
			Keys: command.Key(readKey), Run: run,
			Group: group, Since: since, Summary: summary, Complexity: complexity,
		}
	}
	return []command.Spec{
		read("zrange", "1.2.0", "Return a range of members in a sorted set", byIndex, zrange),
		read("zrevrange", "1.2.0", "Return a range of members in a sorted set, by index, with scores ordered from high to low", byIndex, zrevrange),
		read("zrangebyscore", "1.0.5", "Return a range of members in a sorted set, by score", limited, zrangebyscore),
		read("zrevrangebyscore", "2.2.0", "Return a range of members in a sorted set, by score, with scores ordered from high to low", limited, zrevrangebyscore),
		read("zrangebylex", "2.8.9", "Return a range of members in a sorted set, by lexicographical range", limited, zrangebylex),
		read("zrevrangebylex", "2.8.9", "Return a range of members in a sorted set, by lexicographical range, ordered from higher to lower strings.", limited, zrevrangebylex),
		{
			Name: "zrangestore", Arity: -5, Flags: command.Write | command.DenyOOM, Cats: acl.SortedSet,
			Keys: []command.KeySpec{
				{Flags: storeKey, Begin: 1, Step: 1},
				{Flags: readKey, Begin: 2, Step: 1},
			},
			Run:   zrangestore,
			Group: group, Since: "6.2.0",
			Summary:    "Store a range of members from sorted set into another key",
			Complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements stored into the destination key.",
		},
	}
}

func algebraSpecs() []command.Spec {
	const (
		uniting      = "O(N)+O(M*log(M)) with N being the sum of the sizes of the input sorted sets, and M being the number of elements in the resulting sorted set."
		intersecting = "O(N*K)+O(M*log(M)) worst case with N being the smallest input sorted set, K being the number of input sorted sets and M being the number of elements in the resulting sorted set."
		subtracting  = "O(L + (N-K)log(N)) worst case where L is the total number of elements in all the sets, N is the size of the first set, and K is the size of the result set."
	)
	read := func(name, since, summary, complexity string, run command.Handler) command.Spec {
		return command.Spec{
			Name: name, Arity: -3, Flags: command.ReadOnly, Cats: acl.SortedSet,
			Keys: []command.KeySpec{counted(1, readKey)}, Run: run,
			Group: group, Since: since, Summary: summary, Complexity: complexity,
		}
	}
	write := func(name, since, summary, complexity string, run command.Handler) command.Spec {
		return command.Spec{
			Name: name, Arity: -4, Flags: command.Write | command.DenyOOM, Cats: acl.SortedSet,
			Keys: []command.KeySpec{{Flags: storeKey, Begin: 1, Step: 1}, counted(2, readKey)}, Run: run,
			Group: group, Since: since, Summary: summary, Complexity: complexity,
		}
	}
	return []command.Spec{
		read("zunion", "6.2.0", "Add multiple sorted sets", uniting, zunion),
		read("zinter", "6.2.0", "Intersect multiple sorted sets", intersecting, zinter),
		read("zdiff", "6.2.0", "Subtract multiple sorted sets", subtracting, zdiff),
		read("zintercard", "7.0.0", "Intersect multiple sorted sets and return the cardinality of the result",
			"O(N*K) worst case with N being the smallest input sorted set, K being the number of input sorted sets.", zintercard),
		write("zunionstore", "2.0.0", "Add multiple sorted sets and store the resulting sorted set in a new key", uniting, zunionstore),
		write("zinterstore", "2.0.0", "Intersect multiple sorted sets and store the resulting sorted set in a new key", intersecting, zinterstore),
		write("zdiffstore", "6.2.0", "Subtract multiple sorted sets and store the resulting sorted set in a new key", subtracting, zdiffstore),
	}
}
