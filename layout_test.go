// Package redwing holds no code: this test keeps the package table of
// docs/ARCHITECTURE.md true.
package redwing

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

const module = "github.com/redwingdb/redwing/"

// row is a line of the package table: a level and a package of it.
var row = regexp.MustCompile("(?m)^\\| L(\\d) \\| `([a-z0-9/]+)` \\|")

// TestImportsPointDown holds every import of the module against the package table:
// a package imports lower levels and its own children, never a neighbour.
func TestImportsPointDown(t *testing.T) {
	level := readTable(t)
	seen := map[string]bool{}
	for _, pkg := range listPackages(t) {
		path := strings.TrimPrefix(pkg.ImportPath, module)
		from, ok := lookup(level, path)
		if !ok {
			t.Errorf("%s is not in the package table of docs/ARCHITECTURE.md", path)
			continue
		}
		seen[from] = true
		for _, imp := range pkg.Imports {
			if !strings.HasPrefix(imp, module) {
				continue
			}
			imp = strings.TrimPrefix(imp, module)
			to, ok := lookup(level, imp)
			if !ok {
				continue // reported at its own turn
			}
			if strings.HasPrefix(imp, path+"/") || level[to] < level[from] {
				continue
			}
			t.Errorf("%s (L%d) imports %s (L%d)", path, level[from], imp, level[to])
		}
	}
	for name := range level {
		if !seen[name] {
			t.Errorf("%s stands in the package table but holds no package", name)
		}
	}
}

func readTable(t *testing.T) map[string]int {
	t.Helper()
	text, err := os.ReadFile("docs/ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	level := map[string]int{}
	for _, m := range row.FindAllSubmatch(text, -1) {
		level[string(m[2])] = int(m[1][0] - '0')
	}
	if len(level) < 10 {
		t.Fatalf("found only %d packages in the table of docs/ARCHITECTURE.md", len(level))
	}
	return level
}

// lookup returns the entry of the table that path belongs to: itself or its
// nearest parent.
func lookup(level map[string]int, path string) (string, bool) {
	for {
		if _, ok := level[path]; ok {
			return path, true
		}
		cut := strings.LastIndexByte(path, '/')
		if cut < 0 {
			return "", false
		}
		path = path[:cut]
	}
}

type listed struct {
	ImportPath string
	Imports    []string
}

func listPackages(t *testing.T) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "./cmd/...", "./internal/...")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var pkgs []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
}
