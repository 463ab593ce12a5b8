// Package sorting implements SORT and SORT_RO. It owns their exact Redis semantics (Redis
// 7.2, sort.c) and keeps no state.
package sorting

import (
	"github.com/redwingdb/redwing/internal/acl"
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/slots"
)

// Deps is what the handlers need beyond their call.
type Deps struct {
	// Cluster is set on a node of a cluster, where a command may touch the keys it names
	// alone: no patterns.
	Cluster bool
}

type handlers struct{ Deps }

const complexity = "O(N+M*log(M)) where N is the number of elements in the list or set to sort, and M the number of returned elements. When the elements are not sorted, complexity is O(N)."

// Specs returns the specs of the commands.
func Specs(d Deps) []command.Spec {
	h := &handlers{d}
	sort := command.Spec{
		Name: "sort", Arity: -2, Flags: command.Write | command.DenyOOM,
		Cats: acl.Set | acl.SortedSet | acl.List | acl.Dangerous,
		Keys: []command.KeySpec{
			{Flags: command.KeyRO | command.KeyAccess, Begin: 1, Step: 1},
			{Flags: command.KeyRO | command.KeyAccess, Unknown: true, Notes: "For the optional BY/GET keyword. It is marked 'unknown' because the key names derive from the content of the key we sort"},
			{Flags: command.KeyOW | command.KeyUpdate, Unknown: true, Notes: "For the optional STORE keyword. It is marked 'unknown' because the keyword can appear anywhere in the argument array"},
		},
		FindKeys: sortKeys,
		Run:      func(c *command.Ctx) error { return h.run(c, true) },
		Group:    "generic", Since: "1.0.0",
		Summary:    "Sort the elements in a list, set or sorted set",
		Complexity: complexity,
	}
	readOnly := command.Spec{
		Name: "sort_ro", Arity: -2, Flags: command.ReadOnly,
		Cats:     sort.Cats,
		Keys:     sort.Keys[:2:2],
		FindKeys: func(dst []command.KeyRef, _ [][]byte) ([]command.KeyRef, bool) { return append(dst, source), true },
		Run:      func(c *command.Ctx) error { return h.run(c, false) },
		Group:    "generic", Since: "7.0.0",
		Summary:    "Sort the elements in a list, set or sorted set. Read-only variant of SORT.",
		Complexity: complexity,
	}
	if !d.Cluster {
		sort.ShardsFor, readOnly.ShardsFor = shards, shards
	}
	return []command.Spec{sort, readOnly}
}

var source = command.KeyRef{Arg: 1, Flags: command.KeyRO | command.KeyAccess}

// sortKeys finds the key to sort and that of the last STORE (Redis 7.2, db.c,
// sortGetKeys).
func sortKeys(dst []command.KeyRef, args [][]byte) ([]command.KeyRef, bool) {
	if len(args) < 2 {
		return dst, false
	}
	dst = append(dst, source)
	if at := storeArg(args); at != 0 {
		dst = append(dst, command.KeyRef{Arg: at, Flags: command.KeyOW | command.KeyUpdate})
	}
	return dst, true
}

// storeArg returns the argument that the last STORE names, 0 if there is none.
func storeArg(args [][]byte) (at int) {
	for i := 2; i < len(args); i++ {
		switch word := args[i]; {
		case command.Is(word, "limit"):
			i += 2
		case command.Is(word, "get"), command.Is(word, "by"):
			i++
		case command.Is(word, "store") && i+1 < len(args):
			at = i + 1
		}
	}
	return at
}

// shards locks everything where a pattern may name any key, and else the keys.
func shards(c *command.Ctx) engine.ShardMask {
	for i := 2; i+1 < len(c.Args); i++ {
		switch word := c.Args[i]; {
		case command.Is(word, "limit"):
			i += 2
		case command.Is(word, "get"):
			return c.Keyspace.AllShards()
		case command.Is(word, "by"):
			if hasStar(c.Args[i+1]) {
				return c.Keyspace.AllShards()
			}
			i++
		}
	}
	m := c.Keyspace.Mask(slots.Of(c.Args[1]))
	if at := storeArg(c.Args); at != 0 && c.Spec.Name == "sort" {
		m |= c.Keyspace.Mask(slots.Of(c.Args[at]))
	}
	return m
}
