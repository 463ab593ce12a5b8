package clusterctl

import (
	"bytes"
	"strings"
	"testing"
)

// A bar and its text fit a line of a terminal, and what is said stands on a line of its own.
func TestTerminalLines(t *testing.T) {
	var out bytes.Buffer
	tty := NewTerminal(&out, true)
	for _, n := range []int{5, 45, 60, 200} {
		tty.Copied(.5, strings.Repeat("x", n))
	}
	tty.Say("news")
	tty.Copied(1, "end")
	tty.Done()
	lines := strings.FieldsFunc(out.String(), func(r rune) bool { return r == '\r' || r == '\n' })
	want := []string{
		"[###############...............] xxxxx", "[############.............] " + strings.Repeat("x", 45),
		"[#####.....] " + strings.Repeat("x", 60), "[#####.....] " + strings.Repeat("x", 60), "news", "[##############################] end",
	}
	for i, line := range lines {
		line = strings.TrimPrefix(line, "\x1b[K")
		if text := strings.TrimSpace(line); len(line) > 79 || i >= len(want) || text != want[i] {
			t.Errorf("line %d of %d columns: %q", i, len(line), text)
		}
	}
	if len(lines) != len(want) {
		t.Errorf("%d lines, want %d: %q", len(lines), len(want), out.String())
	}

	out.Reset()
	plain := NewTerminal(&out, false)
	plain.Copied(.1, "one")
	plain.Copied(.2, "too soon")
	plain.Say("news")
	plain.Copied(1, "end")
	if got := out.String(); got != "      one\n      news\n      end\n" {
		t.Errorf("%q", got)
	}
}
