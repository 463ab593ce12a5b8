package replication

import "math"

// NeverHeard is the LinkAge of a node that was never in sync with a primary.
const NeverHeard = math.MaxInt64 / 4

// LinkAge returns how long ago, in nanoseconds, the last byte of the stream came while
// this node was in sync with its primary. What another server says in a handshake does
// not count.
func (r *Replication) LinkAge() int64 {
	at := r.streamIO.Load()
	if at == 0 {
		return NeverHeard
	}
	return max(0, r.mono()-at)
}

// Cuts counts the snapshots that were cut for full syncs, within their cuts.
func (r *Replication) Cuts() uint64 { return uint64(r.stats.Cuts.Load()) }
