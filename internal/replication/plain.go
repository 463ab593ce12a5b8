package replication

import (
	"math"
	"slices"

	"go.uber.org/zap"

	"github.com/redwingdb/redwing/internal/resp"
)

// A plain replica has not said that it reads RDB version 12, as a redis-server older than 7.4
// has not. It knows no hashes with expiring fields, neither in a data set nor in the stream:
//
//	may attach --a field gets an expiry--> dropped, refused --no such field is left--> full sync
//
// No part of the stream that was written between such an expiry and the next cut for a plain
// replica is given to one: plainFrom is where that cut lies.

// errFieldExpiry is the answer to a server that cannot read what it would be sent: found
// only within the RDB it would have it ask for all of it again and again.
var errFieldExpiry = resp.NewError("ERR hashes with expiring fields need a replica that reads RDB version 12")

// refuse answers PSYNC, or SYNC, by an error.
func (a *attached) refuse(e *resp.Error) error {
	if err := a.write([]byte("-" + e.Error() + "\r\n")); err != nil {
		return err
	}
	return e
}

// noPlain is plainFrom where no part of the stream is for plain replicas.
const noPlain = math.MaxInt64

// fieldExpires is told that a field of a hash has an expiry now, before that is written to
// the stream. It is cheap as long as no plain replica has come since it was told last.
// REQUIRES: the hash's shard locked.
//
// None is missed that comes at the same time: plain is set before the replica is in the list,
// and its full sync looks at that shard, and cuts, only afterwards; what it may go on from
// without one was known here as well.
func (r *Replication) fieldExpires() {
	if !r.plain.Load() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.plain.Store(false)
	r.mu.plainFrom = noPlain
	for _, a := range slices.Clone(r.mu.replicas) {
		if !a.hs.latest {
			r.log.Warn("a hash has an expiring field now, which this replica cannot hold; it is refused until there is none",
				zap.String("addr", a.conn.RemoteAddr().String()))
			a.endLocked("it does not read RDB version 12")
		}
	}
}
