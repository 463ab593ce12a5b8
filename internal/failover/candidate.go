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
	inSync   bool // its run may lead where only in-sync copies may
	gone     bool // a majority of voters does not hear it
	dead     bool // a majority of voters saw it reset and refuse: the process has ended
	report   *Report
	eligible bool // not the very process that is being replaced
}

// rule is which copies of a shard may be promoted.
type rule struct {
	inSyncOnly bool // those of the in-sync set alone
	// lost: no run of the in-sync set lives. Each of its nodes must have reported
	// before one of them is chosen.
	lost bool
}

// classOf says how good a candidate the reporter is. silent is how long the
// primary has been silent.
func classOf(t *Timing, s *topology.Shard, c *copyState, by rule, silent int64) class {
	p := &c.report.Progress
	switch {
	case p.FullSync:
		return classNone
	case by.inSyncOnly && !c.inSync:
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
		k := classOf(t, s, c, by, silent)
		if k == classNone {
			continue
		}
		if out.best == nil || better(s, k, c, out.class, out.best) {
			out.best, out.class = c, k
		}
	}
	switch {
	case by.inSyncOnly && by.lost:
		out.missing = unreported(copies)
	case out.class == classEmpty, out.best != nil && !by.inSyncOnly && fromDisk(out.best):
		out.missing = unheard(s, copies, waited >= t.Return)
	}
	return out
}

// unreported counts the copies of a lost in-sync set that have not reported, gone or
// not: only all of them together know what had been acknowledged.
func unreported(copies []copyState) (n int) {
	for i := range copies {
		if copies[i].inSync && copies[i].report == nil {
			n++
		}
	}
	return n
}

// unheard counts the copies that may hold the data which an empty candidate has
// not, or one that has nothing but its disk: every one that has not reported, until its
// process is known to have ended and has had time to come back with what it had saved. The
// primary counts until it has come back itself, however dead it seems: such a replica never
// takes its place.
func unheard(s *topology.Shard, copies []copyState, enough bool) int {
	n := 0
	for i := range copies {
		c := &copies[i]
		if c.report == nil && (!c.dead || !enough || c.node.ID == s.Primary) {
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
