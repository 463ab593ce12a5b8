package failover

import "github.com/redwingdb/redwing/internal/topology"

// Grantor is the leader's memory of the leases it gave. It is safe because of two
// facts that Leader provides: it answers a renewal only after a majority of voters
// has echoed its raft term in a round begun after the renewal came, so a later
// leader was elected after the renewal was sent; and a leader's Grantor starts at
// its election. A lease is [p, p+L) on the primary's clock, p being when it sent the
// renewal, so 1.05 L after the answer, or after an election, it is over.
type Grantor struct {
	wait    int64
	elected int64
	grants  map[topology.ShardID]*grant
}

type grant struct {
	answered int64  // when the last lease was given; 0: none by this leader
	released uint64 // the term whose primary released its lease; 0: none
	deposing uint64 // the term whose primary is being deposed; 0: none
}

// NewGrantor returns the memory of a leader elected at elected.
func NewGrantor(t Timing, elected int64) *Grantor {
	return &Grantor{wait: t.Wait, elected: elected, grants: map[topology.ShardID]*grant{}}
}

func (g *Grantor) at(shard topology.ShardID) *grant {
	e := g.grants[shard]
	if e == nil {
		e = new(grant)
		g.grants[shard] = e
	}
	return e
}

// Answer gives the lease for (shard, term) if nothing speaks against it, and
// remembers when. REQUIRES: a majority has echoed since the renewal came, and the
// View names the asking run as the primary of that term.
func (g *Grantor) Answer(now int64, shard topology.ShardID, term uint64) bool {
	e := g.at(shard)
	if e.released == term || e.deposing == term {
		return false
	}
	e.answered = now
	return true
}

// Begin gives a new primary the time of one lease to ask for its first: what the
// voters saw of the process before it was promoted must not depose it at once.
func (g *Grantor) Begin(now int64, shard topology.ShardID) { g.at(shard).answered = now }

// Release notes the primary's own word that it serves no more in term.
func (g *Grantor) Release(shard topology.ShardID, term uint64) { g.at(shard).released = term }

// Released reports whether the primary of term has released its lease.
func (g *Grantor) Released(shard topology.ShardID, term uint64) bool {
	return g.at(shard).released == term
}

// Depose stops leases for the primary of term. Only a proposed Promote, or a forced
// one about to be proposed, may call it.
func (g *Grantor) Depose(shard topology.ShardID, term uint64) { g.at(shard).deposing = term }

// Restore undoes Depose after the Promote was refused: the View's run may renew
// again. A Release is not undone; that run waits for a new Promote.
func (g *Grantor) Restore(shard topology.ShardID) { g.at(shard).deposing = 0 }

// Over reports whether no lease for the shard's term can be alive.
func (g *Grantor) Over(now int64, shard topology.ShardID, term uint64) bool {
	return g.Released(shard, term) || now >= g.OverAt(shard)
}

// OverAt is when the leases given so far, by this leader and those before it, are
// over on every clock.
func (g *Grantor) OverAt(shard topology.ShardID) int64 {
	return max(g.elected, g.at(shard).answered) + g.wait
}

// Forget drops what is remembered of shards that keep does not name.
func (g *Grantor) Forget(keep func(topology.ShardID) bool) {
	for id := range g.grants {
		if !keep(id) {
			delete(g.grants, id)
		}
	}
}
