package stream

import (
	"strings"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/engine/stream"
	"github.com/redwingdb/redwing/internal/resp"
)

var (
	errEntriesRead = resp.NewError("ERR value for ENTRIESREAD must be positive or -1")
	errNeedsKey    = resp.NewError("ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.")
	errBusyGroup   = resp.NewError("BUSYGROUP Consumer Group name already exists")
)

// badSubcommand is the error of a subcommand with arguments that it does not take.
func badSubcommand(c *command.Ctx) error {
	const shown = 128
	name := c.Args[1]
	return command.QuoteError("ERR unknown subcommand or wrong number of arguments for '", string(name[:min(len(name), shown)]),
		"'. Try "+strings.ToUpper(c.Spec.Parent().Name)+" HELP.")
}

// groupOptions are those of XGROUP CREATE and SETID.
type groupOptions struct {
	make bool
	read int64
}

func parseGroup(c *command.Ctx, create bool) (o groupOptions, err error) {
	o.read = stream.Unknown
	for i := 5; i < len(c.Args); i++ {
		switch {
		case create && is(c.Args[i], "mkstream"):
			o.make = true
		case i+1 < len(c.Args) && is(c.Args[i], "entriesread"):
			i++
			if o.read, err = c.Int(i); err != nil {
				return o, err
			}
			if o.read < 0 && o.read != stream.Unknown {
				return o, errEntriesRead
			}
		default:
			return o, badSubcommand(c)
		}
	}
	return o, nil
}

func xgroupCreate(c *command.Ctx) error {
	o, err := parseGroup(c, true)
	if err != nil {
		return err
	}
	var x engine.Stream
	found, err := open(c, &x, 2)
	if err != nil {
		return err
	}
	if !found && !o.make {
		return errNeedsKey
	}
	if len(c.Args) > 8 {
		return badSubcommand(c)
	}
	var last stream.ID
	if word := c.Args[4]; len(word) != 1 || word[0] != '$' {
		if last, err = strictID(c, 4); err != nil {
			return err
		}
	} else if found {
		last = x.View().Last
	}
	if !found {
		if err := x.Make(); err != nil {
			return err
		}
	}
	_, created, err := x.Edit().CreateGroup(c.Args[3], last, o.read)
	switch {
	case err != nil:
		if !found {
			x.Remove()
		}
		return engine.StoreError(err)
	case !created:
		return errBusyGroup
	case found:
		verbatim(c, 2)
	default:
		c.Changed(1)
	}
	c.Notify(command.NotifyStream, "xgroup-create", 2)
	c.Out.OK()
	return nil
}

// requireGroup finds the group of a subcommand of XGROUP, which must be there.
func requireGroup(c *command.Ctx, x *engine.Stream) (g stream.Group, err error) {
	found, err := open(c, x, 2)
	if err != nil {
		return g, err
	}
	if !found {
		return g, errNeedsKey
	}
	if g, found = x.View().Group(c.Args[3]); !found {
		return g, missingGroupOf(c.Args[2], c.Args[3])
	}
	return g, nil
}

func missingGroupOf(key, group []byte) error {
	return noGroup("No such consumer group '", string(group), "' for key name '", string(key), "'")
}

func xgroupSetID(c *command.Ctx) error {
	o, err := parseGroup(c, false)
	if err != nil {
		return err
	}
	var x engine.Stream
	g, err := requireGroup(c, &x)
	if err != nil {
		return err
	}
	if len(c.Args) != 5 && len(c.Args) != 7 {
		return badSubcommand(c)
	}
	last := x.View().Last
	if word := c.Args[4]; len(word) != 1 || word[0] != '$' {
		p, ok := parseID(word, 0, idOptions{ends: true})
		if !ok {
			return errID
		}
		last = p.ID
	}
	g = x.Edit().Regain(g)
	g.Advance(last, o.read)
	verbatim(c, 2)
	c.Notify(command.NotifyStream, "xgroup-setid", 2)
	c.Out.OK()
	return nil
}

func xgroupDestroy(c *command.Ctx) error {
	var x engine.Stream
	found, err := open(c, &x, 2)
	if err != nil {
		return err
	}
	if !found {
		return errNeedsKey
	}
	g, found := x.View().Group(c.Args[3])
	if !found {
		c.Out.Int(0)
		return nil
	}
	if c.Slow(g.Pending()/8+g.Consumers(), 0) {
		return command.ErrSlow
	}
	x.Edit().DestroyGroup(c.Args[3])
	verbatim(c, 2)
	c.Notify(command.NotifyStream, "xgroup-destroy", 2)
	c.Ready(2) // who waits for the group is told that it has gone
	c.Out.Int(1)
	return nil
}

func xgroupCreateConsumer(c *command.Ctx) error {
	var x engine.Stream
	g, err := requireGroup(c, &x)
	if err != nil {
		return err
	}
	g = x.Edit().Regain(g)
	_, created, err := g.CreateConsumer(c.Args[4], c.Now())
	if err != nil {
		return engine.StoreError(err)
	}
	if !created {
		c.Out.Int(0)
		return nil
	}
	verbatim(c, 2)
	c.Notify(command.NotifyStream, "xgroup-createconsumer", 2)
	c.Out.Int(1)
	return nil
}

func xgroupDelConsumer(c *command.Ctx) error {
	var x engine.Stream
	g, err := requireGroup(c, &x)
	if err != nil {
		return err
	}
	if consumer, ok := g.Consumer(c.Args[4]); ok && c.Slow(consumer.Pending(), 0) {
		return command.ErrSlow
	}
	g = x.Edit().Regain(g)
	n, found := g.DeleteConsumer(c.Args[4])
	if found {
		verbatim(c, 2)
		c.Notify(command.NotifyStream, "xgroup-delconsumer", 2)
	}
	c.Out.Int(int64(n))
	return nil
}

func xgroupHelp(c *command.Ctx) error {
	c.ReplyHelp(
		"CREATE <key> <groupname> <id|$> [option]",
		"    Create a new consumer group. Options are:",
		"    * MKSTREAM",
		"      Create the empty stream if it does not exist.",
		"    * ENTRIESREAD entries_read",
		"      Set the group's entries_read counter (internal use).",
		"CREATECONSUMER <key> <groupname> <consumer>",
		"    Create a new consumer in the specified group.",
		"DELCONSUMER <key> <groupname> <consumer>",
		"    Remove the specified consumer.",
		"DESTROY <key> <groupname>",
		"    Remove the specified group.",
		"SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
		"    Set the current group ID and entries_read counter.",
	)
	return nil
}
