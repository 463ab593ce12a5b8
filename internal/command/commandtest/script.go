package commandtest

import (
	"fmt"
	"strings"
	"testing"
)

// Script runs a script, one case a line:
//
//	request -> reply | effect; effect ! event key; event key
//
// with words separated by spaces, the reply as Plain writes it, and what is staged
// behind the bar, by the commands that were served too. Events stand behind the
// exclamation mark, as Heard has them, and are not looked at without one. Whatever is not
// as expected is reported. Other clients of the keyspace have a name:
//
//	@a blpop k 0 -> blocked
//	rpush k v -> 1 | rpush k v; LPOP k
//	@a -> [k v]
//	@a timeout -> nil
//
// A name alone asks for the reply of the command that the client was blocked on, with
// "timeout" its time passes.
func (r *Runner) Script(t *testing.T, script string) {
	t.Helper()
	peers := make(map[string]*Runner)
	for _, line := range strings.Split(script, "\n") {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		request, rest, ok := strings.Cut(line, " -> ")
		if !ok {
			t.Fatalf("script line %q has no arrow", line)
		}
		rest, events, listens := strings.Cut(rest, " ! ")
		reply, effects, _ := strings.Cut(rest, " | ")
		words := strings.Split(strings.TrimRight(request, " "), " ")
		client := r
		if strings.HasPrefix(words[0], "@") {
			if client = peers[words[0]]; client == nil {
				client = r.Peer()
				peers[words[0]] = client
			}
			client.Now = r.Now
			words = words[1:]
		}
		r.heard = r.heard[:0] // also what a peer's command makes happen
		got := client.step(words)
		if reply = strings.TrimSpace(reply); got != reply {
			t.Errorf("%s: %s, want %s", request, got, reply)
		}
		if got := strings.Join(client.Effects(), "; "); got != strings.TrimSpace(effects) {
			t.Errorf("%s: staged %q, want %q", request, got, effects)
		}
		if got := strings.Join(r.heard, "; "); listens && got != strings.TrimSpace(events) {
			t.Errorf("%s: happened %q, want %q", request, got, events)
		}
	}
}

// step runs one request of a script, or takes up the one that blocked.
func (r *Runner) step(words []string) string {
	waits := r.wait != nil
	switch {
	case len(words) == 0:
		r.Ctx.Block.Reset()
		if r.Blocked() {
			return "blocked"
		}
		return Plain(r.Reply())
	case waits && words[0] == "timeout":
		r.Ctx.Block.Reset()
		return Plain(r.TimeOut())
	case waits:
		return "(is blocked)"
	}
	if raw := r.Do(words...); !r.Blocked() {
		return Plain(raw)
	}
	return "blocked"
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
