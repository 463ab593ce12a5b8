package pubsub

import "github.com/redwingdb/redwing/internal/resp"

// Kind is what a subscription names.
type Kind uint8

const (
	Channel Kind = iota
	Pattern      // of channels
	Shard        // a channel of a slot's shard
	// Gone is no subscription: it tells a subscriber that a shard channel has left this
	// node, and his subscription with it.
	Gone
	kinds
)

// Message is one message as one kind of subscription brings it. It is shared by all who
// get it and never changed.
type Message struct {
	Kind    Kind
	Pattern []byte // of Kind Pattern
	Channel []byte
	Payload []byte
	// Offset is the log offset that must be durable before the message may be sent, 0:
	// none.
	Offset int64
}

// messageOverhead is what a message costs beside its bytes.
const messageOverhead = 64

// Size returns the bytes that m takes while it waits for a subscriber.
func (m *Message) Size() int {
	return len(m.Pattern) + len(m.Channel) + len(m.Payload) + messageOverhead
}

// AppendTo appends m, which is not Gone, as clients get it.
func (m *Message) AppendTo(w *resp.Writer) {
	switch m.Kind {
	case Pattern:
		w.Push(4)
		w.BulkString("pmessage")
		w.Bulk(m.Pattern)
	case Shard:
		w.Push(3)
		w.BulkString("smessage")
	default:
		w.Push(3)
		w.BulkString("message")
	}
	w.Bulk(m.Channel)
	w.Bulk(m.Payload)
}
