package command

import "strings"

// ReplyHelp replies to CONTAINER HELP: lines are those between the heading and the
// entry of HELP itself (Redis 7.2, networking.c, addReplyHelp).
func (c *Ctx) ReplyHelp(lines ...string) {
	c.Out.Array(len(lines) + 3)
	c.Out.Simple(strings.ToUpper(c.Spec.Parent().Name) + " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:")
	for _, l := range lines {
		c.Out.Simple(l)
	}
	c.Out.Simple("HELP")
	c.Out.Simple("    Prints this help.")
}
