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
	"path"
	"regexp"
	"strings"
	"testing"
)

const module = "github.com/redwingdb/redwing/"

// row is a line of the package table: a level and a package of it.
var row = regexp.MustCompile("(?m)^\\| L(\\d)(?:\\.(\\d))? \\| `([a-z0-9/]+)` \\|")

// level is where a package stands: major orders the packages, minor those of one
// level and one folder that build on each other.
type level struct{ major, minor int }

// mayImport reports whether a package may import another: of a lower level, or in the
// same folder at a lower minor level.
func mayImport(levels map[string]level, from, to string) bool {
	a, b := levels[from], levels[to]
	return b.major < a.major || b.major == a.major && b.minor < a.minor && path.Dir(from) == path.Dir(to)
}

// TestImportsPointDown holds every import of the module against the package table:
// a package imports lower levels and its own children, never a neighbour.
func TestImportsPointDown(t *testing.T) {
	levels := readTable(t)
	seen := map[string]bool{}
	for _, pkg := range listPackages(t) {
		name := strings.TrimPrefix(pkg.ImportPath, module)
		from, ok := lookup(levels, name)
		if !ok {
			t.Errorf("%s is not in the package table of docs/ARCHITECTURE.md", name)
			continue
		}
		seen[from] = true
		for _, imp := range pkg.Imports {
			if !strings.HasPrefix(imp, module) {
				continue
			}
			imp = strings.TrimPrefix(imp, module)
			to, ok := lookup(levels, imp)
			if !ok {
				continue // reported at its own turn
			}
			if strings.HasPrefix(imp, name+"/") || mayImport(levels, from, to) {
				continue
			}
			t.Errorf("%s %v imports %s %v", name, levels[from], imp, levels[to])
		}
	}
	for name := range levels {
		if !seen[name] {
			t.Errorf("%s stands in the package table but holds no package", name)
		}
	}
}

func readTable(t *testing.T) map[string]level {
	t.Helper()
	text, err := os.ReadFile("docs/ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	levels := map[string]level{}
	for _, m := range row.FindAllSubmatch(text, -1) {
		l := level{major: int(m[1][0] - '0')}
		if len(m[2]) > 0 {
			l.minor = int(m[2][0] - '0')
		}
		levels[string(m[3])] = l
	}
	if len(levels) < 10 {
		t.Fatalf("found only %d packages in the table of docs/ARCHITECTURE.md", len(levels))
	}
	return levels
}

// lookup returns the entry of the table that a package belongs to: itself or its
// nearest parent.
func lookup(levels map[string]level, name string) (string, bool) {
	for ; name != "."; name = path.Dir(name) {
		if _, ok := levels[name]; ok {
			return name, true
		}
	}
	return "", false
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
