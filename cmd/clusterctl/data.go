package main

import (
	"fmt"
	"os"

	"github.com/redwingdb/redwing/internal/clusterctl"
	"github.com/redwingdb/redwing/internal/disk"
	"github.com/spf13/cobra"
)

func newBackup(g *global) *cobra.Command {
	var to, verify string
	cmd := &cobra.Command{
		Use:   "backup --to DIR | --verify DIR",
		Short: "Write the cluster's data into a folder, or check such a folder",
		Long: `Writes the data of the cluster into a folder: one RDB a shard, read from a replica where
one is healthy, and a manifest with their checksums. The manifest is written last:
without it a folder holds no backup. Each shard is saved as it was at one instant; the
instants of the shards differ. --verify reads a backup and holds it against its
manifest; it needs no cluster.`,
		Example: `  clusterctl -a 10.0.0.1:7000 backup --to /backup/2024-05-01 --yes
  clusterctl backup --verify /backup/2024-05-01`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case (to == "") == (verify == ""):
				return &usageError{fmt.Errorf("one of --to and --verify is needed; usage: %s", cmd.UseLine())}
			case verify != "":
				m, err := clusterctl.VerifyBackup(cmd.Context(), disk.OS{}, verify, clusterctl.NewTerminal(g.t.err, g.t.errTTY))
				if err != nil {
					return err
				}
				return g.printManifest(m)
			}
			return g.ask(cmd.Context(), func(c *clusterctl.Conns, seed string) error {
				b, err := clusterctl.PlanBackup(cmd.Context(), c, disk.OS{}, seed, to)
				if err != nil {
					return err
				}
				if err := g.execute(cmd.Context(), c, b); err != nil || b.Result == nil || g.json() {
					return err
				}
				return g.printManifest(b.Result)
			})
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "folder to write to; it is made if it is missing")
	cmd.Flags().StringVar(&verify, "verify", "", "folder of a backup to check")
	return g.planFlags(cmd)
}

func (g *global) printManifest(m *clusterctl.Manifest) error {
	if g.json() {
		return clusterctl.PrintJSON(g.t.out, m)
	}
	return clusterctl.PrintManifest(g.t.out, m)
}

func newRestore(g *global) *cobra.Command {
	var from string
	var o clusterctl.RestoreOptions
	cmd := &cobra.Command{
		Use:   "restore --from DIR",
		Short: "Read a backup into the cluster",
		Long: `Reads a backup into a cluster of any layout: each key goes to the owner of its slot, with
its expiry. All of the backup is held against its manifest before the first key is
written. The cluster must be empty. With --merge it may have keys, which stay; keys of
the backup that it has already are left out, or with --replace take their place. If it
is interrupted, run the same command again: it compares what it has written, and goes on.`,
		Example: `  clusterctl -a 10.0.0.1:7000 restore --from /backup/2024-05-01 --dry-run
  clusterctl -a 10.0.0.1:7000 restore --from /backup/2024-05-01 --yes`,
		Args: exactly(0),
		RunE: g.planless(func(cmd *cobra.Command, c *clusterctl.Conns, seed string) error {
			r, err := clusterctl.PlanRestore(cmd.Context(), c, disk.OS{}, seed, from, o)
			if err != nil {
				return err
			}
			if err := g.execute(cmd.Context(), c, r); err != nil || r.Result == nil || g.json() {
				return err
			}
			return clusterctl.PrintRestore(g.t.out, r.Result)
		}),
	}
	cmd.Flags().StringVar(&from, "from", "", "folder of the backup")
	cmd.Flags().BoolVar(&o.Merge, "merge", false, "restore into a cluster that has keys")
	cmd.Flags().BoolVar(&o.Replace, "replace", false, "with --merge: keys of the backup replace keys of the same name")
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error { return needs(cmd, "from") }
	return g.planFlags(cmd)
}

