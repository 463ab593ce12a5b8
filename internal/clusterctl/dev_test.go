package clusterctl

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/config"
)

func TestDevValidate(t *testing.T) {
	err := (&Dev{BasePort: 60000, Primaries: 0, Replicas: -1}).Validate()
	wantErr(t, err, ErrUsage, "--primaries 0", "--replicas -1", "--port 60000")
	wantErr(t, (&Dev{BasePort: 55534, Primaries: 1, Replicas: 2}).Validate(), ErrUsage, "--port 55534")
	if err := (&Dev{BasePort: 55533, Primaries: 1, Replicas: 2}).Validate(); err != nil {
		t.Error(err)
	}
}

// freePort returns a port whose bus port is free as well.
func freePort(t *testing.T) (port int, taken net.Listener) {
	t.Helper()
	for range 100 {
		ln := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
		port := ln.Addr().(*net.TCPAddr).Port
		if port+config.BusOffset < 65536 && portFree("127.0.0.1", port+config.BusOffset) {
			return port, ln
		}
		_ = ln.Close() // the next one
	}
	t.Fatal("found no port with a free bus port")
	return 0, nil
}

// Nothing is started, and no folder made, unless all can be.
func TestDevUpRefuses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "dev")
	port, ln := freePort(t)
	d := &Dev{Dir: dir, Node: filepath.Join(dir, "no-such-node"), BasePort: port, Primaries: 1}
	wantErr(t, d.Up(context.Background(), dial(t), &strings.Builder{}), nil, "is taken by another process")
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	wantErr(t, d.Up(context.Background(), dial(t), &strings.Builder{}), nil, "no node binary at "+d.Node)
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the folder is there: %v", err)
	}
}

func TestDevNodeThatEnds(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "node")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho bad directive\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	port, ln := freePort(t)
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	d := &Dev{Dir: filepath.Join(dir, "dev"), Node: script, BasePort: port, Primaries: 1}
	wantErr(t, d.Up(context.Background(), dial(t), &strings.Builder{}), nil, "ended at once (exit status 1): bad directive")
	if n, err := d.Down(context.Background()); n != 0 || err != nil {
		t.Errorf("down: %d, %v", n, err)
	}
}

// Down ends only nodes of its own folder: a pid file may name a stranger by now.
func TestDevDownSparesStrangers(t *testing.T) {
	dir := t.TempDir()
	d := &Dev{Dir: dir, BasePort: 7000, Primaries: 1}
	for name, pid := range map[string]string{"7000": "1", "7001": "nonsense", "7002": "0", "7003": "999999999"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name, "node.pid"), []byte(pid), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	own := filepath.Join(dir, "mine.txt")
	if err := os.WriteFile(own, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if n, err := d.Down(context.Background()); n != 0 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := os.Stat(own); err != nil {
		t.Errorf("a file that Up has not made is gone: %v", err)
	}
	if n, err := (&Dev{Dir: filepath.Join(dir, "nowhere")}).Down(context.Background()); n != 0 || err != nil {
		t.Errorf("of nothing: %d, %v", n, err)
	}
}
