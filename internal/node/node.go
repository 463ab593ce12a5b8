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
	"github.com/redwingdb/redwing/internal/commands/admin"
	"github.com/redwingdb/redwing/internal/commands/cluster"
	"github.com/redwingdb/redwing/internal/commands/keys"
	"github.com/redwingdb/redwing/internal/commands/str"
	"github.com/redwingdb/redwing/internal/config"
	"github.com/redwingdb/redwing/internal/effects"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/migration"
	"github.com/redwingdb/redwing/internal/replication"
	"github.com/redwingdb/redwing/internal/server"
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
	repl      *replication.Replication
	users     *acl.Users
	table     *command.Table
	server    *server.Server
	rates     *admin.Rates
	listeners []net.Listener
	cluster   *clusterSide // nil in plain mode

	usedBytes atomic.Int64 // used memory, sampled by keepHouse

	shutdown *shutdown
}

// New builds a node and takes its ports. Every error is one line that tells the
// operator what to change.
func New(cfg *config.Config) (_ *Node, err error) {
	n := &Node{cfg: cfg, rates: &admin.Rates{}, shutdown: newShutdown()}
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
	n.effects = effects.NewLog(effects.Options{BacklogBytes: cfg.ReplBacklogBytes.Get()})
	var err error
	n.keyspace, err = engine.New(engine.Options{
		Databases: databases, Seed: randomSeed(), Sink: replication.Expiry{Log: n.effects},
	})
	if err != nil {
		return err
	}
	n.holds = &migration.Holds{}
	n.staging = migration.NewStaging(n.keyspace, n.holds)
	n.users = &acl.Users{}
	n.users.SetDefaultPassword(cfg.RequirePass.Get())
	cfg.OnChange("requirepass", func() error { n.users.SetDefaultPassword(cfg.RequirePass.Get()); return nil })
	return nil
}

func (n *Node) closeData() {
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
		Settings: settings, Logger: n.log,
		Gates: server.Gates{OverMemory: n.overMemory, FewReplicas: n.fewReplicas, Loading: n.repl.Loading},
	}
	if n.cluster != nil {
		o.Cluster = n.cluster
	}
	if n.server, err = server.New(o); err != nil {
		return err
	}
	if n.cluster != nil {
		for _, directive := range []string{"replica-priority", "cluster-replica-no-failover"} {
			cfg.OnChange(directive, func() error { n.cluster.announce(); return nil })
		}
	}
	n.repl.Start(n.table, n.server.Watches())
	return nil
}

// overMemory is the gate of maxmemory. Nothing can be evicted yet: the policy is
// noeviction. It sees what was used up to houseEvery ago: to sum the counters of all
// shards and databases for each write would cost more than the write.
func (n *Node) overMemory() bool {
	most := n.cfg.MaxMemoryBytes.Get()
	return most > 0 && n.usedBytes.Load() > most
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
		Keyspace: n.keyspace, Log: n.effects, Settings: n.replicationSettings, Logger: n.log,
		Dropped: n.staging.Reset, Followed: n.cfg.SetReplicaOf,
	}
	if n.cluster != nil {
		o.Cluster = true
		o.Node, o.Run = func() string { return string(n.cluster.Self()) }, string(n.cluster.runID)
	}
	return o
}

// specs returns the specs of every command.
func (n *Node) specs() [][]command.Spec {
	return [][]command.Spec{
		str.Specs(),
		keys.Specs(keys.Deps{Cluster: n.cluster != nil}),
		server.Specs(),
		n.repl.Specs(),
		n.staging.Specs(),
		admin.Specs(admin.Deps{
			Config: n.cfg, Keyspace: n.keyspace,
			Table:    func() *command.Table { return n.table },
			Identity: admin.Identity{Version: Version, RunID: randomHex(40), StartedAt: time.Now()},
			Stats:    serverStats{n}, Rates: n.rates,
			Syncs: n.syncs, Replication: n.repl.Info, Loading: n.repl.Loading,
			Shutdown: n.shutdown.ask, AbortShutdown: n.shutdown.abort, Done: n.shutdown.ended,
		}),
		cluster.Specs(cluster.Deps{Control: n.control(), Keyspace: n.keyspace, Config: n.cfg}),
	}
}

// control returns the control plane of a cluster node, nil in plain mode.
func (n *Node) control() cluster.Control {
	if n.cluster == nil {
		return nil
	}
	return n.cluster
}

// Run serves until the end is wished, by the context or by SHUTDOWN, or a part fails.
func (n *Node) Run(wish context.Context) error {
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
	run("housekeeping", n.keepHouse)
	if n.cluster != nil {
		run("cluster", n.cluster.run)
	} else if err := n.followConfigured(); err != nil {
		return err
	}
	for _, ln := range n.listeners {
		run("listener", func(context.Context) error { return n.server.Serve(ln) })
	}
	n.log.Info("ready", zap.String("version", Version), zap.Int64("port", n.cfg.Port.Get()), zap.Bool("cluster", n.cluster != nil))

	select {
	case <-wish.Done(): // a signal
	case <-n.shutdown.asked:
	case <-ctx.Done():
	}
	cause := context.Cause(ctx) // nil unless a part has failed
	n.stop(cause)
	cancel(nil)
	if n.cluster != nil {
		n.cluster.close()
	}
	n.shutdown.end()
	n.endServing()
	wg.Wait()
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
