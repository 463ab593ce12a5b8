package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/redwingdb/redwing/internal/clusterctl"
	"github.com/spf13/cobra"
)

// global are the flags that every command has.
type global struct {
	addr     string
	password string
	output   string
	dryRun   bool
	yes      bool
}

func newRoot() *cobra.Command {
	g := &global{}
	root := &cobra.Command{
		Use:   "clusterctl",
		Short: "Create, inspect and change Redwing clusters",
		Long: `clusterctl creates, inspects and changes Redwing clusters.

Every change is shown as a plan before it is made: --dry-run only shows it, --yes
makes it without asking. A change that was interrupted is finished by running the
same command again.

Data goes to standard output, everything else to standard error. Exit codes: 0 ok,
1 failed, 2 usage, 3 unhealthy, 5 the cluster changed since the plan was made,
6 timeout.`,
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			if g.output != "table" && g.output != "json" {
				return &usageError{fmt.Errorf("--output %q: want table or json", g.output)}
			}
			return nil
		},
	}
	f := root.PersistentFlags()
	f.StringVarP(&g.addr, "addr", "a", envOr("CLUSTERCTL_ADDR", "127.0.0.1:7000"), "host:port of any member (CLUSTERCTL_ADDR)")
	f.StringVar(&g.password, "password", os.Getenv("CLUSTERCTL_PASSWORD"), "password of the nodes (better: CLUSTERCTL_PASSWORD)")
	f.Lookup("password").DefValue = ""
	f.StringVarP(&g.output, "output", "o", "table", "table or json")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	root.AddCommand(
		newCreate(g), newStatus(g), newNodes(g), newCheck(g), newAddNode(g), newRemoveNode(g),
		newReshard(g), newRebalance(g), newMigrations(g), newDev(g),
	)
	return root
}

func envOr(name, fallback string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return fallback
}

// exactly is cobra.ExactArgs with an error that counts as usage.
func exactly(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := cobra.ExactArgs(n)(cmd, args); err != nil {
			return &usageError{fmt.Errorf("%w; usage: %s", err, cmd.UseLine())}
		}
		return nil
	}
}

func (g *global) json() bool { return g.output == "json" }

// conns runs f with connections that are closed behind it.
func (g *global) conns(f func(c *clusterctl.Conns) error) error {
	c := clusterctl.NewConns(g.password)
	defer c.Close()
	return f(c)
}

// planFlags adds the flags of commands that change something.
func (g *global) planFlags(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().BoolVar(&g.dryRun, "dry-run", false, "show the plan and change nothing")
	cmd.Flags().BoolVarP(&g.yes, "yes", "y", false, "do not ask for confirmation")
	return cmd
}

// execute shows the plan, asks, and applies it.
func (g *global) execute(ctx context.Context, c *clusterctl.Conns, p *clusterctl.Plan) error {
	if g.dryRun {
		return p.Print(os.Stdout, g.json())
	}
	if err := p.Print(os.Stderr, false); err != nil {
		return err
	}
	if len(p.Steps) == 0 {
		return nil
	}
	if !g.yes {
		if err := confirm(); err != nil {
			return err
		}
	}
	return p.Apply(ctx, c, clusterctl.NewTerminal(os.Stderr, isTerminal(os.Stderr)))
}

func confirm() error {
	if !isTerminal(os.Stdin) {
		return &usageError{fmt.Errorf("standard input is no terminal: confirm with --yes")}
	}
	fmt.Fprint(os.Stderr, "apply this plan? (yes/no) ")
	line, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if err != nil {
		return fmt.Errorf("%w: %w", clusterctl.ErrDeclined, err)
	}
	if a := strings.ToLower(strings.TrimSpace(line)); a != "yes" && a != "y" {
		return clusterctl.ErrDeclined
	}
	return nil
}

func isTerminal(f *os.File) bool {
	st, err := f.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0
}
