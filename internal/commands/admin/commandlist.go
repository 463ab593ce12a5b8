package admin

import (
	"github.com/redwingdb/redwing/internal/acl"
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/glob"
	"github.com/redwingdb/redwing/internal/resp"
)

// Texts of Redis 7.2 (server.c, getKeysSubcommandImpl).
var (
	errNoSuchCommand = resp.NewError("ERR Invalid command specified")
	errNoKeyArgs     = resp.NewError("ERR The command has no key arguments")
	errKeysArity     = resp.NewError("ERR Invalid number of arguments specified for command")
	errKeysArgs      = resp.NewError("ERR Invalid arguments specified for command")
)

// commandList is COMMAND LIST [FILTERBY MODULE|ACLCAT|PATTERN word].
func (d *Deps) commandList(c *command.Ctx) error {
	accept := func(*command.Spec) bool { return true }
	switch args := c.Args[2:]; {
	case len(args) == 0:
	case len(args) == 3 && command.Is(args[0], "filterby") && command.Is(args[1], "aclcat"):
		category, known := acl.ParseCategory(string(args[2]))
		accept = func(s *command.Spec) bool { return known && s.Cats&category != 0 }
	case len(args) == 3 && command.Is(args[0], "filterby") && command.Is(args[1], "pattern"):
		accept = func(s *command.Spec) bool { return glob.MatchFold(args[2], []byte(s.FullName())) }
	case len(args) == 3 && command.Is(args[0], "filterby") && command.Is(args[1], "module"):
		accept = func(*command.Spec) bool { return false } // there are no modules
	default:
		return resp.ErrSyntax
	}
	var names []string
	for _, s := range d.Table().All() {
		if accept(s) {
			names = append(names, s.FullName())
		}
		for _, sub := range s.SubSpecs() {
			if accept(sub) {
				names = append(names, sub.FullName())
			}
		}
	}
	c.Out.Array(len(names))
	for _, name := range names {
		c.Out.BulkString(name)
	}
	return nil
}

func (d *Deps) commandGetKeys(c *command.Ctx) error { return d.getKeys(c, false) }

func (d *Deps) commandGetKeysAndFlags(c *command.Ctx) error { return d.getKeys(c, true) }

func (d *Deps) getKeys(c *command.Ctx, withFlags bool) error {
	args := c.Args[2:]
	s := d.Table().Lookup(args[0])
	if s != nil && len(args) > 1 && len(s.SubSpecs()) > 0 {
		s = s.Sub(args[1])
	}
	switch {
	case s == nil:
		return errNoSuchCommand
	case !hasKeys(s):
		return errNoKeyArgs
	case !s.ArityOK(len(args)):
		return errKeysArity
	}
	keys, ok := s.AppendKeys(nil, args)
	if !ok || len(keys) == 0 {
		if s.Has(command.NoMandatoryKeys) {
			c.Out.Array(0)
			return nil
		}
		return errKeysArgs
	}
	c.Out.Array(len(keys))
	for _, k := range keys {
		if withFlags {
			c.Out.Array(2)
		}
		c.Out.Bulk(args[k.Arg])
		if withFlags {
			writeStatuses(c.Out, k.Flags.Names(), "")
		}
	}
	return nil
}

func hasKeys(s *command.Spec) bool { return len(s.Keys) > 0 || s.FindKeys != nil }

func commandHelp(c *command.Ctx) error {
	c.ReplyHelp(
		"(no subcommand)",
		"    Return details about all Redis commands.",
		"COUNT",
		"    Return the total number of commands in this Redis server.",
		"LIST",
		"    Return a list of all commands in this Redis server.",
		"INFO [<command-name> ...]",
		"    Return details about multiple Redis commands.",
		"    If no command names are given, documentation details for all",
		"    commands are returned.",
		"DOCS [<command-name> ...]",
		"    Return documentation details about multiple Redis commands.",
		"    If no command names are given, documentation details for all",
		"    commands are returned.",
		"GETKEYS <full-command>",
		"    Return the keys from a full Redis command.",
		"GETKEYSANDFLAGS <full-command>",
		"    Return the keys and the access flags from a full Redis command.",
	)
	return nil
}
