package config

import (
	"fmt"
	"io"
	"strings"
)

// WriteReference writes the tables of docs/configuration.md: every directive with
// its values, its default, when a change takes effect, and what it does.
func WriteReference(w io.Writer) error {
	c := New()
	for _, s := range c.sections() {
		if _, err := fmt.Fprintf(w, "\n## %s\n\n| Directive | Values | Default | Takes effect | |\n|---|---|---|---|---|\n", s.title); err != nil {
			return err
		}
		for _, d := range s.directives {
			if _, err := fmt.Fprintln(w, d.row()); err != nil {
				return err
			}
		}
	}
	return nil
}

var effectWords = [...]string{
	AtStart: "at start", AtOnce: "at once", Applied: "at once", Inert: "has none yet", Only: "", Refused: "",
}

func (d *directive) row() string {
	name := "`" + d.name + "`"
	if d.alias != "" {
		name += ", `" + d.alias + "`"
	}
	def := "`" + quoteEmpty(d.def) + "`"
	help := d.help
	switch v := d.value.(type) {
	case refusal:
		def = ""
		help = strings.TrimPrefix(help+"; "+v.why, "; ")
	case onlyValue:
		help = strings.TrimPrefix(help+"; "+v.why, "; ")
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %s |", name, d.value.domain(), def, effectWords[d.effect], help)
}
