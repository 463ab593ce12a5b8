package main

import (
	"fmt"

	"github.com/redwingdb/redwing/internal/clusterctl"
	"github.com/spf13/cobra"
)

// newConfig is about the settings of the cluster as a whole; those of a node are CONFIG's.
func newConfig(g *global) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Show or change what holds for all nodes: synchronous writes",
		Args:  noCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(&cobra.Command{
		Use:   "get",
		Short: "Show the settings and which copies of each shard are in sync",
		Example: `  clusterctl -a 10.0.0.1:7000 config get
  clusterctl -a 10.0.0.1:7000 config get -o json`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return g.ask(cmd.Context(), func(c *clusterctl.Conns, seed string) error {
				st, err := c.State(cmd.Context(), seed)
				if err != nil {
					return err
				}
				s, err := clusterctl.ConfirmedSettings(cmd.Context(), c, st, seed)
				if err != nil {
					return err
				}
				if g.json() {
					return clusterctl.PrintJSON(g.t.out, s)
				}
				return clusterctl.PrintSettings(g.t.out, s, st)
			})
		},
	}, g.planFlags(&cobra.Command{
		Use:   "set SETTING VALUE [SETTING VALUE ...]",
		Short: "Change settings of the whole cluster, all or none",
		Long: `Changes settings that hold for all nodes alike, all or none:

  sync-writes      no, allowed (clients ask by CLIENT WRITE-CONCERN SYNC) or always
  sync-min-copies  in-sync copies without which writes of sync clients are refused;
                   0: half of the shard's copies, rounded up
  sync-timeout     milliseconds that a reply waits for the in-sync copies; 0: 2000`,
		Example: `  clusterctl -a 10.0.0.1:7000 config set sync-writes always
  clusterctl -a 10.0.0.1:7000 config set sync-min-copies 2 sync-timeout 1000`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 || len(args)%2 != 0 {
				return &usageError{fmt.Errorf("name pairs of a setting and its value: clusterctl config set SETTING VALUE")}
			}
			return nil
		},
		RunE: g.planned(clusterctl.PlanConfigure),
	}))
	return cmd
}
