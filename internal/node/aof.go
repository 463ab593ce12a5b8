package node

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/config"
	"github.com/redwingdb/redwing/internal/migration"
	"github.com/redwingdb/redwing/internal/persist"
	"github.com/redwingdb/redwing/internal/persist/aof"
	"github.com/redwingdb/redwing/internal/resp"
	"github.com/redwingdb/redwing/internal/server"
	"github.com/redwingdb/redwing/internal/slots"
)

// buildRewrites builds what keeps the append-only file.
func (n *Node) buildRewrites() {
	n.rewrites = persist.NewRewrites(persist.RewritesOptions{
		FS: n.disk, Dir: n.cfg.Dir.Get(), Sub: n.cfg.AppendDirname.Get(), Name: n.cfg.AppendFilename.Get(),
		Log: n.effects, Keyspace: n.keyspace, Turns: n.turns, Libraries: n.libraries,
		Position: n.basePosition,
		Whole:    func() bool { return n.whole() && !n.staging.Busy() }, Settings: n.rewriteSettings,
		Changed: n.aofChanged, Synced: n.aofSynced, Logger: n.log,
	})
	n.cfg.OnChange("appendonly", func() error { n.rewrites.Heed(); return nil })
	n.cfg.OnChange("appendfsync", func() error {
		n.awaitDurable(n.rewrites.File().State())
		n.rewrites.Heed()
		return nil
	})
}

// basePosition tells where the data stand, for a base. While slots are on their way here
// there is none: their records would be in the increments that it replaces. REQUIRES: all
// shards locked.
func (n *Node) basePosition() (persist.Position, error) {
	if n.staging.Busy() {
		return persist.NoPosition, persist.ErrLater
	}
	return n.repl.Position()
}

// loggedCopies are a shard's copies as slot moves ask for them, this node's own file among
// them where acknowledged means on disk: the source drops the slots once they have moved.
type loggedCopies struct {
	migration.Replicas
	n *Node
}

// Confirm implements migration.Replicas.
func (r loggedCopies) Confirm(ctx context.Context, offset int64) error {
	if file := r.n.rewrites.File(); fsyncPolicy(r.n.cfg) == aof.Always && file.State() == aof.On {
		if err := file.AwaitSynced(ctx, offset); err != nil {
			return err
		}
	}
	return r.Replicas.Confirm(ctx, offset)
}

// rewriteSettings is what the append-only file asks of the configuration.
func (n *Node) rewriteSettings() persist.RewriteSettings {
	c := n.cfg
	return persist.RewriteSettings{
		Enabled: c.AppendOnly.Get(), Policy: fsyncPolicy(c), NoSyncOnRewrite: c.NoFsyncOnRewrite.Get(),
		Timestamps: c.AOFTimestamps.Get(), KeepHistory: c.AOFKeepHistory.Get(),
		GrowPercent: c.AOFRewritePercent.Get(), MinBytes: c.AOFRewriteMinBytes.Get(),
		Compress: c.RDBCompression.Get(), Checksum: c.RDBChecksum.Get(), NoSync: !c.AOFIncrementalSync.Get(),
		KeyDelay: time.Duration(c.RDBKeyDelayMicros.Get()) * time.Microsecond,
	}
}

func fsyncPolicy(c *config.Config) aof.Policy {
	switch c.AppendFsync.Get() {
	case "always":
		return aof.Always
	case "no":
		return aof.Never
	}
	return aof.EverySecond
}

// aofChanged has replies wait for the file, or not, as its state says. It is called under
// the lock of the file.
func (n *Node) aofChanged(s aof.State, synced int64) {
	switch {
	case s == aof.On:
		n.server.RestartDurable(synced)
		n.awaitDurable(s)
	case n.rewrites.File().Failure() != nil:
		n.server.LoseDurable()
	default: // nobody waits for a file that is not there, as in Redis
		n.awaitDurable(s)
		n.server.RestartDurable(math.MaxInt64)
	}
	n.repl.Synced()
}

func (n *Node) awaitDurable(s aof.State) {
	on := s == aof.On || n.rewrites.File().Failure() != nil
	n.server.Settings().AwaitDurable.Store(on && n.cfg.AppendFsync.Get() == "always")
}

// aofSynced is told of every fsync, under the lock of the file.
func (n *Node) aofSynced(offset int64) {
	n.server.SetDurable(offset)
	n.repl.Synced()
}

// unlogged is the gate of an append-only file that cannot be written. The text is that of
// Redis 7.2, server.c, writeGetDiskErrorMessage.
func (n *Node) unlogged() *resp.Error {
	err := n.rewrites.File().Failure()
	if err == nil {
		return nil
	}
	why := err.Error()
	var errno syscall.Errno
	if errors.As(err, &errno) {
		why = errno.Error()
	}
	why = strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, why)
	return resp.NewError("MISCONF Errors writing to the AOF file: " + strings.ToUpper(why[:1]) + why[1:])
}

