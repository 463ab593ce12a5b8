package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/redwingdb/redwing/internal/clusterctl"
	"github.com/spf13/cobra"
)

// planned builds the RunE of a command that makes a plan for the cluster of a member
// and executes it.
func (g *global) planned(make func(ctx context.Context, c *clusterctl.Conns, seed string, args []string) (*clusterctl.Plan, error)) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		return g.ask(cmd.Context(), func(c *clusterctl.Conns, seed string) error {
			p, err := make(cmd.Context(), c, seed, args)
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
		Long: `Forms a cluster of fresh nodes: the first ones become primaries, the others their
replicas, on different hosts where there are enough. It ends when every member agrees
and serves. A cluster that was formed in part is finished by the same command.`,
		Example: `  clusterctl create --replicas 1 10.0.0.1:7000 10.0.0.2:7000 10.0.0.3:7000 \
      10.0.0.4:7000 10.0.0.5:7000 10.0.0.6:7000`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return &usageError{fmt.Errorf("name the nodes: clusterctl create HOST:PORT [HOST:PORT ...]")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.conns(func(c *clusterctl.Conns) error {
				p, err := clusterctl.PlanCreate(cmd.Context(), c, args, replicas)
				if err != nil {
					return err
				}
				return g.execute(cmd.Context(), c, p)
			})
		},
	}
	cmd.Flags().IntVar(&replicas, "replicas", 1, "replicas a primary")
	return g.planFlags(cmd)
}

func newAddNode(g *global) *cobra.Command {
	var replicaOf string
	cmd := &cobra.Command{
		Use:   "add-node HOST:PORT",
		Short: "Bring a fresh node into the cluster",
		Example: `  clusterctl -a 10.0.0.1:7000 add-node 10.0.0.7:7000
  clusterctl -a 10.0.0.1:7000 add-node 10.0.0.8:7000 --replica-of 10.0.0.7:7000`,
		Args: exactly(1),
		RunE: g.planned(func(ctx context.Context, c *clusterctl.Conns, seed string, args []string) (*clusterctl.Plan, error) {
			return clusterctl.PlanAddNode(ctx, c, seed, args[0], replicaOf)
		}),
	}
	cmd.Flags().StringVar(&replicaOf, "replica-of", "", "make it a replica of this primary (id, prefix of an id, or address)")
	return g.planFlags(cmd)
}

func newRemoveNode(g *global) *cobra.Command {
	return g.planFlags(&cobra.Command{
		Use:   "remove-node NODE",
		Short: "Move a member's slots away and take it out (NODE: id, prefix of an id, or address)",
		Long: `Takes a member out of the cluster: its slots move to the other primaries, its replicas
are given to them, and it is reset and emptied. A dead member is taken out too if it
owns no slots. NODE is an id, a prefix of an id, or an address.`,
		Example: `  clusterctl -a 10.0.0.1:7000 remove-node 10.0.0.7:7000
  clusterctl -a 10.0.0.1:7000 remove-node 1f6a --dry-run`,
		Args: exactly(1),
		RunE: g.planned(func(ctx context.Context, c *clusterctl.Conns, seed string, args []string) (*clusterctl.Plan, error) {
			return clusterctl.PlanRemoveNode(ctx, c, seed, args[0])
		}),
	})
}

func newReshard(g *global) *cobra.Command {
	var o clusterctl.ReshardOptions
	cmd := &cobra.Command{
		Use:   "reshard --to NODE --slots N [--from NODE,...]",
		Short: "Move a number of slots to one primary while clients go on",
		Long: `Moves a number of slots with their keys to one primary while clients go on. Slots that
are on their way there from the same sources already count: interrupted and run again
while its moves run, the command follows them. Once they have ended it is a new
command and moves as many again.`,
		Example: `  clusterctl -a 10.0.0.1:7000 reshard --to 10.0.0.7:7000 --slots 2000
  clusterctl -a 10.0.0.1:7000 reshard --to 10.0.0.7:7000 --slots 500 --from 10.0.0.1:7000 --dry-run`,
		Args: exactly(0),
		RunE: g.planned(func(ctx context.Context, c *clusterctl.Conns, seed string, _ []string) (*clusterctl.Plan, error) {
			return clusterctl.PlanReshard(ctx, c, seed, o)
		}),
	}
	cmd.Flags().StringSliceVar(&o.From, "from", nil, "primaries that give (default: all others, each by its share)")
	cmd.Flags().StringVar(&o.To, "to", "", "primary that takes")
	cmd.Flags().IntVar(&o.Slots, "slots", 0, "how many slots")
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error { return needs(cmd, "to", "slots") }
	return g.planFlags(cmd)
}

func newRebalance(g *global) *cobra.Command {
	var o clusterctl.RebalanceOptions
	var weights []string
	cmd := &cobra.Command{
		Use:   "rebalance",
		Short: "Level the primaries by number of slots",
		Example: `  clusterctl -a 10.0.0.1:7000 rebalance
  clusterctl -a 10.0.0.1:7000 rebalance --use-empty
  clusterctl -a 10.0.0.1:7000 rebalance --weight 10.0.0.7:7000=2 --weight 10.0.0.8:7000=0`,
		Args: exactly(0),
		RunE: g.planned(func(ctx context.Context, c *clusterctl.Conns, seed string, _ []string) (*clusterctl.Plan, error) {
			var err error
			if o.Weights, err = parseWeights(weights); err != nil {
				return nil, err
			}
			return clusterctl.PlanRebalance(ctx, c, seed, o)
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
		if _, twice := out[name]; !ok || twice || err != nil || !(w >= 0) {
			return nil, &usageError{fmt.Errorf("--weight %q: want NODE=WEIGHT, once a node", item)}
		}
		out[name] = w
	}
	return out, nil
}
