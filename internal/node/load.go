package node

import (
	"context"
	"errors"
	"io/fs"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/redwingdb/redwing/internal/commands/admin"
	"github.com/redwingdb/redwing/internal/persist"
	"github.com/redwingdb/redwing/internal/replication"
)

// loading is the loading of the files at start, as INFO tells it.
//
//	begun (New) --everything is loaded--> over
type loading struct {
	over                 atomic.Bool
	done                 chan struct{} // closed when it is over
	startedAt            atomic.Int64  // Unix seconds
	total, read, usedMem atomic.Int64  // bytes
	keys, expired        atomic.Int64  // of the last load that ended
	aof                  bool          // the data come from an append-only file; set before over
}

// now reports whether data are still to come from the files.
func (l *loading) now() bool { return !l.over.Load() }

func (l *loading) progress(r *persist.Loaded) {
	l.read.Store(r.Bytes)
	l.usedMem.Store(r.UsedMem)
}

func (l *loading) ended(r *persist.Loaded) {
	l.keys.Store(r.Keys)
	l.expired.Store(r.Expired)
}

func (l *loading) status() admin.LoadStatus {
	return admin.LoadStatus{
		Loading: l.now(), StartedAt: l.startedAt.Load(), TotalBytes: l.total.Load(), LoadedBytes: l.read.Load(),
		RDBUsedMem: l.usedMem.Load(), Keys: l.keys.Load(), ExpiredKeys: l.expired.Load(),
	}
}

// loadStatus is what INFO tells of the load under way: of the files, or of a full sync.
func (n *Node) loadStatus() admin.LoadStatus {
	st := n.loading.status()
	if st.Loading {
		return st
	}
	if p, ok := n.repl.LoadProgress(); ok {
		st.Loading, st.StartedAt = true, p.StartedAt
		st.TotalBytes, st.LoadedBytes, st.RDBUsedMem = p.TotalBytes, p.LoadedBytes, p.UsedMem
	}
	return st
}

// isLoading reports whether commands that need data are to wait for them.
func (n *Node) isLoading() bool { return n.loading.now() || n.repl.Loading() }

// hasFiles reports whether there is anything to load.
func (n *Node) hasFiles() bool {
	if n.cfg.AppendOnly.Get() {
		if found, err := n.rewrites.File().Exists(); found || err != nil {
			return true
		}
	}
	_, err := n.disk.Stat(n.saves.Path())
	return !errors.Is(err, fs.ErrNotExist)
}

// load brings back what the node had, and then lets it take its role. An error says that
// the node cannot go on: what it has in memory then must not be saved.
func (n *Node) load(ctx context.Context) error {
	began := time.Now()
	n.loading.startedAt.Store(began.Unix())
	if err := n.loadFiles(ctx); err != nil {
		return err
	}
	if n.loading.total.Load() > 0 {
		n.log.Info("loaded", zap.Int64("keys", n.loading.keys.Load()), zap.Int64("expired", n.loading.expired.Load()), zap.Duration("took", time.Since(began)))
	}
	n.saves.Loaded()
	if n.cluster != nil {
		if err := n.cluster.lineage.settle(n.loading.aof && n.cfg.AppendFsync.Get() == "always"); err != nil {
			return err
		}
	}
	n.loading.over.Store(true)
	close(n.loading.done) // a node of a cluster takes its role
	if n.cluster == nil {
		if err := n.begin(ctx); err != nil {
			return err
		}
	}
	n.log.Info("ready", zap.String("version", Version), zap.Int64("port", n.cfg.Port.Get()), zap.Bool("cluster", n.cluster != nil))
	return nil
}

// loadFiles loads the append-only file if there is to be one and it is there, else the RDB
// file, and begins to write the former.
func (n *Node) loadFiles(ctx context.Context) error {
	if n.cfg.AppendOnly.Get() {
		got, err := n.loadAOF(ctx)
		if err != nil {
			return err
		}
		if got.Files > 0 {
			n.loading.aof = true
			return n.startAOF(got)
		}
	}
	// Other than Redis, which would begin with nothing beside a file full of data.
	if _, err := n.loadRDB(ctx); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if n.cfg.AppendOnly.Get() {
		return n.rewrites.Begin(ctx)
	}
	return nil
}

// loadRDB loads the RDB file. In a cluster, and on a replica, keys that have expired stay:
// the stream of effects may go on from here, and tells what becomes of them.
func (n *Node) loadRDB(ctx context.Context) (persist.Loaded, error) {
	path := n.saves.Path()
	info, err := n.disk.Stat(path)
	if err != nil {
		return persist.Loaded{}, err
	}
	n.loading.total.Store(info.Size())
	got, err := persist.ReadFile(ctx, n.disk, path, persist.ReadOptions{
		Keyspace: n.keyspace, DropExpired: n.cluster == nil && len(n.cfg.ReplicaOf.Get()) == 0,
		KeyDelay: time.Duration(n.cfg.KeyLoadDelayMicros.Get()) * time.Microsecond,
		Progress: n.loading.progress,
	})
	if err != nil {
		return got, err
	}
	n.loading.ended(&got)
	n.libraries.Replace(got.Libraries)
	n.repl.Recover(got.Position)
	return got, nil
}

// begin makes a plain node what its configuration says: a replica, or a primary with a
// history of its own.
func (n *Node) begin(ctx context.Context) error {
	if len(n.cfg.ReplicaOf.Get()) == 2 {
		return n.followConfigured()
	}
	return n.repl.Promote(ctx, replication.Mark{})
}