func newImport(g *global) *cobra.Command {
	o := clusterctl.ImportOptions{Password: os.Getenv("CLUSTERCTL_FROM_PASSWORD")}
	cmd := &cobra.Command{
		Use:   "import --from HOST:PORT",
		Short: "Bring the data of a live Redis server or cluster into the cluster",
		Long: `Copies a running Redis server, or every primary of a Redis cluster, into the cluster
while its clients go on: it reads the source as a replica does, writes each key to the
owner of its slot, and follows what is written meanwhile. When it has caught up it asks
for the cut-over: it holds the writers of the source (CLIENT PAUSE WRITE), brings the rest over,
compares both sides and ends; clients then go to the cluster. With --no-pause the
writers must have been stopped.

A server with several databases has one copied: --db says which. The source is only read.
If the import is interrupted, the same command deletes what it has copied and begins
anew.`,
		Example: `  clusterctl -a 10.0.0.1:7000 import --from 10.0.9.1:6379 --dry-run
  clusterctl -a 10.0.0.1:7000 import --from 10.0.9.1:6379 --yes
  clusterctl -a 10.0.0.1:7000 import --from 10.0.9.1:6379 --db 3 --merge --no-pause
  clusterctl -a 10.0.0.1:7000 import --from redis.example:6380 --from-tls --from-cacert ca.pem --yes`,
		Args: exactly(0),
		RunE: g.planless(func(cmd *cobra.Command, c *clusterctl.Conns, seed string) error {
			o.Confirm = g.question
			p, err := clusterctl.PlanImport(cmd.Context(), c, seed, o)
			if err != nil {
				return err
			}
			if err := g.execute(cmd.Context(), c, p); err != nil || p.Result == nil || g.json() {
				return err
			}
			return clusterctl.PrintImport(g.t.out, p.Result)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&o.From, "from", "", "host:port of the server, or of any member of the cluster, to copy")
	f.StringVar(&o.User, "from-user", "", "user there")
	f.StringVar(&o.Password, "from-password", o.Password, "password there (better: CLUSTERCTL_FROM_PASSWORD)")
	f.Lookup("from-password").DefValue = ""
	f.BoolVar(&o.TLS.On, "from-tls", false, "speak TLS there")
	f.StringVar(&o.TLS.ServerName, "from-sni", "", "name in the certificate there (default: the host)")
	f.StringVar(&o.TLS.CACert, "from-cacert", "", "file of the authorities that may have signed it (default: the system's)")
	f.StringVar(&o.TLS.Cert, "from-cert", "", "file of the certificate to show there")
	f.StringVar(&o.TLS.Key, "from-key", "", "file of its key")
	f.BoolVar(&o.TLS.Insecure, "from-insecure", false, "do not look at the certificate there")
	f.IntVar(&o.DB, "db", -1, "database to copy (default: the one that has keys)")
	f.Lookup("db").DefValue = ""
	f.BoolVar(&o.Merge, "merge", false, "write into a cluster that has keys; those of the source replace keys of the same name")
	f.BoolVar(&o.Flush, "flush", false, "empty the cluster first")
	f.BoolVar(&o.NoPause, "no-pause", false, "do not hold the writers of the source: they are stopped")
	f.DurationVar(&o.Pause, "pause", clusterctl.DefaultPause, "how long the writers of the source are held on after the cut-over")
	f.IntVar(&o.Samples, "samples", clusterctl.DefaultSamples, "keys of each source whose content is compared in the end")
	f.StringVar(&o.TempDir, "temp-dir", "", "folder for what of the stream does not fit into memory")
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error { return needs(cmd, "from") }
	return g.planFlags(cmd)
}

// planless builds the RunE of a command that handles its plan itself.
func (g *global) planless(run func(cmd *cobra.Command, c *clusterctl.Conns, seed string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, _ []string) error {
		return g.ask(cmd.Context(), func(c *clusterctl.Conns, seed string) error { return run(cmd, c, seed) })
	}
}

// needs refuses a command line without flags that must be there.
func needs(cmd *cobra.Command, flags ...string) error {
	for _, name := range flags {
		if !cmd.Flags().Changed(name) {
			return &usageError{fmt.Errorf("--%s is missing; usage: %s", name, cmd.Use)}
		}
	}
	return nil
}
