package stream

import (
	"github.com/redwingdb/redwing/internal/acl"
	"github.com/redwingdb/redwing/internal/command"
)

// nondeterministic are the tips of commands whose replies depend on more than the data.
var nondeterministic = []string{"nondeterministic_output"}

// streams is the spec of the keys behind the word STREAMS, followed by as many ids.
func streams(from int) []command.KeySpec {
	return []command.KeySpec{{Flags: command.KeyRO | command.KeyAccess, Begin: from, Keyword: "STREAMS", Last: -1, Step: 1, Limit: 2}}
}

// Specs returns the specs of the stream commands.
func Specs() []command.Spec {
	return append([]command.Spec{
		{
			Name: "xack", Arity: -4, Flags: command.Write | command.Fast, Cats: acl.Stream,
			Keys:  command.Key(command.KeyRW | command.KeyUpdate),
			Run:   xack,
			Group: "stream", Since: "5.0.0",
			Summary:    "Returns the number of messages that were successfully acknowledged by the consumer group member of a stream.",
			Complexity: "O(1) for each message ID processed.",
		},
		{
			Name: "xackdel", Arity: -6, Flags: command.Write | command.Fast, Cats: acl.Stream,
			Keys:  command.Key(command.KeyRW | command.KeyUpdate),
			Run:   xackdel,
			Group: "stream", Since: "8.2.0",
			Summary:    "Acknowledges and conditionally deletes messages of a consumer group of a stream.",
			Complexity: "O(1) for each entry ID processed.",
		},
		{
			Name: "xadd", Arity: -5, Flags: command.Write | command.DenyOOM | command.Fast, Cats: acl.Stream,
			Keys: []command.KeySpec{
				{Flags: command.KeyRW | command.KeyUpdate, Begin: 1, Step: 1, Notes: "UPDATE instead of INSERT because of the optional trimming feature"},
			},
			Tips:  nondeterministic,
			Run:   xadd,
			Group: "stream", Since: "5.0.0",
			Summary:    "Appends a new message to a stream. Creates the key if it doesn't exist.",
			Complexity: "O(1) when adding a new entry, O(N) when trimming where N being the number of entries evicted.",
		},
		{
			Name: "xautoclaim", Arity: -6, Flags: command.Write | command.Fast, Cats: acl.Stream,
			Keys:  command.Key(command.KeyRW | command.KeyDelete),
			Tips:  nondeterministic,
			Run:   xautoclaim,
			Group: "stream", Since: "6.2.0",
			Summary:    "Changes, or acquires, ownership of messages in a consumer group, as if the messages were delivered to as consumer group member.",
			Complexity: "O(1) if COUNT is small.",
		},
		{
			Name: "xclaim", Arity: -6, Flags: command.Write | command.Fast, Cats: acl.Stream,
			Keys:  command.Key(command.KeyRW | command.KeyUpdate),
			Tips:  nondeterministic,
			Run:   xclaim,
			Group: "stream", Since: "5.0.0",
			Summary:    "Changes, or acquires, ownership of a message in a consumer group, as if the message was delivered a consumer group member.",
			Complexity: "O(log N) with N being the number of messages in the PEL of the consumer group.",
		},
		{
			Name: "xdel", Arity: -3, Flags: command.Write | command.Fast, Cats: acl.Stream,
			Keys:  command.Key(command.KeyRW | command.KeyDelete),
			Run:   xdel,
			Group: "stream", Since: "5.0.0",
			Summary:    "Returns the number of messages after removing them from a stream.",
			Complexity: "O(1) for each single item to delete in the stream, regardless of the stream size.",
		},
		{
			Name: "xdelex", Arity: -5, Flags: command.Write | command.Fast, Cats: acl.Stream,
			Keys:  command.Key(command.KeyRW | command.KeyDelete),
			Run:   xdelex,
			Group: "stream", Since: "8.2.0",
			Summary:    "Deletes messages from a stream, minding the references of consumer groups.",
			Complexity: "O(1) for each single item to delete in the stream, regardless of the stream size.",
		},
		{
			Name: "xlen", Arity: 2, Flags: command.ReadOnly | command.Fast, Cats: acl.Stream,
			Keys:  command.Key(command.KeyRO),
			Run:   xlen,
			Group: "stream", Since: "5.0.0",
			Summary:    "Return the number of messages in a stream.",
			Complexity: "O(1)",
		},
		{
			Name: "xpending", Arity: -3, Flags: command.ReadOnly, Cats: acl.Stream,
			Keys:  command.Key(command.KeyRO | command.KeyAccess),
			Tips:  nondeterministic,
			Run:   xpending,
			Group: "stream", Since: "5.0.0",
			Summary:    "Returns the information and entries from a stream consumer group's pending entries list.",
			Complexity: "O(N) with N being the number of elements returned, so asking for a small fixed number of entries per call is O(1). O(M), where M is the total number of entries scanned when used with the IDLE filter. When the command returns just the summary and the list of consumers is small, it runs in O(1) time; otherwise, an additional O(N) time for iterating every consumer.",
		},
		{
			Name: "xrange", Arity: -4, Flags: command.ReadOnly, Cats: acl.Stream,
			Keys:  command.Key(command.KeyRO | command.KeyAccess),
			Run:   xrange,
			Group: "stream", Since: "5.0.0",
			Summary:    "Returns the messages from a stream within a range of IDs.",
			Complexity: "O(N) with N being the number of elements being returned. If N is constant (e.g. always asking for the first 10 elements with COUNT), you can consider it O(1).",
		},
		{
			Name: "xread", Arity: -4, Flags: command.Blocking | command.ReadOnly, Cats: acl.Stream,
			Keys:  streams(1),
			Run:   xread,
			Group: "stream", Since: "5.0.0",
			Summary:    "Returns messages from multiple streams with IDs greater than the ones requested. Blocks until a message is available otherwise.",
			Complexity: "For each stream mentioned: O(N) with N being the number of elements being returned, it means that XREAD-ing with a fixed COUNT is O(1). Note that when the BLOCK option is used, XADD will pay O(M) time in order to serve the M clients blocked on the stream getting new data.",
		},
		{
			Name: "xreadgroup", Arity: -7, Flags: command.Blocking | command.Write | command.NoEffect, Cats: acl.Stream,
			Keys:  streams(4),
			Run:   xreadgroup,
			Group: "stream", Since: "5.0.0",
			Summary:    "Returns new or historical messages from a stream for a consumer in a group. Blocks until a message is available otherwise.",
			Complexity: "For each stream mentioned: O(M) with M being the number of elements returned. If M is constant (e.g. always asking for the first 10 elements with COUNT), you can consider it O(1). On the other side when XREADGROUP blocks, XADD will pay the O(N) time in order to serve the N clients blocked on the stream getting new data.",
		},
		{
			Name: "xrevrange", Arity: -4, Flags: command.ReadOnly, Cats: acl.Stream,
			Keys:  command.Key(command.KeyRO | command.KeyAccess),
			Run:   xrevrange,
			Group: "stream", Since: "5.0.0",
			Summary:    "Returns the messages from a stream within a range of IDs in reverse order.",
			Complexity: "O(N) with N being the number of elements returned. If N is constant (e.g. always asking for the first 10 elements with COUNT), you can consider it O(1).",
		},
		{
			Name: "xsetid", Arity: -3, Flags: command.Write | command.DenyOOM | command.Fast, Cats: acl.Stream,
			Keys:  command.Key(command.KeyRW | command.KeyUpdate),
			Run:   xsetid,
			Group: "stream", Since: "5.0.0",
			Summary:    "An internal command for replicating stream values.",
			Complexity: "O(1)",
		},
		{
			Name: "xtrim", Arity: -4, Flags: command.Write, Cats: acl.Stream,
			Keys:  command.Key(command.KeyRW | command.KeyDelete),
			Tips:  nondeterministic,
			Run:   xtrim,
			Group: "stream", Since: "5.0.0",
			Summary:    "Deletes messages from the beginning of a stream.",
			Complexity: "O(N), with N being the number of evicted entries. Constant times are very small however, since entries are organized in macro nodes containing multiple entries that can be released with a single deallocation.",
		},
	}, containers()...)
}
