// Package admintest holds docs/compatibility.md against a command table. It is for
// tests; no program imports it.
package admintest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/redwingdb/redwing/internal/command"
)

// The paragraphs of docs/compatibility.md that list commands, each name in
// backquotes, a subcommand behind its container ("config get").
const (
	supported = "Supported:"
	missing   = "Not yet:"
)

// internal begins the names of the cluster's own commands, which the page leaves out.
const internal = "rw."

// CompatibilityFaults returns what doc says of the commands that is not so of t: a
// command that it calls supported or missing and is not, one that it does not name,
// and one that it names twice.
func CompatibilityFaults(doc string, t *command.Table) (faults []string) {
	has := make(map[string]bool)
	for _, s := range t.All() {
		if strings.HasPrefix(s.Name, internal) {
			continue
		}
		if s.Run != nil {
			has[s.Name] = true
		}
		for _, sub := range s.SubSpecs() {
			has[s.Name+" "+sub.Name] = true
		}
	}
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	named := make(map[string]bool)
	for _, paragraph := range strings.Split(doc, "\n\n") {
		paragraph = strings.TrimSpace(paragraph)
		isSupported := strings.HasPrefix(paragraph, supported)
		if !isSupported && !strings.HasPrefix(paragraph, missing) {
			continue
		}
		for _, name := range quoted(paragraph) {
			if named[name] {
				fault("%s is named twice", name)
			}
			named[name] = true
			if isSupported && !has[name] {
				fault("%s is called supported, but it is not in the table", name)
			}
			if !isSupported && has[name] {
				fault("%s is called missing, but it is in the table", name)
			}
		}
	}
	for name := range has {
		if !named[name] {
			fault("%s is not named", name)
		}
	}
	slices.Sort(faults)
	return faults
}

// quoted returns what stands between backquotes, spaces and line breaks as one space.
func quoted(text string) (names []string) {
	parts := strings.Split(text, "`")
	for i := 1; i < len(parts); i += 2 {
		names = append(names, strings.Join(strings.Fields(parts[i]), " "))
	}
	return names
}
