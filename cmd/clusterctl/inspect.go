package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/redwingdb/redwing/internal/clusterctl"
	"github.com/spf13/cobra"
)

func newStatus(g *global) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show the cluster with each member's load",
		Example: `  clusterctl -a 10.0.0.1:7000 status
  clusterctl -a 10.0.0.1:7000 status -o json`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return g.ask(cmd.Context(), func(c *clusterctl.Conns, seed string) error {
				s, err := clusterctl.ReadStatus(cmd.Context(), c, seed)
				if err != nil {
					return err
				}
				if g.json() {
					return clusterctl.PrintJSON(g.t.out, s)
				}
				return clusterctl.PrintStatus(g.t.out, s)
			})
		},
	}
}

func newNodes(g *global) *cobra.Command {
	return &cobra.Command{
		Use:     "nodes",
		Short:   "List the members with their ids and slots",
		Example: `  clusterctl -a 10.0.0.1:7000 nodes`,
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return g.ask(cmd.Context(), func(c *clusterctl.Conns, seed string) error {
				st, err := c.State(cmd.Context(), seed)
				if err != nil {
					return err
				}
				if g.json() {
					return clusterctl.PrintJSON(g.t.out, st.Members())
				}
				clusterctl.PrintNodes(g.t.out, st)
				return nil
			})
		},
	}
}

func newCheck(g *global) *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Ask every member whether the cluster is healthy (exit code 3 if not)",
		Long: `Asks every member for its view and reports members that do not answer, have failed,
or see another topology, slots without an owner, replicas that do not follow, and, as
warnings, half-open slots and primaries without a replica.`,
		Example: `  clusterctl -a 10.0.0.1:7000 check
  clusterctl -a 10.0.0.1:7000 check -o json`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return g.ask(cmd.Context(), func(c *clusterctl.Conns, seed string) error {
				r, err := clusterctl.Check(cmd.Context(), c, seed)
				if err != nil {
					return err
				}
				if g.json() {
					err = clusterctl.PrintJSON(g.t.out, r)
				} else {
					err = clusterctl.PrintReport(g.t.out, r)
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
	var cancel, watch bool
	cmd := &cobra.Command{
		Use:   "migrations",
		Short: "List the slot moves of the whole cluster, running and ended",
		Long: `Lists the slot moves of the whole cluster, running and recently ended, newest first.
With --watch it follows the running ones until none is left; its exit code is 1 if one
of them did not succeed. With --cancel it ends them: their slots stay where they are.`,
		Example: `  clusterctl -a 10.0.0.1:7000 migrations
  clusterctl -a 10.0.0.1:7000 migrations --watch
  clusterctl -a 10.0.0.1:7000 migrations --cancel`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return g.ask(cmd.Context(), func(c *clusterctl.Conns, seed string) error {
				switch {
				case cancel && watch:
					return &usageError{errors.New("--cancel and --watch exclude each other")}
				case cancel:
					return g.cancel(cmd.Context(), c, seed)
				case watch:
					return g.watch(cmd.Context(), c, seed)
				default:
					return g.listMigrations(cmd.Context(), c, seed)
				}
			})
		},
	}
	cmd.Flags().BoolVar(&cancel, "cancel", false, "cancel every running move")
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "follow the running moves until none is left")
	return cmd
}

func (g *global) listMigrations(ctx context.Context, c *clusterctl.Conns, seed string) error {
	st, err := c.State(ctx, seed)
	if err != nil {
		return err
	}
	jobs, err := c.Migrations(ctx, st)
	if err != nil {
		return err
	}
	return g.printMigrations(jobs)
}

func (g *global) printMigrations(jobs []clusterctl.Migration) error {
	if g.json() {
		return clusterctl.PrintJSON(g.t.out, jobs)
	}
	clusterctl.PrintMigrations(g.t.out, jobs)
	return nil
}

func (g *global) watch(ctx context.Context, c *clusterctl.Conns, seed string) error {
	jobs, err := clusterctl.WatchMigrations(ctx, c, seed, clusterctl.NewTerminal(g.t.err, g.t.errTTY))
	if jobs == nil {
		return err
	}
	return errors.Join(g.printMigrations(jobs), err)
}

func (g *global) cancel(ctx context.Context, c *clusterctl.Conns, seed string) error {
	jobs, err := clusterctl.CancelAll(ctx, c, seed)
	if err != nil {
		return err
	}
	if g.json() {
		return clusterctl.PrintJSON(g.t.out, jobs)
	}
	_, err = fmt.Fprintf(g.t.err, "cancelled %d moves\n", len(jobs))
	return err
}
