package aof

import "time"

// group decides how long an fsync that clients wait for is put off, so that it serves more
// of them. Clients come back with their next write as soon as they are answered: without
// it, the first to come back would have the next fsync for itself and all others would
// wait for the one behind that.
//
// What was written since the last fsync began is taken for what its clients write in one
// round. The next fsync waits until most of that has come again, for at most as long as
// an fsync takes, or as 50 clients take to come back; where it does not come, the wait is
// left out for a while. It is pure.
type group struct {
	syncedAt int64 // log offset behind the last sync
	round    int64 // bytes that a round of all clients writes
	nanos    int64 // that an fsync takes, smoothed
	syncs    int   // that were measured
	slow     int   // syncs to come that nobody does in passing
	waited   bool  // for the next one
	misses   uint  // waits that came to nothing, one behind the other
	skip     int   // syncs to come that do not wait
}

const (
	maxGroupWait   = 2 * time.Millisecond
	minGroupWait   = 500 * time.Microsecond
	maxGroupMisses = 7 // at most every 128th sync tries again

	// Up to quickSync an fsync is done by who waits for it: to hand over and be woken costs
	// as much, and what arrives meanwhile makes the next group. One that takes slowSync
	// puts an end to that for a while: other clients of the loop would notice.
	quickSync   = time.Millisecond
	slowSync    = 5 * time.Millisecond
	quickAfter  = 16
	slowPenalty = 64
)

// synced notes a sync that took nanos: all before at is on disk, the log was at end then.
func (g *group) synced(at, end, nanos int64) {
	g.round = end - g.syncedAt
	g.syncedAt = at
	g.nanos += (nanos - g.nanos) / 8
	g.syncs = min(g.syncs+1, quickAfter)
	if g.slow > 0 {
		g.slow--
	}
	if nanos >= int64(slowSync) {
		g.slow = slowPenalty
	}
	g.waited = false
	if g.skip > 0 {
		g.skip--
	}
}

// quick reports whether an fsync takes so little that who waits for it may do it.
func (g *group) quick() bool {
	return g.syncs == quickAfter && g.slow == 0 && g.nanos <= int64(quickSync)
}

// wait returns the log offset to wait for before the next sync, and for how long at most;
// 0: not at all. at is what would be synced now.
func (g *group) wait(at int64) (offset int64, limit time.Duration) {
	want := g.syncedAt + g.round*7/8
	if g.waited || g.skip > 0 || at >= want {
		return 0, 0
	}
	limit = min(max(time.Duration(g.nanos), minGroupWait), maxGroupWait)
	g.waited = true
	return want, limit
}

// met notes how a wait has ended.
func (g *group) met(ok bool) {
	if ok {
		g.misses = 0
		return
	}
	g.misses = min(g.misses+1, maxGroupMisses)
	g.skip = 1 << g.misses
}
