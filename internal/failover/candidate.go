package failover

import (
	"cmp"
	"slices"

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
	inSync   bool // its run may lead where only in-sync copies may
	gone     bool // a majority of voters does not hear it
	dead     bool // a majority of voters saw it reset and refuse: the process has ended
	report   *Report
	eligible bool // not the very process that is being replaced
}

// rule is which copies of a shard may be promoted.
type rule struct {
	inSyncOnly bool // those of the in-sync set alone
	// lost: no run of the in-sync set lives, and with it is gone what the set alone had
	// in memory. Once each of its nodes has reported, the copy with the newest data is
	// chosen, of the set or not: one that had left it may have nearly all, and a node
	// that lost its memory has nothing.
	lost bool
}

// classOf says how good a candidate the reporter is. silent is how long the
// primary has been silent.
func classOf(t *Timing, s *topology.Shard, c *copyState, by rule, silent int64) class {
	p := &c.report.Progress
	switch {
	case p.FullSync:
		return classNone
	case by.inSyncOnly && !c.inSync && !by.lost:
		return classNone
	case c.node.ID == s.Primary && c.node.Run == s.PrimaryRun:
		return classInSync // it released its lease and lives
	case p.Term == 0:
		return classEmpty
	case by.inSyncOnly && by.lost:
		return classStale
	case by.inSyncOnly:
		return classInSync // however long ago it was linked
	case c.node.ID == s.Primary:
		return classStale // a restarted primary with data of its own
	}
	apart := p.LinkAgeNanos - silent // unlinked while the primary still lived
	switch {
	case fromDisk(c) && p.Term == s.Term:
		return classStale
	case fromDisk(c):
		return classUnlinked
	case p.LinkedTerm == s.Term && apart <= t.NodeTimeout:
		return classInSync
	case t.Validity != 0 && apart > t.Validity+t.NodeTimeout:
		return classNone
	case p.LinkedTerm == s.Term:
		return classStale
	}
	return classUnlinked
}

// fromDisk reports whether a copy has nothing but what it had saved: its run was never
// linked to a primary.
func fromDisk(c *copyState) bool {
	return c.report.Progress.Term != 0 && c.report.Progress.LinkedTerm == 0
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
// waited is how long reports have been collected.
func choose(t *Timing, s *topology.Shard, copies []copyState, by rule, silent, waited int64) choice {
	out := choice{class: classNone}
	for i := range copies {
		c := &copies[i]
		if !c.eligible || c.report == nil {
			continue
		}
		if c.node.Priority == 0 && c.node.ID != s.Primary {
			continue
		}
		k := classOf(t, s, c, by, silent)
		if k == classNone {
			continue
		}
		if out.best == nil || better(s, k, c, out.class, out.best) {
			out.best, out.class = c, k
		}
	}
	poor := out.class == classEmpty || out.best != nil && !by.inSyncOnly && fromDisk(out.best)
	for i := range copies {
		c := &copies[i]
		switch {
		case c.report != nil:
		case by.inSyncOnly && by.lost && c.inSync, poor && mayHaveMore(s, c, waited >= t.Return), !poor && c.eligible && !c.gone:
			out.missing++
		}
	}
	return out
}

// mayHaveMore reports whether a copy that has not reported may hold the data which an
// empty candidate has not, or one that has nothing but its disk: until its process is
// known to have ended and has had time (enough) to come back with what it had saved. The
// primary may until it has come back itself, however dead it seems: such a replica never
// takes its place.
func mayHaveMore(s *topology.Shard, c *copyState, enough bool) bool {
	return !c.dead || !enough || c.node.ID == s.Primary
}

// awaited reports whether a node of a lost in-sync set has not reported, gone or not:
// only all of them together know what had been acknowledged.
func awaited(copies []copyState) bool {
	return slices.ContainsFunc(copies, func(c copyState) bool { return c.inSync && c.report == nil })
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
