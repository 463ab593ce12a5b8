package replication

import (
	"math"

	"github.com/redwingdb/redwing/internal/clock"
)

// NeverHeard is the LinkAge of a node that has had no byte of a primary.
const NeverHeard = math.MaxInt64 / 4

// LinkAge returns how long ago, in nanoseconds, the last byte of the primary that is
// followed came.
func (r *Replication) LinkAge() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.link == nil {
		return NeverHeard
	}
	at := r.mu.link.lastIO.Load()
	if at == 0 {
		return NeverHeard
	}
	return max(0, clock.Mono()-at)
}

// Cuts counts the snapshots that were cut for full syncs, within their cuts.
func (r *Replication) Cuts() uint64 { return uint64(r.stats.Cuts.Load()) }
