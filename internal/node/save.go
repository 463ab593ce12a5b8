package node

import (
	"context"
	"errors"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/redwingdb/redwing/internal/commands/admin"
	"github.com/redwingdb/redwing/internal/persist"
	"github.com/redwingdb/redwing/internal/persist/aof"
	"github.com/redwingdb/redwing/internal/slots"
)

// buildSaves builds what keeps the RDB file, and removes what dead runs have left of it.
func (n *Node) buildSaves() error {
	dir := n.cfg.Dir.Get()
	n.turns, n.libraries = persist.NewTurns(), &persist.Libraries{}
	n.saves = persist.NewSaves(persist.SavesOptions{
		FS: n.disk, Path: filepath.Join(dir, n.cfg.DBFileName.Get()),
		Keyspace: n.keyspace, Turns: n.turns, Libraries: n.libraries,
		Position: n.position, Settings: n.saveSettings, Logger: n.log,
	})
	return persist.RemoveTemporary(n.disk, dir, func(pid int) bool {
		return !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
	})
}

// saveSettings is what the saves ask of the configuration.
func (n *Node) saveSettings() persist.SaveSettings {
	c := n.cfg
	points := c.Save.Get()
	set := persist.SaveSettings{
		StopWrites: c.StopWrites.Get(), Compress: c.RDBCompression.Get(), Checksum: c.RDBChecksum.Get(),
		NoSync: !c.RDBIncrementalSync.Get(), KeyDelay: time.Duration(c.RDBKeyDelayMicros.Get()) * time.Microsecond,
		Points: make([]persist.SavePoint, len(points)),
	}
	for i, p := range points {
		set.Points[i] = persist.SavePoint(p)
	}
	set.Version, _ = strconv.Atoi(c.RDBVersion.Get()) // "auto" is 0
	return set
}

// position tells where the data stand. REQUIRES: all shards locked.
func (n *Node) position() (persist.Position, error) {
	if n.loading.now() {
		return persist.NoPosition, persist.ErrNoData
	}
	return n.repl.Position()
}

// whole reports whether there is a data set that can be saved.
func (n *Node) whole() bool {
	return !n.loading.now() && !n.repl.Loading() && !n.repl.Progress().FullSync
}

// saveBeforeEnd writes the file that SHUTDOWN or a signal asks for. Nothing is written where
// the data are not whole: the file there is is better. REQUIRES: writes are held.
func (n *Node) saveBeforeEnd(ctx context.Context, mode admin.ShutdownMode) error {
	if n.cfg.AppendOnly.Get() && n.rewrites.File().State() != aof.On && n.whole() && !mode.Force {
		return errNoAOF
	}
	if mode.NoSave || !mode.Save && !n.saves.Points() || !n.whole() {
		return nil
	}
	n.log.Info("saving before the end")
	return n.saves.Final(ctx)
}

// errNoAOF keeps a node from ending that would find less at its next start than it has now.
var errNoAOF = errors.New("node: the append-only file does not hold the data yet")

// reload is DEBUG RELOAD: nobody sees a part of the data meanwhile.
func (n *Node) reload(mode admin.ReloadMode) error {
	path := n.saves.Path()
	if _, err := n.disk.Stat(path); err != nil {
		return err // and the data stay
	}
	all := n.keyspace.AllShards()
	n.keyspace.Own(all)
	defer n.keyspace.Disown(all)
	if !mode.NoFlush {
		n.keyspace.FlushAll()
	}
	every := slots.All()
	n.server.Watches().DirtySlots(&every)
	got, err := persist.ReadFile(context.Background(), n.disk, path, persist.ReadOptions{
		Keyspace: n.keyspace, Owned: true, DropExpired: !n.repl.IsReplica() && n.cluster == nil, Merge: mode.Merge,
	})
	if err != nil {
		n.log.Error("reload failed", zap.Error(err))
		return err
	}
	n.loading.ended(&got)
	if !mode.NoFlush {
		n.saves.Loaded()
	}
	return nil
}
