package server

import (
	"github.com/redwingdb/redwing/internal/acl"
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/pubsub"
	"github.com/redwingdb/redwing/internal/resp"
	"github.com/redwingdb/redwing/internal/slots"
)

// errSubscribed refuses a command of a RESP2 client that has subscribed. Source: Redis
// 7.2, server.c, processCommand.
func errSubscribed(spec *command.Spec) *resp.Error {
	return resp.NewError("ERR Can't execute '" + spec.FullName() +
		"': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context")
}

func subscriptionSpecs() []command.Spec {
	const flags = command.PubSub | anywhere | command.Subscribed
	none := command.ShardsNone
	spec := func(name string, arity int, since, summary, complexity string, run command.Handler) command.Spec {
		return command.Spec{Name: name, Arity: arity, Flags: flags, Cats: acl.PubSub, Shards: none, Run: run,
			Group: "pubsub", Since: since, Summary: summary, Complexity: complexity}
	}
	// The channels of a slot's shard are routed like keys, and their shards are locked
	// while the View is asked whether the slot is this node's.
	shard := func(s command.Spec, keys []command.KeySpec) command.Spec {
		s.Keys, s.Shards = keys, command.ShardsOfKeys
		return s
	}
	return []command.Spec{
		spec("subscribe", -2, "2.0.0", "Listens for messages published to channels.",
			"O(N) where N is the number of channels to subscribe to.", subscribe("subscribe", pubsub.Channel)),
		spec("unsubscribe", -1, "2.0.0", "Stops listening to messages posted to channels.",
			"O(N) where N is the number of channels to unsubscribe.", unsubscribe("unsubscribe", pubsub.Channel)),
		spec("psubscribe", -2, "2.0.0", "Listens for messages published to channels that match one or more patterns.",
			"O(N) where N is the number of patterns to subscribe to.", subscribe("psubscribe", pubsub.Pattern)),
		spec("punsubscribe", -1, "2.0.0", "Stops listening to messages published to channels that match one or more patterns.",
			"O(N) where N is the number of patterns to unsubscribe.", unsubscribe("punsubscribe", pubsub.Pattern)),
		shard(spec("ssubscribe", -2, "7.0.0", "Listens for messages published to shard channels.",
			"O(N) where N is the number of shard channels to subscribe to.", subscribe("ssubscribe", pubsub.Shard)),
			command.KeysTo(-1, 1, command.NotKey)),
		shard(spec("sunsubscribe", -1, "7.0.0", "Stops listening to messages posted to shard channels.",
			"O(N) where N is the number of shard channels to unsubscribe.", unsubscribe("sunsubscribe", pubsub.Shard)),
			command.KeysTo(-1, 1, command.NotKey)),
	}
}

// subscriptions returns the number that replies about subscriptions of a kind give.
func (s *Session) subscriptions(k pubsub.Kind) int64 {
	if k == pubsub.Shard {
		return int64(len(s.subs[k]))
	}
	return int64(len(s.subs[pubsub.Channel]) + len(s.subs[pubsub.Pattern]))
}

func (s *Session) countSubscriptions() {
	s.subscribes = len(s.subs[pubsub.Channel])+len(s.subs[pubsub.Pattern])+len(s.subs[pubsub.Shard]) > 0
}

func subscribe(word string, k pubsub.Kind) command.Handler {
	return func(c *command.Ctx) error {
		s := session(c)
		if s.subs[k] == nil {
			s.subs[k] = make(map[string]struct{})
		}
		for _, name := range c.Args[1:] {
			s.subs[k][string(name)] = struct{}{}
			s.srv.hub.Subscribe(k, name, s)
			confirm(c.Out, word, name, s.subscriptions(k))
		}
		s.countSubscriptions()
		s.keepReply(c)
		return nil
	}
}

func unsubscribe(word string, k pubsub.Kind) command.Handler {
	return func(c *command.Ctx) error {
		s := session(c)
		names := c.Args[1:]
		if len(names) == 0 {
			for name := range s.subs[k] {
				names = append(names, []byte(name))
			}
		}
		for _, name := range names {
			s.srv.hub.Unsubscribe(k, name, s)
			delete(s.subs[k], string(name))
			if s.mailed.Load() && c.Out == &s.out.w && !c.InExec {
				s.takeMail() // what came before stands before
			}
			confirm(c.Out, word, name, s.subscriptions(k))
		}
		if len(names) == 0 {
			confirm(c.Out, word, nil, s.subscriptions(k))
		}
		s.countSubscriptions()
		s.keepReply(c)
		return nil
	}
}

// confirm appends the push that says what has become of a subscription; name nil: there
// was none.
func confirm(out *resp.Writer, word string, name []byte, n int64) {
	out.Push(3)
	out.BulkString(word)
	if name == nil {
		out.Null()
	} else {
		out.Bulk(name)
	}
	out.Int(n)
}

// keepReply keeps pushes that a command has made out of what CLIENT REPLY drops.
func (s *Session) keepReply(c *command.Ctx) {
	if c.Out == &s.out.w && !c.InExec {
		s.start = len(s.out.w.Buf)
	}
}

// channelGone ends the subscription to a shard channel whose slot has left this node,
// unless it has come back meanwhile.
func (s *Session) channelGone(channel []byte) {
	if _, there := s.subs[pubsub.Shard][string(channel)]; !there || s.srv.hub.Has(pubsub.Shard, channel, s) {
		return
	}
	delete(s.subs[pubsub.Shard], string(channel))
	confirm(&s.out.w, "sunsubscribe", channel, s.subscriptions(pubsub.Shard))
	s.countSubscriptions()
}

// unsubscribeAll ends every subscription without a word (RESET, and the end).
func (s *Session) unsubscribeAll() {
	for k := range s.subs {
		for name := range s.subs[k] {
			s.srv.hub.Unsubscribe(pubsub.Kind(k), []byte(name), s)
		}
		s.subs[k] = nil
	}
	s.subscribes = false
}

// dropShardChannels ends subscriptions to shard channels that this node carries no
// longer by the present View.
func (srv *Server) dropShardChannels() {
	at := srv.viewNow()
	mine := at.view.ShardOf(at.self)
	srv.hub.DropShard(func(slot slots.Slot) bool { return at.view.Owner(slot) != mine || mine == nil })
}
