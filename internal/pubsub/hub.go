package pubsub

import (
	"sync"
	"sync/atomic"

	"github.com/redwingdb/redwing/internal/glob"
	"github.com/redwingdb/redwing/internal/slots"
)

// Subscriber takes messages.
type Subscriber interface {
	// Deliver takes m and never blocks. It is called by whoever publishes, with the lock
	// of the channel held.
	Deliver(m *Message)
}

// Hub knows the subscriptions of one node. Its methods may be called from any goroutine;
// a subscriber's Deliver must not call them.
type Hub struct {
	channels space
	shard    space
	patterns struct {
		sync.RWMutex
		of map[string]*audience
	}
	numPatterns atomic.Int64
}

// stripes is how many locks the channels of a space share.
const stripes = 64

// space is a set of channels. A channel's stripe is locked while it gets a message: so
// all its subscribers see one order.
type space struct {
	count   atomic.Int64 // channels with subscribers
	stripes [stripes]struct {
		sync.Mutex
		of map[string]*audience
	}
}

// audience are the subscribers of one name.
type audience struct {
	list []Subscriber
	at   map[Subscriber]int // places in list
}

// NewHub returns a hub without subscribers.
func NewHub() *Hub {
	h := &Hub{}
	h.patterns.of = make(map[string]*audience)
	return h
}

// stripe returns the number of the stripe of a channel (FNV-1a).
func stripe(channel []byte) int {
	h := uint32(2166136261)
	for _, c := range channel {
		h = (h ^ uint32(c)) * 16777619
	}
	return int(h % stripes)
}

func (h *Hub) space(k Kind) *space {
	if k == Shard {
		return &h.shard
	}
	return &h.channels
}

// Subscribe adds s to those of a channel or pattern; doing it again changes nothing.
func (h *Hub) Subscribe(k Kind, name []byte, s Subscriber) {
	if k == Pattern {
		h.patterns.Lock()
		defer h.patterns.Unlock()
		if enter(h.patterns.of, name, s) {
			h.numPatterns.Add(1)
		}
		return
	}
	sp := h.space(k)
	st := &sp.stripes[stripe(name)]
	st.Lock()
	defer st.Unlock()
	if st.of == nil {
		st.of = make(map[string]*audience)
	}
	if enter(st.of, name, s) {
		sp.count.Add(1)
	}
}

// enter adds s to the audience of name and reports whether it is the first.
func enter(of map[string]*audience, name []byte, s Subscriber) (first bool) {
	a := of[string(name)]
	if a == nil {
		a = &audience{at: make(map[Subscriber]int)}
		of[string(name)] = a
		first = true
	}
	if _, there := a.at[s]; !there {
		a.at[s] = len(a.list)
		a.list = append(a.list, s)
	}
	return first
}

// Unsubscribe takes s out again. No message comes to it by this name once it returns.
func (h *Hub) Unsubscribe(k Kind, name []byte, s Subscriber) {
	if k == Pattern {
		h.patterns.Lock()
		defer h.patterns.Unlock()
		if leave(h.patterns.of, name, s) {
			h.numPatterns.Add(-1)
		}
		return
	}
	sp := h.space(k)
	st := &sp.stripes[stripe(name)]
	st.Lock()
	defer st.Unlock()
	if leave(st.of, name, s) {
		sp.count.Add(-1)
	}
}

// leave takes s out of the audience of name and reports whether it was the last.
func leave(of map[string]*audience, name []byte, s Subscriber) (last bool) {
	a := of[string(name)]
	if a == nil {
		return false
	}
	i, there := a.at[s]
	if !there {
		return false
	}
	n := len(a.list) - 1
	a.list[i] = a.list[n]
	a.at[a.list[i]] = i
	a.list[n] = nil
	a.list = a.list[:n]
	delete(a.at, s)
	if n == 0 {
		delete(of, string(name))
	}
	return n == 0
}

