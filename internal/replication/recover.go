package replication

import (
	"go.uber.org/zap"

	"github.com/redwingdb/redwing/internal/persist"
)

// Position returns where the data of this node stand, for a file that is begun now;
// persist.ErrNoData while they are being replaced. REQUIRES: all shards locked.
func (r *Replication) Position() (persist.Position, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.dirty {
		return persist.NoPosition, persist.ErrNoData
	}
	p := persist.Position{Offset: r.o.Log.Cut(), StreamDB: -1, Mark: r.mu.mark.String()}
	if r.replica.Load() {
		p.StreamDB = r.mu.streamDB
	}
	// Slots on their way here are not in files: who came back without them could not go on
	// with the stream.
	if r.o.Log.Backlog().On && r.o.Log.Refused() == 0 && r.o.Keyspace.Len(r.o.Keyspace.StagingDB()) == 0 {
		p.ReplID = string(r.mu.history.id)
	}
	return p, nil
}

// Recover says that the data of this node, just loaded, stand at p. As a replica the node
// may then go on from there; as a primary it begins a history of its own, which its old
// replicas can follow as far as they have no more than the file. REQUIRES: nothing was
// written yet, and no shard is locked; Follow or Promote comes next.
func (r *Replication) Recover(p persist.Position) {
	backlog := r.settings().BacklogBytes
	ks := r.o.Keyspace
	ks.Lock(ks.AllShards())
	defer ks.Unlock(ks.AllShards())
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.recovered = true
	r.mu.mark, _ = ParseMark(p.Mark) // of another server's file there is none
	r.o.Log.Reset(p.Offset)
	if !validID(p.ReplID) {
		return
	}
	r.mu.history = history{id: ID(p.ReplID), id2: noID, second: -1}
	r.mu.streamDB = p.StreamDB
	r.o.Log.SetBacklog(true, backlog)
}

// dropForeign drops data whose file names another shard than m, of which this node is
// to be the primary: it has come there since, and has nothing of that shard.
func (r *Replication) dropForeign(m Mark) {
	r.mu.Lock()
	foreign := r.mu.recovered && m != (Mark{}) && r.mu.mark != (Mark{}) && !r.mu.mark.sameShard(m)
	if foreign {
		r.log.Warn("the file was of another shard: its data are dropped", zap.String("mark", r.mu.mark.String()))
		r.mu.recovered, r.mu.mark, r.mu.history = false, Mark{}, newHistory()
	}
	r.mu.Unlock()
	if !foreign {
		return
	}
	ks := r.o.Keyspace
	all := ks.AllShards()
	ks.Own(all)
	ks.FlushAll()
	ks.Disown(all)
	ks.NoteChanges(0, 1)
}

// Mark returns whose data this node has.
func (r *Replication) Mark() Mark {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mu.mark
}
