package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/redwingdb/redwing/internal/disk"
	"github.com/redwingdb/redwing/internal/topology"
)

// maxLineage bounds the runs that a file names: those of a node that dies again and again
// before it can announce itself. The topology log takes no more.
const maxLineage = 64

// lineage knows which runs of this node the next one may continue: those of whose data the
// append-only file has all that they ever acknowledged as in-sync copies. While a run is in
// the file it acknowledges what is on disk and nothing else, as a replica and as a primary.
//
//	loose --in sync, appendfsync always--> strict --disk has caught up--> written
//	  ^--- the file is gone ------------------'-----------------------------'
//
// The next run begins strict and written if it has loaded that append-only file; it may
// then keep the place of the one before it in the in-sync set. The file lies in the cluster
// directory (docs/format/cluster-dir.md).
type lineage struct {
	fs    disk.FS
	path  string
	run   topology.RunID
	log   *zap.Logger
	known chan struct{} // closed once it is known whom this run continues

	strict    atomic.Bool
	continues []topology.RunID // set before known is closed

	mu struct {
		sync.Mutex
		runs []topology.RunID // in the file; empty: there is none
		from int64            // strict: what must be on disk before the run is written
	}
}

// openLineage reads what the run before has left.
func openLineage(fsys disk.FS, dir string, run topology.RunID, log *zap.Logger) (*lineage, error) {
	l := &lineage{fs: fsys, path: filepath.Join(dir, "lineage.json"), run: run, log: log, known: make(chan struct{})}
	f, err := fsys.OpenFile(l.path, os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 1<<16))
	if err == nil {
		err = json.Unmarshal(text, &l.mu.runs)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", l.path, err)
	}
	return l, nil
}

// settle says whether this run has brought back the data that the file stands for. It is
// called once, before the node takes any role.
func (l *lineage) settle(whole bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer close(l.known)
	before := l.mu.runs
	if !whole || len(before) == 0 {
		return l.endLocked()
	}
	l.strict.Store(true)
	runs := append(slices.Clone(before[max(0, len(before)+1-maxLineage):]), l.run)
	if err := l.writeLocked(runs); err != nil {
		return err
	}
	l.continues = before[max(0, len(before)-maxLineage):]
	return nil
}

// Continues waits until it is known which runs this one continues, and returns them.
func (l *lineage) Continues(ctx context.Context) []topology.RunID {
	select {
	case <-l.known:
		return l.continues
	case <-ctx.Done():
		return nil
	}
}

// tend moves on: want tells whether this run is an in-sync copy with appendfsync always,
// end is where its log stands, synced how far that is on disk.
func (l *lineage) tend(want bool, end, synced int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var err error
	switch {
	case !want && (l.strict.Load() || len(l.mu.runs) > 0):
		err = l.endLocked()
	case want && !l.strict.Load():
		l.mu.from = end
		l.strict.Store(true)
	case want && len(l.mu.runs) == 0 && synced >= l.mu.from:
		err = l.writeLocked([]topology.RunID{l.run})
	}
	if err != nil {
		l.log.Warn("which runs the next one may continue is not written", zap.Error(err))
	}
}

// end has no later run continue this one: it is about to lose its data. After an error it
// may not.
func (l *lineage) end() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.endLocked()
}

func (l *lineage) endLocked() error {
	if len(l.mu.runs) > 0 {
		if err := l.fs.Remove(l.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := l.fs.SyncDir(filepath.Dir(l.path)); err != nil {
			return err
		}
		l.mu.runs = nil
	}
	l.strict.Store(false)
	return nil
}

func (l *lineage) writeLocked(runs []topology.RunID) error {
	text, err := json.Marshal(runs)
	if err != nil {
		return err
	}
	l.mu.runs = runs // whatever becomes of it: there may be a file
	return disk.Replace(l.fs, l.path, l.path+".tmp", 0o600, func(f disk.File) error {
		_, err := f.Write(text)
		return err
	})
}