// holdWriter is the gate of a file that is far behind.
func (n *Node) holdWriter(wake func()) bool {
	file := n.rewrites.File()
	return file.Behind() && file.AwaitRoom(wake)
}

// aofTarget is what an append-only file is loaded into.
type aofTarget struct {
	n       *Node
	ctx     context.Context
	applier *command.Applier
	reqs    []command.Request
	base    persist.Loaded
	warned  bool
}

// Base implements aof.Target. No key is left out for having expired: what follows may say
// otherwise of it.
func (t *aofTarget) Base(in *bufio.Reader) error {
	n := t.n
	got, err := persist.Read(t.ctx, in, persist.ReadOptions{
		Keyspace: n.keyspace, KeyDelay: time.Duration(n.cfg.KeyLoadDelayMicros.Get()) * time.Microsecond,
	})
	t.base = got
	if err == nil {
		n.libraries.Replace(got.Libraries)
	}
	return err
}

// Apply implements aof.Target.
func (t *aofTarget) Apply(block []aof.Request) error {
	if err := t.ctx.Err(); err != nil {
		return err
	}
	t.reqs = t.reqs[:0]
	for _, r := range block {
		if command.Is(r.Args[0], "function") || command.Is(r.Args[0], "script") {
			if !t.warned {
				t.warned = true
				t.n.log.Warn("functions and scripts of the append-only file are left out")
			}
			continue
		}
		t.reqs = append(t.reqs, command.Request(r))
	}
	switch len(t.reqs) {
	case 0:
		return nil
	case 1:
		return t.applier.Apply(t.reqs[0].DB, t.reqs[0].Args, nil)
	}
	return t.applier.ApplyBlock(t.reqs, nil)
}

// loadAOF loads the append-only file. found is false if there is none.
func (n *Node) loadAOF(ctx context.Context) (got aof.Loaded, err error) {
	t := &aofTarget{n: n, ctx: ctx, applier: command.NewApplier(n.table, n.keyspace)}
	file := n.rewrites.File()
	n.loading.total.Store(file.TotalBytes())
	got, err = file.Load(t, aof.LoadOptions{
		Databases: n.keyspace.Databases(), Truncated: n.cfg.AOFLoadTruncated.Get(), Progress: n.loading.read.Store,
	})
	if err != nil || got.Files == 0 {
		return got, err
	}
	// What was on its way here is staged again: whose it is shows once a View has come.
	n.loading.ended(&t.base)
	pos := persist.Position{Offset: t.base.Position.Offset, StreamDB: -1, Mark: t.base.Position.Mark}
	if got.Offset > 0 {
		pos.Offset = got.Offset
	}
	if got.Mark != "" {
		pos.Mark = got.Mark
	}
	n.repl.Recover(pos)
	return got, nil
}

// startAOF goes on with the file that was loaded.
func (n *Node) startAOF(from aof.Loaded) error {
	all := n.keyspace.AllShards()
	n.keyspace.Own(all)
	defer n.keyspace.Disown(all)
	pos, err := n.repl.Position()
	if err != nil {
		return err
	}
	return n.rewrites.File().Start(from, aof.Stream{Offset: pos.Offset, DB: pos.StreamDB, Mark: pos.Mark})
}

// reloadAOF is DEBUG LOADAOF: clients hear that the data are loading meanwhile. Where the
// file cannot be loaded it stays like that: a part of the data would take its place.
func (n *Node) reloadAOF() error {
	n.rewrites.CallOff()
	n.server.HoldWrites(server.LoadingHolds, true)
	defer n.server.HoldWrites(server.LoadingHolds, false)
	file := n.rewrites.File()
	on := file.State() != aof.Off
	n.loading.over.Store(false)
	if err := file.Close(); err != nil {
		return err
	}
	n.staging.Reset()
	all := n.keyspace.AllShards()
	n.keyspace.Own(all)
	n.keyspace.FlushAll()
	every := slots.All()
	n.server.Watches().DirtySlots(&every)
	n.keyspace.Disown(all)
	got, err := n.loadAOF(context.Background())
	if err == nil && got.Files == 0 {
		err = errors.New("there is no append-only file")
	}
	if err == nil && on {
		err = n.startAOF(got)
	}
	if err != nil {
		n.log.Error("append-only file not loaded; restart the node", zap.Error(err))
		return fmt.Errorf("append-only file: %w", err)
	}
	n.loading.over.Store(true)
	return nil
}

// aofForReplication is the append-only file as replication sees it.
type aofForReplication struct{ n *Node }

// Enabled implements replication.AOF.
func (a aofForReplication) Enabled() bool { return a.n.cfg.AppendOnly.Get() }

// Synced implements replication.AOF.
func (a aofForReplication) Synced() (int64, bool) { return a.n.rewrites.File().Synced() }

// closeAOF writes and syncs what is left.
func (n *Node) closeAOF() {
	if err := n.rewrites.Close(); err != nil {
		n.log.Error("append-only file not written to its end", zap.Error(err))
	}
}
