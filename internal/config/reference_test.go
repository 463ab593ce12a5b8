package config

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the tables of docs/configuration.md")

// The tables of docs/configuration.md are those of the directives.
func TestReference(t *testing.T) {
	const path, marker = "../../docs/configuration.md", "<!-- The tables below are written by `go test ./internal/config -update`. -->\n"
	doc, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, tables, found := strings.Cut(string(doc), marker)
	if !found {
		t.Fatalf("%s lacks the line %q", path, marker)
	}
	var want bytes.Buffer
	if err := WriteReference(&want); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(path, []byte(head+marker+want.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if tables != want.String() {
		t.Errorf("the tables of %s are not those of the directives: run go test ./internal/config -update", path)
	}
}

// Directives that do something say what.
func TestEveryDirectiveIsExplained(t *testing.T) {
	for _, d := range New().table {
		if d.help == "" && (d.effect == AtStart || d.effect == AtOnce || d.effect == Applied) {
			t.Errorf("%s has no help", d.name)
		}
		if d.alias != "" && d.alias == d.name {
			t.Errorf("%s is its own alias", d.name)
		}
	}
	if c := New(); len(c.byName) < len(c.table) {
		t.Errorf("%d directives share %d names", len(c.table), len(c.byName))
	}
}
