package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/redwingdb/redwing/internal/clusterctl"
	"github.com/spf13/cobra"
)

// global are the flags that every command has.
type global struct {
	t        terminal
	addrs    []string
	password string
	output   string
	timeout  time.Duration
	dryRun   bool
	yes      bool
}

func newRoot(t terminal) *cobra.Command {
	g := &global{t: t}
	root := &cobra.Command{
		Use:   "clusterctl",
		Short: "Create, inspect and change Redwing clusters",
		Long: `clusterctl creates, inspects and changes Redwing clusters.

Every change is shown as a plan before it is made: --dry-run only shows it, --yes
makes it without asking. A change that was interrupted is finished by running the
same command again. Moves of slots go on in the cluster whatever becomes of
clusterctl; while they run, the same command follows them.

Data goes to standard output, everything else to standard error. Exit codes: 0 ok,
1 failed, 2 usage, 3 unhealthy, 5 the cluster changed since the plan was made,
6 timeout.`,
		Example: `  clusterctl create --replicas 1 10.0.0.1:7000 10.0.0.2:7000 10.0.0.3:7000 10.0.0.4:7000
  clusterctl -a 10.0.0.1:7000 status
  clusterctl -a 10.0.0.1:7000,10.0.0.2:7000 check -o json`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          noCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRunE: func(*cobra.Command, []string) error {
			switch {
			case g.output != "table" && g.output != "json":
				return &usageError{fmt.Errorf("--output %q: want table or json", g.output)}
			case g.timeout <= 0:
				return &usageError{fmt.Errorf("--timeout %v: must be positive", g.timeout)}
			}
			return nil
		},
	}
	f := root.PersistentFlags()
	f.StringSliceVarP(&g.addrs, "addr", "a", strings.Split(envOr("CLUSTERCTL_ADDR", "127.0.0.1:7000"), ","), "host:port of any member, or of several: the first that answers is asked (CLUSTERCTL_ADDR)")
	f.StringVar(&g.password, "password", os.Getenv("CLUSTERCTL_PASSWORD"), "password of the nodes (better: CLUSTERCTL_PASSWORD)")
	f.Lookup("password").DefValue = ""
	f.StringVarP(&g.output, "output", "o", "table", "table or json")
	f.DurationVar(&g.timeout, "timeout", clusterctl.DefaultTimeout, "give up when a step gets no further for so long (exit code 6)")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	root.AddCommand(
		newCreate(g), newStatus(g), newNodes(g), newCheck(g), newAddNode(g), newRemoveNode(g),
		newReshard(g), newRebalance(g), newMigrations(g), newBackup(g), newRestore(g), newImport(g), newConfig(g), newDev(g),
	)
	return root
}

// noCommand refuses words that name no command.
func noCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	text := fmt.Sprintf("unknown command %q for %q", args[0], cmd.CommandPath())
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		text += "; did you mean " + strings.Join(near, " or ") + "?"
	}
	return &usageError{errors.New(text)}
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
	c := clusterctl.NewConns(clusterctl.Options{Password: g.password, Timeout: g.timeout})
	defer c.Close()
	return f(c)
}

// ask runs f with connections and the address of the member to ask.
func (g *global) ask(ctx context.Context, f func(c *clusterctl.Conns, seed string) error) error {
	return g.conns(func(c *clusterctl.Conns) error {
		seed, err := c.FirstOf(ctx, g.addrs)
		if err != nil {
			return err
		}
		return f(c, seed)
	})
}

// planFlags adds the flags of commands that change something.
func (g *global) planFlags(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().BoolVar(&g.dryRun, "dry-run", false, "show the plan and change nothing")
	cmd.Flags().BoolVarP(&g.yes, "yes", "y", false, "do not ask for confirmation")
	return cmd
}

// plan is what execute carries out.
type plan interface {
	Print(w io.Writer, asJSON bool) error
	Empty() bool // nothing is to be done
	Apply(ctx context.Context, c *clusterctl.Conns, pr clusterctl.Progress) error
}

// execute shows the plan, asks, and applies it. With --output json the plan goes to
// standard output once it is carried out.
func (g *global) execute(ctx context.Context, c *clusterctl.Conns, p plan) error {
	if g.dryRun {
		return p.Print(g.t.out, g.json())
	}
	if err := p.Print(g.t.err, false); err != nil {
		return err
	}
	if !p.Empty() {
		if err := g.confirm(ctx); err != nil {
			return err
		}
		if err := p.Apply(ctx, c, clusterctl.NewTerminal(g.t.err, g.t.errTTY)); err != nil {
			return err
		}
	}
	if g.json() {
		return p.Print(g.t.out, true)
	}
	return nil
}

// confirm asks the operator whether to apply a plan.
func (g *global) confirm(ctx context.Context) error { return g.question(ctx, "apply this plan?") }

// question asks the operator unless --yes has answered.
func (g *global) question(ctx context.Context, text string) error {
	if g.yes {
		return nil
	}
	if !g.t.inTTY {
		return &usageError{errors.New("standard input is no terminal: confirm with --yes")}
	}
	if _, err := fmt.Fprint(g.t.err, text, " (yes/no) "); err != nil {
		return err
	}
	answer := make(chan string, 1)
	go func() { // ends with the line, or with the process
		line, _ := bufio.NewReader(g.t.in).ReadString('\n') // an end of input is no yes
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case a := <-answer:
		if a == "yes" || a == "y" {
			return nil
		}
		return clusterctl.ErrDeclined
	case <-ctx.Done():
		return clusterctl.ErrDeclined
	}
}
