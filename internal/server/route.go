package server

import (
	"strconv"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/resp"
	"github.com/redwingdb/redwing/internal/slots"
	"github.com/redwingdb/redwing/internal/topology"
)

// KeySlot is one key of a request: its place among the arguments and its slot.
type KeySlot struct {
	Arg  int
	Slot slots.Slot
}

// Access is what a session has said about where it wants to read and write.
type Access struct {
	ReadOnly bool // READONLY: reads may be served by a replica
	Asking   bool // ASKING: an importing slot may be used
}

// Lease tells until when this node may serve a shard at a term (clock.Mono).
type Lease struct {
	Now   int64
	Until func(shard topology.ShardID, term uint64) int64
}

// VerdictKind says where a command may run.
type VerdictKind uint8

const (
	Serve       VerdictKind = iota // here
	Moved                          // at Node
	Ask                            // at Node, this once
	TryAgain                       // nowhere until the slot has moved as a whole
	CrossSlot                      // nowhere: its keys are in different slots
	DownUnowned                    // nowhere: nobody owns the slot
	DownLease                      // not here: the lease is over
)

// String names k for tests and logs.
func (k VerdictKind) String() string {
	return [...]string{"Serve", "Moved", "Ask", "TryAgain", "CrossSlot", "DownUnowned", "DownLease"}[k]
}

// Verdict is Route's answer.
type Verdict struct {
	Kind VerdictKind
	Slot slots.Slot
	// Shard owns Slot; nil without keys or owner.
	Shard *topology.Shard
	// Node is where to go for Moved and Ask.
	Node *topology.Node
}

// Route decides where a command may run. It never blocks and reads one immutable View.
//
//	owner is me, slot stable            -> Serve      keys in different slots      -> CrossSlot
//	owner is elsewhere                  -> Moved      migrating, every key absent  -> Ask
//	several keys, some already moved    -> TryAgain   slot unowned, lease expired  -> Down
//
// flags are the command's, for EXEC the union with those of its queue.
// present is asked about keys of open slots only, with their shard locked; a nil
// present takes every key for present. The order of the rules is that of Redis 7.2,
// cluster.c, getNodeByQuery.
func Route(v *topology.View, self topology.NodeID, flags command.Flags, keys []KeySlot, st Access, lease Lease, present func(arg int) bool) Verdict {
	if len(keys) == 0 {
		return Verdict{}
	}
	slot := keys[0].Slot
	for _, k := range keys[1:] {
		if k.Slot != slot {
			return Verdict{Kind: CrossSlot}
		}
	}
	owner := v.Owner(slot)
	if owner == nil {
		return Verdict{Kind: DownUnowned, Slot: slot}
	}
	// A message on a shard channel is no data: no lease is asked for, and replicas carry
	// it too.
	channel := flags&command.PubSub != 0
	if owner.Primary == self {
		if channel {
			return Verdict{Slot: slot, Shard: owner}
		}
		if lease.Until(owner.ID, owner.Term) <= lease.Now {
			return Verdict{Kind: DownLease, Slot: slot, Shard: owner}
		}
		if len(owner.Open) == 0 {
			return Verdict{Slot: slot, Shard: owner}
		}
		return routeMigrating(v, owner, keys, present)
	}
	if mine := v.ShardOf(self); mine != nil {
		if mine.Primary == self && (st.Asking || flags&command.Asking != 0) {
			if verdict, ok := routeImporting(mine, keys, lease, present); ok {
				return verdict
			}
		}
		if mine == owner && (st.ReadOnly || channel) && flags&command.Write == 0 {
			return Verdict{Slot: slot, Shard: owner}
		}
	}
	return Verdict{Moved, slot, owner, v.Node(owner.Primary)}
}

// routeMigrating routes to a slot that this node owns in a shard with open slots.
func routeMigrating(v *topology.View, owner *topology.Shard, keys []KeySlot, present func(arg int) bool) Verdict {
	slot := keys[0].Slot
	here := Verdict{Slot: slot, Shard: owner}
	open := owner.OpenSlotAt(slot)
	if open == nil || open.State != topology.Migrating || present == nil {
		return here
	}
	there, missing := 0, 0
	for _, k := range keys {
		if present(k.Arg) {
			there++
		} else {
			missing++
		}
	}
	switch {
	case missing == 0:
		return here
	case there > 0:
		return Verdict{Kind: TryAgain, Slot: slot, Shard: owner}
	}
	if peer := v.Node(open.Peer); peer != nil {
		return Verdict{Ask, slot, owner, peer}
	}
	return here // the peer has left: the slot is whole here
}

// routeImporting routes an asking request to a slot that this node's shard imports.
// ok is false if it does not.
func routeImporting(mine *topology.Shard, keys []KeySlot, lease Lease, present func(arg int) bool) (_ Verdict, ok bool) {
	slot := keys[0].Slot
	open := mine.OpenSlotAt(slot)
	if open == nil || open.State != topology.Importing {
		return Verdict{}, false
	}
	if lease.Until(mine.ID, mine.Term) <= lease.Now {
		return Verdict{Kind: DownLease, Slot: slot, Shard: mine}, true
	}
	if len(keys) > 1 && present != nil {
		for _, k := range keys {
			if !present(k.Arg) {
				return Verdict{Kind: TryAgain, Slot: slot, Shard: mine}, true
			}
		}
	}
	return Verdict{Slot: slot, Shard: mine}, true
}

// clientAddr is where clients reach node, as redirections name it.
func clientAddr(n *topology.Node, endpoint func(*topology.Node) string) string {
	return endpoint(n) + ":" + strconv.Itoa(n.Addr.Port)
}

// reply returns the error that a client gets for a verdict other than Serve. endpoint
// names the host of a node for clients.
func (v *Verdict) reply(endpoint func(*topology.Node) string) *resp.Error {
	switch v.Kind {
	case Moved, Ask:
		word := "MOVED"
		if v.Kind == Ask {
			word = "ASK"
		}
		if v.Node == nil {
			return resp.ErrClusterDown
		}
		return resp.Redirect(word, uint16(v.Slot), clientAddr(v.Node, endpoint))
	case TryAgain:
		return resp.ErrTryAgain
	case CrossSlot:
		return resp.ErrCrossSlot
	case DownUnowned:
		return resp.ErrClusterDownUnserved
	}
	return resp.ErrClusterDown
}
