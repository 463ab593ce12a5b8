package differ

import (
	"context"
	"embed"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/command/commandtest"
	"github.com/redwingdb/redwing/internal/config"
	"github.com/redwingdb/redwing/internal/node"
)

//go:embed wire
var wireScripts embed.FS

// TestWire runs the scripts on redis-server and on a node of ours, both over sockets:
// those that need a connection, and those of the handlers once more.
func TestWire(t *testing.T) {
	for _, dir := range []struct {
		name string
		fs   embed.FS
	}{{"wire", wireScripts}, {"scripts", scripts}} {
		known, err := LoadKnown(strings.TrimSuffix(dir.name, "s") + " ")
		if err != nil {
			t.Fatal(err)
		}
		files, err := dir.fs.ReadDir(dir.name)
		if err != nil || len(files) == 0 {
			t.Fatalf("no scripts: %v", err)
		}
		for _, f := range files {
			name := strings.TrimSuffix(f.Name(), ".txt")
			text, err := dir.fs.ReadFile(dir.name + "/" + f.Name())
			if err != nil {
				t.Fatal(err)
			}
			lines, err := parseScript(string(text))
			if err != nil || len(lines) == 0 {
				t.Fatalf("%s: %d lines, %v", f.Name(), len(lines), err)
			}
			t.Run(name, func(t *testing.T) {
				theirs := commandtest.StartRedis(t)
				ours := startServer(t)
				if missing := missingCommands(wholeTable(t), theirs, lines); len(missing) > 0 {
					known.Excuse(strings.TrimSuffix(dir.name, "s") + " " + name + ": ")
					t.Skipf("waits for %q", missing)
				}
				clients := [2][2]*commandtest.Redis{{theirs, theirs.Again()}, {ours, ours.Again()}}
				for _, l := range lines {
					r, o := string(clients[0][l.client].Do(l.words...)), string(clients[1][l.client].Do(l.words...))
					if err := checkLine(known, strings.TrimSuffix(dir.name, "s")+" "+name, l, r, o); err != nil {
						t.Error(err)
					}
				}
			})
		}
		if gone := known.Gone(); len(gone) > 0 && !t.Failed() {
			t.Errorf("differences of known.tsv that have gone: %q", gone)
		}
	}
}

// startServer starts a whole node, without cluster, on a socket of its own.
func startServer(t *testing.T) *commandtest.Redis {
	t.Helper()
	dir, err := os.MkdirTemp("", "rw") // t.TempDir may be too long for a socket's name
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	cfg, err := config.Parse(nil, []string{"--port", "0", "--unixsocket", socket, "--dir", dir, "--logfile", filepath.Join(dir, "log")})
	if err != nil {
		t.Fatal(err)
	}
	n, err := node.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx, nil) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("node: %v", err)
		}
	})
	return commandtest.Dial(t, socket)
}
