package commandtest

import (
	"fmt"
	"strings"
	"testing"
)

// Script runs a script, one case a line:
//
//	request -> reply | effect; effect
//
// with words separated by spaces, the reply as Plain writes it, and what is staged
// behind the bar. Every reply and effect that is not as expected is reported.
func (r *Runner) Script(t *testing.T, script string) {
	t.Helper()
	for _, line := range strings.Split(script, "\n") {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		request, rest, ok := strings.Cut(line, " -> ")
		if !ok {
			t.Fatalf("script line %q has no arrow", line)
		}
		reply, effects, _ := strings.Cut(rest, " | ")
		got := Plain(r.Do(strings.Split(strings.TrimRight(request, " "), " ")...))
		if reply = strings.TrimSpace(reply); got != reply {
			t.Errorf("%s: %s, want %s", request, got, reply)
		}
		if got := strings.Join(r.Effects(), "; "); got != strings.TrimSpace(effects) {
			t.Errorf("%s: staged %q, want %q", request, got, effects)
		}
	}
}

// Plain writes a reply in one line: the bare text or number, "-" before an error,
// "nil", "[a b]".
func Plain(raw []byte) string {
	v, err := Parse(raw)
	if err != nil {
		return fmt.Sprintf("(%v)", err)
	}
	return v.plain()
}

func (v Reply) plain() string {
	switch {
	case v.Null:
		return "nil"
	case v.Kind == '-':
		return "-" + v.Text
	case v.Items != nil || v.Kind == '*':
		items := make([]string, len(v.Items))
		for i, item := range v.Items {
			items[i] = item.plain()
		}
		return "[" + strings.Join(items, " ") + "]"
	}
	return v.Text
}