// Heard reports whether anybody might get a message of a channel that is not of a shard.
// It is one atomic load or two.
func (h *Hub) Heard() bool { return h.channels.count.Load() > 0 || h.numPatterns.Load() > 0 }

// Publish sends a message to the subscribers of a channel, and unless it is one of a
// shard to those of matching patterns, and returns how many there were. k is Channel or
// Shard; the bytes are copied. offset is the Message's.
func (h *Hub) Publish(k Kind, channel, payload []byte, offset int64) (receivers int) {
	sp := h.space(k)
	if sp.count.Load() == 0 && (k == Shard || h.numPatterns.Load() == 0) {
		return 0
	}
	st := &sp.stripes[stripe(channel)]
	st.Lock()
	defer st.Unlock()
	var m *Message
	if a := st.of[string(channel)]; a != nil {
		m = newMessage(k, channel, payload, offset)
		for _, s := range a.list {
			s.Deliver(m)
		}
		receivers = len(a.list)
	}
	if k == Shard || h.numPatterns.Load() == 0 {
		return receivers
	}
	h.patterns.RLock()
	defer h.patterns.RUnlock()
	for pattern, a := range h.patterns.of {
		if !glob.Match([]byte(pattern), channel) {
			continue
		}
		if m == nil {
			m = newMessage(k, channel, payload, offset)
		}
		pm := &Message{Pattern, []byte(pattern), m.Channel, m.Payload, offset}
		for _, s := range a.list {
			s.Deliver(pm)
		}
		receivers += len(a.list)
	}
	return receivers
}

func newMessage(k Kind, channel, payload []byte, offset int64) *Message {
	both := make([]byte, 0, len(channel)+len(payload))
	both = append(append(both, channel...), payload...)
	n := len(channel)
	return &Message{Kind: k, Channel: both[:n:n], Payload: both[n:], Offset: offset}
}

// Channels returns the channels with subscribers that match pattern; nil: all.
func (h *Hub) Channels(k Kind, pattern []byte) (out [][]byte) {
	sp := h.space(k)
	for i := range sp.stripes {
		st := &sp.stripes[i]
		st.Lock()
		for name := range st.of {
			if pattern == nil || glob.Match(pattern, []byte(name)) {
				out = append(out, []byte(name))
			}
		}
		st.Unlock()
	}
	return out
}

// Subscribers returns how many have subscribed to a channel by its name.
func (h *Hub) Subscribers(k Kind, channel []byte) int {
	st := &h.space(k).stripes[stripe(channel)]
	st.Lock()
	defer st.Unlock()
	if a := st.of[string(channel)]; a != nil {
		return len(a.list)
	}
	return 0
}

// Has reports whether s has subscribed to a channel by its name.
func (h *Hub) Has(k Kind, channel []byte, s Subscriber) bool {
	st := &h.space(k).stripes[stripe(channel)]
	st.Lock()
	defer st.Unlock()
	a := st.of[string(channel)]
	if a == nil {
		return false
	}
	_, there := a.at[s]
	return there
}

// Counts returns how many channels, distinct patterns and shard channels have
// subscribers.
func (h *Hub) Counts() (channels, patterns, shard int64) {
	return h.channels.count.Load(), h.numPatterns.Load(), h.shard.count.Load()
}

// DropShard ends the subscriptions to the shard channels of slots that this node does
// not serve any more; their subscribers are told (Gone).
func (h *Hub) DropShard(left func(slots.Slot) bool) {
	if h.shard.count.Load() == 0 {
		return
	}
	for i := range h.shard.stripes {
		st := &h.shard.stripes[i]
		st.Lock()
		for name, a := range st.of {
			if !left(slots.Of([]byte(name))) {
				continue
			}
			m := &Message{Kind: Gone, Channel: []byte(name)}
			for _, s := range a.list {
				s.Deliver(m)
			}
			delete(st.of, name)
			h.shard.count.Add(-1)
		}
		st.Unlock()
	}
}
