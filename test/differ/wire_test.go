package differ

import (
	"context"
	"embed"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/command/commandtest"
	"github.com/redwingdb/redwing/internal/commands/keys"
	"github.com/redwingdb/redwing/internal/commands/str"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/server"
)

//go:embed wire
var wireScripts embed.FS

// TestWire runs the scripts on redis-server and on our server, both over sockets:
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
				clients := [2][2]*commandtest.Redis{{theirs, theirs.Again()}, {ours, ours.Again()}}
				for _, l := range lines {
					r, o := string(clients[0][l.client].Do(l.words...)), string(clients[1][l.client].Do(l.words...))
					if l.sorted {
						r, o = inOrder(r), inOrder(o)
					}
					if err := known.Check(strings.TrimSuffix(dir.name, "s")+" "+name+": "+l.text, r, o); err != nil {
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

// startServer starts our server on a socket of its own.
func startServer(t *testing.T) *commandtest.Redis {
	t.Helper()
	ks, err := engine.New(engine.Options{Shards: 8, Databases: 16, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ks.Close)
	table, err := command.NewTable(server.Specs(), str.Specs(), keys.Specs(keys.Deps{}))
	if err != nil {
		t.Fatal(err)
	}
	srv, err := server.New(server.Options{Table: table, Keyspace: ks})
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "rw")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	ln, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		srv.Shutdown(ctx)
		<-served
	})
	return commandtest.Dial(t, socket)
}
