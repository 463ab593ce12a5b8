package differ

import (
	"slices"
	"strings"

	"github.com/redwingdb/redwing/internal/command/commandtest"
)

// argument is one node of what COMMAND DOCS says of the arguments of a command.
type argument struct {
	name, kind, token string
	optional          bool
	inner             []*argument
}

// syntaxOf returns the arguments of every command and subcommand that redis-server
// describes, by "name" or "container subcommand".
func syntaxOf(redis *commandtest.Redis) map[string][]*argument {
	out := make(map[string][]*argument)
	var add func(docs commandtest.Reply)
	add = func(docs commandtest.Reply) {
		for name, doc := range docs.Pairs() {
			fields := doc.Pairs()
			out[strings.ReplaceAll(name, "|", " ")] = argumentsOf(fields["arguments"])
			add(fields["subcommands"])
		}
	}
	add(redis.Ask("COMMAND", "DOCS"))
	return out
}

func argumentsOf(list commandtest.Reply) (out []*argument) {
	for _, item := range list.Items {
		f := item.Pairs()
		out = append(out, &argument{
			name: f["name"].Text, kind: f["type"].Text, token: f["token"].Text,
			optional: slices.Contains(f["flags"].Strings(), "optional"),
			inner:    argumentsOf(f["arguments"]),
		})
	}
	return out
}

// textNumbers are arguments that hold numbers though they are described as strings.
var textNumbers = []string{"threshold", "id", "lastid", "start", "end", "stop", "min", "max", "min-idle-time", "count", "entries_read", "offset", "value", "cursor", "increment", "encoding", "group_id", "last-id", "ms", "idle"}

// numbers returns the arguments that hold a number, those within others too.
func numbers(args []*argument) (out []*argument) {
	for _, a := range args {
		switch a.kind {
		case "integer", "double", "unix-time":
			out = append(out, a)
		case "string":
			if slices.Contains(textNumbers, strings.ToLower(a.name)) {
				out = append(out, a)
			}
		}
		out = append(out, numbers(a.inner)...)
	}
	return out
}

// render writes the shortest request that has target in it, with the given word there
// and key as every key.
func render(args []*argument, target *argument, word, key string) (words []string) {
	for _, a := range args {
		within := a.holds(target)
		if a.optional && !within {
			continue
		}
		if a.token != "" {
			words = append(words, a.token)
		}
		switch {
		case a == target:
			words = append(words, word)
		case a.kind == "block":
			words = append(words, render(a.inner, target, word, key)...)
		case a.kind == "oneof":
			at := max(0, slices.IndexFunc(a.inner, func(b *argument) bool { return b.holds(target) }))
			chosen := *a.inner[at]
			chosen.optional = false
			if a.inner[at] == target {
				if chosen.token != "" {
					words = append(words, chosen.token)
				}
				words = append(words, word)
			} else {
				words = append(words, render([]*argument{&chosen}, target, word, key)...)
			}
		default:
			words = append(words, a.usual(key)...)
		}
	}
	return words
}

// holds reports whether target is a or within it.
func (a *argument) holds(target *argument) bool {
	return a == target || slices.ContainsFunc(a.inner, func(b *argument) bool { return b.holds(target) })
}

// usual returns words for an argument that is not the one under test.
func (a *argument) usual(key string) []string {
	switch a.kind {
	case "key":
		return []string{key}
	case "pure-token":
		return nil // the token is all
	case "integer", "double":
		return []string{"1"}
	case "unix-time":
		return []string{"33177117420"}
	case "pattern":
		return []string{"*"}
	}
	switch strings.ToLower(a.name) {
	case "id", "start", "end", "lastid", "last-id":
		return []string{"1"}
	case "min":
		return []string{"-"}
	case "max":
		return []string{"+"}
	case "operation":
		return []string{"and"}
	case "encoding":
		return []string{"u8"}
	case "group", "groupname":
		return []string{"g"}
	}
	return []string{"a"}
}
