package failover

import (
	"sync"

	"github.com/redwingdb/redwing/internal/topology"
)

// Event is a line of the failover event log. The phases are nanoseconds since the
// primary was first suspected; -1 for one that did not happen.
type Event struct {
	AtMillis int64            `json:"atMillis"` // wall clock
	Kind     EventKind        `json:"kind"`
	Shard    topology.ShardID `json:"shard"`
	Term     uint64           `json:"term"` // the new one, of a failover
	From     topology.NodeID  `json:"from,omitempty"`
	To       topology.NodeID  `json:"to,omitempty"`
	Text     string           `json:"text"`
	Phases   Phases           `json:"phases"`
}

// EventKind says what an Event is about.
type EventKind string

// The kinds of events.
const (
	EventFailover  EventKind = "failover"
	EventRefused   EventKind = "refused"    // the log refused a Promote
	EventNoCopy    EventKind = "no-copy"    // no candidate: the shard waits
	EventRecovered EventKind = "recovered"  // the primary was heard again
	EventSuspend   EventKind = "suspend"    // this machine was suspended; its lease is void
	EventHandover  EventKind = "handover"   // a graceful failover was begun or given up
	EventLeader    EventKind = "leadership" // this node began or ceased to decide
)

// Phases are the timed steps of a failover.
type Phases struct {
	Confirmed int64 `json:"confirmed"` // a majority of voters took the primary for gone
	LeaseOver int64 `json:"leaseOver"`
	Proposed  int64 `json:"proposed"`
	Committed int64 `json:"committed"`
	Serving   int64 `json:"serving"` // the new primary got its first lease
}

// maxEvents bounds the event log of a node.
const maxEvents = 256

// eventRing keeps the last events.
type eventRing struct {
	mu struct {
		sync.Mutex
		next int
		ring []Event
	}
}

func (r *eventRing) add(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.mu.ring) < maxEvents {
		r.mu.ring = append(r.mu.ring, e)
		return
	}
	r.mu.ring[r.mu.next] = e
	r.mu.next = (r.mu.next + 1) % maxEvents
}

// list returns the events, oldest first.
func (r *eventRing) list() []Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]Event, 0, len(r.mu.ring))
	out = append(out, r.mu.ring[r.mu.next:]...)
	return append(out, r.mu.ring[:r.mu.next]...)
}
