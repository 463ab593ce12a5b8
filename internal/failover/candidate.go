package failover

import (
	"cmp"

	"github.com/redwingdb/redwing/internal/topology"
)

// Report is a copy's answer to the question how far it has come.
type Report struct {
	Node     topology.NodeID  `json:"node"`
	Run      topology.RunID   `json:"run"`
	Shard    topology.ShardID `json:"shard"`
	Progress Progress         `json:"progress"`
	at       int64            // when it came
}

// class orders copies before their offsets are compared.
type class uint8

const (
	classInSync   class = iota // linked to the present term when the primary fell silent
	classStale                 // linked to it once, and not long ago
	classUnlinked              // has data, never linked to the present term
	classEmpty                 // no data
	classNone                  // no candidate
)

// copyState is what is known about one copy of a shard when a primary is chosen.
type copyState struct {
	node     *topology.Node
	gone     bool // a majority of voters does not hear it
	dead     bool // a majority of voters saw it reset and refuse: the process has ended
	report   *Report
	eligible bool // not the very process that is being replaced
}

// classOf says how good a candidate the reporter is. silent is how long the
// primary has been silent.
func classOf(t *Timing, s *topology.Shard, c *copyState, inSyncOnly bool, silent int64) class {
	p := &c.report.Progress
	switch {
	case p.FullSync:
		return classNone
	case inSyncOnly && !s.IsInSync(c.node.ID, c.node.Run):
		return classNone
	case c.node.ID == s.Primary && c.node.Run == s.PrimaryRun:
		return classInSync // it released its lease and lives
	case p.Term == 0:
		return classEmpty
	case c.node.ID == s.Primary:
		return classStale // a restarted primary with data of its own
	}
	apart := p.LinkAgeNanos - silent // unlinked while the primary still lived
	switch {
	case p.LinkedTerm == s.Term && apart <= t.NodeTimeout:
		return classInSync
	case t.Validity != 0 && apart > t.Validity+t.NodeTimeout:
		return classNone
	case p.LinkedTerm == s.Term:
		return classStale
	}
	return classUnlinked
}

// choice is the outcome of choose.
type choice struct {
	best    *copyState
	class   class
	missing int // copies that have not reported and must be waited for
}

// choose picks the copy to be promoted among those that reported: by class, then
// term and offset, then, among the empty, the primary of before, then priority,
// then id. Priority 0 is never chosen by itself, but a shard's own primary may come
// back under any priority.
func choose(t *Timing, s *topology.Shard, copies []copyState, inSyncOnly bool, silent int64) choice {
	out := choice{class: classNone}
	for i := range copies {
		c := &copies[i]
		if !c.eligible {
			continue
		}
		if c.report == nil {
			if !c.gone {
				out.missing++
			}
			continue
		}
		if c.node.Priority == 0 && c.node.ID != s.Primary {
			continue
		}
		k := classOf(t, s, c, inSyncOnly, silent)
		if k == classNone {
			continue
		}
		if out.best == nil || better(s, k, c, out.class, out.best) {
			out.best, out.class = c, k
		}
	}
	if out.class == classEmpty {
		out.missing = unheard(s, copies)
	}
	return out
}

// unheard counts the copies that may hold the data which an empty candidate has
// not: every one that has not reported and whose process is not known to have ended.
// The primary counts until it has come back itself, however dead it seems: an empty
// replica never takes its place.
func unheard(s *topology.Shard, copies []copyState) int {
	n := 0
	for i := range copies {
		c := &copies[i]
		if c.report == nil && (!c.dead || c.node.ID == s.Primary) {
			n++
		}
	}
	return n
}

func better(s *topology.Shard, ka class, a *copyState, kb class, b *copyState) bool {
	pa, pb := &a.report.Progress, &b.report.Progress
	isPrimary := func(c *copyState) int {
		if ka == classEmpty && c.node.ID == s.Primary {
			return 0
		}
		return 1
	}
	return cmp.Or(
		cmp.Compare(ka, kb),
		-cmp.Compare(pa.Term, pb.Term),
		-cmp.Compare(pa.Offset, pb.Offset),
		cmp.Compare(isPrimary(a), isPrimary(b)),
		cmp.Compare(a.node.Priority, b.node.Priority),
		cmp.Compare(a.node.ID, b.node.ID),
	) < 0
}
