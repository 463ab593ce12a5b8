// Package node is the composition root: it builds every part of a node from the
// configuration, starts them in order and ends them in reverse. It holds what ties
// parts together that must not know each other (which role the View gives this node,
// what CLUSTER commands set in motion) and no other logic. cmd/node calls it.
package node

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/redwingdb/redwing/internal/acl"
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/commands"
	"github.com/redwingdb/redwing/internal/commands/admin"
	"github.com/redwingdb/redwing/internal/commands/cluster"
	"github.com/redwingdb/redwing/internal/commands/keys"
	"github.com/redwingdb/redwing/internal/commands/message"
	"github.com/redwingdb/redwing/internal/config"
	"github.com/redwingdb/redwing/internal/disk"
	"github.com/redwingdb/redwing/internal/effects"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/migration"
	"github.com/redwingdb/redwing/internal/persist"
	"github.com/redwingdb/redwing/internal/pubsub"
	"github.com/redwingdb/redwing/internal/replication"
	"github.com/redwingdb/redwing/internal/server"
	"github.com/redwingdb/redwing/internal/slots"
)

// gcPercent is how far the Go heap may grow between collections: it is small, since
// keys and values are not in it.
const gcPercent = 400

// Node is one server process.
type Node struct {
	cfg   *config.Config
	log   *zap.Logger
	level zap.AtomicLevel

	keyspace  *engine.Keyspace
	effects   *effects.Log
	holds     *migration.Holds
	staging   *migration.Staging
	disk      disk.FS
	turns     *persist.Turns
	libraries *persist.Libraries
	saves     *persist.Saves
	rewrites  *persist.Rewrites
	loading   loading
	repl      *replication.Replication
	users     *acl.Users
	table     *command.Table
	server    *server.Server
	hub       *pubsub.Hub
	events    *command.Events
	rates     *admin.Rates
	listeners []net.Listener
	cluster   *clusterSide // nil in plain mode

	reclaimSoon  chan struct{} // asks reclaim not to wait; holds one
	evictNanos   atomic.Int64  // how long a command may evict
	backlogBytes atomic.Int64  // what keepHouse has counted of the backlog
	peakBytes    atomic.Int64  // the most that keepHouse has seen counted
	defrag       defragState
	startBytes   int64 // counted when the node began to serve

	// expireOff is set where DEBUG SET-ACTIVE-EXPIRE has switched keepHouse's expiry off.
	expireOff atomic.Bool

	shutdown *shutdown
}

// New builds a node and takes its ports. Every error is one line that tells the
// operator what to change.
func New(cfg *config.Config) (*Node, error) { return newOn(cfg, disk.OS{}) }

// newOn is New with the data files on a file system.
func newOn(cfg *config.Config, files disk.FS) (_ *Node, err error) {
	n := &Node{cfg: cfg, rates: &admin.Rates{}, shutdown: newShutdown(), reclaimSoon: make(chan struct{}, 1), disk: files}
	n.loading.done = make(chan struct{})
	if n.log, n.level, err = newLogger(cfg.LogFile.Get(), cfg.LogLevel.Get()); err != nil {
		return nil, err
	}
	cfg.OnChange("loglevel", func() error { n.level.SetLevel(zapLevel(cfg.LogLevel.Get())); return nil })
	if err := usableDir(cfg.Dir.Get()); err != nil {
		return nil, err
	}
	debug.SetGCPercent(gcPercent)
	if err := n.buildData(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			n.closeData()
		}
	}()
	if err := n.listen(); err != nil {
		return nil, err
	}
	if cfg.ClusterEnabled.Get() {
		if n.cluster, err = newClusterSide(n); err != nil {
			closeAll(n.listeners)
			return nil, err
		}
	}
	if err := n.buildServer(); err != nil {
		closeAll(n.listeners)
		if n.cluster != nil {
			n.cluster.close()
		}
		return nil, err
	}
	return n, nil
}

