// Package serial implements the commands that give values as bytes and take them: DUMP,
// RESTORE, RESTORE-ASKING and MIGRATE. It owns their exact Redis semantics; package
// persist knows the bytes.
package serial

import (
	"github.com/redwingdb/redwing/internal/acl"
	"github.com/redwingdb/redwing/internal/command"
)

// Deps is what the handlers need beyond their call.
type Deps struct {
	// Cluster is set on a node of a cluster, which tells the target of MIGRATE to take
	// keys of slots that are not its own yet.
	Cluster bool
	// SyncWrites reports whether writes of the cluster may be synchronous: then MIGRATE
	// has the target confirm keys by all its in-sync copies before they go here. nil: never.
	SyncWrites func() bool
}

type handlers struct{ Deps }

// Specs returns the specs of the commands.
func Specs(d Deps) []command.Spec {
	h := &handlers{d}
	restore := command.Spec{
		Name: "restore", Arity: -4, Flags: command.Write | command.DenyOOM, Cats: acl.Keyspace | acl.Dangerous,
		Keys:  command.Key(command.KeyOW | command.KeyUpdate),
		Run:   restore,
		Group: "generic", Since: "2.6.0",
		Summary:    "Create a key using the provided serialized value, previously obtained using DUMP.",
		Complexity: "O(1) to create the new key and additional O(N*M) to reconstruct the serialized value, where N is the number of Redis objects composing the value and M their average size. For small string values the time complexity is thus O(1)+O(1*M) where M is small, so simply O(1). However for sorted set values the complexity is O(N*M*log(N)) because inserting values into sorted sets is O(log(N)).",
	}
	asking := restore
	asking.Name, asking.Flags = "restore-asking", restore.Flags|command.Asking
	asking.Group, asking.Since = "server", "3.0.0"
	asking.Summary = "An internal command for migrating keys in a cluster"
	return []command.Spec{
		{
			Name: "dump", Arity: 2, Flags: command.ReadOnly, Cats: acl.Keyspace,
			Keys:  command.Key(command.KeyRO | command.KeyAccess),
			Tips:  []string{"nondeterministic_output"},
			Run:   dump,
			Group: "generic", Since: "2.6.0",
			Summary:    "Return a serialized version of the value stored at the specified key.",
			Complexity: "O(1) to access the key and additional O(N*M) to serialize it, where N is the number of Redis objects composing the value and M their average size. For small string values the time complexity is thus O(1)+O(1*M) where M is small, so simply O(1).",
		},
		{
			Name: "migrate", Arity: -6, Flags: command.Write, Cats: acl.Keyspace | acl.Dangerous,
			Keys: []command.KeySpec{
				{Flags: command.KeyRW | command.KeyAccess | command.KeyDelete, Begin: 3, Step: 1},
				{Flags: command.KeyRW | command.KeyAccess | command.KeyDelete | command.Incomplete, Keyword: "KEYS", Begin: -2, Last: -1, Step: 1},
			},
			Tips:     []string{"nondeterministic_output"},
			FindKeys: migrateKeys,
			Run:      h.migrate,
			Group:    "generic", Since: "2.6.0",
			Summary:    "Atomically transfer a key from a Redis instance to another one.",
			Complexity: "This command actually executes a DUMP+DEL in the source instance, and a RESTORE in the target instance. See the pages of these commands for time complexity. Also an O(N) data transfer between the two instances is performed.",
		},
		restore, asking,
	}
}
