package stream

import (
	"github.com/redwingdb/redwing/internal/acl"
	"github.com/redwingdb/redwing/internal/command"
)

// subKey is the spec of a subcommand whose key follows its name.
func subKey(f command.KeyFlags) []command.KeySpec {
	return []command.KeySpec{{Flags: f, Begin: 2, Step: 1}}
}

// containers returns the specs of XGROUP and XINFO.
func containers() []command.Spec {
	return []command.Spec{
		{
			Name: "xgroup", Arity: -2, Group: "stream", Since: "5.0.0",
			Summary: "A container for consumer groups commands.", Complexity: "Depends on subcommand.",
			Subs: []command.Spec{
				{Name: "create", Arity: -5, Flags: command.Write | command.DenyOOM, Cats: acl.Stream, Keys: subKey(command.KeyRW | command.KeyInsert), Run: xgroupCreate,
					Group: "stream", Since: "5.0.0", Summary: "Creates a consumer group.", Complexity: "O(1)"},
				{Name: "createconsumer", Arity: 5, Flags: command.Write | command.DenyOOM, Cats: acl.Stream, Keys: subKey(command.KeyRW | command.KeyInsert), Run: xgroupCreateConsumer,
					Group: "stream", Since: "6.2.0", Summary: "Creates a consumer in a consumer group.", Complexity: "O(1)"},
				{Name: "delconsumer", Arity: 5, Flags: command.Write, Cats: acl.Stream, Keys: subKey(command.KeyRW | command.KeyDelete), Run: xgroupDelConsumer,
					Group: "stream", Since: "5.0.0", Summary: "Deletes a consumer from a consumer group.", Complexity: "O(1)"},
				{Name: "destroy", Arity: 4, Flags: command.Write, Cats: acl.Stream, Keys: subKey(command.KeyRW | command.KeyDelete), Run: xgroupDestroy,
					Group: "stream", Since: "5.0.0", Summary: "Destroys a consumer group.", Complexity: "O(N) where N is the number of entries in the group's pending entries list (PEL)."},
				{Name: "help", Arity: 2, Flags: command.Loading | command.Stale, Cats: acl.Stream, Run: xgroupHelp,
					Group: "stream", Since: "5.0.0", Summary: "Returns helpful text about the different subcommands.", Complexity: "O(1)"},
				{Name: "setid", Arity: -5, Flags: command.Write, Cats: acl.Stream, Keys: subKey(command.KeyRW | command.KeyUpdate), Run: xgroupSetID,
					Group: "stream", Since: "5.0.0", Summary: "Sets the last-delivered ID of a consumer group.", Complexity: "O(1)"},
			},
		},
		{
			Name: "xinfo", Arity: -2, Group: "stream", Since: "5.0.0",
			Summary: "A container for stream introspection commands.", Complexity: "Depends on subcommand.",
			Subs: []command.Spec{
				{Name: "consumers", Arity: 4, Flags: command.ReadOnly, Cats: acl.Stream, Keys: subKey(command.KeyRO | command.KeyAccess), Tips: nondeterministic, Run: xinfoConsumers,
					Group: "stream", Since: "5.0.0", Summary: "Returns a list of the consumers in a consumer group.", Complexity: "O(1)"},
				{Name: "groups", Arity: 3, Flags: command.ReadOnly, Cats: acl.Stream, Keys: subKey(command.KeyRO | command.KeyAccess), Run: xinfoGroups,
					Group: "stream", Since: "5.0.0", Summary: "Returns a list of the consumer groups of a stream.", Complexity: "O(1)"},
				{Name: "help", Arity: 2, Flags: command.Loading | command.Stale, Cats: acl.Stream, Run: xinfoHelp,
					Group: "stream", Since: "5.0.0", Summary: "Returns helpful text about the different subcommands.", Complexity: "O(1)"},
				{Name: "stream", Arity: -3, Flags: command.ReadOnly, Cats: acl.Stream, Keys: subKey(command.KeyRO | command.KeyAccess), Run: xinfoStream,
					Group: "stream", Since: "5.0.0", Summary: "Returns information about a stream.", Complexity: "O(1)"},
			},
		},
	}
}
