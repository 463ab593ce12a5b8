package admin

import (
	"errors"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/config"
	"github.com/redwingdb/redwing/internal/resp"
)

var errNoFile = resp.NewError("ERR The server is running without a config file")

func (d *Deps) configGet(c *command.Ctx) error {
	patterns := make([]string, len(c.Args)-2)
	for i := range patterns {
		patterns[i] = string(c.Args[2+i])
	}
	pairs := d.Config.Get(patterns...)
	c.Out.Map(len(pairs))
	for _, p := range pairs {
		c.Out.BulkString(p.Name)
		c.Out.BulkString(p.Value)
	}
	return nil
}

func (d *Deps) configSet(c *command.Ctx) error {
	if len(c.Args)%2 == 1 {
		return resp.ErrSyntax
	}
	var pairs []config.Pair
	for i := 2; i < len(c.Args); i += 2 {
		pairs = append(pairs, config.Pair{Name: string(c.Args[i]), Value: string(c.Args[i+1])})
	}
	if err := d.Config.Set(pairs); err != nil {
		return err
	}
	c.Out.OK()
	return nil
}

func (d *Deps) configResetStat(c *command.Ctx) error {
	if d.Stats != nil {
		d.Stats.ResetStats(c.Client)
	}
	d.Keyspace.ResetStats()
	c.Out.OK()
	return nil
}

// configRewrite waits for the disk, off the loop.
func (d *Deps) configRewrite(c *command.Ctx) error {
	switch err := d.Config.Rewrite(); {
	case errors.Is(err, config.ErrNoFile):
		return errNoFile
	case err != nil:
		return command.QuoteError("ERR Rewriting config file: ", err.Error())
	}
	c.Out.OK()
	return nil
}

func configHelp(c *command.Ctx) error {
	c.ReplyHelp(
		"GET <pattern>",
		"    Return parameters matching the glob-like <pattern> and their values.",
		"SET <directive> <value>",
		"    Set the configuration <directive> to <value>.",
		"RESETSTAT",
		"    Reset statistics reported by the INFO command.",
		"REWRITE",
		"    Rewrite the configuration file.",
	)
	return nil
}
