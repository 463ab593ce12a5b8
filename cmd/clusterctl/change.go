package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/redwingdb/redwing/internal/clusterctl"
	"github.com/spf13/cobra"
)

// planned builds the RunE of a command that makes a plan and executes it.
func (g *global) planned(make func(ctx context.Context, c *clusterctl.Conns, args []string) (*clusterctl.Plan, error)) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		return g.conns(func(c *clusterctl.Conns) error {
			p, err := make(cmd.Context(), c, args)
			if err != nil {
				return err
			}
			return g.execute(cmd.Context(), c, p)
		})
	}
}

func newCreate(g *global) *cobra.Command {
	var replicas int
	cmd := &cobra.Command{
		Use:   "create HOST:PORT [HOST:PORT ...]",
		Short: "Form a cluster of fresh nodes",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return &usageError{fmt.Errorf("name the nodes: clusterctl create HOST:PORT [HOST:PORT ...]")}
			}
			return nil
		},
		RunE: g.planned(func(ctx context.Context, c *clusterctl.Conns, args []string) (*clusterctl.Plan, error) {
			return clusterctl.PlanCreate(ctx, c, args, replicas)
		}),
	}
	cmd.Flags().IntVar(&replicas, "replicas", 1, "replicas a primary")
	return g.planFlags(cmd)
}

func newAddNode(g *global) *cobra.Command {
	var replicaOf string
	cmd := &cobra.Command{
		Use:   "add-node HOST:PORT",
		Short: "Bring a fresh node into the cluster",
		Args:  exactly(1),
		RunE: g.planned(func(ctx context.Context, c *clusterctl.Conns, args []string) (*clusterctl.Plan, error) {
			return clusterctl.PlanAddNode(ctx, c, g.addr, args[0], replicaOf)
		}),
	}
	cmd.Flags().StringVar(&replicaOf, "replica-of", "", "make it a replica of this primary (id, prefix of an id, or address)")
	return g.planFlags(cmd)
}

func newRemoveNode(g *global) *cobra.Command {
	return g.planFlags(&cobra.Command{
		Use:   "remove-node NODE",
		Short: "Move a member's slots away and take it out (NODE: id, prefix of an id, or address)",
		Args:  exactly(1),
		RunE: g.planned(func(ctx context.Context, c *clusterctl.Conns, args []string) (*clusterctl.Plan, error) {
			return clusterctl.PlanRemoveNode(ctx, c, g.addr, args[0])
		}),
	})
}

func newReshard(g *global) *cobra.Command {
	var o clusterctl.ReshardOptions
	cmd := &cobra.Command{
		Use:   "reshard --to NODE --slots N [--from NODE,...]",
		Short: "Move a number of slots to one primary while clients go on",
		Args:  exactly(0),
		RunE: g.planned(func(ctx context.Context, c *clusterctl.Conns, _ []string) (*clusterctl.Plan, error) {
			return clusterctl.PlanReshard(ctx, c, g.addr, o)
		}),
	}
	cmd.Flags().StringSliceVar(&o.From, "from", nil, "primaries that give (default: all others, each by its share)")
	cmd.Flags().StringVar(&o.To, "to", "", "primary that takes")
	cmd.Flags().IntVar(&o.Slots, "slots", 0, "how many slots")
	for _, name := range []string{"to", "slots"} {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err) // the flag stands two lines above
		}
	}
	return g.planFlags(cmd)
}

func newRebalance(g *global) *cobra.Command {
	var o clusterctl.RebalanceOptions
	var weights []string
	cmd := &cobra.Command{
		Use:   "rebalance",
		Short: "Level the primaries by number of slots",
		Args:  exactly(0),
		RunE: g.planned(func(ctx context.Context, c *clusterctl.Conns, _ []string) (*clusterctl.Plan, error) {
			var err error
			if o.Weights, err = parseWeights(weights); err != nil {
				return nil, err
			}
			return clusterctl.PlanRebalance(ctx, c, g.addr, o)
		}),
	}
	cmd.Flags().StringSliceVar(&weights, "weight", nil, "NODE=WEIGHT, default 1; 0 empties the node")
	cmd.Flags().BoolVar(&o.UseEmpty, "use-empty", false, "give slots to primaries that have none")
	cmd.Flags().Float64Var(&o.Threshold, "threshold", 2, "leave a cluster alone that is level within this many percent")
	return g.planFlags(cmd)
}

func parseWeights(list []string) (map[string]float64, error) {
	out := map[string]float64{}
	for _, item := range list {
		name, text, ok := strings.Cut(item, "=")
		w, err := strconv.ParseFloat(text, 64)
		if !ok || err != nil || w < 0 {
			return nil, &usageError{fmt.Errorf("--weight %q: want NODE=WEIGHT", item)}
		}
		out[name] = w
	}
	return out, nil
}
