package main

import (
	"os"

	"github.com/redwingdb/redwing/internal/clusterctl"
	"github.com/spf13/cobra"
)

func newStatus(g *global) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show the cluster with each member's load",
		Args:  exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return g.conns(func(c *clusterctl.Conns) error {
				s, err := clusterctl.ReadStatus(cmd.Context(), c, g.addr)
				if err != nil {
					return err
				}
				if g.json() {
					return clusterctl.PrintJSON(os.Stdout, s)
				}
				return clusterctl.PrintStatus(os.Stdout, s)
			})
		},
	}
}

func newNodes(g *global) *cobra.Command {
	return &cobra.Command{
		Use:   "nodes",
		Short: "List the members with their ids and slots",
		Args:  exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return g.conns(func(c *clusterctl.Conns) error {
				st, err := c.State(cmd.Context(), g.addr)
				if err != nil {
					return err
				}
				if g.json() {
					return clusterctl.PrintJSON(os.Stdout, st.Members())
				}
				clusterctl.PrintNodes(os.Stdout, st)
				return nil
			})
		},
	}
}

func newCheck(g *global) *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Ask every member whether the cluster is healthy (exit code 3 if not)",
		Args:  exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return g.conns(func(c *clusterctl.Conns) error {
				r, err := clusterctl.Check(cmd.Context(), c, g.addr)
				if err != nil {
					return err
				}
				if g.json() {
					err = clusterctl.PrintJSON(os.Stdout, r)
				} else {
					err = clusterctl.PrintReport(os.Stdout, r)
				}
				if err == nil && !r.Healthy() {
					return clusterctl.ErrUnhealthy
				}
				return err
			})
		},
	}
}

func newMigrations(g *global) *cobra.Command {
	var cancel bool
	cmd := &cobra.Command{
		Use:   "migrations",
		Short: "List the slot moves, running and ended; --cancel ends the running ones",
		Args:  exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return g.conns(func(c *clusterctl.Conns) error {
				if cancel {
					return clusterctl.CancelAll(cmd.Context(), c, g.addr)
				}
				jobs, err := c.Migrations(cmd.Context(), g.addr)
				if err != nil {
					return err
				}
				if g.json() {
					return clusterctl.PrintJSON(os.Stdout, jobs)
				}
				clusterctl.PrintMigrations(os.Stdout, jobs)
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&cancel, "cancel", false, "cancel every running move; their slots stay where they are")
	return cmd
}