// usableDir makes sure that files can be made in dir.
func usableDir(dir string) error {
	st, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("dir %s: %w", dir, errors.Unwrap(err))
	}
	if !st.IsDir() {
		return fmt.Errorf("dir %s: not a directory", dir)
	}
	probe, err := os.CreateTemp(dir, ".probe-*")
	if err != nil {
		return fmt.Errorf("dir %s: cannot be written: %w", dir, errors.Unwrap(err))
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// buildData builds what holds and moves the data.
func (n *Node) buildData() error {
	cfg := n.cfg
	databases := int(cfg.Databases.Get())
	if cfg.ClusterEnabled.Get() {
		databases = 1
	}
	n.hub = pubsub.NewHub()
	n.events = command.NewEvents(func(channel, payload []byte, offset int64) {
		n.hub.Publish(pubsub.Channel, channel, payload, offset)
	})
	heed := func() error {
		n.events.SetClasses(command.ParseNotifyClasses(cfg.NotifyEvents.Get()))
		return nil
	}
	_ = heed() // it never fails
	cfg.OnChange("notify-keyspace-events", heed)
	n.effects = effects.NewLog(effects.Options{BacklogBytes: cfg.ReplBacklogBytes.Get()})
	var err error
	n.keyspace, err = engine.New(engine.Options{
		Databases: databases, Seed: randomSeed(), Sink: ownWrites{n},
	})
	if err != nil {
		return err
	}
	bindLimits(cfg, n.keyspace)
	n.bindEviction(cfg)
	n.holds = &migration.Holds{}
	n.staging = migration.NewStaging(n.keyspace, n.holds)
	if err := n.buildSaves(); err != nil {
		n.closeData()
		return fmt.Errorf("dir %s: %w", cfg.Dir.Get(), err)
	}
	n.buildRewrites()
	n.users = &acl.Users{}
	n.users.SetDefaultPassword(cfg.RequirePass.Get())
	cfg.OnChange("requirepass", func() error { n.users.SetDefaultPassword(cfg.RequirePass.Get()); return nil })
	return nil
}

func (n *Node) closeData() {
	if n.saves != nil {
		n.saves.Close()
	}
	if n.repl != nil {
		n.repl.Close()
	}
	n.effects.Close()
	n.keyspace.Close()
}

// listen takes the ports of clients.
func (n *Node) listen() (err error) {
	cfg := n.cfg
	if port := int(cfg.Port.Get()); port != 0 {
		if n.listeners, err = listenAll(cfg.Bind.Get(), port); err != nil {
			return err
		}
	}
	if path := cfg.UnixSocket.Get(); path != "" {
		ln, err := listenUnix(path, os.FileMode(cfg.UnixSocketPerm.Get()))
		if err != nil {
			closeAll(n.listeners)
			return err
		}
		n.listeners = append(n.listeners, ln)
	}
	return nil
}

// buildServer assembles the command table and the data path.
func (n *Node) buildServer() (err error) {
	cfg := n.cfg
	n.repl = replication.New(n.replicationOptions())
	if n.table, err = command.NewTable(n.specs()...); err != nil {
		return err
	}
	n.staging.Bind(n.table)
	settings := server.NewSettings()
	bindSettings(cfg, settings)
	o := server.Options{
		Table: n.table, Keyspace: n.keyspace, Log: n.effects, Replica: n.repl, Auth: n.users,
		Settings: settings, Logger: n.log, Hub: n.hub, Events: n.events,
		Loops:  eventLoops(cfg.IOThreads.Get()),
		Commit: func(inPlace bool) { n.rewrites.File().Commit(inPlace) },
		Gates: server.Gates{
			OverMemory: n.overMemory, FewReplicas: n.fewReplicas, Loading: n.isLoading, DiskError: n.saves.DeniesWrites,
			WriteDelay: n.keyspace.WriteDelay, Unlogged: n.unlogged, HoldWriter: n.holdWriter,
		},
		Links: n.links,
	}
	if n.cluster != nil {
		o.Cluster = n.cluster
	}
	if n.server, err = server.New(o); err != nil {
		return err
	}
	n.server.CountSlots(n.cluster != nil && cfg.SlotStats.Get())
	cfg.OnChange("cluster-slot-stats-enabled", func() error {
		n.server.CountSlots(n.cluster != nil && cfg.SlotStats.Get())
		return nil
	})
	if n.cluster != nil {
		for _, directive := range []string{"replica-priority", "cluster-replica-no-failover"} {
			cfg.OnChange(directive, func() error { n.cluster.announce(); return nil })
		}
	}
	n.bindReplication()
	n.repl.Start(n.table, n.server.Hearers())
	return nil
}

// fewReplicas is the gate of min-replicas-to-write, asked for every write.
func (n *Node) fewReplicas() bool { return n.cfg.MinReplicas.Get() > 0 && n.repl.FewReplicas() }

// syncs are the resyncs granted to replicas, for INFO.
func (n *Node) syncs() (full, partial, refused int64) {
	st := n.repl.Stats()
	return st.SyncFull.Load(), st.SyncPartialOK.Load(), st.SyncPartialErr.Load()
}

func (n *Node) replicationOptions() replication.Options {
	o := replication.Options{
		Keyspace: n.keyspace, Log: n.effects, Settings: n.replicationSettings, Logger: n.log, Dir: n.cfg.Dir.Get,
		Dropped: n.staging.Reset, Followed: n.cfg.SetReplicaOf, Demoted: func() { n.server.UnblockAll() },
		Turns: n.turns, Libraries: n.libraries, AOF: aofForReplication{n},
		NewClientID: func() uint64 { return n.server.NewClientID() },
		HoldWrites:  func(on bool) { n.server.HoldWrites(server.FailoverHolds, on) },
	}
	if n.cluster != nil {
		o.Cluster = true
		o.InSync = n.cluster.sync.questions()
		o.Node, o.Run = func() string { return string(n.cluster.Self()) }, string(n.cluster.runID)
	}
	return o
}

// specs returns the specs of every command.
func (n *Node) specs() [][]command.Spec {
	return append(commands.OnKeys(keys.Deps{
		Cluster: n.cluster != nil, LazyFlush: n.cfg.LazyUserFlush.Get, FreeSoon: n.hurry,
		Flushed: n.saves.Flushed, SyncWrites: n.syncWrites,
	}),
		server.Specs(),
		message.Specs(n.messageDeps()),
		n.repl.Specs(),
		n.staging.Specs(),
		admin.Specs(admin.Deps{
			Config: n.cfg, Keyspace: n.keyspace,
			Table:    func() *command.Table { return n.table },
			Identity: admin.Identity{Version: Version, RunID: randomHex(40), StartedAt: time.Now()},
			Stats:    serverStats{n}, Rates: n.rates,
			Memory: n.memoryCounts,
			Syncs:  n.syncs, Replication: n.repl.Info, Loading: n.isLoading,
			Saves: n.saves, Rewrites: n.rewrites, ReloadAOF: n.reloadAOF, LoadStatus: n.loadStatus, Reload: n.reload,
			Shutdown: n.shutdown.ask, AbortShutdown: n.shutdown.abort, ShutdownWaits: n.shutdown.waitsMillis, Done: n.shutdown.begun,
			ChangeReplicationID: n.repl.ChangeID,
			SetActiveExpire:     func(on bool) { n.expireOff.Store(!on) },
		}),
		cluster.Specs(cluster.Deps{Control: n.control(), Keyspace: n.keyspace, Config: n.cfg, SlotUse: n.slotUse}),
	)
}

// syncWrites reports whether clients may ask for synchronous writes.
func (n *Node) syncWrites() bool { return n.cluster != nil && n.cluster.sync.allowed.Load() }

// messageDeps says how messages travel: in a cluster over the bus, else to replicas by
// the effect log.
func (n *Node) messageDeps() message.Deps {
	if n.cluster != nil {
		return message.Deps{Hub: n.hub, Relay: n.cluster.relay.Publish}
	}
	return message.Deps{Hub: n.hub, Log: n.effects}
}

// slotUse is what SLOT-STATS asks of the server.
func (n *Node) slotUse(slot slots.Slot) (cluster.SlotUse, bool) {
	use, counted := n.server.SlotUse(slot)
	return cluster.SlotUse(use), counted
}

// control returns the control plane of a cluster node, nil in plain mode.
func (n *Node) control() cluster.Control {
	if n.cluster == nil {
		return nil
	}
	return n.cluster
}

// Run serves until the end is wished, by the context, a signal or SHUTDOWN, or a part
// fails. Other than the end of the context, a signal and SHUTDOWN come to nothing where
// the data are to be saved first and cannot be. signals may be nil.
func (n *Node) Run(wish context.Context, signals <-chan os.Signal) error {
	// The parts go on when the end is wished: the shard is given up through them.
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(wish))
	defer cancel(nil)
	if err := n.writePid(); err != nil {
		return err
	}
	var wg sync.WaitGroup
	run := func(name string, f func(context.Context) error) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if err := f(ctx); err != nil && ctx.Err() == nil {
				cancel(fmt.Errorf("%s: %w", name, err))
			}
		}()
	}
	n.startBytes = n.keyspace.CountedBytes()
	run("housekeeping", n.keepHouse)
	run("reclaim", n.reclaim)
	run("defragmentation", n.defragment)
	run("append-only file", n.rewrites.Run)
	if n.cluster != nil {
		run("cluster", n.cluster.run)
	}
	files := n.hasFiles()
	if !files { // clients need not hear of it
		if err := n.load(ctx); err != nil {
			cancel(fmt.Errorf("loading: %w", err))
		}
	}
	for _, ln := range n.listeners {
		run("listener", func(context.Context) error { return n.server.Serve(ln) })
	}
	if files {
		run("loading", n.load)
	}
	cause := n.awaitEnd(ctx, wish, signals)
	cancel(nil)
	if n.cluster != nil {
		n.cluster.close()
	}
	n.shutdown.end()
	n.endServing()
	wg.Wait()
	n.closeAOF()
	n.closeData()
	n.removePid()
	n.log.Info("bye")
	_ = n.log.Sync() // standard output cannot always be synced
	return cause
}

func (n *Node) endServing() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := n.server.Shutdown(ctx); err != nil {
		n.log.Warn("clients did not end in time", zap.Error(err))
	}
}

func (n *Node) writePid() error {
	path := n.cfg.PidFile.Get()
	if path == "" {
		return nil
	}
	if err := os.WriteFile(path, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644); err != nil {
		return fmt.Errorf("pidfile: %w", err)
	}
	return nil
}

func (n *Node) removePid() {
	if path := n.cfg.PidFile.Get(); path != "" {
		if err := os.Remove(path); err != nil {
			n.log.Warn("pidfile not removed", zap.Error(err))
		}
	}
}

// clusterDir is where the cluster side keeps its files.
func clusterDir(cfg *config.Config) string {
	if d := cfg.ClusterDir.Get(); d != "" {
		return d
	}
	return filepath.Join(cfg.Dir.Get(), "cluster")
}

func randomSeed() uint64 {
	var b [8]byte
	rand.Read(b[:]) // never fails since Go 1.24
	return binary.LittleEndian.Uint64(b[:])
}

func randomHex(digits int) string {
	b := make([]byte, digits/2)
	rand.Read(b) // never fails since Go 1.24
	return hex.EncodeToString(b)
}
