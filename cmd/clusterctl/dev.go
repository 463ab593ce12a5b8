package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/redwingdb/redwing/internal/clusterctl"
	"github.com/spf13/cobra"
)

func newDev(g *global) *cobra.Command {
	d := &clusterctl.Dev{}
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run a local cluster for trying things out",
		Args:  noCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	f := cmd.PersistentFlags()
	f.StringVar(&d.Dir, "dir", ".dev", "folder of the local cluster")
	f.StringVar(&d.Node, "node", siblingNode(), "path of the node binary")
	f.IntVar(&d.BasePort, "port", 7000, "port of the first node; the others follow")
	f.IntVar(&d.Primaries, "primaries", 3, "number of primaries")
	f.IntVar(&d.Replicas, "replicas", 1, "replicas a primary")
	up := &cobra.Command{
		Use:   "up [-- --directive value ...]",
		Short: "Start the local cluster and leave it running in the background",
		Long: `Starts the nodes that do not run, forms the cluster if it is not formed, and waits
until it is healthy. It may be called again at any time. What follows "--" goes to every
node that is started.`,
		Example: `  clusterctl dev up
  clusterctl dev up --dir /tmp/try --port 7100 --primaries 1 --replicas 2
  clusterctl dev up -- --cluster-node-timeout 5000 --maxmemory 100mb`,
		Args: func(cmd *cobra.Command, args []string) error {
			if n := cmd.ArgsLenAtDash(); n > 0 || n < 0 && len(args) > 0 {
				return &usageError{fmt.Errorf("%q: directives of the nodes come after --", args[0])}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			d.Args = args
			return g.conns(func(c *clusterctl.Conns) error {
				var err error
				if d.Dir, err = filepath.Abs(d.Dir); err != nil {
					return err
				}
				if err := d.Up(cmd.Context(), c, g.t.err); err != nil {
					return err
				}
				if g.json() {
					return clusterctl.PrintJSON(g.t.out, map[string]any{"dir": d.Dir, "nodes": d.Addrs()})
				}
				_, err = fmt.Fprintf(g.t.out, "%d primaries and %d replicas are up.\n\n  redis-cli -c -p %d\n  %[4]s -a 127.0.0.1:%[3]d status\n\nStop it with: %[4]s dev down%[5]s\n",
					d.Primaries, d.Primaries*d.Replicas, d.BasePort, os.Args[0], dirFlag(cmd))
				return err
			})
		},
	}
	down := &cobra.Command{
		Use:   "down",
		Short: "Stop the local cluster and remove its data",
		Example: `  clusterctl dev down
  clusterctl dev down --dir /tmp/try`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if d.Dir, err = filepath.Abs(d.Dir); err != nil {
				return err
			}
			n, err := d.Down(cmd.Context())
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(g.t.err, "stopped %d nodes\n", n)
			return err
		},
	}
	cmd.AddCommand(up, down)
	return cmd
}

// dirFlag returns the flag that "dev down" needs to find the same cluster.
func dirFlag(cmd *cobra.Command) string {
	if f := cmd.Flag("dir"); f.Changed {
		return " --dir " + f.Value.String()
	}
	return ""
}

// siblingNode returns the node binary that lies beside this one.
func siblingNode() string {
	self, err := os.Executable()
	if err != nil {
		return "node"
	}
	return filepath.Join(filepath.Dir(self), "node")
}
