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
	cmd := &cobra.Command{Use: "dev", Short: "Run a local cluster for trying things out"}
	f := cmd.PersistentFlags()
	f.StringVar(&d.Dir, "dir", ".dev", "folder of the local cluster")
	f.StringVar(&d.Node, "node", siblingNode(), "path of the node binary")
	f.IntVar(&d.BasePort, "port", 7000, "port of the first node; the others follow")
	f.IntVar(&d.Primaries, "primaries", 3, "number of primaries")
	f.IntVar(&d.Replicas, "replicas", 1, "replicas a primary")
	up := &cobra.Command{
		Use:   "up",
		Short: "Start the local cluster and leave it running in the background",
		Args:  exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return g.conns(func(c *clusterctl.Conns) error {
				var err error
				if d.Dir, err = filepath.Abs(d.Dir); err != nil {
					return err
				}
				if err := d.Up(cmd.Context(), c, os.Stderr); err != nil {
					return err
				}
				fmt.Fprintf(os.Stdout, "%d primaries and %d replicas are up.\n\n  redis-cli -c -p %d\n  clusterctl -a 127.0.0.1:%d status\n\nStop it with: clusterctl dev down\n",
					d.Primaries, d.Primaries*d.Replicas, d.BasePort, d.BasePort)
				return nil
			})
		},
	}
	down := &cobra.Command{
		Use:   "down",
		Short: "Stop the local cluster and remove its data",
		Args:  exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if d.Dir, err = filepath.Abs(d.Dir); err != nil {
				return err
			}
			n, err := d.Down(cmd.Context())
			if err == nil {
				fmt.Fprintf(os.Stderr, "stopped %d nodes\n", n)
			}
			return err
		},
	}
	cmd.AddCommand(up, down)
	return cmd
}

// siblingNode returns the node binary that lies beside this one.
func siblingNode() string {
	self, err := os.Executable()
	if err != nil {
		return "node"
	}
	return filepath.Join(filepath.Dir(self), "node")
}
