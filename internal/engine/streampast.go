package engine

import (
	"github.com/redwingdb/redwing/internal/engine/arena"
	"github.com/redwingdb/redwing/internal/engine/stream"
)

// The parts of a stream, in native byte order:
//
//	streamHeader { id, node }...
//	{ groupHeader, name, { consumerHeader, name }..., run of pendingPart ..., run of ids ... }...
//
// Runs of a group's pending entries come until they are as many as its header says, in
// order; behind them runs of ids likewise for each consumer.
type streamHeader struct {
	stream.Counters
	nodes, groups int64
}

type groupHeader struct {
	last               stream.ID
	read               int64
	pending, consumers int64
}

type consumerHeader struct {
	seen, active int64
	pending      int64
}

type pendingPart struct {
	id    stream.ID
	time  int64
	count uint64
	owner int64 // which consumer, -1: none
}

// pendingStride is how many pending entries count for one node in a stride.
const pendingStride = 16

// streamPast gives the parts of a stream as it was, and of one that does not change.
type streamPast struct {
	sh     *shard
	pin    *rootPin // nil: it does not change
	past   *stream.Past
	phase  streamPhase
	at     int // group
	group  stream.PastGroup
	member int // consumer
	owner  stream.PastConsumer
	owners map[arena.Ref]int64
}

// streamPhase is what comes next.
//
//	header -> nodes -> group -> consumers -> pending -> owned -> group ... -> over
type streamPhase uint8

const (
	phaseHeader streamPhase = iota
	phaseNodes
	phaseGroup
	phaseConsumers
	phasePending
	phaseOwned
	phaseOver
)

func (x *streamPast) endLocked(int) {
	kept := x.pin.of.pasts.End(x.past)
	x.sh.buryRestLocked(&kept)
}

func (x *streamPast) stepLocked(p *piece) (done bool, err error) {
	return x.step(p, &x.pin.snap.k.stride)
}

// step adds parts, about as many as the stride allows.
func (x *streamPast) step(p *piece, most *stride) (done bool, err error) {
	for n := most.chains; n > 0 && x.phase != phaseOver; n-- {
		if x.past.Failed() {
			return false, ErrNoSpace
		}
		if len(p.buf) >= most.bytes {
			return false, nil
		}
		x.next(p)
	}
	return x.phase == phaseOver, nil
}

// next adds a node, a header or a run.
func (x *streamPast) next(p *piece) {
	switch x.phase {
	case phaseHeader:
		h := streamHeader{x.past.Counters, int64(x.past.Nodes), int64(x.past.Groups)}
		p.addPart(bytesOf(&h))
		x.phase = phaseNodes
	case phaseNodes:
		x.nextNode(p)
	case phaseGroup:
		if x.at == x.past.Groups {
			x.phase = phaseOver
			return
		}
		x.group = x.past.Group(x.at)
		g := &x.group
		h := groupHeader{last: g.Last, read: g.Read, pending: int64(g.Pending), consumers: int64(len(g.Consumers))}
		p.addPart(bytesOf(&h))
		p.addPart(g.Name)
		x.at, x.member, x.owners = x.at+1, 0, make(map[arena.Ref]int64)
		x.phase = phaseConsumers
	case phaseConsumers:
		if x.member == len(x.group.Consumers) {
			x.phase = phasePending
			return
		}
		ref := x.group.Consumers[x.member]
		c := x.past.Consumer(&x.group, ref)
		h := consumerHeader{seen: c.Seen, active: c.Active, pending: int64(c.Pending)}
		p.addPart(bytesOf(&h))
		p.addPart(c.Name)
		x.owners[ref] = int64(x.member)
		x.member++
	case phasePending:
		x.nextPending(p)
	case phaseOwned:
		x.nextOwned(p)
	}
}

func (x *streamPast) nextNode(p *piece) {
	done := x.past.EachNode(pendingStride, func(master stream.ID, ref arena.Ref, n int) bool {
		p.addPart(bytesOf(&master))
		if x.sh.arena.Size(ref) > arena.MaxBlock {
			p.addSpan(x.sh, ref, n)
		} else {
			p.addPart(x.sh.arena.Bytes(ref, n))
		}
		return false
	})
	if done {
		x.phase = phaseGroup
	}
}

func (x *streamPast) nextPending(p *piece) {
	var run [pendingStride]pendingPart
	n := 0
	done := x.past.EachPending(&x.group, len(run), func(id stream.ID, atMillis int64, count uint64, consumer arena.Ref) bool {
		owner, ok := x.owners[consumer]
		if !ok {
			owner = -1
		}
		run[n] = pendingPart{id, atMillis, count, owner}
		n++
		return true
	})
	if n > 0 {
		p.addPart(bytesOfAll(run[:n]))
	}
	if done {
		x.phase, x.member = phaseOwned, -1
		x.nextOwner()
	}
}

// nextOwner goes to the next consumer, or behind the last one to the next group.
func (x *streamPast) nextOwner() {
	if x.member++; x.member == len(x.group.Consumers) {
		x.phase = phaseGroup
		return
	}
	x.owner = x.past.Consumer(&x.group, x.group.Consumers[x.member])
}

func (x *streamPast) nextOwned(p *piece) {
	var run [4 * pendingStride]stream.ID
	n := 0
	done := x.past.EachOwned(&x.owner, len(run), func(id stream.ID) bool {
		run[n] = id
		n++
		return true
	})
	if n > 0 {
		p.addPart(bytesOfAll(run[:n]))
	}
	if done {
		x.nextOwner()
	}
}
