// Package message holds the commands that publish messages and tell about those who
// hear them. Who subscribes is the business of internal/server, since that concerns the
// connection.
package message

import (
	"github.com/redwingdb/redwing/internal/acl"
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/effects"
	"github.com/redwingdb/redwing/internal/pubsub"
)

// Deps are what these commands act on.
type Deps struct {
	Hub *pubsub.Hub
	// Relay sends a message to the other nodes of the cluster, and never blocks. nil in
	// plain mode: replicas get messages by the effect log instead.
	Relay func(k pubsub.Kind, channel, payload []byte)
	// Log may be nil.
	Log *effects.Log
}

type handlers struct{ Deps }

// Specs returns the commands.
func Specs(d Deps) []command.Spec {
	h := &handlers{d}
	const always = command.PubSub | command.Loading | command.Stale
	spec := func(name string, arity int, flags command.Flags, since, summary, complexity string, run command.Handler) command.Spec {
		return command.Spec{Name: name, Arity: arity, Flags: flags, Shards: command.ShardsNone, Run: run,
			Cats: acl.PubSub, Group: "pubsub", Since: since, Summary: summary, Complexity: complexity}
	}
	publish := spec("publish", 3, always|command.Fast, "2.0.0", "Posts a message to a channel.",
		"O(N+M) where N is the number of clients subscribed to the receiving channel and M is the total number of subscribed patterns (by any client).", h.publish)
	spublish := spec("spublish", 3, always|command.Fast, "7.0.0", "Post a message to a shard channel",
		"O(N) where N is the number of clients subscribed to the receiving shard channel.", h.spublish)
	spublish.Keys, spublish.Shards = command.Key(command.NotKey), command.ShardsOfKeys
	help := spec("help", 2, command.Loading|command.Stale, "6.2.0", "Returns helpful text about the different subcommands.", "O(1)", runHelp)
	help.Cats = 0
	return []command.Spec{publish, spublish, {
		Name: "pubsub", Arity: -2, Group: "pubsub", Since: "2.8.0",
		Summary: "A container for Pub/Sub commands.", Complexity: "Depends on subcommand.",
		Subs: []command.Spec{
			spec("channels", -2, always, "2.8.0", "Returns the active channels.",
				"O(N) where N is the number of active channels, and assuming constant time pattern matching (relatively short channels and patterns)", h.channels(pubsub.Channel)),
			spec("numpat", 2, always, "2.8.0", "Returns a count of unique pattern subscriptions.", "O(1)", h.numpat),
			spec("numsub", -2, always, "2.8.0", "Returns a count of subscribers to channels.",
				"O(N) for the NUMSUB subcommand, where N is the number of requested channels", h.numsub(pubsub.Channel)),
			spec("shardchannels", -2, always, "7.0.0", "Returns the active shard channels.",
				"O(N) where N is the number of active shard channels, and assuming constant time pattern matching (relatively short shard channels).", h.channels(pubsub.Shard)),
			spec("shardnumsub", -2, always, "7.0.0", "Returns the count of subscribers of shard channels.",
				"O(N) for the SHARDNUMSUB subcommand, where N is the number of requested shard channels", h.numsub(pubsub.Shard)),
			help,
		},
	}}
}

func (h *handlers) publish(c *command.Ctx) error  { return h.post(c, pubsub.Channel) }
func (h *handlers) spublish(c *command.Ctx) error { return h.post(c, pubsub.Shard) }

// post sends a message to the subscribers of this node, whose number is the reply, and
// on to other nodes.
func (h *handlers) post(c *command.Ctx, k pubsub.Kind) error {
	channel, payload := c.Args[1], c.Args[2]
	n := h.Hub.Publish(k, channel, payload, 0)
	switch {
	case h.Relay != nil:
		h.Relay(k, channel, payload)
	case h.Log != nil:
		h.Log.AppendControl(c.Args...)
	}
	c.Out.Int(int64(n))
	return nil
}

func (h *handlers) channels(k pubsub.Kind) command.Handler {
	return func(c *command.Ctx) error {
		var pattern []byte
		switch len(c.Args) {
		case 2:
		case 3:
			pattern = c.Args[2]
		default:
			return unknownSubcommand(c)
		}
		names := h.Hub.Channels(k, pattern)
		c.Out.Array(len(names))
		for _, name := range names {
			c.Out.Bulk(name)
		}
		return nil
	}
}

func (h *handlers) numsub(k pubsub.Kind) command.Handler {
	return func(c *command.Ctx) error {
		names := c.Args[2:]
		c.Out.Array(2 * len(names))
		for _, name := range names {
			c.Out.Bulk(name)
			c.Out.Int(int64(h.Hub.Subscribers(k, name)))
		}
		return nil
	}
}

func (h *handlers) numpat(c *command.Ctx) error {
	_, n, _ := h.Hub.Counts()
	c.Out.Int(n)
	return nil
}

// unknownSubcommand is the reply to words that no subcommand takes. Source: Redis 7.2,
// pubsub.c and networking.c, addReplySubcommandSyntaxError.
func unknownSubcommand(c *command.Ctx) error {
	return command.QuoteError("ERR unknown subcommand or wrong number of arguments for '" + string(c.Args[1]) + "'. Try PUBSUB HELP.")
}

func runHelp(c *command.Ctx) error {
	c.Out.Array(len(helpLines))
	for _, line := range helpLines {
		c.Out.Simple(line)
	}
	return nil
}

var helpLines = [...]string{
	"PUBSUB <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
	"CHANNELS [<pattern>]",
	"    Return the currently active channels matching a <pattern> (default: '*').",
	"NUMPAT",
	"    Return number of subscriptions to patterns.",
	"NUMSUB [<channel> ...]",
	"    Return the number of subscribers for the specified channels, excluding",
	"    pattern subscriptions(default: no channels).",
	"SHARDCHANNELS [<pattern>]",
	"    Return the currently active shard level channels matching a <pattern> (default: '*').",
	"SHARDNUMSUB [<shardchannel> ...]",
	"    Return the number of subscribers for the specified shard level channel(s)",
	"HELP",
	"    Prints this help.",
}
