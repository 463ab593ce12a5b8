package failover

import "github.com/redwingdb/redwing/internal/topology"

// maxAsks bounds renewals in flight: more than a lease's worth are never useful.
const maxAsks = 16

// Holder is a node's side of the lease of the shard it is primary of.
//
//	None --View names this run--> Renew --own Release--> Released
//	  ^------ View names another, or another term --------'  (a new term: Renew)
//
// In Released it tells its Release again and again instead of asking, because the
// leader that heard it may be gone; it serves no more in that term whatever
// arrives. Pure: times are arguments, on the node's monotonic clock.
type Holder struct {
	t    Timing
	self topology.NodeID
	run  topology.RunID

	shard    topology.ShardID // empty in None
	term     uint64
	until    int64 // the lease is good before it; 0: none
	released *Released
	nextSend int64
	leadTerm uint64 // of the leader asked last
	index    uint64 // of the newest View seen
	seq      uint64
	asks     [maxAsks]ask // by seq modulo maxAsks
}

type ask struct {
	seq  uint64
	sent int64
}

// Released is a primary's Release.
type Released struct {
	Shard  topology.ShardID `json:"shard"`
	Term   uint64           `json:"term"`
	Run    topology.RunID   `json:"run"`
	Offset int64            `json:"offset"`
	// Candidate is who is meant to take over; empty: the best.
	Candidate topology.NodeID `json:"candidate,omitempty"`
	// Leaving tells that the process ends, so it is no candidate itself.
	Leaving bool `json:"leaving,omitempty"`
}

// Ask is a renewal to be sent.
type Ask struct {
	Seq   uint64           `json:"seq"`
	Shard topology.ShardID `json:"shard"`
	Term  uint64           `json:"term"`
	Run   topology.RunID   `json:"run"`
	// Offset is the primary's replication offset, for the estimate of what a
	// failover loses.
	Offset int64 `json:"offset"`
}

// NewHolder returns the holder of one life of a node.
func NewHolder(t Timing, self topology.NodeID, run topology.RunID) *Holder {
	return &Holder{t: t, self: self, run: run}
}

// SetView follows the topology: any change of primary or term ends the lease. A View
// older than the newest seen is ignored.
func (h *Holder) SetView(now int64, v *topology.View) {
	if v.Index < h.index {
		return
	}
	h.index = v.Index
	var shard topology.ShardID
	var term uint64
	if s := v.ShardOf(h.self); s != nil && s.Primary == h.self && s.PrimaryRun == h.run {
		shard, term = s.ID, s.Term
	}
	if v.LeadTerm != h.leadTerm { // a new leader decides: ask it at once
		h.leadTerm, h.nextSend = v.LeadTerm, now
	}
	if shard == h.shard && term == h.term {
		return
	}
	h.shard, h.term = shard, term
	h.until, h.released, h.nextSend = 0, nil, now
	h.forgetAsks()
}

func (h *Holder) forgetAsks() { h.asks = [maxAsks]ask{} }

// Next returns what is to be sent now: an Ask, or the Release, or neither.
func (h *Holder) Next(now int64) (*Ask, *Released) {
	if h.shard == "" || now < h.nextSend {
		return nil, nil
	}
	h.nextSend = now + h.t.Renew
	if h.released != nil {
		return nil, h.released
	}
	h.seq++
	h.asks[h.seq%maxAsks] = ask{h.seq, now}
	return &Ask{Seq: h.seq, Shard: h.shard, Term: h.term, Run: h.run}, nil
}

// Granted takes the answer to an Ask: the lease runs from when the Ask was sent. An
// answer for another term, after Release or after Void is ignored.
func (h *Holder) Granted(seq uint64, shard topology.ShardID, term uint64) {
	a := h.asks[seq%maxAsks]
	if seq == 0 || a.seq != seq || shard != h.shard || term != h.term || h.released != nil {
		return
	}
	h.until = max(h.until, a.sent+h.t.Lease)
}

// Release ends the lease at once and for the rest of the term. It returns false
// when this node is not the primary of that term.
func (h *Holder) Release(now int64, r Released) bool {
	if h.shard == "" || h.shard != r.Shard || h.term != r.Term {
		return false
	}
	h.until = 0
	h.forgetAsks()
	r.Run = h.run
	h.released, h.nextSend = &r, now
	return true
}

// Void forgets the lease and everything asked: the clock cannot be trusted (the
// machine was suspended).
func (h *Holder) Void(now int64) {
	h.until, h.nextSend = 0, now
	h.forgetAsks()
}

// Lease returns what this node is primary of and until when it may serve it; 0: not
// now.
func (h *Holder) Lease() (shard topology.ShardID, term uint64, until int64) {
	return h.shard, h.term, h.until
}

// Starving reports that renewals have gone unanswered for two periods: the leader
// this node knows of may have gone, so all voters should be asked.
func (h *Holder) Starving(now int64) bool {
	return h.shard != "" && h.until-now < h.t.Lease-2*h.t.Renew-h.t.Round
}
