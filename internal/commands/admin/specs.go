package admin

import (
	"github.com/redwingdb/redwing/internal/acl"
	"github.com/redwingdb/redwing/internal/command"
)

// Specs returns the commands. Arities, flags, categories and tips are those of
// Redis 7.2.
func Specs(deps Deps) []command.Spec { return specsOf(&deps) }

func specsOf(d *Deps) []command.Spec {
	const (
		anytime = command.Loading | command.Stale
		admin   = command.Admin | command.NoScript | anytime
	)
	everywhere := []string{"request_policy:all_nodes", "response_policy:all_succeeded"}
	unordered := []string{"nondeterministic_output_order"}
	top := func(s command.Spec) command.Spec {
		s.Group, s.Shards = "server", command.ShardsNone
		return s
	}
	return append(d.persistenceSpecs(top),
		top(command.Spec{Name: "info", Arity: -1, Flags: anytime, Cats: acl.Dangerous, Run: d.info, Since: "1.0.0",
			Tips:    []string{"nondeterministic_output", "request_policy:all_shards", "response_policy:special"},
			Summary: "Returns information and statistics about the server.", Complexity: "O(1)"}),
		top(command.Spec{Name: "time", Arity: 1, Flags: anytime | command.Fast, Run: timeNow, Since: "2.6.0",
			Tips: []string{"nondeterministic_output"}, Summary: "Returns the server time.", Complexity: "O(1)"}),
		top(command.Spec{Name: "debug", Arity: -2, Flags: admin | command.Protected | command.OffLoop, Run: d.debug, Since: "1.0.0",
			Summary: "A container for debugging commands.", Complexity: "Depends on subcommand."}),
		top(command.Spec{Name: "shutdown", Arity: -1, Flags: admin | command.NoMulti | command.AllowBusy | command.OffLoop, Run: d.shutdown, Since: "1.0.0",
			Summary: "Shuts down the server.", Complexity: "O(1)"}),
		top(command.Spec{Name: "config", Arity: -2, Since: "2.0.0",
			Summary: "A container for server configuration commands.", Complexity: "Depends on subcommand.",
			Subs: []command.Spec{
				top(command.Spec{Name: "get", Arity: -3, Flags: admin, Run: d.configGet, Since: "2.0.0",
					Summary: "Returns the effective values of configuration parameters.", Complexity: "O(N) when N is the number of configuration parameters provided"}),
				top(command.Spec{Name: "set", Arity: -4, Flags: admin, Run: d.configSet, Since: "2.0.0", Tips: everywhere,
					Summary: "Sets configuration parameters in-flight.", Complexity: "O(N) when N is the number of configuration parameters provided"}),
				top(command.Spec{Name: "resetstat", Arity: 2, Flags: admin, Run: d.configResetStat, Since: "2.0.0", Tips: everywhere,
					Summary: "Resets the server's statistics.", Complexity: "O(1)"}),
				top(command.Spec{Name: "rewrite", Arity: 2, Flags: admin | command.OffLoop, Run: d.configRewrite, Since: "2.8.0", Tips: everywhere,
					Summary: "Persists the effective configuration to file.", Complexity: "O(1)"}),
				top(command.Spec{Name: "help", Arity: 2, Flags: anytime, Run: configHelp, Since: "5.0.0",
					Summary: "Returns helpful text about the different subcommands.", Complexity: "O(1)"}),
			}}),
		d.memorySpec(),
		top(command.Spec{Name: "command", Arity: -1, Flags: anytime, Cats: acl.Connection, Run: d.commandAll, Since: "2.8.13", Tips: unordered,
			Summary: "Returns detailed information about all commands.", Complexity: "O(N) where N is the total number of Redis commands",
			Subs: []command.Spec{
				top(command.Spec{Name: "count", Arity: 2, Flags: anytime, Cats: acl.Connection, Run: d.commandCount, Since: "2.8.13",
					Summary: "Returns a count of commands.", Complexity: "O(1)"}),
				top(command.Spec{Name: "docs", Arity: -2, Flags: anytime, Cats: acl.Connection, Run: d.commandDocs, Since: "7.0.0", Tips: unordered,
					Summary: "Returns documentary information about one, multiple or all commands.", Complexity: "O(N) where N is the number of commands to look up"}),
				top(command.Spec{Name: "getkeys", Arity: -3, Flags: anytime, Cats: acl.Connection, Run: d.commandGetKeys, Since: "2.8.13",
					Summary: "Extracts the key names from an arbitrary command.", Complexity: "O(N) where N is the number of arguments to the command"}),
				top(command.Spec{Name: "getkeysandflags", Arity: -3, Flags: anytime, Cats: acl.Connection, Run: d.commandGetKeysAndFlags, Since: "7.0.0",
					Summary: "Extracts the key names and access flags for an arbitrary command.", Complexity: "O(N) where N is the number of arguments to the command"}),
				top(command.Spec{Name: "help", Arity: 2, Flags: anytime, Cats: acl.Connection, Run: commandHelp, Since: "5.0.0",
					Summary: "Returns helpful text about the different subcommands.", Complexity: "O(1)"}),
				top(command.Spec{Name: "info", Arity: -2, Flags: anytime, Cats: acl.Connection, Run: d.commandInfo, Since: "2.8.13", Tips: unordered,
					Summary: "Returns information about one, multiple or all commands.", Complexity: "O(N) where N is the number of commands to look up"}),
				top(command.Spec{Name: "list", Arity: -2, Flags: anytime, Cats: acl.Connection, Run: d.commandList, Since: "7.0.0", Tips: unordered,
					Summary: "Returns a list of command names.", Complexity: "O(N) where N is the total number of Redis commands"}),
			}}),
	)
}
