// Command node is a Redwing server: a Redis-compatible data store, alone or as a
// member of a cluster.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/redwingdb/redwing/internal/config"
	"github.com/redwingdb/redwing/internal/node"
)

const usage = `Usage: node [FILE] [--directive value ...] [-]

FILE has the grammar and the directives of redis.conf; directives on the command
line come after it. "-" reads more of them from standard input.

  node                                     a server on port 6379
  node redwing.conf --port 6380
  node --port 7000 --cluster-enabled yes --dir /var/lib/redwing
  node --help | --version

docs/configuration.md lists every directive.
`

func main() { os.Exit(run(os.Args[1:])) }

// run returns the exit code: 0 after an orderly end, 1 with one line on standard
// error where the node cannot run.
func run(args []string) int {
	if len(args) == 1 {
		switch args[0] {
		case "--help", "-h":
			fmt.Print(usage)
			return 0
		case "--version", "-v":
			fmt.Printf("Redwing %s (Redis protocol %s)\n", node.Version, node.RedisVersion)
			return 0
		}
	}
	if err := serve(args); err != nil {
		fmt.Fprintln(os.Stderr, "node:", err)
		return 1
	}
	return 0
}

func serve(args []string) error {
	cfg, err := config.Load(args, os.Stdin)
	if err != nil {
		return err
	}
	n, err := node.New(cfg)
	if err != nil {
		return err
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	return n.Run(context.Background(), signals)
}
